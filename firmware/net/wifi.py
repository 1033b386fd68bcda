"""The Wi-Fi station: connects, stays connected, and tells why where it cannot."""

import asyncio
import time

CONNECT_MS = 20_000
RETRY_MS = 5_000
WATCH_MS = 500
_POLL_MS = 100

NO_ADDRESS = "NoAddress"
LOST = "Lost"

# network.STAT_* of the ESP32, and the reasons of IEEE 802.11 that it passes on as they are: trouble.py.
# An attempt goes on: idle, connecting, connected since the last check, or ASSOC_LEAVE (8), which the
# disconnect at its beginning causes and which may arrive later.
_UNDER_WAY = (1000, 1001, 1010, 8)
_NO_NETWORK = 201


class Station:
    """wlan: network.WLAN(network.STA_IF). networks: [(ssid, password), ...], tried one after the other.
    on_change: called with (problem, ssid): None when the network is there; when it is lost or, once per
    problem, cannot be had, LOST, NO_ADDRESS, a status of the chip (int), or the error of its radio as text.
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
                self._tell(LOST)
            else:
                self._tell(problem)
                await asyncio.sleep_ms(RETRY_MS)

    def _tell(self, problem):
        problem_there = problem, self._ssid
        if problem is None or problem_there != self._told:
            self._on_change(*problem_there)
        self._told = problem_there

    async def _connect(self):
        """One attempt; None, or the problem."""
        wlan = self._wlan
        try:
            wlan.active(True)
            # The chip's own retries would hide the reason of a failure behind "connecting".
            wlan.config(reconnects=0)
            wlan.disconnect()
            wlan.connect(self._ssid, self._password)
        except (OSError, RuntimeError) as error:  # the latter is "unknown", such as too little memory
            return repr(error)
        began_ms = time.ticks_ms()
        while not wlan.isconnected():
            status = wlan.status()
            if status not in _UNDER_WAY:
                return status
            if time.ticks_diff(time.ticks_ms(), began_ms) >= CONNECT_MS:
                return self._silence()
            await asyncio.sleep_ms(_POLL_MS)
        return None

    def _silence(self):
        """Why nothing has happened for CONNECT_MS: where there is a signal, all but the address is there."""
        try:
            self._wlan.status("rssi")
        except OSError:
            return _NO_NETWORK
        return NO_ADDRESS
