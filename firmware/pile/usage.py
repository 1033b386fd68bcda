"""Metering of an order whose rate has more than energy prices and a session fee: time by price step, time by
power tier, and staying on after the charge. Imported only for such an order.

Time counts while the relay is confirmed closed, on the order's own time base. The time between two power
samples counts in the tier of the lower sample; without a valid sample it counts in the lowest tier.
"""

from pile_protocol import components

from .metering import MOST_MWH, Metering
from .readings import VALID

STAY_MAX_MS = 86_400_000
CYCLE_MS = 100  # the shortest time between two checks of the money limit: one control cycle


class UsageMetering(Metering):
    """`times`: [[step index, ms], ...] in order of time. `tiers_ms`: one for each tier. `stay_ms`: the time
    since the end of the charge with the vehicle plugged in; 0 before the end.

    kept: the order's [stay_ms, tiers_ms, times] in the journal, or None.
    """

    def __init__(self, order, started_at, start_register_mwh, now_ms, kept=None):
        rate = order["rate"]
        self.stay_ms = 0
        self.tiers_ms = [0] * len(rate.get("tiers", ()))
        self.times = []
        self._tier_ms = 0  # since the newest power sample; counted in no tier yet
        self._power_at_ms = None
        self._power_mw = 0
        self._counted_to_ms = None
        self._look_ms = self._look_mwh = None  # the time and register at which to compute the cost again
        self.is_spent = False
        self.stay_end_ms = STAY_MAX_MS  # the stay_ms from which on staying costs nothing more
        if kept and self._is_of(order, kept):
            self.stay_ms, self.tiers_ms, self.times = kept
        Metering.__init__(self, order, started_at, start_register_mwh, now_ms)

    def _is_of(self, order, kept):
        """Whether the values from the journal fit the order's rate."""
        steps = len(order["rate"]["steps"])
        return len(kept[1]) == len(self.tiers_ms) and all([row[0] < steps for row in kept[2]])

    def _start_base(self, at, now_ms):
        Metering._start_base(self, at, now_ms)
        self._time_end_ms = None
        self._look_ms = None

    def restore(self, register_mwh, boundaries, at, now_ms):
        """As Metering.restore. stay_ms from before the power cut is part of the time since `at`."""
        Metering.restore(self, register_mwh, boundaries, at, now_ms)
        self._start_base(at + self.stay_ms // 1000, now_ms)

    # -- counting --------------------------------------------------------------------------------------------

    def count(self, now_ms, passed_ms, power):
        """Adds the time of one control cycle in which the relay was closed. power: the Sample."""
        if "time_prices" in self._rate:
            self._count_time(now_ms, passed_ms)
        if self.tiers_ms:
            if now_ms - passed_ms != self._counted_to_ms:  # the order was suspended, so nothing was drawn
                self._power_mw = 0
            self._counted_to_ms = now_ms
            self._tier_ms += passed_ms
            if power.state != VALID:
                self._close_tier(0)
                self._power_at_ms = None
            elif power.at_ms != self._power_at_ms:
                known = self._power_at_ms is not None
                self._close_tier(min(self._power_mw, power.value) if known else 0)
                self._power_at_ms = power.at_ms
                self._power_mw = power.value

    def _count_time(self, now_ms, passed_ms):
        if self._time_end_ms is None:
            self._enter_time(now_ms - passed_ms)
        while now_ms > self._time_end_ms:
            ms = max(0, self._time_end_ms - (now_ms - passed_ms))
            self.times[-1][1] += ms
            passed_ms -= ms
            self._enter_time(self._time_end_ms)
        self.times[-1][1] += passed_ms

    def _enter_time(self, at_ms):
        """Finds the time price that holds at `at_ms`: the time of its end, and its row in `times`."""
        index = self.times[-1][0] if self.times else 0
        while self._has_begun(index + 1, at_ms + 1):
            index += 1
        is_last = index + 1 == len(self._steps)
        self._time_end_ms = at_ms + STAY_MAX_MS if is_last else self._begins_ms(index + 1)
        if not self.times or self.times[-1][0] != index:
            self.times.append([index, 0])

    def _close_tier(self, power_mw):
        i = 0
        while i + 1 < len(self.tiers_ms) and power_mw > self._rate["tiers"][i][0]:
            i += 1
        self.tiers_ms[i] += self._tier_ms
        self._tier_ms = 0

    def counted(self):
        """The values for journal.keep_usage(). They have only the newest row of `times`, to keep the file
        small. The time since the newest power sample counts in the lowest tier, in case the power fails
        before the next sample.
        """
        tiers_ms = list(self.tiers_ms)
        if self._tier_ms:
            tiers_ms[0] += self._tier_ms
        return [self.stay_ms, tiers_ms, self.times[-1:]]

    def staying(self, since_at):
        """The member `idle` of a meter message. since_at: the end of the charge."""
        free_until_at = since_at + self._rate["idle"]["after_s"]
        return {"since_at": since_at, "free_until_at": free_until_at, "time_ms": self.idle_ms}

    def can_stay(self):
        """Computes stay_end_ms; returns whether staying on costs anything. Call it after the last reading."""
        rate = self._rate
        idle = rate.get("idle")
        if not idle or not idle["price"] or not self.energy_mwh:
            return False
        usage = self.usage()
        usage.idle_ms = 0
        most_minor = min(self._cost_limit_minor, rate.get("maximum_minor", self._cost_limit_minor))
        left_parts = most_minor * components.parts_per_minor(rate["minor_digits"])
        left_parts -= components.cost_parts(rate, usage)
        if left_parts <= 0:
            return False
        left_parts = min(left_parts, components.idle_parts(rate, None))
        parts = components.TIME_PARTS * idle["price"]
        self.stay_end_ms = min(STAY_MAX_MS, 1000 * idle["after_s"] - (-left_parts // parts))
        return self.stay_ms < self.stay_end_ms

    def stay(self, passed_ms):
        """Adds time after the charge with the vehicle plugged in. Returns whether further time is free."""
        self.stay_ms = min(self.stay_ms + passed_ms, self.stay_end_ms)
        return self.stay_ms == self.stay_end_ms

    @property
    def idle_ms(self):
        """The time that the vehicle stayed on after the grace time."""
        idle = self._rate.get("idle")
        return max(0, self.stay_ms - 1000 * idle["after_s"]) if idle else 0

    # -- the bill --------------------------------------------------------------------------------------------

    def usage(self):
        energies = [(index, mwh) for index, mwh in self.energies() if mwh]
        return components.Usage(energies, self.times, self.counted()[1], self.idle_ms)

    def cost_minor(self):
        return components.bill(self._rate, self.usage(), self._cost_limit_minor)["total_minor"]

    def costs(self):
        """The member `costs` of a meter message."""
        return components.costs(self._rate, self.usage(), self._cost_limit_minor)[0]

    def bill(self):
        return components.bill(self._rate, self.usage(), self._cost_limit_minor)

    # -- the money limit -------------------------------------------------------------------------------------

    def must_look(self, now_ms):
        """Whether look() has to check the money limit again."""
        return self._look_ms is None or now_ms >= self._look_ms or self.register_mwh >= self._look_mwh

    def look(self, now_ms):
        """Computes whether the money limit is reached (is_spent), and the time and register before which it
        cannot be reached: one half of the rest may go into energy, the other into time, at the highest price
        until the next price step.
        """
        left_parts = self._missing_parts()
        self.is_spent = left_parts <= 0
        rate = self._rate
        index = self._first
        while self._has_begun(index + 1, now_ms + 1):
            index += 1
        next_ms = self._begins_ms(index + 1) if index + 1 < len(self._steps) else None
        energy_price = max([self._price(i) for i in range(self._first, index + 1)])
        hour_price = rate["time_prices"][index] if "time_prices" in rate else 0
        if self.tiers_ms:
            hour_price += rate["tiers"][-1][1]
        half = max(0, left_parts // 2)
        self._look_mwh = self.register_mwh + _least(half, components.ENERGY_PARTS * energy_price, MOST_MWH, 1)
        ahead_ms = _least(half, components.TIME_PARTS * hour_price, STAY_MAX_MS, CYCLE_MS)
        self._look_ms = now_ms + ahead_ms
        if next_ms is not None and next_ms > now_ms:
            self._look_ms = min(self._look_ms, next_ms)

    def _missing_parts(self):
        """The rest of the money limit, in parts. A limit above the rate's maximum is never reached."""
        rate = self._rate
        limit_minor = self._cost_limit_minor
        unit = components.parts_per_minor(rate["minor_digits"])
        maximum_minor = rate.get("maximum_minor")
        if maximum_minor is not None and maximum_minor <= limit_minor:
            return unit * limit_minor
        usage = self.usage()
        usage.idle_ms = 0
        if usage.tiers_ms:  # the time since the newest sample may turn out to be of the most expensive tier
            usage.tiers_ms[0] -= self._tier_ms
            usage.tiers_ms[-1] += self._tier_ms
        if not usage.energy_mwh:  # the first energy makes the fee and the time before it billable
            usage.energies = [(self._first, 1)]
        return limit_minor * unit - components.cost_parts(rate, usage)

    def _plan_stop(self):
        limit_mwh = min(self._limits.get("energy_mwh", MOST_MWH), MOST_MWH)
        self.stop_register_mwh = self.start_register_mwh + limit_mwh
        self.stop_register_reason = "EnergyLimitReached"
        self._look_ms = None


def _least(parts, price, most, least):
    """How many units at `price` parts each `parts` pay for, at least `least` and at most `most`."""
    if not price:
        return most
    return max(least, min(most, parts // price))
