"""The bill, calculated a second time with fractions and without the price engine that it checks."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

from tools.demo.screen import Screen, kwh, money, unit_price


def total_minor(periods: list[list[Any]], fee_minor: int, digits: int) -> int:
    """The total of a settlement's periods, rounded once, half up, to the currency's minor unit."""
    currency = sum(
        Fraction(mwh, 10**6) * Fraction(electricity + service, 10**6)
        for electricity, service, mwh in _rows(periods)
    )
    if any(mwh for _, _, mwh in _rows(periods)):
        currency += Fraction(fee_minor, 10**digits)
    return floor(currency * 10**digits + Fraction(1, 2))


def repriced(periods: list[list[Any]], rate: dict[str, Any]) -> list[list[Any]]:
    """The same energy at another rate's prices, period by period through their labels."""
    prices = {label: (electricity, service) for _, electricity, service, label in rate["periods"]}
    return [[at, *prices[label], label, mwh, *rest] for at, _, _, label, mwh, *rest in periods]


def show(screen: Screen, settlement: dict[str, Any]) -> None:
    """Every line item, and the total that they add up to."""
    digits, currency = settlement["minor_digits"], settlement["currency"]

    def line(what: str, how: str, minor: int) -> None:
        screen.say("receipt", f"  {what:<20} {how:<26} {money(minor, digits):>8} {currency}")

    for _, electricity, service, label, mwh, electricity_minor, service_minor in settlement["periods"]:
        line(f"electricity, {label}", f"{kwh(mwh)} kWh x {unit_price(electricity)}", electricity_minor)
        line(f"service, {label}", f"{kwh(mwh)} kWh x {unit_price(service)}", service_minor)
    line("session fee", "", settlement["session_fee_minor"])
    line("total", "", settlement["total_minor"])


def lines_minor(settlement: dict[str, Any]) -> int:
    """What the line items add up to."""
    return sum(row[5] + row[6] for row in settlement["periods"]) + settlement["session_fee_minor"]


def _rows(periods: list[list[Any]]) -> list[tuple[int, int, int]]:
    return [(row[1], row[2], row[4]) for row in periods]
