"""The status light as one WS2812, which shows colours."""

import machine
from machine import Pin

from .indicator import Indicator

_WS2812_NS = (400, 850, 800, 450)  # high and low time of a 0, then of a 1


class Pixel(Indicator):
    """Green, red and blue on its wire, in this order."""

    def __init__(self, pin, timer=1):
        super().__init__(timer)
        self._pin = Pin(pin, Pin.OUT, value=0)
        self._bytes = bytearray(3)

    def _write(self, on):
        data = self._bytes
        data[0] = self._pattern[5] if on else 0
        data[1] = self._pattern[4] if on else 0
        data[2] = self._pattern[6] if on else 0
        machine.bitstream(self._pin, 0, _WS2812_NS, data)
