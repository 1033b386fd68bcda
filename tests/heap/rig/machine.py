"""A `machine` that costs next to no heap: an ESP32-DevKitC whose car draws 7.2 kW while the relay is closed.

Unlike the fake of tests/drivers it runs on the real clock, and nothing of it is kept.
"""

import sys
import time

_RELAY, _FEEDBACK = 26, 27  # boards/esp32-devkitc
_ALWAYS_LOW = (25, 33, 13)  # a vehicle is plugged in, emergency stop and residual contact are closed
_PULSE_MS = 500  # of 7.2 kW at 1,000 imp/kWh

_levels = {}


class Pin:
    IN, OUT, PULL_UP = 1, 3, 2

    def __init__(self, number, mode=1, pull=None, value=None):
        self.number = number
        if value is not None:
            _levels[number] = value

    def value(self, level=None):
        if level is not None:
            _levels[self.number] = level
            return None
        if self.number in _ALWAYS_LOW:
            return 0
        return 1 - _levels[_RELAY] if self.number == _FEEDBACK else 1


class Counter:
    FALLING = 2

    def __init__(self, unit, pin, edge=0, filter_ns=0):
        self._count = 0
        self._last_ms = time.ticks_ms()

    def value(self):
        if not _levels[_RELAY]:
            self._last_ms = time.ticks_ms()
        elif time.ticks_diff(time.ticks_ms(), self._last_ms) >= _PULSE_MS:
            self._last_ms = time.ticks_add(self._last_ms, _PULSE_MS)
            self._count += 1
        return self._count


class ADC:
    ATTN_11DB = 3

    def __init__(self, pin, atten=0):
        pass

    def read_uv(self):
        return 1_278_000  # 30 degrees


class Timer:
    PERIODIC = 1

    def __init__(self, unit):
        pass

    def init(self, mode=1, period=0, callback=None):
        pass


class WDT:
    """Fed once a cycle: the place to look at the heap."""

    def __init__(self, timeout=0):
        pass

    def feed(self):
        sys.modules["measure"].look()


PWRON_RESET, WDT_RESET, SOFT_RESET = 1, 3, 5


def reset():
    sys.exit()


def reset_cause():
    return PWRON_RESET


class RTC:
    def datetime(self, value):
        pass

    def memory(self, data=b""):
        return b""


def unique_id():
    return b"\x24\x0a\xc4\x00\x01\x02"
