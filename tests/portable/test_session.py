"""One order from the first cycle to the last: every way it can end, each limit exact at its edge."""

from pile.clock import Clock
from pile.connector import OPEN_SETTLE_MS
from pile.safety import Limits
from pile.session import CHARGING, DONE, FINISHING, OPEN_CONFIRM_MS, STARTING
from tests.portable.kit import AT, REGISTER_MWH, rate
from tests.portable.session_run import Run, ask, billed, set_estop, set_stop_button, set_unplugged

FULL_MS = 180_000

# -- the phases ----------------------------------------------------------------------------------------------


def test_an_order_goes_through_its_phases():
    run = Run()
    session = run.session
    assert session.phase == STARTING and session.wants_closed
    run.relay = False
    assert not run.step()
    assert session.phase == STARTING, "charging before the relay is confirmed"
    run.relay = None
    assert run.step() and session.phase == CHARGING and session.wants_closed
    assert not run.step(energy_mwh=200)
    session.stop("Remote")
    assert run.step(energy_mwh=200) and session.phase == FINISHING and not session.wants_closed
    run.relay = True
    assert not run.step()
    run.relay = False
    assert run.step(energy_mwh=7) and session.phase == DONE
    assert (session.metering.energy_mwh, session.stop_reason, session.ended_at) == (407, "Remote", AT)
    assert not run.step(energy_mwh=50) and session.metering.energy_mwh == 407, (
        "a settled order went on metering"
    )


def test_without_feedback_the_relay_counts_as_closed_at_once_and_open_after_a_while():
    run = Run(feedback=False).charging()
    run.session.stop("Remote")
    run.step()
    run.step(OPEN_SETTLE_MS - 1)
    assert run.session.phase == FINISHING
    run.step(1, energy_mwh=3)
    assert run.session.phase == DONE and run.metering.energy_mwh == 3, "the last pulse belongs to the order"


def test_a_relay_that_never_opens_ends_the_order_at_the_reading_of_its_stop():
    run = Run().charging()
    run.step(energy_mwh=500)
    run.session.stop("Remote")
    run.step()
    run.relay = True
    run.step(OPEN_CONFIRM_MS - 1, energy_mwh=900)
    assert run.session.phase == FINISHING
    run.step(1, energy_mwh=900)
    assert run.session.phase == DONE and run.session.metering.energy_mwh == 500, (
        "energy through a weld was billed"
    )


# -- the end -------------------------------------------------------------------------------------------------


def set_fault(code):
    def change(run):
        run.fault = code

    return change


def nothing(run):
    pass


# (what happens, the limits, energy in the cycle, how long it takes, the stop reason)
ENDS = (
    (set_estop, {}, 0, 100, "EmergencyStop"),
    (set_fault("GroundFailure"), {}, 0, 100, "GroundFault"),
    (set_fault("OverCurrentFailure"), {}, 0, 100, "OvercurrentFault"),
    (set_fault("PowerSwitchFailure"), {}, 0, 100, "PowerSwitchFailure"),
    (set_fault("PowerSwitchStuckOpen"), {}, 0, 100, "PowerSwitchStuckOpen"),
    (set_fault("PowerMeterFailure"), {}, 0, 100, "MeterFailure"),
    (set_fault("HighTemperature"), {}, 0, 100, "HighTemperature"),
    (set_fault("SensorFailure"), {}, 0, 100, "SensorFailure"),
    (set_fault("UnderVoltage"), {}, 0, 100, "PowerQuality"),
    (set_fault("InternalError"), {}, 0, 100, "InternalError"),
    (set_stop_button, {}, 0, 100, "Local"),
    (ask("Remote"), {}, 0, 100, "Remote"),
    (ask("Local"), {}, 0, 100, "Local"),
    (ask("Reboot"), {}, 0, 100, "Reboot"),
    (nothing, {"energy_mwh": 5_000}, 4_999, 100, None),
    (nothing, {"energy_mwh": 5_000}, 5_000, 100, "EnergyLimitReached"),
    (nothing, {"energy_mwh": 5_000}, 5_001, 100, "EnergyLimitReached"),
    (nothing, {"cost_minor": 18}, 99_999, 100, None),
    (nothing, {"cost_minor": 18}, 100_000, 100, "CostLimitReached"),
    (nothing, {"cost_minor": 18, "energy_mwh": 99_999}, 100_000, 100, "EnergyLimitReached"),
    (nothing, {"cost_minor": 18, "energy_mwh": 100_000}, 100_000, 100, "EnergyLimitReached"),
    (nothing, {"cost_minor": 18, "energy_mwh": 100_001}, 100_000, 100, "CostLimitReached"),
    (nothing, {"duration_s": 60}, 0, 59_899, None),
    (nothing, {"duration_s": 60}, 0, 59_900, "TimeLimitReached"),
)


def test_each_stop_reason():
    for change, limits, energy_mwh, passed_ms, reason in ENDS:
        all_limits = {"duration_s": 3_600}
        all_limits.update(limits)
        run = Run(all_limits).charging()
        change(run)
        run.step(passed_ms, energy_mwh)
        case = (change, limits, energy_mwh, passed_ms)
        assert run.session.stop_reason == reason, (case, run.session.stop_reason)
        assert run.session.wants_closed is (reason is None), case


