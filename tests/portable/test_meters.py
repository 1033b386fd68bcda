"""Bills against what truly flowed, with every kind of meter: how old its readings are, how often it is read,
in which steps its register moves, and whether it remembers."""

from pile.readings import MeterTraits
from pile.safety import WELD_ENERGY_MWH
from tests.portable.kit import AT, CYCLE_MS, KINDS, REGISTER_MWH, Meter, Pile, rate, totals_agree

WH_22_KW = 22_000_000  # mW


class Random:
    """The same numbers on both interpreters."""

    def __init__(self, seed):
        self._state = seed

    def below(self, bound):
        self._state = (self._state * 1_103_515 + 12_345) % 16_777_213
        return self._state * bound // 16_777_213


def pile_with(kind, seed=0, **options):
    refresh_ms, interval_ms, step_mwh, forgets = kind
    random = Random(seed + 7)

    def meter():
        traits = MeterTraits(refresh_ms, interval_ms, 0, step_mwh, not forgets)
        return Meter(REGISTER_MWH + random.below(5_000), traits, forgets, random.below(5_000))

    return Pile(meter=meter, **options)


def settlement_of(pile, order_id, locked=None):
    (found,) = [s for s in pile.settlements() if s["order_id"] == order_id]
    totals_agree(found, locked)
    return found


def run_order(pile, order_id, cycles, locked=None):
    """(what truly flowed for it, its settlement)"""
    before_mwh = pile.delivered_mwh()
    at = pile.clock.at()
    pile.order(order_id, issued_at=at, expires_at=at + 60, rate=locked or rate())
    assert pile.connector().order is not None, pile.said()
    pile.cycle(cycles)
    pile.command("stop", order_id=order_id)
    pile.settle()
    return pile.delivered_mwh() - before_mwh, settlement_of(pile, order_id, locked)


def test_an_order_bills_what_flowed_in_it_to_one_step_of_the_meter():
    """With 8 meters on a bus up to 9.2 Wh were lost in each order, and the next order's bill began with
    them.
    """
    for kind in KINDS:
        step_mwh = kind[2]
        for feedback in (True, False):
            for seed in range(3):
                pile = pile_with(kind, seed, feedback=feedback)
                pile.power_mw[1] = WH_22_KW
                billed_mwh = end_mwh = 0
                for n in range(3):
                    flowed_mwh, settlement = run_order(pile, "o%d" % n, 13 + 7 * seed + n)
                    lost_mwh = flowed_mwh - settlement["energy_mwh"]
                    assert -step_mwh < lost_mwh < step_mwh, (kind, feedback, seed, n, lost_mwh)
                    assert settlement["start_register_mwh"] >= end_mwh, "the tail of one order in the next"
                    end_mwh = settlement["end_register_mwh"]
                    billed_mwh += settlement["energy_mwh"]
                    assert "last_reading" not in settlement
                    pile.be_ready()
                assert 0 <= pile.delivered_mwh() - billed_mwh + step_mwh, (kind, feedback, seed)


def test_the_last_reading_waits_for_a_meter_that_is_disturbed():
    """7.4 Wh were lost when answers failed for 3.5 s before the stop."""
    pile = Pile(meter=lambda: Meter(traits=MeterTraits(500, 1_000, 3_000, 1_000)))
    pile.charge(cycles=100)
    pile.meters[1].silent = True
    pile.cycle(35)
    pile.command("stop", order_id="o1")
    pile.cycle(10)
    assert pile.settlements() == []
    pile.meters[1].silent = False
    pile.settle()
    settlement = settlement_of(pile, "o1")
    assert 0 <= pile.delivered_mwh() - settlement["energy_mwh"] < 1_000 and "last_reading" not in settlement


def test_a_last_reading_that_never_comes_is_told():
    pile = Pile()
    pile.charge(cycles=50)
    billed_mwh = pile.delivered_mwh()
    pile.meters[1].silent = True
    pile.cycle(5)
    pile.command("stop", order_id="o1")
    pile.settle()
    settlement = settlement_of(pile, "o1")
    assert settlement["last_reading"] == "Missing" and settlement["energy_mwh"] == billed_mwh


# -- price steps ----------------------------------------------------------------------------------------


def billed_by_step(settlement):
    return {row[0]: row[4] for row in settlement["periods"]}


