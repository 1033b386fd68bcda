"""One connector: who decides over the relay, and what its status reads."""

from pile import session as phases
from pile.connector import FAULT_CHANGED, ORDER_CHANGED, SUSPENDED_MS, Connector
from pile.readings import Readings
from pile.safety import Limits
from pile.session import Session
from tests.portable.kit import AT, REGISTER_MWH, order


class Bench:
    def __init__(self, fault=None):
        readings = Readings()
        readings.register_mwh = REGISTER_MWH
        readings.relay_closed = False
        readings.power_mw = 7_000_000
        self.connector = Connector(1, readings, Limits(), fault)
        self.readings = readings
        self.now_ms = 0

    def start(self):
        self.connector.start(Session(order(), AT, REGISTER_MWH, self.now_ms, self.connector.limits))

    def step(self, passed_ms=100):
        """One cycle; the contact obeys after it."""
        self.now_ms += passed_ms
        result = self.connector.step(self.now_ms, None)
        self.readings.relay_closed = self.connector.commanded
        return result


def test_no_order_no_relay():
    bench = Bench()
    for _ in range(20):
        assert bench.step() == 0
        assert bench.connector.commanded is False


def test_the_relay_closes_in_the_step_after_the_order_came():
    bench = Bench()
    bench.start()
    assert bench.connector.commanded is False
    bench.step()
    assert bench.connector.commanded is True


def test_a_stop_opens_in_the_very_step():
    bench = Bench()
    bench.start()
    bench.step()
    bench.step()
    bench.connector.session.stop("Remote")
    assert bench.step() == ORDER_CHANGED
    assert bench.connector.commanded is False


def test_a_fault_opens_in_the_very_step_and_is_told_once():
    bench = Bench()
    bench.start()
    bench.step()
    bench.step()
    bench.readings.ground_fault = True
    assert bench.step() == FAULT_CHANGED + ORDER_CHANGED
    assert bench.connector.commanded is False
    assert not bench.step() & FAULT_CHANGED


def test_a_latched_fault_or_a_pressed_button_vetoes_whatever_the_order_says():
    bench = Bench(fault="GroundFailure")
    bench.start()
    bench.step()
    assert bench.connector.commanded is False
    bench = Bench()
    bench.readings.estop = True
    bench.start()
    bench.step()
    assert bench.connector.commanded is False


def status_of(phase=None, fault=None, estop=False, idle_ms=0):
    bench = Bench(fault)
    bench.readings.estop = estop
    if phase:
        bench.start()
        bench.connector.session.phase = phase
        bench.connector.session.idle_ms = idle_ms
    return bench.connector.status()


def test_status():
    for case, status in (
        ((), "Available"),
        ((None, None, True), "Unavailable"),
        ((None, "GroundFailure"), "Faulted"),
        ((None, "GroundFailure", True), "Faulted"),
        ((phases.STARTING,), "Preparing"),
        ((phases.CHARGING,), "Charging"),
        ((phases.CHARGING, None, False, SUSPENDED_MS - 1), "Charging"),
        ((phases.CHARGING, None, False, SUSPENDED_MS), "SuspendedEV"),
        ((phases.FINISHING,), "Finishing"),
        ((phases.FINISHING, "GroundFailure"), "Finishing"),
        ((phases.RECOVERING,), "SuspendedEVSE"),
        ((phases.DONE,), "Finishing"),
    ):
        assert status_of(*case) == status, case


def test_report():
    bench = Bench()
    assert bench.connector.report() == {
        "connector": 1,
        "status": "Available",
        "fault": None,
        "plugged": True,
        "order_id": None,
    }
    bench.start()
    bench.readings.plugged = False
    report = bench.connector.report()
    assert (report["status"], report["plugged"], report["order_id"]) == ("Preparing", False, "o1")
