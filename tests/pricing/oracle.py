"""What a charging session costs, worked out a second time and differently: in fractions of the currency unit.

Shares nothing with the engine (pile_protocol/pricing.py and components.py): money is a Fraction of the
currency (not an integer of 10^-12 or of its eighteenths), a step is found by looking through all intervals
from the front, energy is in kWh and time in hours, and lines are rounded by giving out single units to
whoever is owed most.

How independence was kept: the part from `Used` on was written from the description of the price components
alone, by somebody who had not seen components.py; only the names of the members of a settlement are shared,
because both describe the same message. It imports nothing from the firmware.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

MILLIONTH = Fraction(1, 1_000_000)


def price_at(steps: Sequence[Sequence[Any]], at: int) -> int | None:
    """Index of the step whose interval holds `at`; None before the first."""
    ends = [step[0] for step in steps[1:]] + [None]
    for index, (step, end) in enumerate(zip(steps, ends, strict=True)):
        if step[0] <= at and (end is None or at < end):
            return index
    return None


def amounts(rate: dict[str, Any], energies: Sequence[tuple[int, int]]) -> list[Fraction]:
    """Exact amounts in the currency: electricity and service of each pair, then the fee."""
    found = []
    for index, mwh in energies:
        kwh = Fraction(mwh) * MILLIONTH
        found += [kwh * price * MILLIONTH for price in rate["steps"][index][1:3]]
    charged = any(mwh for _, mwh in energies)
    found.append(Fraction(rate["session_fee_minor"] if charged else 0, 10 ** rate["minor_digits"]))
    return found


def to_minor(amount: Fraction, minor_digits: int) -> int:
    """Nearest minor unit; of two equally near the higher."""
    exact = amount * 10**minor_digits
    below = exact.numerator // exact.denominator
    return below + (exact - below >= Fraction(1, 2))


def total(rate: dict[str, Any], energies: Sequence[tuple[int, int]], limit_minor: int | None) -> int:
    rounded = to_minor(sum(amounts(rate, energies), Fraction(0)), rate["minor_digits"])
    return rounded if limit_minor is None else min(rounded, limit_minor)


def shares(exact: Sequence[Fraction], total_minor: int) -> list[int]:
    """Whole units that add up to the total: each line's proportion rounded down, then unit by unit to the
    line that is owed most, the earliest of equals."""
    whole = sum(exact, Fraction(0))
    if whole == 0:
        return [0] * len(exact)
    ideal = [amount / whole * total_minor for amount in exact]
    given = [share.numerator // share.denominator for share in ideal]
    while sum(given) < total_minor:
        owed = [share - got for share, got in zip(ideal, given, strict=True)]
        given[owed.index(max(owed))] += 1
    return given


MS_PER_HOUR = 3_600_000


class Used(NamedTuple):
    """mWh and ms of steps by index, ms in each power tier, ms of staying on after the grace time."""

    energies: Sequence[tuple[int, int]]
    times: Sequence[tuple[int, int]] = ()
    tiers_ms: Sequence[int] = ()
    idle_ms: int = 0


def of_time(ms: int, price_per_hour: int) -> Fraction:
    """Amount in the currency of `ms` milliseconds at 10^-6 currency per hour."""
    return Fraction(ms, MS_PER_HOUR) * price_per_hour * MILLIONTH


def component_amounts(rate: dict[str, Any], used: Used) -> dict[str, list[Fraction]]:
    """Exact amounts in the currency by component, in the order in which a bill lists them. An order without
    energy costs nothing: all are 0."""
    plain = amounts(rate, used.energies)
    found = {
        "energy": plain[:-1],
        "time": [of_time(ms, rate["time_prices"][index]) for index, ms in used.times],
        "tiers": [
            of_time(ms, price) for ms, (_, price) in zip(used.tiers_ms, rate.get("tiers", ()), strict=True)
        ],
        "idle": [],
        "fee": plain[-1:],
    }
    if "idle" in rate:
        cap = Fraction(rate["idle"]["max_minor"], 10 ** rate["minor_digits"])
        found["idle"] = [min(of_time(used.idle_ms, rate["idle"]["price"]), cap)]
    if not any(mwh for _, mwh in used.energies):
        return {name: [Fraction(0)] * len(lines) for name, lines in found.items()}
    return found


def tax_in(total_minor: int, per_mille: int) -> int:
    """The tax that a gross amount includes: net is the gross divided by 1 + t."""
    net = Fraction(total_minor) / (1 + Fraction(per_mille, 1000))
    return to_minor(total_minor - net, 0)


def settle(rate: dict[str, Any], used: Used, limit_minor: int | None = None) -> dict[str, Any]:
    """The members of a settlement that the rate decides; those of components only where the rate has them."""
    exact = component_amounts(rate, used)
    flat = [amount for lines in exact.values() for amount in lines]
    computed = to_minor(sum(flat, Fraction(0)), rate["minor_digits"])
    charged = any(mwh for _, mwh in used.energies)
    total_minor = computed
    if "maximum_minor" in rate and total_minor > rate["maximum_minor"]:
        total_minor = rate["maximum_minor"]
    if charged and "minimum_minor" in rate and total_minor < rate["minimum_minor"]:
        total_minor = rate["minimum_minor"]
    if limit_minor is not None and total_minor > limit_minor:
        total_minor = limit_minor
    of_lines = min(total_minor, computed)
    given = iter(shares(flat, of_lines))
    minor = {name: [next(given) for _ in lines] for name, lines in exact.items()}
    electricity_and_service = iter(minor["energy"])
    bill: dict[str, Any] = {
        "periods": [
            [*rate["steps"][index], mwh, next(electricity_and_service), next(electricity_and_service)]
            for index, mwh in used.energies
        ],
        "session_fee_minor": minor["fee"][0],
        "total_minor": total_minor,
    }
    if "time_prices" in rate:
        bill["times"] = [
            [rate["steps"][index][0], rate["time_prices"][index], ms, cost]
            for (index, ms), cost in zip(used.times, minor["time"], strict=True)
        ]
    if "tiers" in rate:
        bill["tiers"] = [
            [*tier, ms, cost]
            for tier, ms, cost in zip(rate["tiers"], used.tiers_ms, minor["tiers"], strict=True)
        ]
    if "idle" in rate:
        bill["idle_minor"] = minor["idle"][0]
    if "minimum_minor" in rate:
        bill["top_up_minor"] = total_minor - of_lines
    if "tax_per_mille" in rate:
        bill["tax_minor"] = tax_in(total_minor, rate["tax_per_mille"])
    return bill
