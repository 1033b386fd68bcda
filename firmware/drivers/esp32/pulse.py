"""A meter that gives its energy in pulses (S0, IEC 62053-31; or the CF pin of a metering chip)."""

import time

CYCLE_MS = 100  # of the control loop
BURST_PULSES = 3  # so many pulses may come sooner than at full power: their gaps are not even
BURST_US = 200_000
WINDOW_MS = 1_500  # power is an average over at least this long


def s0(counter, imp_per_kwh, max_power_w):
    """The pulse meter with that many pulses per kWh, 800 to 12,800."""
    return PulseMeter(counter, imp_per_kwh, 1_000_000, max_power_w)


class PulseMeter:
    """`pulses` of `counter` stand for `mwh`. max_power_w: what the connector can carry at the very most.

    Pulses that come faster than max_power_w allows are noise. Then no pulse counts, and the register is
    invalid, until the rate has been possible for the quiet time: as long as full power takes for the pulses
    that may have counted before the noise was seen. So noise never bills more than full power would.

    A pulse costs an allocation or two, a cycle without one none.
    """

    refresh_ms = 0
    interval_ms = CYCLE_MS
    remembers = False
    measures_current = False
    current_interval_ms = 0
    current_sampled_ms = 0

    def __init__(self, counter, pulses, mwh, max_power_w):
        self._counter = counter
        self._pulses = pulses
        self._mwh = mwh
        self._pulse_us = mwh * 3_600_000 // (pulses * max_power_w)  # between two pulses at full power
        self._watt_ms = mwh * 3_600 // pulses  # the time that 1 W takes for one pulse
        self._credit_max_us = BURST_PULSES * self._pulse_us + BURST_US
        self._credit_us = self._credit_max_us
        self._quiet_ms = self._credit_max_us // 1000 + 1
        self.settle_ms = self._quiet_ms + 2 * CYCLE_MS  # noise is seen, and its end too, a cycle late at most
        self._noisy = False
        self._noisy_ms = 0
        self._count = 0
        self._seen = counter.value()
        self._base_mwh = 0
        self.register_mwh = 0
        self.sampled_ms = self._last_ms = time.ticks_ms()
        self._flowing = False  # at least one pulse, and not too long ago
        self._pulse_ms = 0  # when the newest pulse was seen
        self._window_ms = 0
        self._window_pulses = 0
        self._power_w = 0

    def restore(self, register_mwh):
        self._base_mwh = self.register_mwh = register_mwh
        self._count = 0
        self._seen = self._counter.value()

    def step_mwh(self):
        return -(-self._mwh // self._pulses)

    def poll(self):
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
                self.register_mwh = self._base_mwh + self._count * self._mwh // self._pulses
                self._measure(new, now_ms)
        self._credit_us = credit_us if credit_us < self._credit_max_us else self._credit_max_us
        if self._noisy:
            if 0 <= time.ticks_diff(now_ms, self._noisy_ms) < self._quiet_ms:
                return False
            self._noisy = False
        self.sampled_ms = now_ms
        return True

    def power_mw(self):
        """From the spacing of pulses; while none comes, at most what one pulse since the last would mean."""
        if self._noisy:
            return None
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
        if not self._flowing:  # the first pulse after a pause says nothing about the power now
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
