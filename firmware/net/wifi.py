"""The Wi-Fi station: connects, stays connected, and says in one line why where it cannot."""

import asyncio
import time

CONNECT_MS = 20_000
RETRY_MS = 5_000
WATCH_MS = 500
_POLL_MS = 100

# network.STAT_* of the ESP32, and the reasons of IEEE 802.11 that it passes on as they are.
# An attempt goes on: idle, connecting, connected since the last check, or ASSOC_LEAVE (8), which the
# disconnect at its beginning causes and which may arrive later.
_UNDER_WAY = (1000, 1001, 1010, 8)
_NO_NETWORK = (200, 201, 212)  # beacon timeout, no access point found, none above the signal threshold
_WRONG_SECURITY = (210, 211)
_WRONG_PASSWORD = (2, 15, 202, 204)  # expired authentication, handshake timeouts, authentication failed


class Station:
    """wlan: network.WLAN(network.STA_IF). networks: [(ssid, password), ...], tried one after the other.
    on_change: called with None when the network is there, and with one line of text when it is lost or, once
    per reason, cannot be had.
    """

    def __init__(self, wlan, networks, on_change):
        self.up = asyncio.Event()
        self._wlan = wlan
        self._networks = networks
        self._ssid = ""
        self._password = ""
        self._on_change = on_change
        self._told = None

    @property
    def name_server(self):
        """The one that DHCP gave: asked for each time, since a renewed lease may name another."""
        return self._wlan.ifconfig()[3]

    def rssi_dbm(self):
        """The signal in dBm, about -30 to -90; None without a connection or a valid value."""
        try:
            rssi_dbm = self._wlan.status("rssi")
        except OSError:
            return None
        return rssi_dbm if -128 <= rssi_dbm <= 0 else None

    async def run(self):
        """Never returns."""
        tries = 0
        while True:
            network = self._networks[tries % len(self._networks)]
            self._ssid = network[0]
            self._password = network[1]
            problem = await self._connect()
            tries += 1
            if problem is None:
                tries = 0
                self.up.set()
                self._tell(None)
                while self._wlan.isconnected():
                    await asyncio.sleep_ms(WATCH_MS)
                self.up.clear()
                problem = "Wi-Fi: lost the network '%s'; connecting again" % self._ssid
                self._tell(problem)
            else:
                self._tell(problem)
                await asyncio.sleep_ms(RETRY_MS)

    def _tell(self, problem):
        if problem is None or problem != self._told:
            self._on_change(problem)
        self._told = problem

    async def _connect(self):
        """One attempt; None, or what went wrong and how to mend it."""
        wlan = self._wlan
        try:
            wlan.active(True)
            # The chip's own retries would hide the reason of a failure behind "connecting".
            wlan.config(reconnects=0)
            wlan.disconnect()
            wlan.connect(self._ssid, self._password)
        except (OSError, RuntimeError) as error:  # the latter is "unknown", such as too little memory
            return "Wi-Fi: the radio refuses (%r); it is tried again" % error
        began_ms = time.ticks_ms()
        while not wlan.isconnected():
            status = wlan.status()
            if status not in _UNDER_WAY:
                return _reason(status, self._ssid)
            if time.ticks_diff(time.ticks_ms(), began_ms) >= CONNECT_MS:
                return self._silence()
            await asyncio.sleep_ms(_POLL_MS)
        return None

    def _silence(self):
        """Why nothing has happened for CONNECT_MS: where there is a signal, all but the address is there."""
        try:
            self._wlan.status("rssi")
        except OSError:
            return _reason(_NO_NETWORK[0], self._ssid)
        return "Wi-Fi: '%s' gives no address: look at the DHCP server of its router" % self._ssid


def _reason(status, ssid):
    if status in _NO_NETWORK:
        return (
            "Wi-Fi: no network '%s' in reach: check its name (capitals count), 2.4 GHz, and the distance"
            % ssid
        )
    if status in _WRONG_PASSWORD:
        return "Wi-Fi: '%s' refuses the password: provision this pile again" % ssid
    if status in _WRONG_SECURITY:
        return "Wi-Fi: '%s' has a security this pile cannot do: set its router to WPA2" % ssid
    return "Wi-Fi: '%s' refuses (reason %d); it is tried again" % (ssid, status)
