"""One order's session in a test's hands, and what can happen to it."""

from pile.readings import Readings
from pile.safety import Limits
from pile.session import CHARGING, DONE, Session
from tests.portable.kit import AT, REGISTER_MWH, order, rate

TWO_STEPS = [[AT - 60, 1_000_000, 0, "valley"], [AT + 100, 2_000_000, 500_000, "peak"]]


class Run:
    """A session and its readings, stepped by hand. The relay follows unless `relay` says otherwise."""

    def __init__(self, limits=None, locked=None, feedback=True, now_ms=0):
        self.readings = Readings()
        self.readings.register_mwh = REGISTER_MWH
        self.readings.power_mw = 7_000_000
        self.feedback = feedback
        self.now_ms = now_ms
        self.relay = None
        self.fault = None
        self.utc_at = None
        self.session = Session(
            order(limits=limits or {"duration_s": 3_600}, rate=locked or rate()),
            AT,
            REGISTER_MWH,
            now_ms,
            Limits(),
        )

    def step(self, passed_ms=100, energy_mwh=0):
        """One cycle; `energy_mwh` since the one before. Returns whether phase or price step changed."""
        self.now_ms += passed_ms
        closed = self.session.wants_closed if self.relay is None else self.relay
        self.readings.relay_closed = closed if self.feedback else None
        if self.readings.register_mwh is not None:
            self.readings.register_mwh += energy_mwh
        return self.session.step(self.now_ms, self.readings, self.fault, self.utc_at)

    def charging(self):
        self.step()
        assert self.session.phase == CHARGING, self.session.phase
        return self

    def to_end(self):
        for _ in range(100):
            if self.session.phase == DONE:
                return self.session.stop_reason
            self.step()
        raise AssertionError("the order never ends: " + self.session.phase)


def set_estop(run):
    run.readings.estop = True


def set_unplugged(run):
    run.readings.plugged = False


def ask(reason):
    def change(run):
        run.session.stop(reason)

    return change
