"""One order after a power cut: when it goes on, when it is settled, and at which price."""

from pile.recovery import KeptOrder
from pile.session import (
    CLOCK_SLACK_S,
    DONE,
    RECOVERING,
    RECOVERY_JUMP_MWH,
    RECOVERY_WAIT_MS,
    STARTING,
)
from tests.portable.kit import AT, REGISTER_MWH, rate
from tests.portable.session_run import TWO_STEPS, Run, set_estop, set_unplugged


def recovering(limits=None, locked=None, boundaries=None, energy_mwh=1_000, at=AT + 10):
    """A session after a power cut, its checkpoint ten seconds and 1 Wh into the order."""
    run = Run(limits, locked)
    kept = KeptOrder(b"", AT, REGISTER_MWH)
    kept.at = at
    kept.register_mwh = REGISTER_MWH + energy_mwh
    kept.boundaries = None if boundaries == "lost" else boundaries or []
    kept.ran = True
    run.session.recover(kept, run.order["expires_at"], run.now_ms)
    run.register_mwh = REGISTER_MWH + energy_mwh
    run.relay = False
    return run


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
    assert run.session.metering.energy_mwh == 1_500 and run.session.recovered
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

    for change in (set_estop, fault, set_unplugged, too_late, before_its_checkpoint):
        assert gives_up(change).metering.energy_mwh == 1_000


def test_a_stop_ends_it_with_the_word_of_the_stop():
    run = recovering()
    run.session.stop("Remote")
    run.step()
    assert (run.session.phase, run.session.stop_reason, run.session.ended_at) == (DONE, "Remote", AT + 10)


def test_a_meter_with_a_memory_is_waited_for_and_no_longer_than_it_may_take():
    for shows in (True, False):
        run = recovering()
        run.readings.meter.remembers = True
        run.readings.meter.refresh_ms = 500
        run.readings.meter.interval_ms = 4_000
        set_unplugged(run)
        run.register_mwh = None
        run.step()
        run.step(3_000)
        assert run.session.phase == RECOVERING
        run.register_mwh = REGISTER_MWH + 5_000 if shows else None
        run.step(3_000)
        assert (run.session.phase, run.session.stop_reason) == (DONE, "PowerLoss")
        assert run.metering.energy_mwh == (5_000 if shows else 1_000)


def test_a_clock_that_lags_a_little_behind_the_checkpoint_is_no_reason_to_end():
    run = recovering()
    run.utc_at = AT + 10 - CLOCK_SLACK_S
    run.step()
    assert run.session.phase == STARTING
    assert run.session.at(run.now_ms) == AT + 10, "the order's time went backwards"


def test_a_meter_that_forgot_or_was_changed_ends_the_order_at_the_checkpoint():
    for register_mwh in (0, REGISTER_MWH + 999, REGISTER_MWH + 1_000 + RECOVERY_JUMP_MWH + 1):

        def change(run, register_mwh=register_mwh):
            run.register_mwh = register_mwh

        assert gives_up(change).metering.energy_mwh == 1_000, register_mwh


def test_a_meter_that_remembers_more_than_the_flash_is_believed():
    run = recovering()
    run.register_mwh += RECOVERY_JUMP_MWH
    set_unplugged(run)
    run.step()
    assert run.session.metering.energy_mwh == 1_000 + RECOVERY_JUMP_MWH


def test_without_a_clock_it_waits_and_then_settles():
    run = recovering()
    run.step(RECOVERY_WAIT_MS - 1)
    assert run.session.phase == RECOVERING
    run.step(1)
    assert (run.session.phase, run.session.stop_reason) == (DONE, "PowerLoss")


def test_without_a_meter_it_waits_too():
    run = recovering()
    run.register_mwh = None
    run.utc_at = AT + 20
    run.step(RECOVERY_WAIT_MS - 1)
    assert run.session.phase == RECOVERING
    run.register_mwh = REGISTER_MWH + 1_000
    run.step(0)
    assert run.session.phase == STARTING


