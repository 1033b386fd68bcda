"""Pulses counted: by the chip where it has a counter, by interrupts where it has none.

Either has value(): the falling edges since it was made. Nothing survives a reset: see Meter.restore().
"""

import time

import machine
from machine import Pin

FILTER_NS = 12_700  # about the longest that the chip can: 1,023 cycles of 80 MHz


def counter(unit, pin, pull=Pin.PULL_UP):
    """The chip's pulse counter `unit` on `pin`: it counts while the interpreter is busy, up to MHz.

    An ESP32-C3 has none.
    """
    return machine.Counter(unit, Pin(pin, Pin.IN, pull), edge=machine.Counter.FALLING, filter_ns=FILTER_NS)


class IrqCounter:
    """Counts by interrupt. MicroPython runs the handler between two bytecodes. While a TLS handshake keeps it
    from that (seconds), edges wait in a queue of 8, and those handled at once count as one.

    So it may count too few, never too many: an edge within spacing_ms of the last one is a bounce. S0 pulses
    are 30 ms or longer; the limit is 1,000 / spacing_ms pulses a second.
    """

    def __init__(self, pin, pull=Pin.PULL_UP, spacing_ms=25):
        self._spacing_ms = spacing_ms
        self._count = 0
        self._last_ms = time.ticks_ms()
        self._pin = Pin(pin, Pin.IN, pull)
        self._pin.irq(self._edge, Pin.IRQ_FALLING)

    def value(self):
        return self._count

    def _edge(self, _pin):
        now_ms = time.ticks_ms()
        # The difference is negative after more than 6 days without a pulse: that pulse counts.
        if not 0 <= time.ticks_diff(now_ms, self._last_ms) < self._spacing_ms:
            self._count += 1
        self._last_ms = now_ms
