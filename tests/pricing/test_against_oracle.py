"""pile_protocol/pricing.py against an independent oracle: equal to the last unit, for any numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pile_protocol import messages, pricing, wire
from pile_protocol.errors import PricingError
from tests.pricing import oracle

BEGIN_AT = 1_800_000_000

thoroughly = settings(deadline=None, max_examples=300)

# Small, ordinary and extreme numbers in equal parts: uniform ones would nearly all be huge.
PRICES = st.one_of(st.just(0), st.integers(0, 10), st.integers(0, 3_000_000), st.integers(0, wire.MAX_PRICE))
ENERGIES_MWH = st.one_of(
    st.just(0), st.integers(0, 10), st.integers(0, 60_000_000), st.integers(0, messages.MAX_ENERGY_MWH)
)
FEES = st.one_of(st.just(0), st.integers(0, 500), st.integers(0, messages.MAX_MINOR))
CURRENCIES = st.sampled_from([("JPY", 0), ("CNY", 2), ("EUR", 2), ("KWD", 3), ("CLF", 4)])


@st.composite
def rates(draw: st.DrawFn, max_steps: int = 8) -> dict[str, Any]:
    lengths = draw(st.lists(st.integers(1, 90_000), min_size=0, max_size=max_steps - 1))
    begins = [BEGIN_AT]
    for length in lengths:
        begins.append(begins[-1] + length)
    currency, digits = draw(CURRENCIES)
    return {
        "rate_id": "r1",
        "currency": currency,
        "minor_digits": digits,
        "session_fee_minor": draw(FEES),
        "steps": [
            [at, draw(PRICES), draw(PRICES), draw(st.sampled_from(messages.PERIOD_LABELS))] for at in begins
        ],
        "until_at": begins[-1] + 86_400,
    }


@st.composite
def charges(draw: st.DrawFn, max_steps: int = 8) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """A rate, and the energy of some of its steps in order of time."""
    rate = draw(rates(max_steps))
    indexes = sorted(draw(st.sets(st.integers(0, len(rate["steps"]) - 1))))
    return rate, [(index, draw(ENERGIES_MWH)) for index in indexes]


LIMITS = st.one_of(st.none(), st.integers(0, 2_000), st.integers(0, messages.MAX_MINOR))


def check_bill(rate: dict[str, Any], energies: list[tuple[int, int]], limit_minor: int | None) -> None:
    total, fee, periods = pricing.bill(rate, energies, limit_minor)
    exact = oracle.amounts(rate, energies)
    assert total == oracle.total(rate, energies, limit_minor)
    expected = oracle.shares(exact, total)
    assert [amount for row in periods for amount in row[5:]] + [fee] == expected
    assert sum(expected) == total
    assert [row[:5] for row in periods] == [[*rate["steps"][index], mwh] for index, mwh in energies]


@thoroughly
@given(charges(), LIMITS)
@example(
    (
        (
            {
                "rate_id": "r",
                "currency": "JPY",
                "minor_digits": 0,
                "session_fee_minor": 1,
                "steps": [[0, 1, 1, "flat"]],
                "until_at": 9,
            }
        ),
        [(0, 1)],
    ),
    0,
)
def test_total_and_lines(
    charge: tuple[dict[str, Any], list[tuple[int, int]]], limit_minor: int | None
) -> None:
    check_bill(*charge, limit_minor)


@settings(deadline=None, max_examples=25)
@given(charges(max_steps=messages.MAX_STEPS), LIMITS)
def test_as_many_steps_as_an_order_may_have(
    charge: tuple[dict[str, Any], list[tuple[int, int]]], limit_minor: int | None
) -> None:
    check_bill(*charge, limit_minor)


@thoroughly
@given(charges(), st.integers(-2, 2))
def test_a_limit_around_the_total(charge: tuple[dict[str, Any], list[tuple[int, int]]], off: int) -> None:
    rate, energies = charge
    unlimited = pricing.bill(rate, energies)[0]
    limit = max(0, unlimited + off)
    assert pricing.bill(rate, energies, limit)[0] == min(unlimited, limit)
    check_bill(rate, energies, limit)


@thoroughly
@given(charges())
def test_exact_cost(charge: tuple[dict[str, Any], list[tuple[int, int]]]) -> None:
    rate, energies = charge
    pico = pricing.cost_pico(rate["steps"], energies, rate["session_fee_minor"], rate["minor_digits"])
    assert Fraction(pico, 10**12) == sum(oracle.amounts(rate, energies), Fraction(0))


@thoroughly
@given(charges(), st.integers(1, messages.MAX_ENERGY_MWH))
def test_more_energy_never_costs_less(
    charge: tuple[dict[str, Any], list[tuple[int, int]]], more_mwh: int
) -> None:
    rate, energies = charge
    if energies:
        index, mwh = energies[-1]
        dearer = pricing.bill(rate, [*energies[:-1], (index, mwh + more_mwh)])[0]
        assert dearer >= pricing.bill(rate, energies)[0]


@thoroughly
@given(st.integers(0, 10**30), st.integers(0, 4))
def test_rounding(pico: int, digits: int) -> None:
    assert pricing.round_half_up(pico, digits) == oracle.to_minor(Fraction(pico, 10**12), digits)


@thoroughly
@given(st.integers(0, 10**20), st.integers(0, 4), st.integers(-1, 1))
def test_rounding_at_the_very_half(minor: int, digits: int, off: int) -> None:
    unit = 10 ** (12 - digits)
    pico = minor * unit + unit // 2 + off
    assert pricing.round_half_up(pico, digits) == oracle.to_minor(Fraction(pico, 10**12), digits)
    assert pricing.round_half_up(pico, digits) == (minor if off < 0 else minor + 1)


@thoroughly
@given(rates(), st.integers(-10, 900_000))
def test_the_step_that_holds(rate: dict[str, Any], offset_s: int) -> None:
    at = BEGIN_AT + offset_s
    expected = oracle.price_at(rate["steps"], at)
    try:
        assert pricing.step_index(rate["steps"], at) == expected
    except PricingError:
        assert expected is None


@thoroughly
@given(rates())
def test_each_step_begins_at_its_second(rate: dict[str, Any]) -> None:
    for index, step in enumerate(rate["steps"]):
        assert pricing.step_index(rate["steps"], step[0]) == index
        if index:
            assert pricing.step_index(rate["steps"], step[0] - 1) == index - 1


MONEY_PICO = st.one_of(st.integers(0, 10**6), st.integers(0, 10**14), st.integers(0, 10**24))


@thoroughly
@given(MONEY_PICO, MONEY_PICO, st.one_of(st.just(0), st.integers(1, 100), st.integers(1, 2 * wire.MAX_PRICE)))
def test_the_least_energy_that_reaches_a_limit(limit_pico: int, spent_pico: int, price: int) -> None:
    mwh = pricing.energy_to_reach(limit_pico, spent_pico, price)
    if spent_pico >= limit_pico:
        assert mwh == 0
    elif not price:
        assert mwh is None
    else:
        assert mwh is not None
        assert spent_pico + mwh * price >= limit_pico
        assert spent_pico + (mwh - 1) * price < limit_pico


@thoroughly
@given(rates(max_steps=1), st.integers(1, 10**9))
def test_stopping_at_that_energy_bills_the_limit_and_no_more(rate: dict[str, Any], limit_minor: int) -> None:
    """What the pile does with it: the order ends at the first mWh whose cost reaches the money limit."""
    unit = pricing.pico_per_minor(rate["minor_digits"])
    price = rate["steps"][0][1] + rate["steps"][0][2]
    mwh = pricing.energy_to_reach(limit_minor * unit, rate["session_fee_minor"] * unit, price)
    if mwh:
        assert oracle.total(rate, [(0, mwh)], None) >= limit_minor
        assert pricing.bill(rate, [(0, mwh)], limit_minor)[0] == limit_minor
        exact_before = sum(oracle.amounts(rate, [(0, mwh - 1)]), Fraction(0))
        assert exact_before * 10 ** rate["minor_digits"] < limit_minor
