"""Switches, debounced. A contact ties its pin to ground.

One whose broken wire must mean danger is normally closed.
"""

import time

from machine import Pin

HOLD_MS = 90  # a contact must stay changed for two cycles of the control loop


class Contact:
    """active_level: the pin's level that means "yes": 0 for a contact that closes, 1 for a normally closed
    one, so that a broken wire means "yes". pull: None for a pin with a resistor of its own.
    """

    def __init__(self, pin, active_level, pull: int | None = Pin.PULL_UP, hold_ms=HOLD_MS):
        self._pin = Pin(pin, Pin.IN) if pull is None else Pin(pin, Pin.IN, pull)
        self._active_level = active_level
        self._hold_ms = hold_ms
        self._state = self._pin.value() == active_level
        self._changing = False
        self._since_ms = 0

    def read(self):
        """Whether it is active. Call in every cycle."""
        if (self._pin.value() == self._active_level) == self._state:
            self._changing = False
        elif not self._changing:
            self._changing = True
            self._since_ms = time.ticks_ms()
        elif time.ticks_diff(time.ticks_ms(), self._since_ms) >= self._hold_ms:
            self._changing = False
            self._state = not self._state
        return self._state


def plug(pin, pull: int | None = Pin.PULL_UP):
    """A switch that closes when a vehicle is plugged in; a broken wire reads as unplugged."""
    return Contact(pin, 0, pull)


def stop_button(pin, pull: int | None = Pin.PULL_UP):
    """A push button that closes while it is pressed; a broken wire reads as not pressed."""
    return Contact(pin, 0, pull)


def estop(pin, pull: int | None = Pin.PULL_UP):
    """A normally closed emergency stop; a broken wire reads as pressed."""
    return Contact(pin, 1, pull)


def ground_fault(pin, pull: int | None = Pin.PULL_UP):
    """The normally closed signal contact of a residual current device; a broken wire reads as tripped."""
    return Contact(pin, 1, pull)
