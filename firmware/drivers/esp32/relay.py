"""A contactor's coil on a pin."""

import time

from machine import Pin


class Relay:
    """closed_level: the pin's level that closes it (1, or 0 for modules that switch to ground).
    feedback: the pin of an auxiliary contact that ties it to ground while the main contacts are closed.

    Opening is never delayed, because every opening may be one for safety. Closing waits until the contacts
    have been open for min_off_ms, which spares them when one order follows another.
    """

    def __init__(self, pin, closed_level=1, feedback=None, feedback_pull=Pin.PULL_UP, min_off_ms=1_000):
        self._closed_level = closed_level
        self._pin = Pin(pin, Pin.OUT, value=1 - closed_level)
        self._feedback = None if feedback is None else Pin(feedback, Pin.IN, feedback_pull)
        self.has_feedback = feedback is not None
        self._min_off_ms = min_off_ms
        self._opened_ms = time.ticks_ms()
        self._closed = False
        self._resting = True  # a flag, because ticks that wrap cannot tell a long rest from none
        self._waiting = False

    def set(self, closed):
        if self._resting and time.ticks_diff(time.ticks_ms(), self._opened_ms) >= self._min_off_ms:
            self._resting = False
        if not closed:
            self._pin.value(1 - self._closed_level)  # written each time: a glitch may have changed the output
            self._waiting = False
            if self._closed:
                self._closed = False
                self._resting = True
                self._opened_ms = time.ticks_ms()
        elif self._resting:
            self._waiting = True
        else:
            self._waiting = False
            self._closed = True
            self._pin.value(self._closed_level)

    def is_closed(self):
        """None while a command to close waits: an open contact is no failure then."""
        if self._feedback is None or self._waiting:
            return None
        return not self._feedback.value()
