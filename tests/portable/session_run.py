"""One order's session in a test's hands, and what can happen to it."""

from pile.connector import OPEN_SETTLE_MS
from pile.readings import MeterTraits, Readings
from pile.safety import Limits
from pile.session import CHARGING, DONE, Session
from tests.portable.kit import AT, REGISTER_MWH, order, rate

TWO_STEPS = [[AT - 60, 1_000_000, 0, "valley"], [AT + 100, 2_000_000, 500_000, "peak"]]


def billed(run):
    """(total, session fee, periods) of its bill."""
    bill = run.session.metering.bill()
    return bill["total_minor"], bill["session_fee_minor"], bill["periods"]


class Run:
    """A session and its readings, stepped by hand. The relay follows unless `relay` says otherwise. The meter
    shows at once what flowed, in steps of 1 mWh.
    """

    def __init__(
        self,
        limits=None,
        locked=None,
        feedback=True,
        now_ms=0,
        board=None,
        plug_switch=True,
        **changes,
    ):
        self.readings = Readings(MeterTraits())
        if plug_switch:
            self.readings.plugged.take(True, now_ms)
        self.register_mwh = REGISTER_MWH
        self.power_mw = 7_000_000
        self.feedback = feedback
        self.now_ms = now_ms
        self.relay = None
        self.fault = None
        self.utc_at = None
        self.opened_ms = None
        self.board = board or Limits()
        self.order = order(limits=limits or {"duration_s": 3_600}, rate=locked or rate(), **changes)
        self.session = Session(self.order, AT, REGISTER_MWH, now_ms, self.board)
        self.metering = self.session.metering
        self._open_command_ms = now_ms
        self._was_closed = False

    def step(self, passed_ms=100, energy_mwh=0):
        """One cycle; `energy_mwh` since the one before. Returns whether phase or price step changed."""
        self.now_ms += passed_ms
        wanted = self.session.wants_closed
        closed = wanted if self.relay is None else self.relay
        readings = self.readings
        if self.feedback:
            readings.relay_closed.take(closed, self.now_ms)
        if self.register_mwh is None:
            readings.register_mwh.lose()
        else:
            self.register_mwh += energy_mwh
            readings.register_mwh.take(self.register_mwh, self.now_ms)
        readings.power_mw.take(self.power_mw, self.now_ms)
        if wanted:
            self.opened_ms = None
        elif self._was_closed:
            self._open_command_ms = self.now_ms - passed_ms
        self._was_closed = wanted
        if not wanted and self.opened_ms is None:
            if not closed if self.feedback else self.now_ms - self._open_command_ms >= OPEN_SETTLE_MS:
                self.opened_ms = self.now_ms
        return self.session.step(self.now_ms, readings, self.fault, self.utc_at, self.opened_ms)

    def charging(self):
        self.step()
        assert self.session.phase == CHARGING, self.session.phase
        return self

    def to_end(self):
        for _ in range(200):
            if self.session.phase == DONE:
                return self.session.stop_reason
            self.step()
        raise AssertionError("the order never ends: " + self.session.phase)


def set_estop(run):
    run.readings.estop = True


def set_stop_button(run):
    run.readings.stop_button = True


def set_unplugged(run):
    run.readings.plugged.take(False, run.now_ms)


def set_plugged(run):
    run.readings.plugged.take(True, run.now_ms)


def ask(reason):
    def change(run):
        run.session.stop(reason)

    return change
