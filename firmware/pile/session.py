"""The phases of one order on one connector, and why it stops. Readings in, a decision out.

    STARTING --relay confirmed--> CHARGING --stop reason--> FINISHING --last reading--> DONE
                                                               +--last reading--> STAYING --> DONE
    CHARGING <--> SUSPENDED     the plug was pulled for a moment, or the shared supply has no room
    STAYING                     the charge is over, the vehicle is there, and the rate has a price for that
    RECOVERING --may go on--> STARTING, or straight to DONE     after a power cut

The relay is wanted closed in STARTING and CHARGING and nowhere else.
"""

from .metering import Metering
from .readings import ABSENT, INVALID, VALID
from .safety import has_plug_switch, is_unplugged

STARTING = "Starting"
CHARGING = "Charging"
SUSPENDED = "Suspended"
FINISHING = "Finishing"
STAYING = "Staying"
RECOVERING = "Recovering"
DONE = "Done"

OPEN_CONFIRM_MS = 1_500  # how long a relay may take until it is confirmed open
LAST_READING_MS = 1_000  # how long the last reading may take, beyond what the meter itself names
REPLUGS_MAX = 10  # of one order
FEED_WAIT_MS = 900_000  # how long an order waits for room on the shared supply
# After a power cut: how long to wait for the time, the meter and the plug before settling.
RECOVERY_WAIT_MS = 120_000
# How far the time after a power cut may lie before the last checkpoint: an order's own time base may run
# ahead of a clock of whole seconds by as much as admission.FUTURE_S.
CLOCK_SLACK_S = 30
STAY_BLIND_MS = 10_000  # how long the plug may be unreadable before staying on ends ...
STAY_BOUNCE_MS = 1_000  # ... and how long out: a contact bounces, and nobody changes vehicles that fast
PLAIN_RATE = 6  # members of a rate that has energy prices and a session fee alone
# The most that a meter with a memory may have counted between the last checkpoint and the cut.
RECOVERY_JUMP_MWH = 120_000  # 10 s at 43 kW

# Stop reasons of faults whose code is not a stop reason itself.
_STOP_OF_FAULT = {
    "GroundFailure": "GroundFault",
    "OverCurrentFailure": "OvercurrentFault",
    "PowerMeterFailure": "MeterFailure",
    "UnderVoltage": "PowerQuality",
}

_STATE_OF_PHASE = {CHARGING: "Charging", FINISHING: "Finishing", STAYING: "Finishing", DONE: "Finishing"}


