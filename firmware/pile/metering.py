"""What one order has taken, at which price, and at which register it must stop.

Energy is billed at the lowest price that may have held when it was delivered. The pile knows when by its
samples of the register alone. A sample shows all energy that was delivered until refresh_ms before it was
taken, rounded down to step_mwh. So what a new sample shows more than the one before was delivered

    its first step_mwh - 1   after the newest sample with a lower register was taken, less refresh_ms
    the rest                 after the sample before was taken, less refresh_ms

and before the new sample was taken, or before the relay was confirmed open. Nothing is split by time: that
would take power to be even between two samples, and a charger that draws in bursts would be billed at a price
that did not hold. At each price step the driver gains at most what flows in refresh_ms and between two
samples, and one step_mwh.
"""

from pile_protocol import messages, pricing

# The most one order delivers: the bound of a settlement's table, less 1 kWh for what flows until the relay
# opens.
MOST_MWH = messages.MAX_ENERGY_MWH - 1_000_000


class Metering:
    """Registers are the meter's cumulative mWh. `boundaries` has one `[step index, begin register]` for each
    price step that the order has entered.
    """

    def __init__(self, order, started_at, start_register_mwh, now_ms):
        self.started_at = started_at
        self.start_register_mwh = start_register_mwh
        self.register_mwh = start_register_mwh
        self.boundaries = []
        self.stop_register_mwh = 0  # from here on the order must stop ...
        self.stop_register_reason = None  # ... for this reason
        self._limits = order["limits"]
        self._rate = order["rate"]
        self._steps = self._rate["steps"]
        # Without a limit of the user's: the most that a settlement can tell.
        self._cost_limit_minor = self._limits.get("cost_minor", messages.MAX_MINOR)
        self._sample_ms = now_ms  # when the newest sample was taken
        self._below_ms = now_ms  # when the newest sample with a lower register was taken
        self._first = pricing.step_index(self._steps, started_at)  # no energy of an earlier step is to come
        self._start_base(started_at, now_ms)
        self._enter_step(self._first)

    def restore(self, register_mwh, boundaries, at, now_ms):
        """Goes on from what was durable before a power cut. boundaries: None where they are lost or not this
        order's; then all energy is billed at the lowest price that held until `at` (Unix seconds).
        """
        self.register_mwh = register_mwh
        first = self.boundaries[0][0]
        if boundaries is None or (
            boundaries and not first <= boundaries[0][0] <= boundaries[-1][0] < len(self._steps)
        ):
            last = pricing.step_index(self._steps, max(at, self.started_at))
            boundaries = [[self._cheapest(first, last), self.start_register_mwh]]
        if boundaries:
            self.boundaries = boundaries
        self._first = self.boundaries[-1][0]
        self._start_base(at, now_ms)
        self._plan_stop()

    def _cheapest(self, first, last):
        """The step of the lowest price from `first` to `last`; of equal ones the earliest."""
        cheapest = first
        for i in range(first + 1, last + 1):
            if self._price(i) < self._price(cheapest):
                cheapest = i
        return cheapest

    # -- time ------------------------------------------------------------------------------------------------

    def at(self, now_ms):
        """Unix seconds on the order's own time base: UTC at its start, and ticks since then."""
        return self._base_at + (now_ms - self._base_ms) // 1000

    def elapsed_s(self, now_ms):
        return self.at(now_ms) - self.started_at

    def is_over(self, now_ms):
        """Whether the order's longest duration has passed."""
        return now_ms >= self._stop_ms

    def _start_base(self, at, now_ms):
        self._base_at = at
        self._base_ms = now_ms
        self._stop_ms = now_ms + (self.started_at + self._limits["duration_s"] - at) * 1000
        self._plan_next()

    # -- samples ---------------------------------------------------------------------------------------------

    def take(self, sample, meter, opened_ms):
        """A valid sample of the register. opened_ms: when the relay was confirmed open, None while it is not;
        no energy flowed after it. Ignores a register below the newest one.
        """
        register_mwh = sample.value
        if sample.at_ms <= self._sample_ms or register_mwh < self.register_mwh:
            return
        if register_mwh > self.register_mwh:
            until_ms = sample.at_ms if opened_ms is None else min(sample.at_ms, opened_ms)
            if self._next_ms is not None and until_ms > self._next_ms:
                if meter.step_mwh > 1:
                    self._enter_lowest(self._below_ms - meter.refresh_ms, until_ms)
                    self.register_mwh = min(register_mwh, self.register_mwh + meter.step_mwh - 1)
                if register_mwh > self.register_mwh:
                    self._enter_lowest(self._sample_ms - meter.refresh_ms, until_ms)
            self._below_ms = self._sample_ms
            self.register_mwh = register_mwh
        self._sample_ms = sample.at_ms

    def _enter_lowest(self, from_ms, until_ms):
        """Bills what the register shows from here on at the lowest price that held between two times."""
        while self._has_begun(self._first + 1, from_ms + 1):
            self._first += 1
        last = self._first
        while self._has_begun(last + 1, until_ms):
            last += 1
        self._plan_next()
        index = self._cheapest(self._first, last)
        if index > self.boundaries[-1][0]:
            self._enter_step(index)

    def _has_begun(self, index, before_ms):
        """Whether the rate has such a price step, and it begins before that time."""
        return index < len(self._steps) and self._begins_ms(index) < before_ms

    def _begins_ms(self, index):
        return self._base_ms + (self._steps[index][0] - self._base_at) * 1000

    def _plan_next(self):
        """From when on a sample may show energy of more than one price step; None: never."""
        index = self._first + 1
        self._next_ms = self._begins_ms(index) if index < len(self._steps) else None

    def resume(self, until_at, at, now_ms, register_mwh):
        """Goes on after a power cut, at Unix seconds `at`, with the register that the meter shows. What it
        counted after the last durable reading is billed at the lowest price that held until until_at.
        """
        lowest = self._cheapest(self._first, pricing.step_index(self._steps, until_at))
        if lowest > self._first:
            self._enter_step(lowest)
        self.register_mwh = max(self.register_mwh, register_mwh)
        self._first = self.boundaries[-1][0]
        self._start_base(at, now_ms)
        self._sample_ms = now_ms
        self._below_ms = self._begins_ms(self._first)  # what the register hides may be from before the cut
        self._plan_stop()

    # -- the bill --------------------------------------------------------------------------------------------

    @property
    def energy_mwh(self):
        return self.register_mwh - self.start_register_mwh

    def energies(self):
        """(step index, mWh) pairs in order of time, adding up to energy_mwh."""
        pairs = []
        for i, (index, begin_mwh) in enumerate(self.boundaries):
            last = i + 1 == len(self.boundaries)
            end_mwh = self.register_mwh if last else self.boundaries[i + 1][1]
            pairs.append((index, end_mwh - begin_mwh))
        return pairs

    def cost_minor(self):
        """The cost so far in minor units, at most the money limit."""
        rate = self._rate
        cost_pico = pricing.cost_pico(
            self._steps, self.energies(), rate["session_fee_minor"], rate["minor_digits"]
        )
        return min(pricing.round_half_up(cost_pico, rate["minor_digits"]), self._cost_limit_minor)

    def bill(self):
        """What the rate decides of a settlement, at the money limit; without steps of no energy."""
        energies = [(index, mwh) for index, mwh in self.energies() if mwh]
        total_minor, fee_minor, periods = pricing.bill(self._rate, energies, self._cost_limit_minor)
        return {"periods": periods, "session_fee_minor": fee_minor, "total_minor": total_minor}

    def remaining(self, now_ms):
        """What is left of each limit: mWh or None, minor units or None, seconds."""
        limits = self._limits
        energy_mwh = limits.get("energy_mwh")
        cost_minor = limits.get("cost_minor")
        return {
            "energy_mwh": None if energy_mwh is None else max(0, energy_mwh - self.energy_mwh),
            "cost_minor": None if cost_minor is None else cost_minor - self.cost_minor(),
            "duration_s": max(0, limits["duration_s"] - self.elapsed_s(now_ms)),
        }

    # -- plans: computed once per price step, so that a cycle only compares ----------------------------------

    def _price(self, index):
        step = self._steps[index]
        return step[1] + step[2]

    def _enter_step(self, index):
        self.boundaries.append([index, self.register_mwh])
        self._plan_stop()

    def _plan_stop(self):
        """At which register the order must stop at the price that holds."""
        index, begin_mwh = self.boundaries[-1]
        limit_mwh = min(self._limits.get("energy_mwh", MOST_MWH), MOST_MWH)
        self.stop_register_mwh = self.start_register_mwh + limit_mwh
        self.stop_register_reason = "EnergyLimitReached"
        by_cost_mwh = self._cost_limit_register_mwh(index, begin_mwh)
        if by_cost_mwh is not None and by_cost_mwh < self.stop_register_mwh:
            self.stop_register_mwh = by_cost_mwh
            self.stop_register_reason = "CostLimitReached"

    def _cost_limit_register_mwh(self, index, begin_mwh):
        """The register at which the exact cost would reach the money limit in this step; None: never."""
        unit_pico = pricing.pico_per_minor(self._rate["minor_digits"])
        spent_pico = self._rate["session_fee_minor"] * unit_pico
        for i in range(len(self.boundaries) - 1):
            step, step_begin_mwh = self.boundaries[i]
            spent_pico += (self.boundaries[i + 1][1] - step_begin_mwh) * self._price(step)
        more_mwh = pricing.energy_to_reach(self._cost_limit_minor * unit_pico, spent_pico, self._price(index))
        return None if more_mwh is None else begin_mwh + more_mwh
