"""One connector: who decides over the relay, when it counts as open, and what its status reads."""

from pile import session as phases
from pile.clock import Clock
from pile.connector import FAULT_CHANGED, OPEN_SETTLE_MS, ORDER_CHANGED, SUSPENDED_MS, Connector
from pile.open_order import OpenOrder
from pile.readings import MeterTraits, Readings
from pile.safety import Limits
from pile.session import Session
from tests.portable.kit import AT, REGISTER_MWH, latched, order


class Bench:
    def __init__(self, fault=None, feedback=True):
        readings = Readings(MeterTraits())
        self.connector = Connector(1, readings, Limits(), latched(fault), 0)
        self.readings = readings
        self.feedback = feedback
        self.contact = False
        self.now_ms = 0
        self.clock = Clock(0)

    def start(self):
        session = Session(order(), AT, REGISTER_MWH, self.now_ms, self.connector.limits)
        self.connector.order = OpenOrder(1, order(), session)

    def step(self, passed_ms=100):
        """One cycle; the contact obeys after it."""
        self.now_ms += passed_ms
        readings = self.readings
        readings.register_mwh.take(REGISTER_MWH, self.now_ms)
        readings.power_mw.take(7_000_000, self.now_ms)
        readings.plugged.take(True, self.now_ms)
        if self.feedback:
            readings.relay_closed.take(self.contact, self.now_ms)
        result = self.connector.step(self.now_ms, self.clock)
        self.contact = self.connector.commanded
        return result


def charging():
    bench = Bench()
    bench.start()
    bench.step()
    bench.step()
    assert bench.connector.order.session.phase == phases.CHARGING
    return bench


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


def test_an_order_that_is_not_durable_closes_no_relay():
    bench = Bench()
    bench.start()
    bench.connector.order.is_durable = False
    for _ in range(5):
        bench.step()
        assert bench.connector.commanded is False
    bench.connector.order.is_durable = True
    bench.step()
    assert bench.connector.commanded is True


def test_a_stop_opens_in_the_very_step():
    bench = charging()
    bench.connector.order.session.stop("Remote")
    assert bench.step() == ORDER_CHANGED
    assert bench.connector.commanded is False


def test_a_fault_opens_in_the_very_step_and_is_told_once():
    bench = charging()
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


def test_the_relay_counts_as_open_when_its_feedback_says_so():
    bench = charging()
    assert bench.connector.opened_ms is None
    bench.connector.order.session.stop("Remote")
    bench.step()
    bench.contact = True
    bench.step()
    assert bench.connector.opened_ms is None
    bench.contact = False
    bench.step()
    assert bench.connector.opened_ms == bench.now_ms
    opened_ms = bench.now_ms
    bench.step()
    assert bench.connector.opened_ms == opened_ms


def test_a_feedback_that_cannot_be_read_confirms_nothing():
    bench = charging()
    bench.connector.order.session.stop("Remote")
    bench.step()
    bench.feedback = False
    bench.readings.relay_closed.lose()
    for _ in range(10):
        bench.step()
        assert bench.connector.opened_ms is None


def test_without_feedback_the_relay_counts_as_open_a_while_after_its_command():
    bench = Bench(feedback=False)
    bench.step(OPEN_SETTLE_MS - 1)
    assert bench.connector.opened_ms is None
    bench.step(1)
    assert bench.connector.opened_ms == OPEN_SETTLE_MS
    bench.start()
    bench.step()
    bench.step()
    assert bench.connector.opened_ms is None
    bench.connector.order.session.stop("Remote")
    bench.step()
    bench.step(OPEN_SETTLE_MS - 1)
    assert bench.connector.opened_ms is None
    bench.step(1)
    assert bench.connector.opened_ms == bench.now_ms


def test_a_connector_rests_between_two_orders():
    bench = charging()
    pause_ms = bench.connector.limits.pause_ms
    bench.connector.order.session.stop("Remote")
    bench.step()
    assert not bench.connector.is_resting(bench.now_ms)
    bench.step()
    assert not bench.connector.is_resting(bench.now_ms + pause_ms - 1)
    assert bench.connector.is_resting(bench.now_ms + pause_ms)


def status_of(phase=None, fault=None, estop=False, idle_ms=0, stop_button=False):
    bench = Bench(fault)
    bench.readings.estop = estop
    bench.readings.stop_button = stop_button
    if phase:
        bench.start()
        bench.connector.order.session.phase = phase
        bench.connector.order.session.idle_ms = idle_ms
    return bench.connector.status()


def test_status():
    for case, status in (
        ((), "Available"),
        ((None, None, True), "Unavailable"),
        ((None, None, False, 0, True), "Unavailable"),
        ((None, "GroundFailure"), "Faulted"),
        ((None, "GroundFailure", True), "Faulted"),
        ((phases.STARTING,), "Preparing"),
        ((phases.CHARGING,), "Charging"),
        ((phases.CHARGING, None, False, SUSPENDED_MS - 1), "Charging"),
        ((phases.CHARGING, None, False, SUSPENDED_MS), "SuspendedEV"),
        ((phases.SUSPENDED,), "SuspendedEVSE"),
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
    bench.readings.plugged.take(False, 0)
    report = bench.connector.report()
    assert (report["status"], report["plugged"], report["order_id"]) == ("Preparing", False, "o1")
