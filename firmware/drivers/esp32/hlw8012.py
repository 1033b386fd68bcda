"""The metering chips HLW8012 and BL0937: pulses for power on CF, for current on CF1 (SEL chooses it).

Both are on the mains side of a divider and a shunt: see docs/hardware.md before touching one.
What a pulse means differs from part to part; tools/board/calibrate.py finds it and stores it on the pile:

    calibration.json
    {"<connector>": {"energy": [pulses, mWh], "current": [pulses, mA s], "voltage": [pulses, mV s]}}

With the other level of SEL, CF1 gives the voltage. The pile never asks for it: while it did, the current
would be unknown for seconds.
"""

import json
import time

from .pulse import CYCLE_MS, PulseMeter

WINDOW_MS = 1_000


def calibration(connector, path="calibration.json"):
    """What tools/board/calibrate.py stored for a connector, or None."""
    try:
        with open(path) as file:
            return json.load(file)[str(connector)]
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Hlw8012(PulseMeter):
    """cf, cf1: counters; sel: a machine.Pin output; current_level: the level of `sel` that makes CF1 give the
    current (0 on the bare chips, 1 behind an inverting transistor, as on some socket boards).

    Without a calibration there is never a valid reading: nobody is billed by a guess.
    """

    measures_current = True
    current_interval_ms = WINDOW_MS + CYCLE_MS

    def __init__(self, cf, cf1, sel, calibration, max_power_w, current_level=0):
        pulses, mwh = calibration["energy"] if calibration else (1, 1)
        super().__init__(cf, pulses, mwh, max_power_w)
        self._scale = calibration["current"] if calibration else None
        self._cf1 = cf1
        self._current_ma = None
        self._settled = False  # the window in which SEL changed shows the voltage in part
        self._cf1_seen = cf1.value()
        self._cf1_ms = time.ticks_ms()
        sel.value(current_level)

    def poll(self):
        self._measure_current()
        return super().poll() and self._scale is not None

    def power_mw(self):
        return None if self._scale is None else super().power_mw()

    def current_ma(self):
        return self._current_ma

    def _measure_current(self):
        now_ms = time.ticks_ms()
        span_ms = time.ticks_diff(now_ms, self._cf1_ms)
        if self._scale is None or 0 <= span_ms < WINDOW_MS:
            return
        value = self._cf1.value()
        if self._settled and span_ms > 0:
            pulses, amount = self._scale
            self._current_ma = (value - self._cf1_seen) * amount * 1000 // (pulses * span_ms)
            self.current_sampled_ms = now_ms
        self._settled = True
        self._cf1_seen = value
        self._cf1_ms = now_ms
