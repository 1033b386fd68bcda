"""What one order has taken, at which price, and at which register it must stop.

A price step that begins at time T gets the energy from its `begin register` on. Between the two samples
around T energy is taken to have flowed evenly, and the register at T is computed by time in whole numbers:

    the price rises   at T + refresh_ms of the meter, because the meter may show energy that late; rounded up,
                      plus step_mwh - 1, because the register hides less than one step. The order stays at
                      the lower price until the register has reached that
    the price falls   at T, rounded down

So no energy that was delivered before a rise is billed at the higher price, and none that was delivered after
a fall. With a meter of refresh_ms 0 the driver's gain is less than one step_mwh. An order that ends before
the first sample after T stays at the step that it was in.
"""

from pile_protocol import messages, pricing

# The most one order delivers: the bound of a settlement's table, less 1 kWh for what flows until the relay
# opens.
MOST_MWH = messages.MAX_ENERGY_MWH - 1_000_000
RECOVERY_JUMP_S = 10  # how long before a power cut its last durable reading may lie, while energy flows


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
        self._sample_ms = now_ms  # of the newest sample
        self._flow_begin_ms = now_ms  # when the relay was confirmed closed
        self._flow_end_ms = None  # when it was commanded open after that
        self._begin_mwh = None  # where the next price step begins, once its time has come
        self._start_base(started_at, now_ms)
        self._enter_step(pricing.step_index(self._steps, started_at), start_register_mwh)

    def restore(self, register_mwh, boundaries, at, now_ms):
        """Goes on from what was durable before a power cut. boundaries: None where they are lost or not this
        order's; then all energy is billed at the lowest price that held until `at` (Unix seconds). Returns
        the time at which the order stood, at least.
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
        at = max(at, self._steps[self.boundaries[-1][0]][0])
        self._start_base(at, now_ms)
        self._plan_step()
        return at

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

    # -- samples ---------------------------------------------------------------------------------------------

    def take(self, sample, meter, opened_ms):
        """A valid sample of the register. opened_ms: when the relay was confirmed open, None while it is not;
        no energy flowed after it. Ignores a register below the newest one.
        """
        register_mwh = sample.value
        if sample.at_ms <= self._sample_ms or register_mwh < self.register_mwh:
            return
        while self._next_ms is not None:
            lag_ms = meter.refresh_ms if self._rises else 0
            if sample.at_ms < self._next_ms + lag_ms:
                break
            if opened_ms is not None and opened_ms <= self._next_ms:
                break
            if self._begin_mwh is None:
                self._begin_mwh = self._split(sample, meter, opened_ms)
            if register_mwh < self._begin_mwh:
                break
            self._enter_step(self.boundaries[-1][0] + 1, self._begin_mwh)
        self.register_mwh = register_mwh
        self._sample_ms = sample.at_ms

    def _split(self, sample, meter, opened_ms):
        """The begin register of the next price step, whose time lies between the newest sample and this one.
        Where the relay switched between them, the time of switching that is better for the driver counts: the
        command to open at a rise, the confirmations at a fall.
        """
        rises = self._rises
        ms = self._next_ms
        begin_ms = self._sample_ms
        end_ms = sample.at_ms
        if rises:
            ms += meter.refresh_ms
            if self._flow_end_ms is not None:
                end_ms = min(end_ms, self._flow_end_ms + meter.refresh_ms)
        else:
            begin_ms = max(begin_ms, self._flow_begin_ms)
            if opened_ms is not None:
                end_ms = min(end_ms, opened_ms)
        register_mwh = self.register_mwh
        span_ms = end_ms - begin_ms
        passed_ms = min(ms - begin_ms, span_ms)
        if passed_ms > 0:
            energy = (sample.value - register_mwh) * passed_ms
            register_mwh += -(-energy // span_ms) if rises else energy // span_ms
        elif rises and span_ms <= 0:
            register_mwh = sample.value  # all of it flowed before
        if rises:
            register_mwh += meter.step_mwh - 1
        return max(register_mwh, self.boundaries[-1][1])

    def flow_begins(self, now_ms):
        """The relay was confirmed closed."""
        self._flow_begin_ms = now_ms
        self._flow_end_ms = None

    def flow_ends(self, now_ms):
        """The relay is commanded open."""
        if self._flow_end_ms is None:
            self._flow_end_ms = now_ms

    def resume(self, durable_at, at, now_ms, register_mwh):
        """After a power cut, at Unix seconds `at`, with the register that the meter shows; durable_at: of the
        last durable reading. What the meter counted after that is billed at the lowest price that may have
        held.
        """
        steps = self._steps
        before = self.boundaries[-1][0]
        lowest = self._cheapest(before, pricing.step_index(steps, durable_at + RECOVERY_JUMP_S))
        if lowest > before:
            self._enter_step(lowest, self.register_mwh)
        self.register_mwh = max(self.register_mwh, register_mwh)
        self._sample_ms = now_ms
        self._start_base(at, now_ms)
        index = pricing.step_index(steps, at)
        if index > self.boundaries[-1][0]:
            self._enter_step(index, self.register_mwh)
        self._plan_step()

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
        """(total_minor, fee_minor, periods): pricing.bill at the money limit, without steps of no energy."""
        energies = [(index, mwh) for index, mwh in self.energies() if mwh]
        return pricing.bill(self._rate, energies, self._cost_limit_minor)

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

    def _enter_step(self, index, begin_mwh):
        self.boundaries.append([index, begin_mwh])
        self._plan_step()

    def _plan_step(self):
        """When the next price step begins, and at which register the order must stop in this one."""
        index, begin_mwh = self.boundaries[-1]
        self._begin_mwh = None
        self._next_ms = None  # the last step lasts to the end of the order
        if index + 1 < len(self._steps):
            self._next_ms = self._base_ms + (self._steps[index + 1][0] - self._base_at) * 1000
            self._rises = self._price(index + 1) > self._price(index)
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