class Session:
    """`metering` has what the order took. limits: safety.Limits of the connector."""

    def __init__(self, order, started_at, start_register_mwh, now_ms, limits, used=None):
        self.order_id = order["order_id"]
        self.usage = None  # its metering, where the rate has more than energy prices and a session fee
        if len(order["rate"]) > PLAIN_RATE:
            from .usage import UsageMetering  # in the heap only where there is such an order

            self.usage = UsageMetering(order, started_at, start_register_mwh, now_ms, used)
        self.metering = self.usage or Metering(order, started_at, start_register_mwh, now_ms)
        self.phase = STARTING
        self.stop_reason = None
        self.ended_at = None  # when the charge did
        self.left_at = None  # and when staying on did
        self.recovered = False
        self.is_last_reading_missing = False
        self.held_ms = (
            None  # since when the shared supply has no room for it: the relay is open, the order waits
        )
        self.idle_ms = 0  # how long the vehicle has drawn next to nothing
        self._limits = limits
        self._begin_within_ms = _wait_ms(
            order.get("begin_within_s"), limits.begin_within_ms, limits.begin_within_max_ms
        )
        self._full_after_ms = _wait_ms(
            order.get("full_after_s"), limits.full_after_ms, limits.full_after_max_ms
        )
        self._stop_asked = None
        self._is_over = False  # the charge had ended, and that was durable, before the power cut
        self._has_charged = False  # the relay was confirmed closed
        self._has_drawn = False
        self._is_changed = False  # the power came back after so long that it may be another vehicle's
        self._replugs = 0
        self._unplugged_ms = None  # since when the plug is out
        self._blind_ms = 0  # how long the vehicle has not been seen, while it stays on
        self._since_ms = now_ms  # of the phase
        self._last_ms = now_ms
        self._checkpoint_at = started_at
        self._end_at = started_at + order["limits"]["duration_s"]
        self._resume_until_at = self._end_at

    def recover(self, kept, expires_at, now_ms):
        """Makes this the session that a power cut interrupted. kept: recovery.KeptOrder."""
        self.phase = RECOVERING
        self.recovered = True
        self.stop_reason = kept.stop_reason
        self._is_over = kept.stop_reason is not None
        if not kept.ran:
            self._resume_until_at = expires_at  # the relay has not closed: it must not close later than that
        self._checkpoint_at = kept.at
        self.metering.restore(kept.register_mwh, kept.boundaries, kept.at, now_ms)
        if self.usage and self.usage.stay_ms:
            self.stop_reason = (
                self.stop_reason or "PowerLoss"
            )  # why the charge ended is lost with its reading
            self.ended_at = self._checkpoint_at
            if self.usage.can_stay():  # what passed meanwhile is not counted
                self._go(STAYING, now_ms)

    # -- what others may know ------------------------------------------------------------------------------

    @property
    def wants_closed(self):
        return self.phase == STARTING or self.phase == CHARGING

    @property
    def has_run(self):
        """Whether the relay has closed: confirmed by its feedback, or shown by the meter."""
        return self._has_charged or self.metering.energy_mwh > 0

    @property
    def state(self):
        """The word for it on order/status."""
        if self._has_charged and (self.phase == STARTING or self.phase == SUSPENDED):
            return "Charging"
        return _STATE_OF_PHASE.get(self.phase, "Accepted")

    def at(self, now_ms):
        return self.metering.at(now_ms)

    # -- what others decide --------------------------------------------------------------------------------

    def stop(self, reason):
        """Asks for the end. The first reason counts."""
        if self._stop_asked is None:
            self._stop_asked = reason

    # -- the step ------------------------------------------------------------------------------------------

    def step(self, now_ms, readings, fault, utc_at, opened_ms):
        """Advances by one cycle. fault: the latched code; utc_at: UTC as sealed by the cloud; opened_ms: when
        the relay was confirmed open. Each may be None.

        Returns True if the phase or the price step changed. A step that changes nothing allocates nothing.
        """
        phase = self.phase
        steps = len(self.metering.boundaries)
        passed_ms = now_ms - self._last_ms
        self._last_ms = now_ms
        if phase == RECOVERING or phase == FINISHING:
            if phase == RECOVERING:
                self._recover(now_ms, readings, fault, utc_at, opened_ms)
            else:
                self._finish(now_ms, readings, opened_ms)
            is_over = self._is_over or phase == FINISHING  # not ended by the power cut
            if is_over and self.phase == DONE and self._may_stay(readings, fault):
                self._go(STAYING, now_ms)
        elif phase == STAYING:
            self._stay(now_ms, passed_ms, readings, fault)
        elif phase != DONE:
            self._charge(now_ms, passed_ms, readings, opened_ms)
            reason = self._reason_to_stop(now_ms, readings, fault)
            if reason:
                self.stop_reason = reason
                self._go(FINISHING, now_ms)
            else:
                self._suspend_or_go_on(now_ms, readings)
        return phase != self.phase or steps != len(self.metering.boundaries)

    def _charge(self, now_ms, passed_ms, readings, opened_ms):
        relay = readings.relay_closed
        was_charging = self.phase == CHARGING
        if self.phase == STARTING and (relay.state == ABSENT or (relay.state == VALID and relay.value)):
            self._go(CHARGING, now_ms)
            self._has_charged = True
        # Without a plug switch nobody knows whether the vehicle left: nothing more is billed until it draws
        # no power for as long as means full, or until somebody stops the order.
        may_be_gone = (
            self._has_drawn and self.idle_ms >= self._limits.gap_ms and not has_plug_switch(readings)
        )
        if not may_be_gone:
            self._read(readings, opened_ms)
        power = readings.power_mw
        if self.usage and was_charging and not may_be_gone:
            self.usage.count(now_ms, passed_ms, power)
        if self.phase != CHARGING:
            self.idle_ms = 0
        elif power.state == VALID:
            if power.value < self._limits.full_power_mw:
                self.idle_ms += passed_ms
            elif may_be_gone:
                self._is_changed = True
            else:
                self.idle_ms = 0
                self._has_drawn = True
        if is_unplugged(readings):
            if self._unplugged_ms is None:
                self._unplugged_ms = now_ms
                self._replugs += 1
        elif readings.plugged.state != INVALID:
            self._unplugged_ms = None

    def _reason_to_stop(self, now_ms, readings, fault):
        """The stop reason that holds now, safety first; None to go on."""
        if readings.estop:
            return "EmergencyStop"
        if fault:
            return _STOP_OF_FAULT.get(fault, fault)
        if self._unplugged_ms is not None and (
            self._replugs > REPLUGS_MAX or now_ms - self._unplugged_ms >= self._limits.replug_ms
        ):
            return "EVDisconnected"
        if readings.stop_button:
            return "Local"
        if self._stop_asked:
            return self._stop_asked
        metering = self.metering
        if metering.register_mwh >= metering.stop_register_mwh:
            return metering.stop_register_reason
        if self.usage and self.usage.must_look(now_ms):
            self.usage.look(now_ms)
            if self.usage.is_spent:
                return "CostLimitReached"
        if metering.is_over(now_ms):
            return "TimeLimitReached"
        if self._is_changed:
            return "VehicleChanged"
        if self._has_drawn:
            if self.idle_ms >= self._full_after_ms:
                return "StoppedByEV"
        elif self.idle_ms >= self._begin_within_ms:
            return "Timeout"
        if self.held_ms is not None and now_ms - self.held_ms >= FEED_WAIT_MS:
            return "FeedBusy"
        return None

    def _suspend_or_go_on(self, now_ms, readings):
        if self.held_ms is not None or self._unplugged_ms is not None:
            if self.phase != SUSPENDED:
                self._go(SUSPENDED, now_ms)
        elif self.phase == SUSPENDED:
            if not has_plug_switch(readings) and now_ms - self._since_ms >= self._limits.gap_ms:
                self._is_changed = True
            else:
                self._go(STARTING, now_ms)

    def _finish(self, now_ms, readings, opened_ms):
        """Waits until the relay is confirmed open and a sample shows everything that flowed before that.
        Energy through a relay that does not open is not billed.
        """
        if opened_ms is None:
            if now_ms - self._since_ms >= OPEN_CONFIRM_MS:
                self._end_without_last_reading(now_ms)
            return
        if self._is_changed:  # the last reading is the one before the power came back
            self._go(DONE, now_ms)
            return
        self._read(readings, opened_ms)
        if self._is_last_reading(readings, opened_ms):
            self._go(DONE, now_ms)
        elif now_ms - max(opened_ms, self._since_ms) >= _longest_wait_ms(readings.meter):
            self._end_without_last_reading(now_ms)

    def _may_stay(self, readings, fault):
        if self.usage is None or not has_plug_switch(readings) or is_unplugged(readings):
            return False
        return not fault and not readings.estop and self.usage.can_stay()

    def _stay(self, now_ms, passed_ms, readings, fault):
        """The relay is open; the vehicle occupies the connector until it leaves, or until that costs nothing
        more.
        """
        plugged = readings.plugged
        over = fault or readings.estop
        if self.usage and plugged.state == VALID and plugged.value and not over:
            self._blind_ms = 0
            over = self.usage.stay(passed_ms)
        else:  # not counted
            self._blind_ms += passed_ms
            over = over or self._blind_ms > (STAY_BOUNCE_MS if is_unplugged(readings) else STAY_BLIND_MS)
        if over:
            self._go(DONE, now_ms)

    def _is_last_reading(self, readings, opened_ms):
        """Whether the newest sample shows everything that flowed before the relay was confirmed open."""
        register = readings.register_mwh
        return (
            opened_ms is not None
            and register.state == VALID
            and register.at_ms - readings.meter.refresh_ms >= opened_ms
        )

    def _end_without_last_reading(self, now_ms):
        self.is_last_reading_missing = True
        self._go(DONE, now_ms)

    def _recover(self, now_ms, readings, fault, utc_at, opened_ms):
        """Goes on if everything allows it; settles at the last durable reading if it cannot, or at what a
        meter with a memory shows.
        """
        metering = self.metering
        meter = readings.meter
        register = readings.register_mwh
        waited_ms = now_ms - self._since_ms
        if register.state == VALID:
            if not 0 <= register.value - metering.register_mwh <= RECOVERY_JUMP_MWH:
                return self._give_up(now_ms, utc_at)  # the meter lost its memory, or is another one
        stop = self.stop_reason or readings.estop or fault or self._stop_asked or readings.stop_button
        if utc_at is not None:
            until_at = self._resume_until_at
            if not has_plug_switch(readings):
                until_at = min(until_at, self._checkpoint_at + self._limits.gap_ms // 1000)
            stop = stop or not self._checkpoint_at - CLOCK_SLACK_S <= utc_at < until_at
        is_fresh = self._is_last_reading(readings, opened_ms)
        if stop or is_unplugged(readings) or waited_ms >= RECOVERY_WAIT_MS:
            self.stop_reason = self.stop_reason or self._stop_asked or "PowerLoss"
            if is_fresh or not meter.remembers or waited_ms >= _longest_wait_ms(meter):
                self._give_up(now_ms, utc_at, register.value if register.state == VALID else 0)
        elif utc_at is not None and is_fresh and readings.plugged.state != INVALID:
            at = max(utc_at, self._checkpoint_at)
            # Whether it drew before the cut is not durable. It did if its average was more than next to
            # nothing; else it may have, and neither of the two waits may end early.
            energy_mwh = metering.energy_mwh - meter.step_mwh
            elapsed_s = self._checkpoint_at - metering.started_at
            self._has_drawn = energy_mwh * 3_600 > self._limits.full_power_mw * elapsed_s
            self._begin_within_ms = max(self._begin_within_ms, self._full_after_ms)
            metering.resume(at, at, now_ms, register.value)
            self._go(STARTING, now_ms)
        return None

    def _give_up(self, now_ms, utc_at, register_mwh=0):
        """Without the time the power may have been cut at any time until the order's end. If the charge had
        ended, no energy flowed after the relay opened.
        """
        self.stop_reason = self.stop_reason or "PowerLoss"
        if self._is_over:
            until_at = self._checkpoint_at + OPEN_CONFIRM_MS // 1000 + 1
        else:
            until_at = max(self._checkpoint_at, self._end_at if utc_at is None else utc_at)
        self.metering.resume(until_at, self._checkpoint_at, now_ms, register_mwh)
        self._go(DONE, now_ms)

    def _go(self, phase, now_ms):
        self.phase = phase
        self._since_ms = now_ms
        if phase == DONE or phase == STAYING:
            self.left_at = self.at(now_ms)
            if self.ended_at is None:
                self.ended_at = self.left_at
            if self.usage:
                self.left_at = max(self.left_at, self.ended_at + self.usage.stay_ms // 1000)
            self._blind_ms = 0

    def _read(self, readings, opened_ms):
        if readings.register_mwh.state == VALID:
            self.metering.take(readings.register_mwh, readings.meter, opened_ms)


def _longest_wait_ms(meter):
    """How long a sample may take that shows everything from before the opening."""
    return meter.refresh_ms + meter.interval_ms + meter.settle_ms + LAST_READING_MS


def _wait_ms(asked_s, default_ms, most_ms):
    """How long to wait: as the order asks, within the board's bound."""
    return default_ms if asked_s is None else min(asked_s * 1000, most_ms)