def around_a_step(kind, seed, prices, charge_ms, starts_ms, stops_ms):
    """An order that runs from starts_ms to stops_ms around a price step at 20 s; the vehicle's power is even
    between charge_ms. Returns (delivered before the step, after it, billed at the first price, at the
    second).
    """
    step_at = AT + 20
    locked = rate(steps=[[AT - 60, prices[0], 0, "flat"], [step_at, prices[1], 0, "peak"]])
    pile = pile_with(kind, seed)
    pile.power_mw[1] = WH_22_KW
    while pile.clock.now_ms < starts_ms:
        pile.cycle()
    at = pile.clock.at()
    pile.order(issued_at=at, expires_at=at + 60, rate=locked)
    session = pile.session()
    before_mwh = None
    while pile.clock.now_ms < stops_ms:
        pile.cycle(1, CYCLE_MS)
        if before_mwh is None and session.at(pile.clock.now_ms) >= step_at:
            before_mwh = pile.delivered_mwh()
    pile.command("stop", order_id="o1")
    pile.settle()
    settlement = settlement_of(pile, "o1", locked)
    billed = billed_by_step(settlement)
    flowed_mwh = pile.delivered_mwh()
    before_mwh = flowed_mwh if before_mwh is None else before_mwh
    return before_mwh, flowed_mwh - before_mwh, billed.get(AT - 60, 0), billed.get(step_at, 0)


def cases():
    for kind in KINDS:
        for seed, (starts_ms, stops_ms) in enumerate(
            (
                (1_000, 60_000),
                (19_000, 60_000),
                (19_800, 22_000),
                (1_000, 20_300),
                (15_000, 19_900),
                (9_000, 24_000),
            )
        ):
            yield kind, seed, starts_ms, stops_ms


def test_no_energy_from_before_a_rise_is_billed_at_the_higher_price():
    for kind, seed, starts_ms, stops_ms in cases():
        refresh_ms, interval_ms, step_mwh, _ = kind
        before, after, low, high = around_a_step(kind, seed, (1_000_000, 9_000_000), 0, starts_ms, stops_ms)
        assert high <= after, (kind, seed, before, after, low, high)
        # Nor does the driver gain more than the meter hides: what flows in its refresh time and between two
        # samples, and less than two steps, one at the boundary and one at the order's beginning.
        gain_mwh = WH_22_KW * (refresh_ms + interval_ms) // 3_600_000 + 2 * step_mwh
        assert low - before <= gain_mwh, (kind, seed, before, after, low, high)


def test_no_energy_from_after_a_fall_is_billed_at_the_higher_price():
    for kind, seed, starts_ms, stops_ms in cases():
        refresh_ms, interval_ms, step_mwh, _ = kind
        before, after, high, low = around_a_step(kind, seed, (9_000_000, 1_000_000), 0, starts_ms, stops_ms)
        # One step of the meter at the order's beginning may be of before.
        assert high < before + step_mwh, (kind, seed, before, after, high, low)
        gain_mwh = WH_22_KW * (refresh_ms + interval_ms) // 3_600_000 + 2 * step_mwh
        assert before - high <= gain_mwh or stops_ms < 24_000, (kind, seed, before, after, high, low)


# -- welds ----------------------------------------------------------------------------------------------


def test_a_healthy_relay_is_never_taken_for_a_welded_one():
    for kind in KINDS:
        for feedback in (True, False):
            for seed in range(3):
                pile = pile_with(kind, seed, feedback=feedback)
                pile.power_mw[1] = WH_22_KW
                run_order(pile, "o1", 30 + 3 * seed)
                pile.cycle(300)
                assert pile.connector().fault is None, (kind, feedback, seed)


def test_a_weld_is_found_by_its_energy_soon_enough():
    for kind in KINDS:
        refresh_ms, interval_ms, step_mwh, _ = kind
        for power_mw in (WH_22_KW, 1_000_000):
            pile = pile_with(kind, feedback=False)
            pile.power_mw[1] = power_mw
            pile.charge(cycles=100)
            pile.welded.add(1)
            pile.command("stop", order_id="o1")
            opened_mwh = pile.delivered_mwh()
            while pile.connector().fault is None:
                pile.cycle()
            assert pile.connector().fault == "PowerSwitchFailure"
            # From the baseline: 3 Wh, and what one step of the meter hides; the baseline is a reading from
            # after the opening, and each reading is as old as the meter allows.
            most_mwh = WELD_ENERGY_MWH + step_mwh
            most_mwh += power_mw * (2 * (refresh_ms + interval_ms) + 1_000) // 3_600_000
            assert pile.delivered_mwh() - opened_mwh <= most_mwh, (kind, power_mw)


def test_energy_that_leaks_for_hours_is_no_weld():
    """2 W, as through the snubber of a relay: the register of a coarse meter then moves by 3.9 Wh at once."""
    pile = pile_with((1_000, 1_000, 3_907, False), feedback=False)
    pile.welded.add(1)
    pile.power_mw[1] = 2_000
    for _ in range(15_000):
        pile.cycle(1, 1_000)
    assert pile.delivered_mwh() > 2 * 3_907 and pile.connector().fault is None
