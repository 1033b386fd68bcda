"""One connector: its readings, its latched fault, the order that runs on it, and the relay it asks for."""

from . import session as phases
from .readings import ABSENT, VALID
from .safety import Watch, is_unplugged

# What a step changed, added up: small integers, because a step ten times a second must not allocate.
FAULT_CHANGED = 1
ORDER_CHANGED = 2

OPEN_SETTLE_MS = 300  # without feedback: when a relay counts as open after its command
SUSPENDED_MS = 5_000  # drawing next to nothing for this long shows as SuspendedEV
MAINS_V = 230

_STATUS_OF_PHASE = {
    phases.STARTING: "Preparing",
    phases.CHARGING: "Charging",
    phases.SUSPENDED: "SuspendedEVSE",
    phases.FINISHING: "Finishing",
    phases.STAYING: "Finishing",
    phases.RECOVERING: "SuspendedEVSE",
    phases.DONE: "Finishing",
}


class Connector:
    """`commanded` is what the relay is to be: the shell obeys after each step, the readings confirm.
    `opened_ms`: when the relay was confirmed open, None while it is not. latch: faults.Latch.
    """

    def __init__(self, number, readings, limits, latch, now_ms):
        self.number = number  # from 1
        self.readings = readings
        self.limits = limits
        self.latch = latch
        self.watch = Watch(limits)
        self.order = None  # OpenOrder
        self.on_trial = False  # the firmware is: no order is taken
        self.out_of_service = None  # the operator's reason
        self.commanded = False
        self.opened_ms = None
        self._open_command_ms = now_ms
        self._pause_until_ms = 0
        self._status = None
        self._fault = None
        self._unplugged = None

    @property
    def fault(self):
        """The latched fault code, or None."""
        return self.latch.code

    def step(self, now_ms, clock):
        """One cycle: faults, order, relay. Returns 0, or the sum of FAULT_CHANGED and ORDER_CHANGED."""
        readings = self.readings
        self._note_opening(now_ms)
        changes = 0
        found = self.watch.find(now_ms, readings, self.commanded, self.opened_ms)
        if found:
            if self.latch.set(found, clock):
                changes = FAULT_CHANGED
        elif self.latch.heal(now_ms, readings, self.limits):
            changes = FAULT_CHANGED
        fault = self.latch.code
        order = self.order
        if order is not None and order.step(now_ms, readings, fault, clock, self.opened_ms):
            changes += ORDER_CHANGED
        # A fault and the emergency stop veto the relay whatever the order says.
        commanded = order is not None and order.wants_closed and not fault and not readings.estop
        if self.commanded and not commanded:
            self._open_command_ms = now_ms
            self._pause_until_ms = None
        self.commanded = commanded
        return changes

    def _note_opening(self, now_ms):
        relay = self.readings.relay_closed
        if self.commanded:
            self.opened_ms = None
        elif self.opened_ms is None:
            if relay.state == ABSENT:
                opened = now_ms - self._open_command_ms >= OPEN_SETTLE_MS
            else:
                opened = relay.state == VALID and not relay.value
            if opened:
                self.opened_ms = now_ms
                if self._pause_until_ms is None:
                    self._pause_until_ms = now_ms + self.limits.pause_ms

    def is_resting(self, now_ms):
        """Whether the pause after the last order is over, and a sample of the meter shows all that flowed in
        it.
        """
        if self.opened_ms is None or now_ms < self._pause_until_ms:
            return False
        register = self.readings.register_mwh
        return register.state != VALID or register.at_ms - self.readings.meter.refresh_ms >= self.opened_ms

    def is_switching(self):
        """Whether the relay has yet to confirm its command, or the order to be settled."""
        order = self.order
        if order is None:
            return False
        phase = order.session.phase
        return (
            phase == phases.STARTING
            or phase == phases.DONE
            or (phase == phases.FINISHING and self.opened_ms is None)
        )

    def power_mw(self):
        """The newest valid power; 0 while there is none."""
        power = self.readings.power_mw
        return power.value if power.state == VALID else 0

    def measured_ma(self):
        """The newest valid current; None while there is none."""
        current = self.readings.current_ma
        return current.value if current.state == VALID else None

    def current_ma(self):
        """What the connector takes of the supply: measured, or computed from the power."""
        measured = self.measured_ma()
        return self.power_mw() // MAINS_V if measured is None else measured

    def status(self):
        """OCPP 1.6 connector status."""
        if self.order is not None:
            session = self.order.session
            if session.phase == phases.CHARGING and session.idle_ms >= SUSPENDED_MS:
                return "SuspendedEV"
            return _STATUS_OF_PHASE[session.phase]
        if self.latch.code:
            return "Faulted"
        if self.on_trial or self.out_of_service or self.readings.estop or self.readings.stop_button:
            return "Unavailable"
        return "Available"

    def note_report(self):
        """Notes what report() tells. Returns whether that has changed since the last call."""
        status = self.status()
        fault = self.latch.code
        unplugged = is_unplugged(self.readings)
        changed = status != self._status or fault != self._fault or unplugged != self._unplugged
        self._status = status
        self._fault = fault
        self._unplugged = unplugged
        return changed

    def report(self):
        """The connector's part of the status message."""
        report = {
            "connector": self.number,
            "status": self.status(),
            "fault": self.latch.code,
            "plugged": not is_unplugged(self.readings),
            "order_id": self.order.order_id if self.order else None,
        }
        if self.out_of_service:
            report["out_of_service"] = self.out_of_service
        return report
