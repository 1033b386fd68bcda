"""What can go wrong on the way to the broker.

LinkError
+-- LinkDown         there is no connection now, or it ended before the broker confirmed
+-- LinkRefused      the broker answered CONNECT or SUBSCRIBE with a no
+-- LinkUntrusted    the broker's certificate is not signed by our CA, not for its name, or not valid now
+-- MqttError        bytes that MQTT 3.1.1 does not allow
"""


class LinkError(Exception):
    pass


class LinkDown(LinkError):
    pass


class LinkRefused(LinkError):
    pass


class LinkUntrusted(LinkError):
    pass


class MqttError(LinkError):
    pass
