"""What can go wrong on the way to the broker.

LinkError
+-- LinkDown         there is no connection now, or it ended before the broker confirmed
+-- LinkNoMemory     the heap, or the chip's own RAM, has no room for the connection
+-- LinkRefused      the broker answered CONNECT or SUBSCRIBE with a no
+-- LinkUntrusted    the broker's certificate is not signed by our CA, not for its name, or not valid now
+-- MqttError        bytes that MQTT 3.1.1 does not allow
"""

_ENOMEM = 12
# mbedTLS's own codes: a high part for the layer, to which a low part for the cause may be added.
_ALLOC_FAILED = (0x7F00, 0x2880, 0x3F80, 0x4D80, 0x5180, 0x6180, 0x3400, 0x1180)
_ALLOC_FAILED_LOW = (0x10, 0x6A)  # of a large number, of ASN.1


class LinkError(Exception):
    pass


class LinkDown(LinkError):
    pass


class LinkNoMemory(LinkError):
    pass


class LinkRefused(LinkError):
    pass


class LinkUntrusted(LinkError):
    pass


class MqttError(LinkError):
    pass


def of_network(error):
    """The LinkError for an OSError, EOFError or MemoryError of a socket."""
    if isinstance(error, MemoryError) or _is_no_memory(error):
        return LinkNoMemory("too little memory for the connection: %r" % error)
    return LinkDown("network: " + repr(error))


def _is_no_memory(error):
    code = error.args[0] if error.args else 0
    if type(code) is not int:
        return False
    code = -code
    return code == -_ENOMEM or code in _ALLOC_FAILED or code > 256 and code & 0x7F in _ALLOC_FAILED_LOW
