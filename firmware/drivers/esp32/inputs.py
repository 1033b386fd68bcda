"""Switches and a temperature sensor, debounced.

A contact ties its pin to ground. Those whose broken wire must mean danger are normally closed.
"""

import time

from machine import ADC, Pin

HOLD_MS = 90  # how long a contact must stay changed: two cycles of the control loop


class Contact:
    """active_level: the pin's level that means "yes": 0 for a contact that closes, 1 for a normally closed
    one, which a broken wire then turns to "yes".
    """

    def __init__(self, pin, active_level, pull=Pin.PULL_UP, hold_ms=HOLD_MS):
        self._pin = Pin(pin, Pin.IN, pull)
        self._active_level = active_level
        self._hold_ms = hold_ms
        self._state = self._pin.value() == active_level
        self._changing = False
        self._since_ms = 0

    def read(self):
        """Call in every cycle."""
        if (self._pin.value() == self._active_level) == self._state:
            self._changing = False
        elif not self._changing:
            self._changing = True
            self._since_ms = time.ticks_ms()
        elif time.ticks_diff(time.ticks_ms(), self._since_ms) >= self._hold_ms:
            self._changing = False
            self._state = not self._state
        return self._state


def plug(pin, pull=Pin.PULL_UP):
    """A switch that closes when a vehicle is plugged in; a broken wire reads as unplugged."""
    return Contact(pin, 0, pull)


def estop(pin, pull=Pin.PULL_UP):
    """A normally closed emergency stop; a broken wire reads as pressed."""
    return Contact(pin, 1, pull)


def ground_fault(pin, pull=Pin.PULL_UP):
    """The normally closed signal contact of a residual current device; a broken wire reads as tripped."""
    return Contact(pin, 1, pull)


# Millivolts at -25, -20 ... 125 degrees of an NTC of 10 kohm, B = 3950, to ground, with 10 kohm to 3.3 V.
_MILLIVOLTS = (
    3086, 3014, 2925, 2816, 2689, 2543, 2381, 2206, 2023, 1836, 1650, 1470, 1301, 1143, 1000, 871,
    757, 657, 570, 494, 428, 372, 323, 282, 246, 215, 189, 166, 146, 129, 114,
)  # fmt: skip
_FIRST_C = -25
_STEP_C = 5
BROKEN_C = 125  # a sensor that cannot be read is as good as too hot: a broken wire, or colder than _FIRST_C


class Ntc:
    """A pin of ADC1 (ADC2 does not work beside Wi-Fi)."""

    def __init__(self, pin):
        self._adc = ADC(Pin(pin), atten=ADC.ATTN_11DB)
        self._microvolts = self._adc.read_uv()

    def read(self):
        """Whole degrees Celsius, over about eight cycles. Call in every cycle."""
        self._microvolts += (self._adc.read_uv() - self._microvolts) // 8
        return celsius(self._microvolts // 1000)


def celsius(millivolts):
    if millivolts > _MILLIVOLTS[0]:
        return BROKEN_C
    for i in range(1, len(_MILLIVOLTS)):
        if millivolts >= _MILLIVOLTS[i]:
            span = _MILLIVOLTS[i - 1] - _MILLIVOLTS[i]
            return _FIRST_C + _STEP_C * i - (millivolts - _MILLIVOLTS[i]) * _STEP_C // span
    return BROKEN_C


class Inputs:
    """Contacts and a sensor of one connector, None for what is not wired; connectors may share one."""

    def __init__(self, plug=None, estop=None, ground_fault=None, ntc=None):
        self._plug = plug
        self._estop = estop
        self._ground_fault = ground_fault
        self._ntc = ntc

    def plugged(self):
        return None if self._plug is None else self._plug.read()

    def estop(self):
        return False if self._estop is None else self._estop.read()

    def ground_fault(self):
        return False if self._ground_fault is None else self._ground_fault.read()

    def temperature_c(self):
        return None if self._ntc is None else self._ntc.read()
