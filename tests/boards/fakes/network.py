"""A `network` for the unix port: a Wi-Fi as air.json in the working folder says, with the ESP32's numbers.

{"ssid", "password", "dhcp": true, "refuses": status or null}; the file may change while the pile runs.
"""

import json

STA_IF = 0

_IDLE, _CONNECTING, _GOT_IP = 1000, 1001, 1010
_NO_AP_FOUND, _HANDSHAKE_TIMEOUT = 201, 15
_POLLS = 3  # how many looks at the status an attempt takes


class WLAN:
    def __init__(self, interface):
        self._active = False
        self._wanted = None
        self._retries = True
        self._polls = 0

    def active(self, active):
        self._active = active

    def config(self, *, reconnects):
        self._retries = reconnects != 0

    def disconnect(self):
        self._wanted = None

    def connect(self, ssid, password):
        if not self._active or self._wanted:
            raise OSError("Wifi Internal State Error")
        self._wanted = (ssid, password)
        self._polls = 0

    def isconnected(self):
        return self.status() == _GOT_IP

    def status(self, what=None):
        with open("air.json") as file:
            air = json.load(file)
        if what == "rssi":
            if not self._wanted or self._wanted[0] != air["ssid"]:
                raise OSError("STA not connected")
            return -60
        if self._wanted is None:
            return _IDLE
        self._polls += 1
        if self._polls < _POLLS:
            return _CONNECTING
        if self._retries:  # the chip tries again by itself, and never says why
            return _CONNECTING
        if air.get("refuses"):
            return air["refuses"]
        if self._wanted[0] != air["ssid"]:
            return _NO_AP_FOUND
        if self._wanted[1] != air["password"]:
            return _HANDSHAKE_TIMEOUT
        return _GOT_IP if air.get("dhcp", True) else _CONNECTING

    def ifconfig(self):
        return ("192.0.2.7", "255.255.255.0", "192.0.2.1", "192.0.2.1")