def test_it_goes_on_at_the_price_that_holds_now():
    run = recovering(locked=rate(steps=TWO_STEPS), boundaries=[[0, REGISTER_MWH]])
    run.utc_at = AT + 200
    run.step()
    run.relay = None
    run.charging()
    run.step(energy_mwh=2_000)
    assert run.session.metering.energies() == [(0, 1_000), (1, 2_000)]


def test_steps_begun_before_the_cut_keep_their_energy():
    run = recovering(
        locked=rate(steps=TWO_STEPS), boundaries=[[0, REGISTER_MWH], [1, REGISTER_MWH + 400]], at=AT + 150
    )
    run.utc_at = AT + 160
    run.step()
    run.relay = None
    run.charging()
    run.step(energy_mwh=100)
    assert run.session.metering.energies() == [(0, 400), (1, 700)]


def test_it_does_not_go_back_to_a_price_step_that_was_over():
    """The checkpoint is a second older than the step; the clock lags behind the order's own time base."""
    run = recovering(
        locked=rate(steps=TWO_STEPS), boundaries=[[0, REGISTER_MWH], [1, REGISTER_MWH + 900]], at=AT + 99
    )
    run.utc_at = AT + 100 - CLOCK_SLACK_S
    run.step()
    assert run.session.phase == STARTING
    run.relay = None
    run.charging()
    run.step(energy_mwh=100)
    assert run.session.metering.energies() == [(0, 900), (1, 200)]


def test_lost_price_steps_are_charged_at_the_lowest_price_that_can_have_held():
    """Nobody may pay more than the energy cost when it was drawn, whatever the flash forgot."""
    steps = [
        [AT - 60, 3_000_000, 0, "flat"],
        [AT + 5, 1_000_000, 0, "valley"],
        [AT + 50, 2_000_000, 0, "peak"],
    ]
    for at, index in ((AT + 4, 0), (AT + 5, 1), (AT + 10, 1), (AT + 60, 1)):
        run = recovering(locked=rate(steps=steps), at=at, boundaries="lost")
        assert run.session.metering.energies() == [(index, 1_000)], at
    steps[1][1] = 4_000_000
    run = recovering(locked=rate(steps=steps), at=AT + 60, boundaries="lost")
    assert run.session.metering.energies() == [(2, 1_000)]


def test_price_steps_that_the_order_does_not_have_count_as_lost():
    for index in (2, 3, 99):
        run = recovering(
            locked=rate(steps=TWO_STEPS), boundaries=[[0, REGISTER_MWH], [index, REGISTER_MWH + 10]]
        )
        assert run.session.metering.energies() == [(0, 1_000)], index


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


def test_it_goes_on_at_no_price_that_is_still_to_come():
    """A cheaper price that began within ten seconds of the last durable reading was billed from the
    resumption on, before it held.
    """
    steps = [[AT - 60, 2_000_000, 0, "peak"], [AT + 15, 1_000_000, 0, "valley"]]
    run = recovering(locked=rate(steps=steps))
    run.utc_at = AT + 11
    run.step()
    run.relay = None
    run.charging()
    run.step(2_000, energy_mwh=2_000)
    assert run.metering.energies() == [(0, 3_000)]
    run.step(2_000, energy_mwh=500)
    assert run.metering.energies() == [(0, 3_000), (1, 500)]


def test_what_flowed_slowly_before_a_power_cut_is_billed_at_no_price_that_was_over():
    """At 14 W the register of a coarse meter moves every 1,000 s, so the last durable reading may be as old:
    the price that fell in between was looked for in its first ten seconds only.
    """
    steps = [[AT - 60, 2_000_000, 0, "peak"], [AT + 500, 1_000_000, 0, "valley"]]
    for utc_at, unplugged in ((AT + 900, False), (AT + 900, True), (None, True)):
        run = recovering(locked=rate(steps=steps), energy_mwh=3_907)
        run.readings.meter.remembers = True
        run.utc_at = utc_at
        run.register_mwh += 3_907
        if unplugged:
            set_unplugged(run)
        run.step()
        assert run.session.phase == (DONE if unplugged else STARTING)
        assert run.metering.energies() == [(0, 3_907), (1, 3_907)], (utc_at, unplugged)
