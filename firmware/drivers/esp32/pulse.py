"""A meter that tells its energy in pulses (S0, DIN 43864; or the CF pin of a metering chip)."""

import time

BURST_PULSES = 3  # pulses that may come sooner than at full power: gaps are not even
BURST_US = 200_000
QUIET_MS = 5_000  # how long the rate must be possible again before the register is believed
WINDOW_MS = 1_500  # power is an average over at least this long


def s0(counter, imp_per_kwh, max_power_w):
    """The pulse meter with that many pulses per kWh, 800 to 12,800."""
    return PulseMeter(counter, imp_per_kwh, 1_000_000, max_power_w)


class PulseMeter:
    """`pulses` of `counter` stand for `mwh`. max_power_w: what the connector can carry at the very most.

    Pulses that come faster than max_power_w allows are noise: none of them counts, and there is no valid
    register until it has been quiet for QUIET_MS. So noise can never bill more than full power would.
    A pulse costs an allocation or two, a cycle without one none.
    """

    def __init__(self, counter, pulses, mwh, max_power_w):
        self._counter = counter
        self._pulses = pulses
        self._mwh = mwh
        self._pulse_us = mwh * 3_600_000 // (pulses * max_power_w)  # between two pulses at full power
        self._watt_ms = mwh * 3_600 // pulses  # the energy of one pulse
        self._credit_max_us = BURST_PULSES * self._pulse_us + BURST_US
        self._credit_us = self._credit_max_us
        self._noisy = False
        self._noisy_ms = 0
        self._count = 0
        self._seen = counter.value()
        self._base_mwh = 0
        self._register_mwh = 0
        self._last_ms = time.ticks_ms()
        self._flowing = False  # at least one pulse, and not too long ago
        self._pulse_ms = 0  # when the newest pulse was seen
        self._window_ms = 0
        self._window_pulses = 0
        self._power_w = 0

    def restore(self, register_mwh):
        self._base_mwh = self._register_mwh = register_mwh
        self._count = 0
        self._seen = self._counter.value()

    def register_mwh(self):
        now_ms = time.ticks_ms()
        value = self._counter.value()
        new = value - self._seen
        credit_us = self._credit_us + time.ticks_diff(now_ms, self._last_ms) * 1000
        self._seen = value
        self._last_ms = now_ms
        if new:
            credit_us -= new * self._pulse_us
            if credit_us < 0 or new < 0:
                credit_us = self._credit_max_us
                self._noisy = True
                self._noisy_ms = now_ms
                self._flowing = False
            elif not self._noisy:
                self._count += new
                self._register_mwh = self._base_mwh + self._count * self._mwh // self._pulses
                self._measure(new, now_ms)
        self._credit_us = credit_us if credit_us < self._credit_max_us else self._credit_max_us
        if self._noisy:
            if time.ticks_diff(now_ms, self._noisy_ms) < QUIET_MS:
                return None
            self._noisy = False
        return self._register_mwh

    def power_mw(self):
        """From the spacing of pulses; while none comes, no more than one pulse since the last would mean."""
        if not self._flowing:
            return 0
        since_ms = time.ticks_diff(time.ticks_ms(), self._pulse_ms)
        if since_ms > self._watt_ms or since_ms < 0:  # less than 1 W
            self._flowing = False
            return 0
        if self._power_w and since_ms > self._watt_ms // self._power_w:
            return self._watt_ms // since_ms * 1000
        return self._power_w * 1000

    def current_ma(self):
        return None

    def _measure(self, new, now_ms):
        self._pulse_ms = now_ms
        if not self._flowing:  # the first after a pause tells nothing of the power now
            self._flowing = True
            self._power_w = 0
            self._window_ms = now_ms
            self._window_pulses = 0
            return
        self._window_pulses += new
        span_ms = time.ticks_diff(now_ms, self._window_ms)
        if span_ms >= WINDOW_MS:
            self._power_w = self._window_pulses * self._watt_ms // span_ms
            self._window_ms = now_ms
            self._window_pulses = 0
