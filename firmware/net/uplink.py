"""What is needed before the broker is tried: a network, and for TLS the calendar."""

import asyncio

from .unload import forget

NTP_RETRY_S = 60


class Uplink:
    """ready: set while the broker can be tried. station: wifi.Station, or None on a PC. ntp_server: "host" or
    "host:port", or None. set_calendar: called with Unix seconds UTC. needs_clock: True if TLS certificates
    will be checked. log: called with ("time_server", error, ntp_server).

    The calendar is set once; later the cloud's time keeps it. Without an answer from the time server the
    broker is tried all the same: the chip may still have the time from before a reset, and a certificate that
    cannot be checked is refused with a message of its own.
    """

    def __init__(self, station, ntp_server, set_calendar, needs_clock, log):
        self.ready = asyncio.Event()
        self._station = station
        self._ntp_server = ntp_server
        self._set_calendar = set_calendar
        self._clock_tried = not (ntp_server and needs_clock)
        self._log = log
        self.wifi_changed()

    @property
    def name_server(self):
        return None if self._station is None else self._station.name_server

    def wifi_changed(self):
        """The station has come up or gone down."""
        if self._clock_tried and (self._station is None or self._station.up.is_set()):
            self.ready.set()
        else:
            self.ready.clear()

    async def run(self):
        """Asks the time server until it has answered; returns at once where there is none."""
        told = False
        while self._ntp_server:
            if self._station is not None:
                await self._station.up.wait()
            try:
                from . import ntp

                self._set_calendar(await ntp.query(self._ntp_server, self.name_server))
                self._ntp_server = None
            # No network, no answer, no such name or port; or no room to ask, which must not end a charge.
            except (OSError, ValueError, MemoryError) as error:
                if not told:
                    self._log("time_server", error, self._ntp_server)
                told = True
            ntp = None
            forget(("net.ntp", "net.dns"))
            self._clock_tried = True
            self.wifi_changed()
            if self._ntp_server:
                await asyncio.sleep(NTP_RETRY_S)
