"""The status light on a pin. pixel.py has the one that shows colours as well."""

import time

import machine
from machine import Pin

from drivers import patterns

_KEEP_MS = 50


class Indicator:
    """timer: the hardware timer that shows the pattern after the program has ended.

    A subclass has _write(on).
    """

    def __init__(self, timer):
        self._timer = timer
        self._pattern = patterns.STARTING
        self._began_ms = time.ticks_ms()
        self._on = None

    def show(self, pattern):
        if pattern is not self._pattern:
            self._pattern = pattern
            self._began_ms = time.ticks_ms()
            self._on = None

    def step(self, _timer=None):
        on = patterns.lit(self._pattern, time.ticks_diff(time.ticks_ms(), self._began_ms))
        if on is not self._on:
            self._on = on
            self._write(on)

    def _write(self, on):
        raise NotImplementedError

    def keep(self):
        machine.Timer(self._timer).init(mode=machine.Timer.PERIODIC, period=_KEEP_MS, callback=self.step)


class Led(Indicator):
    """on_level: the pin's level that lights it."""

    def __init__(self, pin, on_level=1, timer=1):
        super().__init__(timer)
        self._pin = Pin(pin, Pin.OUT, value=1 - on_level)
        self._on_level = on_level

    def _write(self, on):
        self._pin.value(self._on_level if on else 1 - self._on_level)
