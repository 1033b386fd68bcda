"""One order on one connector, from acceptance to settlement: its session and its durable record."""

from . import session as phases
from .session import Session

CHECKPOINT_MS = 1_000
RECOVERIES_MAX = 5  # a contactor whose inrush resets the chip would close for ever


class OpenOrder:
    """is_durable: flash has what must be there before the relay closes. recoveries: how often the order went
    on after a power cut.
    """

    def __init__(self, number, order, session, recoveries=0):
        self.number = number  # of the connector
        self.order = order
        self.session = session
        self.order_id = session.order_id
        self.recoveries = recoveries
        self.is_durable = True
        self._checkpoint_ms = None  # when the newest reading became durable, or was found unchanged
        self._checkpoint_mwh = None
        self._usage_kept = None  # the sum of its times
        self._times_kept = 0  # how many rows of price steps that are over
        self._steps_kept = len(session.metering.boundaries)  # in flash; the first is in the order

    @classmethod
    def recover(cls, number, order, kept, now_ms, limits):
        """The order that a power cut interrupted. kept: recovery.KeptOrder."""
        session = Session(order, kept.started_at, kept.start_register_mwh, now_ms, limits, kept.used)
        session.recover(kept, order["expires_at"], now_ms)
        if kept.recoveries >= RECOVERIES_MAX and session.stop_reason is None:
            session.stop_reason = "PowerQuality"
        return cls(number, order, session, kept.recoveries)

    @property
    def wants_closed(self):
        return self.is_durable and self.session.wants_closed

    def step(self, now_ms, readings, fault, clock, opened_ms):
        """As Session.step. An order that goes on after a power cut waits until that is durable."""
        session = self.session
        recovering = session.phase == phases.RECOVERING
        # UTC is asked for only where it is used: it does not fit a small int of 31 bits, so it takes heap.
        changed = session.step(now_ms, readings, fault, clock.at() if recovering else None, opened_ms)
        if recovering and session.wants_closed:
            self.recoveries += 1
            self.is_durable = False
        return changed

    # -- flash: each of these may raise OSError --------------------------------------------------------------

    def keep_change(self, journal, now_ms):
        """Makes durable what a step changed: a price step, a recovery, a stop."""
        boundaries = self.session.metering.boundaries
        if len(boundaries) > self._steps_kept:
            journal.keep_steps(self.number, boundaries)
            self._steps_kept = len(boundaries)
        if self.session.phase == phases.FINISHING or not self.is_durable:
            self._keep_usage(journal)
            self._keep_reading(journal, now_ms)
            self.is_durable = True

    def keep_reading(self, journal, now_ms):
        """Makes the newest reading durable every CHECKPOINT_MS, if it moved. Returns whether it was due."""
        if self._checkpoint_ms is not None and now_ms - self._checkpoint_ms < CHECKPOINT_MS:
            return False
        self._keep_usage(journal)
        if self._checkpoint_ms is None or self.session.metering.register_mwh != self._checkpoint_mwh:
            self._keep_reading(journal, now_ms)
        self._checkpoint_ms = now_ms
        return True

    def keep_last_reading(self, journal, now_ms):
        """Before the settlement: after a restart, a meter that forgets goes on from the durable reading."""
        if self.session.metering.register_mwh != self._checkpoint_mwh:
            self._keep_reading(journal, now_ms)

    def _keep_usage(self, journal):
        usage = self.session.usage
        if usage is None:
            return
        over = len(usage.times) - 1
        if over > self._times_kept:
            journal.keep_times(self.number, usage.times[:over])
            self._times_kept = over
        counted = usage.counted()
        total_ms = counted[0] + sum(counted[1]) + sum([row[1] for row in usage.times])
        if total_ms != self._usage_kept:
            journal.keep_usage(self.number, counted)
            self._usage_kept = total_ms

    def _keep_reading(self, journal, now_ms):
        session = self.session
        register_mwh = session.metering.register_mwh
        at = session.ended_at or session.at(now_ms)  # of the charge: a stay is counted from there
        journal.keep_reading(
            self.number, self.order_id, at, register_mwh, session.stop_reason, self.recoveries
        )
        self._checkpoint_ms = now_ms
        self._checkpoint_mwh = register_mwh

    # -- messages --------------------------------------------------------------------------------------------

    def meter_message(self, power_mw, now_ms, current_ma=None):
        metering = self.session.metering
        message = {
            "order_id": self.order_id,
            "connector": self.number,
            "at": metering.at(now_ms),
            "register_mwh": metering.register_mwh,
            "energy_mwh": metering.energy_mwh,
            "power_mw": power_mw,
            "cost_minor": metering.cost_minor(),
            "elapsed_s": metering.elapsed_s(now_ms),
            "remaining": metering.remaining(now_ms),
        }
        if current_ma is not None:
            message["current_ma"] = current_ma
        usage = self.session.usage
        if usage:
            message["costs"] = usage.costs()
            if self.session.phase == phases.STAYING:
                message["idle"] = usage.staying(self.session.ended_at)
        return message
