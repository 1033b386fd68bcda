"""One order from the first cycle to the last: every way it can end, each limit exact at its edge."""

from pile.clock import Clock
from pile.readings import Readings
from pile.safety import Limits
from pile.session import (
    CHARGING,
    CLOCK_SLACK_S,
    DONE,
    FINISHING,
    MOST_MWH,
    OPEN_CONFIRM_MS,
    OPEN_SETTLE_MS,
    RECOVERING,
    RECOVERY_JUMP_MWH,
    RECOVERY_WAIT_MS,
    STARTING,
    Session,
)
from tests.portable.kit import AT, REGISTER_MWH, order, rate

FULL_MS = 180_000
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


def recovering(limits=None, locked=None, boundaries=None, energy_mwh=1_000, at=AT + 10):
    """A session after a power cut, its checkpoint ten seconds and 1 Wh into the order."""
    run = Run(limits, locked)
    record = {
        "started_at": AT,
        "start_register_mwh": REGISTER_MWH,
        "at": at,
        "register_mwh": REGISTER_MWH + energy_mwh,
        "boundaries": None if boundaries == "lost" else boundaries or [],
        "ran": True,
        "stop_reason": None,
    }
    run.session = Session.recover(run.session.order, record, run.now_ms, Limits())
    run.readings.register_mwh = REGISTER_MWH + energy_mwh
    run.relay = False
    return run


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
    assert (session.energy_mwh, session.stop_reason, session.ended_at) == (407, "Remote", AT)
    assert not run.step(energy_mwh=50) and session.energy_mwh == 407, "a settled order went on metering"


def test_without_feedback_the_relay_counts_as_closed_at_once_and_open_after_a_while():
    run = Run(feedback=False).charging()
    run.session.stop("Remote")
    run.step()
    run.step(OPEN_SETTLE_MS - 1)
    assert run.session.phase == FINISHING
    run.step(1, energy_mwh=3)
    assert run.session.phase == DONE and run.session.energy_mwh == 3, "the last pulse belongs to the order"


def test_a_relay_that_never_opens_ends_the_order_at_the_reading_of_its_stop():
    run = Run().charging()
    run.step(energy_mwh=500)
    run.session.stop("Remote")
    run.step()
    run.relay = True
    run.step(OPEN_CONFIRM_MS - 1, energy_mwh=900)
    assert run.session.phase == FINISHING
    run.step(1, energy_mwh=900)
    assert run.session.phase == DONE and run.session.energy_mwh == 500, "energy through a weld was billed"


# -- the end -------------------------------------------------------------------------------------------------


def set_estop(run):
    run.readings.estop = True


def set_unplugged(run):
    run.readings.plugged = False


def set_fault(code):
    def change(run):
        run.fault = code

    return change


def ask(reason):
    def change(run):
        run.session.stop(reason)

    return change


def nothing(run):
    pass


