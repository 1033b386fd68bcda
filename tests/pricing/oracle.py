"""What a charging session costs, worked out a second time and differently: in fractions of the currency unit.

Shares nothing with pile_protocol/pricing.py: money is a Fraction of the currency (not an integer of 10^-12),
a step is found by looking through all intervals from the front, energy is in kWh, and lines are rounded by
giving out single units to whoever is owed most.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

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
