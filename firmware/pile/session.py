"""One running order on one connector: limits, price steps, the end. Pure: readings in, a decision out.

    STARTING --relay confirmed--> CHARGING --stop reason--> FINISHING --open confirmed--> DONE
    RECOVERING (after a power cut) --may go on--> STARTING, or straight to FINISHING

The relay is wanted closed in STARTING and CHARGING and nowhere else.
"""

from pile_protocol import messages, pricing

STARTING = "Starting"
CHARGING = "Charging"
FINISHING = "Finishing"
RECOVERING = "Recovering"
DONE = "Done"

# After the relay was told to open: how long its feedback may take, and how long a last pulse may.
OPEN_CONFIRM_MS = 1_500
OPEN_SETTLE_MS = 300
# After a power cut: how long to wait for the clock, the meter and the plug before settling.
RECOVERY_WAIT_MS = 120_000
# Where no switch tells that the same vehicle is still there: how long the power may have been gone.
BLIND_RESUME_S = 300
# How far the time after a power cut may seem to lie before the last checkpoint: an order's own time base may
# run ahead of a clock of whole seconds by as much as admission.FUTURE_S.
CLOCK_SLACK_S = 30
# A meter with a memory of its own may have counted on between the last checkpoint and the cut: 10 s at 43 kW.
RECOVERY_JUMP_MWH = 120_000

# The most one order delivers: what a settlement can tell, less a kWh for what flows until the relay is open.
MOST_MWH = messages.MAX_ENERGY_MWH - 1_000_000

_STOP_OF_FAULT = {"GroundFailure": "GroundFault", "OverCurrentFailure": "OvercurrentFault"}


