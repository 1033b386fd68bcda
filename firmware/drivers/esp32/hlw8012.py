"""The metering chips HLW8012 and BL0937: pulses for power on CF, for current or voltage (SEL chooses) on CF1.

Both are on the mains side of a divider and a shunt: see docs/hardware.md before touching one.
What a pulse means differs from part to part; tools/board/calibrate.py finds it and stores it on the pile:

    calibration.json
    {"<connector>": {"energy": [pulses, mWh], "current": [pulses, mA s], "voltage": [pulses, mV s]}}
"""

import json
import time

from .pulse import PulseMeter

WINDOW_MS = 1_000
# In turn; the first window after each change is thrown away, since CF1 needs it to settle.
CURRENT_WINDOWS = 9
VOLTAGE_WINDOWS = 2


def calibration(connector, path="calibration.json"):
    """What tools/board/calibrate.py stored for a connector, or None."""
    try:
        with open(path) as file:
            return json.load(file)[str(connector)]
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Hlw8012:
    """cf, cf1: counters; sel: a machine.Pin output; current_level: the level of `sel` that makes CF1 tell the
    current (0 on the bare chips, 1 behind an inverting transistor, as on some socket boards).

    Without a calibration there is never a valid reading: nobody is billed by a guess.
    """

    def __init__(self, cf, cf1, sel, calibration, max_power_w, current_level=0):
        self._energy = None
        if calibration:
            self._energy = PulseMeter(cf, calibration["energy"][0], calibration["energy"][1], max_power_w)
        self._calibration = calibration
        self._cf1 = cf1
        self._sel = sel
        self._current_level = current_level
        self._current_ma = None
        self._voltage_mv = None
        self._window = 0
        self._window_ms = time.ticks_ms()
        self._seen = cf1.value()
        sel.value(current_level)

    def restore(self, register_mwh):
        if self._energy:
            self._energy.restore(register_mwh)

    def register_mwh(self):
        if not self._energy:
            return None
        self._listen()
        return self._energy.register_mwh()

    def power_mw(self):
        return self._energy.power_mw() if self._energy else 0

    def current_ma(self):
        return self._current_ma

    def voltage_mv(self):
        """The mains voltage; None before the first reading. Up to 12 s old."""
        return self._voltage_mv

    def _listen(self):
        now_ms = time.ticks_ms()
        span_ms = time.ticks_diff(now_ms, self._window_ms)
        if span_ms < WINDOW_MS:
            return
        value = self._cf1.value()
        new = value - self._seen
        self._seen = value
        self._window_ms = now_ms
        if 0 < self._window < CURRENT_WINDOWS:
            self._current_ma = _rate(new, span_ms, self._calibration["current"])
        elif self._window > CURRENT_WINDOWS:
            self._voltage_mv = _rate(new, span_ms, self._calibration["voltage"])
        self._window = (self._window + 1) % (CURRENT_WINDOWS + VOLTAGE_WINDOWS)
        if self._window == CURRENT_WINDOWS:
            self._sel.value(1 - self._current_level)
        elif self._window == 0:
            self._sel.value(self._current_level)


def _rate(pulses, span_ms, scale):
    return pulses * scale[1] * 1000 // (scale[0] * span_ms)
