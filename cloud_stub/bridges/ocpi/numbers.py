"""Exact decimals in JSON, and prices without their tax.

OCPI writes numbers with 4 decimals: `_e4` is a whole number of ten-thousandths.
"""

import json
from decimal import Decimal
from typing import Any

from pile_protocol import pricing

from ...base.decimals import decimal

DIGITS = 4
_MWH_PER_E4, _MS_PER_E4 = 100, 360  # 0.0001 kWh, 0.0001 h
Price = dict[str, Decimal]


def number(value: int, digits: int = DIGITS) -> Decimal:
    """`value` units of 10^-digits."""
    return Decimal(decimal(value, digits))


def half_up(value: int, unit: int) -> int:
    """`value` in units, rounded half up; both >= 0."""
    return (2 * value + unit) // (2 * unit)


def split(amounts: list[int], total: int) -> list[int]:
    """Whole shares of `total` in proportion to the amounts, which add up to it."""
    return pricing.apportion(amounts, sum(amounts), total)


def kwh_e4(mwh: int) -> int:
    return half_up(mwh, _MWH_PER_E4)


def hours_e4(ms: int) -> int:
    return half_up(ms, _MS_PER_E4)


def net_price_e4(price: int, tax_per_mille: int) -> int:
    """A price of a rate (10^-6 currency), which includes tax, without the tax."""
    return half_up(1000 * price, 100 * (1000 + tax_per_mille))


def net_minor_e4(minor: int, minor_digits: int, tax_per_mille: int) -> int:
    """As net_price_e4, of an amount in minor units."""
    return net_price_e4(minor * 10 ** (6 - minor_digits), tax_per_mille)


def vat(rate: dict[str, Any]) -> dict[str, Decimal]:
    """The member `vat`, in percent; a rate without tax has none."""
    per_mille = rate.get("tax_per_mille")
    return {} if per_mille is None else {"vat": number(per_mille, 1)}


def amount(gross_minor: int, net_minor: int, digits: int) -> Price:
    """A Price."""
    return {"excl_vat": number(net_minor, digits), "incl_vat": number(gross_minor, digits)}


def bound(minor: int, rate: dict[str, Any]) -> Price:
    """A minimum or maximum of a rate as a Price."""
    digits, per_mille = rate["minor_digits"], rate.get("tax_per_mille") or 0
    return {"excl_vat": number(net_minor_e4(minor, digits, per_mille)), "incl_vat": number(minor, digits)}


def text_of(value: Any) -> str:
    """JSON in which a Decimal is a number with exactly its digits."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{text_of(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(text_of, value)) + "]"
    return json.dumps(value)