class Session:
    """Meters one order. Registers are the meter's cumulative mWh; `boundaries` holds, for each price step
    that energy flowed in, `[step index, register at its beginning]`.
    """

    def __init__(self, order, started_at, start_register_mwh, now_ms, limits):
        self.order = order
        self.phase = STARTING
        self.started_at = started_at
        self.start_register_mwh = start_register_mwh
        self.register_mwh = start_register_mwh
        self.stop_reason = None
        self.ended_at = None
        self.recovered = False
        self.idle_ms = 0  # how long the vehicle has drawn next to nothing
        self.boundaries = []
        self._limits = limits
        self._rate = order["rate"]
        self._steps = self._rate["steps"]
        self._fee_minor = self._rate["session_fee_minor"]
        self._digits = self._rate["minor_digits"]
        # Without a limit of the user's: the most that a settlement can tell.
        self._cost_limit_minor = order["limits"].get("cost_minor", messages.MAX_MINOR)
        self._stop_asked = None
        self._since_ms = now_ms
        self._last_ms = now_ms
        self._checkpoint_at = started_at  # of what is durable from before a power cut
        self._resume_until_at = started_at + order["limits"]["duration_s"]
        self._start_base(started_at, now_ms)
        self._enter_step(pricing.step_index(self._steps, started_at))

    @classmethod
    def recover(cls, order, record, now_ms, limits):
        """The session that a power cut ended, from its journal record (journal.load)."""
        session = cls(order, record["started_at"], record["start_register_mwh"], now_ms, limits)
        session.phase = RECOVERING
        session.recovered = True
        session.stop_reason = record["stop_reason"]
        session.register_mwh = record["register_mwh"]
        if not record["ran"]:
            session._resume_until_at = order["expires_at"]  # it never began: it must not begin later
        boundaries = record["boundaries"]
        if boundaries is None or [index for index, _ in boundaries if index >= len(session._steps)]:
            boundaries = [[session._cheapest_step(record["at"]), record["start_register_mwh"]]]
        if boundaries:
            session.boundaries = boundaries
        # A price step that was begun may be newer than the checkpoint; no order goes back to the one before.
        begun_at = session._steps[session.boundaries[-1][0]][0]
        session._checkpoint_at = max(record["at"], begun_at)
        session._start_base(session._checkpoint_at, now_ms)
        session._plan_step()
        return session

    # -- what others may know ------------------------------------------------------------------------------

    @property
    def wants_closed(self):
        return self.phase == STARTING or self.phase == CHARGING

    @property
    def order_id(self):
        return self.order["order_id"]

    @property
    def energy_mwh(self):
        return self.register_mwh - self.start_register_mwh

    def at(self, now_ms):
        """Unix seconds on the order's own time base: the wall clock at its start, and ticks since then."""
        return self._base_at + (now_ms - self._base_ms) // 1000

    def elapsed_s(self, now_ms):
        return self.at(now_ms) - self.started_at

    def energies(self):
        """(step index, mWh) pairs in order of time, adding up to energy_mwh."""
        pairs = []
        for i, (index, begin_mwh) in enumerate(self.boundaries):
            last = i + 1 == len(self.boundaries)
            end_mwh = self.register_mwh if last else self.boundaries[i + 1][1]
            pairs.append((index, end_mwh - begin_mwh))
        return pairs

    def cost_pico(self):
        return pricing.cost_pico(self._steps, self.energies(), self._fee_minor, self._digits)

    def bill(self):
        """(total_minor, fee_minor, periods): pricing.bill at the money limit, without steps of no energy."""
        energies = [(index, mwh) for index, mwh in self.energies() if mwh]
        return pricing.bill(self._rate, energies, self._cost_limit_minor)

    def remaining(self, now_ms):
        """What is left of each limit: mWh or None, minor units or None, seconds."""
        limits = self.order["limits"]
        energy_mwh = limits.get("energy_mwh")
        cost_minor = limits.get("cost_minor")
        return {
            "energy_mwh": None if energy_mwh is None else max(0, energy_mwh - self.energy_mwh),
            "cost_minor": None
            if cost_minor is None
            else max(0, cost_minor - pricing.round_half_up(self.cost_pico(), self._digits)),
            "duration_s": max(0, limits["duration_s"] - self.elapsed_s(now_ms)),
        }

    # -- the step ------------------------------------------------------------------------------------------

    def stop(self, reason):
        """Asks for the end, from outside: the phone, for one. The first reason counts."""
        if self._stop_asked is None:
            self._stop_asked = reason

    def step(self, now_ms, readings, fault, utc_at):
        """Advances by one cycle. fault: the safety latch's code; utc_at: the wall clock; each may be None.

        Returns True where the phase or the price step changed. A step that changes nothing allocates nothing.
        """
        phase = self.phase
        boundaries = len(self.boundaries)
        passed_ms = now_ms - self._last_ms
        self._last_ms = now_ms
        if self.phase == RECOVERING:
            self._recover(now_ms, readings, fault, utc_at)
        elif self.phase == FINISHING:
            self._finish(now_ms, readings)
        elif self.phase != DONE:
            self._charge(now_ms, passed_ms, readings, fault)
        return phase != self.phase or boundaries != len(self.boundaries)

    def _charge(self, now_ms, passed_ms, readings, fault):
        if self.phase == STARTING and readings.relay_closed is not False:
            self.phase = CHARGING
        self._read(readings)
        if now_ms >= self._next_step_ms:
            self._enter_step(pricing.step_index(self._steps, self.at(now_ms)))
        idle = self.phase == CHARGING and readings.power_mw < self._limits.full_power_mw
        self.idle_ms = self.idle_ms + passed_ms if idle else 0
        reason = self._why_stop(now_ms, readings, fault)
        if reason:
            self.stop_reason = reason
            self._go(FINISHING, now_ms)

    def _why_stop(self, now_ms, readings, fault):
        """The stop reason (OCPP 2.1) that holds now, safety first; None to go on."""
        if readings.estop:
            return "EmergencyStop"
        if fault:
            return _STOP_OF_FAULT.get(fault, "Other")
        if readings.plugged is False:
            return "EVDisconnected"
        if self._stop_asked:
            return self._stop_asked
        if self.register_mwh >= self._stop_register_mwh:
            return self._stop_register_reason
        if now_ms >= self._stop_ms:
            return "TimeLimitReached"
        if self.idle_ms >= self._limits.full_after_ms:
            return "StoppedByEV"
        return None

    def _finish(self, now_ms, readings):
        """Waits for the relay to be open, then takes the last reading. A relay that does not open is the
        latch's business, and what flows through it the operator's loss: the last reading then stays the one
        at the stop."""
        waited_ms = now_ms - self._since_ms
        if readings.relay_closed is None:
            open_now = waited_ms >= OPEN_SETTLE_MS
        else:
            open_now = not readings.relay_closed
        if open_now:
            self._read(readings)
        if open_now or waited_ms >= OPEN_CONFIRM_MS:
            self._go(DONE, now_ms)

    def _recover(self, now_ms, readings, fault, utc_at):
        """Goes on where everything allows it; settles at the last durable reading where it cannot."""
        if readings.register_mwh is not None:
            if not 0 <= readings.register_mwh - self.register_mwh <= RECOVERY_JUMP_MWH:
                return self._give_up(now_ms)  # the meter lost its memory, or is another one
            self._read(readings)
        if self.stop_reason or readings.estop or fault or readings.plugged is False or self._stop_asked:
            return self._give_up(now_ms)
        if utc_at is not None:
            until_at = self._resume_until_at
            if readings.plugged is None:
                until_at = min(until_at, self._checkpoint_at + BLIND_RESUME_S)
            if not self._checkpoint_at - CLOCK_SLACK_S <= utc_at < until_at:
                return self._give_up(now_ms)
            if readings.register_mwh is not None:
                at = max(utc_at, self._checkpoint_at)
                self._start_base(at, now_ms)
                self._enter_step(pricing.step_index(self._steps, at))
                return self._go(STARTING, now_ms)
        if now_ms - self._since_ms >= RECOVERY_WAIT_MS:
            self._give_up(now_ms)
        return None

    def _give_up(self, now_ms):
        self.stop_reason = self.stop_reason or "PowerLoss"
        self._start_base(self._checkpoint_at, now_ms)
        self._go(DONE, now_ms)

    def _go(self, phase, now_ms):
        self.phase = phase
        self._since_ms = now_ms
        if phase == DONE:
            self.ended_at = self.at(now_ms)

    def _read(self, readings):
        register_mwh = readings.register_mwh
        if register_mwh is not None and register_mwh > self.register_mwh:
            self.register_mwh = register_mwh

    def _cheapest_step(self, at):
        """What is charged where the price steps are lost: the lowest price between the start and `at`."""
        steps = self._steps
        cheapest = pricing.step_index(steps, self.started_at)
        for i in range(cheapest + 1, pricing.step_index(steps, at) + 1):
            if steps[i][1] + steps[i][2] < steps[cheapest][1] + steps[cheapest][2]:
                cheapest = i
        return cheapest

    # -- plans: what makes one cycle cheap ------------------------------------------------------------------

    def _start_base(self, at, now_ms):
        self._base_at = at
        self._base_ms = now_ms
        self._stop_ms = now_ms + (self.started_at + self.order["limits"]["duration_s"] - at) * 1000

    def _enter_step(self, index):
        if not self.boundaries or self.boundaries[-1][0] != index:
            self.boundaries.append([index, self.register_mwh])
        self._plan_step()

    def _plan_step(self):
        """Works out, once per price step, when it ends and at which register the order must stop in it."""
        index, begin_mwh = self.boundaries[-1]
        later = index + 1 < len(self._steps)
        ends_at = self._steps[index + 1][0] if later else self._rate["until_at"]
        self._next_step_ms = self._base_ms + (ends_at - self._base_at) * 1000
        if not later:
            self._next_step_ms = self._stop_ms + 1  # the last step outlasts the order
        limits = self.order["limits"]
        self._stop_register_mwh = self.start_register_mwh + min(limits.get("energy_mwh", MOST_MWH), MOST_MWH)
        self._stop_register_reason = "EnergyLimitReached"
        by_cost_mwh = self._cost_limit_register_mwh(self._cost_limit_minor, index, begin_mwh)
        if by_cost_mwh is not None and by_cost_mwh < self._stop_register_mwh:
            self._stop_register_mwh = by_cost_mwh
            self._stop_register_reason = "CostLimitReached"

    def _cost_limit_register_mwh(self, limit_minor, index, begin_mwh):
        """The register at which the exact cost would reach the money limit in this step; None: never."""
        unit_pico = pricing.pico_per_minor(self._digits)
        spent_pico = self._fee_minor * unit_pico
        for i in range(len(self.boundaries) - 1):
            step = self._steps[self.boundaries[i][0]]
            spent_pico += (self.boundaries[i + 1][1] - self.boundaries[i][1]) * (step[1] + step[2])
        step = self._steps[index]
        more_mwh = pricing.energy_to_reach(limit_minor * unit_pico, spent_pico, step[1] + step[2])
        return None if more_mwh is None else begin_mwh + more_mwh
