"""What one order costs: money limits, and prices that change while it runs."""

from pile.metering import MOST_MWH
from pile.session import FINISHING
from tests.portable.kit import AT, rate
from tests.portable.session_run import TWO_STEPS, Run, billed

THREE_STEPS = [
    [AT - 60, 1_000_000, 0, "flat"],
    [AT + 10, 2_000_000, 0, "peak"],
    [AT + 20, 3_000_000, 0, "sharp"],
]

# -- cost ----------------------------------------------------------------------------------------------------


def test_a_cost_limit_counts_the_session_fee():
    # 10.00 of which 2.00 are the fee: 8.00 / 1.80 per kWh, the first mWh that reaches it
    run = Run({"duration_s": 3_600, "cost_minor": 1000}, rate(session_fee_minor=200)).charging()
    run.step(energy_mwh=4_444_444)
    assert run.session.stop_reason is None
    run.step(energy_mwh=1)
    assert run.session.stop_reason == "CostLimitReached"
    assert billed(run)[:2] == (1000, 200)


def test_a_fee_that_eats_the_whole_limit_ends_the_order_before_energy_flows():
    run = Run({"duration_s": 3_600, "cost_minor": 200}, rate(session_fee_minor=200))
    run.step()
    assert (run.session.phase, run.session.stop_reason) == (FINISHING, "CostLimitReached")
    run.to_end()
    assert billed(run) == (0, 0, []), "a fee without energy"


def test_a_free_rate_never_reaches_a_cost_limit():
    free = rate(steps=[[AT - 60, 0, 0, "flat"]])
    run = Run({"duration_s": 3_600, "cost_minor": 1}, free).charging()
    for _ in range(10):
        run.step(energy_mwh=50_000_000)
    assert run.session.stop_reason is None and billed(run)[0] == 0


def test_a_cost_overrun_within_one_cycle_is_not_billed():
    run = Run({"duration_s": 3_600, "cost_minor": 100}).charging()
    run.step(energy_mwh=10_000_000)
    assert run.to_end() == "CostLimitReached"
    total, fee, periods = billed(run)
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
        assert run.session.metering.energy_mwh < 10**9


# -- price steps ---------------------------------------------------------------------------------------------


def test_energy_is_billed_at_the_step_that_held():
    run = Run(locked=rate(steps=TWO_STEPS)).charging()
    run.step(99_800, energy_mwh=1_000_000)  # 99.9 s into the order
    assert not run.step(100, energy_mwh=10)
    assert run.step(100, energy_mwh=3_000_000), "a new price step is a change"
    run.session.stop("Remote")
    run.to_end()
    assert run.metering.energies() == [(0, 1_000_010), (1, 3_000_000)]
    # 1.00001 + 6.00 + 1.50: the ten mWh of the last cycle before the step are the old step's
    assert billed(run)[0] == 850


def test_steps_without_energy_are_no_lines_of_the_bill():
    run = Run(locked=rate(steps=THREE_STEPS)).charging()
    for _ in range(12):
        run.step(1000)
    run.step(15_000, energy_mwh=500_000)
    run.step(1000, energy_mwh=500_000)
    run.session.stop("Remote")
    run.to_end()
    assert [row[:4] for row in billed(run)[2]] == [THREE_STEPS[1], THREE_STEPS[2]]


def test_energy_between_two_samples_is_billed_at_the_lowest_price_that_held_between_them():
    for prices, energies in (
        ((1, 2, 3), [(0, 3_000), (2, 50)]),
        ((3, 2, 1), [(0, 0), (2, 3_050)]),
        ((3, 1, 2), [(0, 0), (1, 3_000), (2, 50)]),
        ((2, 3, 1), [(0, 0), (2, 3_050)]),
    ):
        steps = [[step[0], price * 1_000_000, 0, "flat"] for step, price in zip(THREE_STEPS, prices)]
        run = Run(locked=rate(steps=steps)).charging()
        run.step(30_000, energy_mwh=3_000)  # from 0.1 s to 30.1 s
        run.step(100, energy_mwh=50)
        assert run.metering.energies() == energies, prices


def test_a_cost_limit_follows_the_price():
    # 1 kWh at 1.00, then at 2.50: 3.50 are reached after 1 kWh more
    run = Run({"duration_s": 3_600, "cost_minor": 350}, rate(steps=TWO_STEPS)).charging()
    run.step(99_900, energy_mwh=1_000_000)
    run.step(100, energy_mwh=999_999)
    assert run.session.stop_reason is None
    run.step(100, energy_mwh=1)
    assert run.session.stop_reason == "CostLimitReached"
    assert billed(run)[0] == 350


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
