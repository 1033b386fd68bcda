"""pile_protocol/components.py against the oracle, member by member, for any combination of components.

The long form compares a larger seeded run; RATELOCK_BILLS sets how many bills it takes.
"""

from __future__ import annotations

import os
import random
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from pile_protocol import components, messages, wire
from tests.pricing import oracle
from tests.pricing.test_against_oracle import ENERGIES_MWH, LIMITS, PRICES, rates

LONG_BILLS = int(os.environ.get("RATELOCK_BILLS", "200000"))

thoroughly = settings(deadline=None, max_examples=120)

DAY_MS = 86_400_000
TIMES_MS = st.one_of(st.just(0), st.integers(0, 10), st.integers(0, 4_000_000), st.integers(0, 100 * DAY_MS))
AMOUNTS_MINOR = st.one_of(st.just(0), st.integers(0, 500), st.integers(0, messages.MAX_MINOR))


@st.composite
def component_rates(draw: st.DrawFn) -> dict[str, Any]:
    """A rate with any subset of the components."""
    rate = draw(rates(5))
    wanted = draw(st.sets(st.sampled_from(components.COMPONENTS)))
    if "time" in wanted:
        rate["time_prices"] = [draw(PRICES) for _ in rate["steps"]]
    if "tiers" in wanted:
        bounds = sorted(draw(st.sets(st.integers(1, wire.MAX_PRICE), min_size=1, max_size=4)))
        prices = sorted(draw(st.lists(PRICES, min_size=len(bounds), max_size=len(bounds))))
        rate["tiers"] = [list(pair) for pair in zip(bounds, prices, strict=True)]
    if "idle" in wanted:
        rate["idle"] = {
            "price": draw(PRICES),
            "after_s": draw(st.integers(0, 7_200)),
            "max_minor": draw(AMOUNTS_MINOR),
        }
    bounds_minor = sorted([draw(AMOUNTS_MINOR), draw(AMOUNTS_MINOR)])
    if "minimum" in wanted:
        rate["minimum_minor"] = bounds_minor[0]
    if "maximum" in wanted:
        rate["maximum_minor"] = bounds_minor[1]
    if "tax" in wanted:
        rate["tax_per_mille"] = draw(st.integers(0, 1000))
    return rate


@st.composite
def usages(draw: st.DrawFn) -> tuple[dict[str, Any], oracle.Used]:
    rate = draw(component_rates())
    steps = st.integers(0, len(rate["steps"]) - 1)
    energies = [(index, draw(ENERGIES_MWH)) for index in sorted(draw(st.sets(steps)))]
    times = [(i, draw(TIMES_MS)) for i in sorted(draw(st.sets(steps)))] if "time_prices" in rate else []
    tiers_ms = [draw(TIMES_MS) for _ in rate.get("tiers", ())]
    idle_ms = draw(TIMES_MS) if "idle" in rate else 0
    return rate, oracle.Used(energies, times, tiers_ms, idle_ms)


def usage_of(used: oracle.Used) -> components.Usage:
    return components.Usage(used.energies, used.times, used.tiers_ms, used.idle_ms)


def check(rate: dict[str, Any], used: oracle.Used, limit_minor: int | None) -> dict[str, Any]:
    """Compares all members, and holds that the lines add up. Returns the bill."""
    bill = components.bill(rate, usage_of(used), limit_minor)
    assert bill == oracle.settle(rate, used, limit_minor)
    lines = [amount for row in bill["periods"] for amount in row[5:]]
    lines += [row[3] for name in ("times", "tiers") for row in bill.get(name, ())]
    lines += [bill.get("idle_minor", 0), bill["session_fee_minor"], bill.get("top_up_minor", 0)]
    assert sum(lines) == bill["total_minor"]
    assert min(lines) >= 0
    assert 0 <= bill.get("tax_minor", 0) <= bill["total_minor"]
    return bill


@thoroughly
@given(usages(), LIMITS)
def test_every_member(charge: tuple[dict[str, Any], oracle.Used], limit_minor: int | None) -> None:
    rate, used = charge
    event(" ".join(components.components_of(rate)) or "energy alone")
    check(rate, used, limit_minor)


