"""The hardware watchdog: it resets the chip, and so opens every relay, when the control loop stops."""

import machine

TIMEOUT_MS = 8_000  # longer than the longest wait of the loop, a TLS handshake
HAND_OVER_MS = 600_000  # a pile that is interrupted and left alone restarts after this time
_FEED_MS = 1_000


class Watchdog:
    """Runs from here to the next reset; it cannot be stopped. timer: a hardware timer for hand_over()."""

    handed_over = None  # the one whose timer feeds since hand_over()

    def __init__(self, timeout_ms=TIMEOUT_MS, timer=0):
        self._timer = timer
        self._feeds_left = 0
        self._wdt = machine.WDT(timeout=timeout_ms)
        # A pile that was interrupted, and is started again from the REPL, must feed the watchdog by itself.
        if Watchdog.handed_over is not None:
            Watchdog.handed_over.stop_feeding()

    def feed(self):
        self._wdt.feed()

    def hand_over(self):
        """Feeds for HAND_OVER_MS, so that the person at the console is not reset; then the chip restarts."""
        Watchdog.handed_over = self
        self._feeds_left = HAND_OVER_MS // _FEED_MS
        self._wdt.feed()
        machine.Timer(self._timer).init(
            mode=machine.Timer.PERIODIC, period=_FEED_MS, callback=self._feed_for_a_person
        )

    def stop_feeding(self):
        """Another Watchdog feeds from here on."""
        Watchdog.handed_over = None
        machine.Timer(self._timer).deinit()

    def _feed_for_a_person(self, timer):
        if self._feeds_left:
            self._feeds_left -= 1
            self._wdt.feed()
        else:
            timer.deinit()
