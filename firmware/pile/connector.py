"""One connector: its readings, its safety latch, the order that runs on it, and the relay it asks for."""

from pile_protocol import pricing

from . import session as phases
from .safety import SafetyLatch

# What a step changed, added up; small integers, because a step ten times a second must not allocate.
FAULT_CHANGED = 1
ORDER_CHANGED = 2

SUSPENDED_MS = 5_000  # drawing next to nothing for this long shows as SuspendedEV

_STATUS_OF_PHASE = {
    phases.STARTING: "Preparing",
    phases.CHARGING: "Charging",
    phases.FINISHING: "Finishing",
    phases.RECOVERING: "SuspendedEVSE",
    phases.DONE: "Finishing",
}


class Connector:
    """`commanded` is what the relay is to be: the shell obeys after each step, the readings confirm."""

    def __init__(self, number, readings, limits, fault=None):
        self.number = number  # from 1
        self.readings = readings
        self.limits = limits
        self.latch = SafetyLatch(limits, fault)
        self.session = None
        self.commanded = False
        self.checkpoint_ms = None  # when the newest reading became durable
        self.checkpoint_mwh = None
        self.steps_kept = 1  # how many price steps are durable; the first is in the order
        self._status = None
        self._fault = None
        self._plugged = None

    def start(self, session):
        """Gives the connector an order that is durable; the next step closes the relay for it."""
        self.session = session
        self.checkpoint_ms = None
        self.steps_kept = 1

    def step(self, now_ms, utc_at):
        """One cycle: latch, order, relay. Returns 0, or the sum of FAULT_CHANGED and ORDER_CHANGED."""
        before = self.latch.fault
        fault = self.latch.check(now_ms, self.readings, self.commanded)
        changes = 0 if fault == before else FAULT_CHANGED
        if self.session is not None and self.session.step(now_ms, self.readings, fault, utc_at):
            changes += ORDER_CHANGED
        # The latch and the emergency stop veto the relay whatever the order says.
        self.commanded = (
            self.session is not None and self.session.wants_closed and not fault and not self.readings.estop
        )
        return changes

    def is_switching(self):
        """Whether the relay has yet to confirm what it was told, or the order to be settled."""
        session = self.session
        return session is not None and session.phase != phases.CHARGING and session.phase != phases.RECOVERING

    def status(self):
        """OCPP 1.6 connector status."""
        if self.session is not None:
            if self.session.phase == phases.CHARGING and self.session.idle_ms >= SUSPENDED_MS:
                return "SuspendedEV"
            return _STATUS_OF_PHASE[self.session.phase]
        if self.latch.fault:
            return "Faulted"
        return "Unavailable" if self.readings.estop else "Available"

    def report_changed(self):
        """Whether report() would read differently than when this was last asked."""
        status = self.status()
        fault = self.latch.fault
        plugged = self.readings.plugged
        if status == self._status and fault == self._fault and plugged == self._plugged:
            return False
        self._status = status
        self._fault = fault
        self._plugged = plugged
        return True

    def report(self):
        """The connector's part of the status message."""
        return {
            "connector": self.number,
            "status": self.status(),
            "fault": self.latch.fault,
            "plugged": self.readings.plugged is not False,
            "order_id": self.session.order_id if self.session else None,
        }

    def meter(self, session, now_ms):
        """The meter message of the running order, `session`."""
        rate = session.order["rate"]
        limit_minor = session.order["limits"].get("cost_minor")
        cost_minor = pricing.round_half_up(session.cost_pico(), rate["minor_digits"])
        return {
            "order_id": session.order_id,
            "connector": self.number,
            "at": session.at(now_ms),
            "register_mwh": session.register_mwh,
            "energy_mwh": session.energy_mwh,
            "power_mw": self.readings.power_mw,
            "cost_minor": cost_minor if limit_minor is None else min(cost_minor, limit_minor),
            "elapsed_s": session.elapsed_s(now_ms),
            "remaining": session.remaining(now_ms),
        }