# (what happens, the limits, energy in the cycle, how long it takes, the stop reason)
ENDS = (
    (set_estop, {}, 0, 100, "EmergencyStop"),
    (set_fault("GroundFailure"), {}, 0, 100, "GroundFault"),
    (set_fault("OverCurrentFailure"), {}, 0, 100, "OvercurrentFault"),
    (set_fault("PowerSwitchFailure"), {}, 0, 100, "Other"),
    (set_fault("PowerMeterFailure"), {}, 0, 100, "Other"),
    (set_fault("HighTemperature"), {}, 0, 100, "Other"),
    (set_fault("InternalError"), {}, 0, 100, "Other"),
    (set_unplugged, {}, 0, 100, "EVDisconnected"),
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
        assert run.session.phase == DONE and run.session.energy_mwh == 0
        assert run.session.bill() == (0, 0, [])


def test_the_most_urgent_of_several_reasons_counts():
    order_of_urgency = (
        (set_estop, "EmergencyStop"),
        (set_fault("GroundFailure"), "GroundFault"),
        (set_unplugged, "EVDisconnected"),
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
    run.readings.power_mw = Limits().full_power_mw - 1
    run.step(FULL_MS - 1)
    assert run.session.stop_reason is None
    run.step(1)
    assert run.session.stop_reason == "StoppedByEV"


def test_power_at_the_threshold_is_no_end():
    run = Run().charging()
    run.readings.power_mw = Limits().full_power_mw
    run.step(FULL_MS * 2)
    assert run.session.stop_reason is None and run.session.idle_ms == 0


def test_drawing_again_starts_the_wait_anew():
    run = Run().charging()
    run.readings.power_mw = 0
    run.step(FULL_MS - 1)
    run.readings.power_mw = 7_000_000
    run.step()
    run.readings.power_mw = 0
    run.step(FULL_MS - 1)
    assert run.session.stop_reason is None


def test_a_relay_that_has_not_closed_is_no_full_vehicle():
    run = Run()
    run.relay = False
    run.readings.power_mw = 0
    run.step(FULL_MS * 2)
    assert run.session.phase == STARTING


# -- cost ----------------------------------------------------------------------------------------------------


def test_a_cost_limit_counts_the_session_fee():
    # 10.00 of which 2.00 are the fee: 8.00 / 1.80 per kWh, the first mWh that reaches it
    run = Run({"duration_s": 3_600, "cost_minor": 1000}, rate(session_fee_minor=200)).charging()
    run.step(energy_mwh=4_444_444)
    assert run.session.stop_reason is None
    run.step(energy_mwh=1)
    assert run.session.stop_reason == "CostLimitReached"
    assert run.session.bill()[:2] == (1000, 200)


def test_a_fee_that_eats_the_whole_limit_ends_the_order_before_energy_flows():
    run = Run({"duration_s": 3_600, "cost_minor": 200}, rate(session_fee_minor=200))
    run.step()
    assert (run.session.phase, run.session.stop_reason) == (FINISHING, "CostLimitReached")
    run.to_end()
    assert run.session.bill() == (0, 0, []), "a fee without energy"


def test_a_free_rate_never_reaches_a_cost_limit():
    free = rate(steps=[[AT - 60, 0, 0, "flat"]])
    run = Run({"duration_s": 3_600, "cost_minor": 1}, free).charging()
    for _ in range(10):
        run.step(energy_mwh=50_000_000)
    assert run.session.stop_reason is None and run.session.bill()[0] == 0


def test_a_cost_overrun_within_one_cycle_is_not_billed():
    run = Run({"duration_s": 3_600, "cost_minor": 100}).charging()
    run.step(energy_mwh=10_000_000)
    assert run.to_end() == "CostLimitReached"
    total, fee, periods = run.session.bill()
    assert total == 100 and fee + sum([row[5] + row[6] for row in periods]) == 100
    assert periods[0][4] == 10_000_000, "delivered energy is told as it was"


def test_no_order_delivers_more_than_a_settlement_can_tell():
    """What flows until the relay is open came on top of the most that its table allows: the cloud would have
    had to refuse the settlement."""
    for limits in ({"duration_s": 86_400}, {"duration_s": 86_400, "energy_mwh": 10**9}):
        run = Run(limits).charging()
        run.step(energy_mwh=MOST_MWH - 1)
        assert run.session.stop_reason is None
        run.step(energy_mwh=5_000)
        assert run.session.stop_reason == "EnergyLimitReached"
        run.to_end()
        assert run.session.energy_mwh < 10**9


# -- price steps ---------------------------------------------------------------------------------------------


def test_energy_is_billed_at_the_step_that_held():
    run = Run(locked=rate(steps=TWO_STEPS)).charging()
    run.step(99_800, energy_mwh=1_000_000)  # 99.9 s into the order
    assert len(run.session.boundaries) == 1
    assert run.step(100, energy_mwh=10), "a new price step is a change"
    run.step(100, energy_mwh=3_000_000)
    run.session.stop("Remote")
    run.to_end()
    assert run.session.energies() == [(0, 1_000_010), (1, 3_000_000)]
    # 1.00001 + 6.00 + 1.50: the ten mWh of the last cycle before the step are the old step's
    assert run.session.bill()[0] == 850


def test_steps_without_energy_are_no_lines_of_the_bill():
    steps = [
        [AT - 60, 1_000_000, 0, "flat"],
        [AT + 10, 2_000_000, 0, "peak"],
        [AT + 20, 3_000_000, 0, "sharp"],
    ]
    run = Run(locked=rate(steps=steps)).charging()
    for _ in range(12):
        run.step(1000)
    run.step(15_000, energy_mwh=500_000)
    run.step(1000, energy_mwh=500_000)
    run.session.stop("Remote")
    run.to_end()
    assert [row[:4] for row in run.session.bill()[2]] == [steps[1], steps[2]]


def test_steps_that_pass_between_two_cycles_are_skipped():
    steps = [
        [AT - 60, 1_000_000, 0, "flat"],
        [AT + 10, 2_000_000, 0, "peak"],
        [AT + 20, 3_000_000, 0, "sharp"],
    ]
    run = Run(locked=rate(steps=steps)).charging()
    run.step(30_000, energy_mwh=100)
    assert [index for index, _ in run.session.boundaries] == [0, 2]


def test_a_cost_limit_follows_the_price():
    # 1 kWh at 1.00, then at 2.50: 3.50 are reached after 1 kWh more
    run = Run({"duration_s": 3_600, "cost_minor": 350}, rate(steps=TWO_STEPS)).charging()
    run.step(99_900, energy_mwh=1_000_000)
    run.step(100, energy_mwh=999_999)
    assert run.session.stop_reason is None
    run.step(100, energy_mwh=1)
    assert run.session.stop_reason == "CostLimitReached"
    assert run.session.bill()[0] == 350


def test_a_cheaper_step_lets_the_money_reach_further():
    steps = [[AT - 60, 2_000_000, 0, "peak"], [AT + 100, 0, 0, "valley"]]
    run = Run({"duration_s": 3_600, "cost_minor": 200}, rate(steps=steps)).charging()
    run.step(99_900, energy_mwh=999_999)
    run.step(100, energy_mwh=90_000_000)
    assert run.session.stop_reason is None, "free energy reached a cost limit"


def test_the_last_step_lasts_to_the_end_of_the_order():
    run = Run({"duration_s": 600}, rate(steps=TWO_STEPS, until_at=AT + 660)).charging()
    run.step(599_900, energy_mwh=1000)
    assert run.session.stop_reason == "TimeLimitReached"


# -- what others see -----------------------------------------------------------------------------------------


def test_what_remains_of_each_limit():
    run = Run({"duration_s": 100, "energy_mwh": 2_000_000, "cost_minor": 300}).charging()
    run.step(40_900, energy_mwh=1_000_000)
    assert run.session.remaining(run.now_ms) == {"energy_mwh": 1_000_000, "cost_minor": 120, "duration_s": 59}
    run.step(90_000, energy_mwh=5_000_000)
    assert run.session.remaining(run.now_ms) == {"energy_mwh": 0, "cost_minor": 0, "duration_s": 0}
    assert Run().session.remaining(0) == {"energy_mwh": None, "cost_minor": None, "duration_s": 3_600}


def test_a_meter_that_goes_backwards_or_silent_changes_nothing():
    run = Run().charging()
    run.step(energy_mwh=500)
    run.readings.register_mwh = 0
    run.step()
    assert run.session.energy_mwh == 500
    run.readings.register_mwh = None
    run.step()
    run.readings.register_mwh = REGISTER_MWH + 600
    run.step()
    assert run.session.energy_mwh == 600


def test_time_runs_on_the_orders_own_base():
    run = Run().charging()
    run.step(9_900)
    assert run.session.at(run.now_ms) == AT + 10 and run.session.elapsed_s(run.now_ms) == 10
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
    assert changes == [(100, CHARGING), (40_000, CHARGING), (60_000, FINISHING), (60_100, DONE)]
    assert run.session.energies() == [(0, 40_000), (1, 20_100)]
    assert (run.session.stop_reason, run.session.ended_at) == ("TimeLimitReached", AT + 60)


def test_an_order_late_in_a_long_uptime():
    run = Run({"duration_s": 60}, now_ms=(1 << 30) * 40).charging()
    run.step(59_800)
    assert run.session.stop_reason is None
    run.step(100)
    assert run.session.stop_reason == "TimeLimitReached"


# -- after a power cut ---------------------------------------------------------------------------------------


def test_a_recovering_order_waits_with_an_open_relay():
    run = recovering()
    for _ in range(100):
        assert not run.step()
        assert run.session.phase == RECOVERING and not run.session.wants_closed


def test_it_goes_on_once_the_time_is_known():
    run = recovering()
    run.step()
    run.utc_at = AT + 100
    assert run.step() and run.session.phase == STARTING
    run.relay = None
    run.charging()
    run.step(energy_mwh=500)
    assert run.session.energy_mwh == 1_500 and run.session.recovered
    run.step(3_499_700)
    assert run.session.stop_reason is None
    run.step(200)
    assert run.session.stop_reason == "TimeLimitReached", "the cut gave the order more time"


def gives_up(change):
    run = recovering()
    change(run)
    run.step()
    session = run.session
    assert (session.phase, session.stop_reason, session.ended_at) == (DONE, "PowerLoss", AT + 10), change
    return session


def test_it_is_settled_where_it_cannot_go_on():
    def fault(run):
        run.fault = "GroundFailure"

    def too_late(run):
        run.utc_at = AT + 3_600

    def before_its_checkpoint(run):
        run.utc_at = AT + 10 - CLOCK_SLACK_S - 1

    for change in (set_estop, fault, set_unplugged, ask("Remote"), too_late, before_its_checkpoint):
        assert gives_up(change).energy_mwh == 1_000


def test_a_clock_that_lags_a_little_behind_the_checkpoint_is_no_reason_to_end():
    run = recovering()
    run.utc_at = AT + 10 - CLOCK_SLACK_S
    run.step()
    assert run.session.phase == STARTING
    assert run.session.at(run.now_ms) == AT + 10, "the order's time went backwards"


def test_a_meter_that_forgot_or_was_changed_ends_the_order_at_the_checkpoint():
    for register_mwh in (0, REGISTER_MWH + 999, REGISTER_MWH + 1_000 + RECOVERY_JUMP_MWH + 1):

        def change(run, register_mwh=register_mwh):
            run.readings.register_mwh = register_mwh

        assert gives_up(change).energy_mwh == 1_000, register_mwh


def test_a_meter_that_remembers_more_than_the_flash_is_believed():
    run = recovering()
    run.readings.register_mwh += RECOVERY_JUMP_MWH
    set_unplugged(run)
    run.step()
    assert run.session.energy_mwh == 1_000 + RECOVERY_JUMP_MWH


def test_without_a_clock_it_waits_and_then_settles():
    run = recovering()
    run.step(RECOVERY_WAIT_MS - 1)
    assert run.session.phase == RECOVERING
    run.step(1)
    assert (run.session.phase, run.session.stop_reason) == (DONE, "PowerLoss")


def test_without_a_meter_it_waits_too():
    run = recovering()
    run.readings.register_mwh = None
    run.utc_at = AT + 20
    run.step(RECOVERY_WAIT_MS - 1)
    assert run.session.phase == RECOVERING
    run.readings.register_mwh = REGISTER_MWH + 1_000
    run.step(0)
    assert run.session.phase == STARTING


def test_it_goes_on_at_the_price_that_holds_now():
    run = recovering(locked=rate(steps=TWO_STEPS), boundaries=[[0, REGISTER_MWH]])
    run.utc_at = AT + 200
    run.step()
    run.relay = None
    run.charging()
    run.step(energy_mwh=2_000)
    assert run.session.energies() == [(0, 1_000), (1, 2_000)]


def test_steps_begun_before_the_cut_keep_their_energy():
    run = recovering(
        locked=rate(steps=TWO_STEPS), boundaries=[[0, REGISTER_MWH], [1, REGISTER_MWH + 400]], at=AT + 150
    )
    run.utc_at = AT + 160
    run.step()
    run.relay = None
    run.charging()
    run.step(energy_mwh=100)
    assert run.session.energies() == [(0, 400), (1, 700)]


def test_lost_price_steps_are_charged_at_the_lowest_price_that_can_have_held():
    """Nobody may pay more than the energy cost when it was drawn, whatever the flash forgot."""
    steps = [
        [AT - 60, 3_000_000, 0, "flat"],
        [AT + 5, 1_000_000, 0, "valley"],
        [AT + 50, 2_000_000, 0, "peak"],
    ]
    for at, index in ((AT + 4, 0), (AT + 5, 1), (AT + 10, 1), (AT + 60, 1)):
        run = recovering(locked=rate(steps=steps), at=at, boundaries="lost")
        assert run.session.energies() == [(index, 1_000)], at
    steps[1][1] = 4_000_000
    run = recovering(locked=rate(steps=steps), at=AT + 60, boundaries="lost")
    assert run.session.energies() == [(2, 1_000)]


def test_price_steps_that_the_order_does_not_have_count_as_lost():
    for index in (2, 3, 99):
        run = recovering(
            locked=rate(steps=TWO_STEPS), boundaries=[[0, REGISTER_MWH], [index, REGISTER_MWH + 10]]
        )
        assert run.session.energies() == [(0, 1_000)], index


def test_limits_count_from_the_start_of_the_order_not_of_the_resumption():
    run = recovering({"duration_s": 3_600, "energy_mwh": 1_500})
    run.utc_at = AT + 20
    run.step()
    run.relay = None
    run.charging()
    run.step(energy_mwh=499)
    assert run.session.stop_reason is None
    run.step(energy_mwh=1)
    assert run.session.stop_reason == "EnergyLimitReached"


def test_a_limit_reached_before_the_cut_ends_it_in_the_first_cycle():
    run = recovering({"duration_s": 3_600, "energy_mwh": 1_000})
    run.utc_at = AT + 20
    run.step()
    run.step()
    assert run.session.stop_reason == "EnergyLimitReached"
