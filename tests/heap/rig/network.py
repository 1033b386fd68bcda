"""A Wi-Fi that is always there."""

STA_IF = 0


class WLAN:
    def __init__(self, interface):
        pass

    def active(self, active):
        pass

    def config(self, reconnects=0):
        pass

    def disconnect(self):
        pass

    def connect(self, ssid, password):
        pass

    def isconnected(self):
        return True

    def ifconfig(self):
        return ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")

    def status(self, what=None):
        return -60