def test_an_end_before_the_relay_is_confirmed():
    for change, limits, _, passed_ms, reason in ENDS:
        if limits or reason is None:
            continue
        run = Run()
        run.relay = False
        change(run)
        run.step(passed_ms)
        assert (run.session.phase, run.session.stop_reason) == (FINISHING, reason), reason
        run.step()
        assert run.session.phase == DONE and run.session.metering.energy_mwh == 0
        assert billed(run) == (0, 0, [])


def test_the_most_urgent_of_several_reasons_counts():
    order_of_urgency = (
        (set_estop, "EmergencyStop"),
        (set_fault("GroundFailure"), "GroundFault"),
        (set_stop_button, "Local"),
        (ask("Remote"), "Remote"),
    )
    for i, (_, reason) in enumerate(order_of_urgency):
        run = Run({"duration_s": 3_600, "energy_mwh": 10}).charging()
        for change, _ in order_of_urgency[i:]:
            change(run)
        run.step(energy_mwh=10)
        assert run.session.stop_reason == reason


def test_the_first_reason_stays():
    run = Run().charging()
    run.session.stop("Remote")
    run.session.stop("Local")
    run.step()
    set_estop(run)
    set_unplugged(run)
    run.fault = "GroundFailure"
    assert run.to_end() == "Remote"


def test_a_stopped_order_never_closes_again():
    run = Run().charging()
    set_estop(run)
    run.step()
    run.readings.estop = False
    for _ in range(50):
        run.step()
        assert not run.session.wants_closed


# -- full ----------------------------------------------------------------------------------------------------


def test_low_power_for_long_enough_is_the_vehicle_being_full():
    run = Run().charging()
    run.power_mw = Limits().full_power_mw - 1
    run.step(FULL_MS - 1)
    assert run.session.stop_reason is None
    run.step(1)
    assert run.session.stop_reason == "StoppedByEV"


def test_power_at_the_threshold_is_no_end():
    run = Run().charging()
    run.power_mw = Limits().full_power_mw
    run.step(FULL_MS * 2)
    assert run.session.stop_reason is None and run.session.idle_ms == 0


def test_drawing_again_starts_the_wait_anew():
    run = Run().charging()
    run.power_mw = 0
    run.step(FULL_MS - 1)
    run.power_mw = 7_000_000
    run.step()
    run.power_mw = 0
    run.step(FULL_MS - 1)
    assert run.session.stop_reason is None


def test_a_relay_that_has_not_closed_is_no_full_vehicle():
    run = Run()
    run.relay = False
    run.power_mw = 0
    run.step(FULL_MS * 2)
    assert run.session.phase == STARTING


# -- what others see -----------------------------------------------------------------------------------------


def test_what_remains_of_each_limit():
    run = Run({"duration_s": 100, "energy_mwh": 2_000_000, "cost_minor": 300}).charging()
    run.step(40_900, energy_mwh=1_000_000)
    assert run.session.metering.remaining(run.now_ms) == {
        "energy_mwh": 1_000_000,
        "cost_minor": 120,
        "duration_s": 59,
    }
    run.step(90_000, energy_mwh=5_000_000)
    assert run.session.metering.remaining(run.now_ms) == {"energy_mwh": 0, "cost_minor": 0, "duration_s": 0}
    assert Run().session.metering.remaining(0) == {
        "energy_mwh": None,
        "cost_minor": None,
        "duration_s": 3_600,
    }


def test_a_meter_that_goes_backwards_or_silent_changes_nothing():
    run = Run().charging()
    run.step(energy_mwh=500)
    run.register_mwh = 0
    run.step()
    assert run.session.metering.energy_mwh == 500
    run.register_mwh = None
    run.step()
    run.register_mwh = REGISTER_MWH + 600
    run.step()
    assert run.session.metering.energy_mwh == 600


def test_time_runs_on_the_orders_own_base():
    run = Run().charging()
    run.step(9_900)
    assert run.session.at(run.now_ms) == AT + 10 and run.session.metering.elapsed_s(run.now_ms) == 10
    run.utc_at = AT - 7_200
    run.step(1_000)
    assert run.session.at(run.now_ms) == AT + 11


def test_the_tick_wrap_within_an_order():
    period_ms = 1 << 30
    ticks_ms = period_ms - 30_000
    clock = Clock(ticks_ms)
    clock.tick(ticks_ms)
    run = Run(
        {"duration_s": 60}, rate(steps=[[AT - 60, 1_000_000, 0, "flat"], [AT + 40, 2_000_000, 0, "peak"]])
    )
    changes = []
    for _ in range(700):
        ticks_ms = (ticks_ms + 100) % period_ms
        if run.step(clock.tick(ticks_ms) - run.now_ms, energy_mwh=100):
            changes.append((run.now_ms, run.session.phase))
    assert changes == [(100, CHARGING), (40_100, CHARGING), (60_000, FINISHING), (60_100, DONE)]
    assert run.metering.energies() == [(0, 40_000), (1, 20_100)]
    assert (run.session.stop_reason, run.session.ended_at) == ("TimeLimitReached", AT + 60)


def test_an_order_late_in_a_long_uptime():
    run = Run({"duration_s": 60}, now_ms=(1 << 30) * 40).charging()
    run.step(59_800)
    assert run.session.stop_reason is None
    run.step(100)
    assert run.session.stop_reason == "TimeLimitReached"