@thoroughly
@given(usages(), st.sampled_from(["limit", "minimum_minor", "maximum_minor"]), st.integers(-1, 1))
def test_a_bound_around_the_total(charge: tuple[dict[str, Any], oracle.Used], name: str, off: int) -> None:
    """Limit, minimum and maximum beside the amount that would be due without them."""
    rate, used = charge
    rate = {key: value for key, value in rate.items() if key not in ("minimum_minor", "maximum_minor")}
    due = components.bill(rate, usage_of(used))["total_minor"]
    bound = max(0, due + off)
    if name == "limit":
        assert check(rate, used, bound)["total_minor"] == min(due, bound)
        return
    bill = check({**rate, name: bound}, used, None)
    charged = any(mwh for _, mwh in used.energies)
    expected = max(due, bound) if name == "minimum_minor" else min(due, bound)
    assert bill["total_minor"] == (expected if charged else 0)


@thoroughly
@given(usages(), LIMITS)
def test_no_energy_no_bill(charge: tuple[dict[str, Any], oracle.Used], limit_minor: int | None) -> None:
    rate, used = charge
    used = used._replace(energies=[(index, 0) for index, _ in used.energies])
    assert check(rate, used, limit_minor)["total_minor"] == 0


@thoroughly
@given(usages(), LIMITS)
def test_a_settlement_gives_its_usage_back(
    charge: tuple[dict[str, Any], oracle.Used], limit_minor: int | None
) -> None:
    rate, used = charge
    fields = components.bill(rate, usage_of(used), limit_minor)
    if "idle" in rate:
        fields["idle"] = {"since_at": 1, "until_at": 2, "time_ms": used.idle_ms, "idle_minor": 0}
    usage = components.usage_of(rate, fields)
    found = (usage.energies, usage.times, usage.tiers_ms, usage.idle_ms)
    assert found == (used.energies, used.times, used.tiers_ms, used.idle_ms)


@thoroughly
@given(usages())
def test_exact_cost_and_costs_by_component(charge: tuple[dict[str, Any], oracle.Used]) -> None:
    rate, used = charge
    exact = oracle.component_amounts(rate, used)
    in_all = sum((amount for lines in exact.values() for amount in lines), Fraction(0))
    assert Fraction(components.cost_parts(rate, usage_of(used)), 18 * 10**12) == in_all
    costs, total_minor = components.costs(rate, usage_of(used))
    settled = oracle.settle(rate, used)
    assert total_minor == settled["total_minor"]
    assert sum(costs.values()) == total_minor - settled.get("top_up_minor", 0)


def any_bill(source: random.Random) -> tuple[dict[str, Any], oracle.Used, int | None]:
    """As the strategies above, faster."""

    def number(most: int) -> int:
        return source.choice([0, source.randint(0, 10), source.randint(0, min(most, 4_000_000)), most])

    count = source.randint(1, 6)
    rate: dict[str, Any] = {
        "rate_id": "r",
        "minor_digits": source.choice([0, 2, 2, 3, 4]),
        "session_fee_minor": number(messages.MAX_MINOR),
        "steps": [[100 * i, number(wire.MAX_PRICE), number(wire.MAX_PRICE), "flat"] for i in range(count)],
    }
    if source.random() < 0.6:
        rate["time_prices"] = [number(wire.MAX_PRICE) for _ in range(count)]
    if source.random() < 0.6:
        tiers = source.randint(1, 4)
        prices = sorted(number(wire.MAX_PRICE) for _ in range(tiers))
        rate["tiers"] = [[200_000 * (i + 1), prices[i]] for i in range(tiers)]
    if source.random() < 0.6:
        rate["idle"] = {"price": number(wire.MAX_PRICE), "after_s": 600, "max_minor": number(10**9)}
    bounds = sorted([number(10**9), number(10**9)])
    for name, value in (("minimum_minor", bounds[0]), ("maximum_minor", bounds[1])):
        if source.random() < 0.4:
            rate[name] = value
    if source.random() < 0.6:
        rate["tax_per_mille"] = source.randint(0, 1000)
    times = [(i, number(DAY_MS)) for i in range(count)] if "time_prices" in rate else []
    energies = [(i, number(messages.MAX_ENERGY_MWH)) for i in range(count)]
    tiers_ms = [number(DAY_MS) for _ in rate.get("tiers", ())]
    used = oracle.Used(energies, times, tiers_ms, number(DAY_MS) if "idle" in rate else 0)
    return rate, used, source.choice([None, number(messages.MAX_MINOR)])


@pytest.mark.parametrize(
    "bills", [1_000, pytest.param(LONG_BILLS, marks=[pytest.mark.long, pytest.mark.timeout(1_800)])]
)
def test_a_seeded_run(bills: int) -> None:
    source = random.Random(13)
    for _ in range(bills):
        check(*any_bill(source))
