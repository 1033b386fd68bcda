"""The hardware watchdog: resets the chip, and so opens every relay, when the control loop stops."""

import machine

TIMEOUT_MS = 8_000  # longer than the longest thing the loop waits for, a TLS handshake
_FEED_MS = 1_000


class Watchdog:
    """Runs from here to the next reset; nothing can stop it. timer: a hardware timer for hand_over()."""

    def __init__(self, timeout_ms=TIMEOUT_MS, timer=0):
        self._wdt = machine.WDT(timeout=timeout_ms)
        self._timer = timer

    def feed(self):
        self._wdt.feed()

    def hand_over(self):
        # Without it, whoever interrupts the pile to look or to deploy would be reset in the middle.
        machine.Timer(self._timer).init(
            mode=machine.Timer.PERIODIC, period=_FEED_MS, callback=lambda _: self._wdt.feed()
        )
