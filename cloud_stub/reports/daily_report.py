"""Energy and revenue by day and by price label.

A settlement counts on the day its charging ended, and so do its payment and its credit notes. Revenue is told
apart as settlements/bills.py says: `revenue_minor` of a day is what was billed, its lines add up to it, and
the other amounts stand beside it. Amounts of flagged settlements are in no sum but their own.
Energy that flowed between two settlements, and is in neither, is summed for each pile on the day of the later
settlement.
"""

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection

from ..rates import currencies
from ..settlements import bills
from .bill_rows import PileScope, of_time
from .days import Days


def daily(conn: Connection, days: Days, piles: PileScope) -> dict[str, Any]:
    """Per currency, each day's settled orders by price label. Raises Problem: UnknownPile, UnknownSite."""
    piles.check(conn)
    found: dict[str, dict[str, Any]] = {}
    flagged = 0
    unbilled: defaultdict[str, int] = defaultdict(int)
    for row in of_time(conn, days.from_at, days.until_at, piles):
        if row.unbilled_mwh:
            unbilled[row.device_id] += row.unbilled_mwh
        kind = bills.kind(row)
        flagged += kind == bills.FLAGGED
        settlement = bills.content(row)
        if kind == bills.NOBODY or not currencies.is_currency(settlement.get("currency") or ""):
            continue
        money = found.get(settlement["currency"])
        if money is None:
            money = found[settlement["currency"]] = _empty(settlement["currency"], days)
        ended = days.day_of(row.ended_at)
        _count(money["days"][(ended - days.first).days], kind, bills.amounts(row), settlement)
    return days.named() | {
        "flagged": flagged,
        "unbilled": [{"device_id": name, "energy_mwh": unbilled[name]} for name in sorted(unbilled)],
        "currencies": [found[name] for name in sorted(found)],
    }


# Beside energy and fees, of bills.lines.
_PARTS = ("time_minor", "tiers_minor", "idle_minor", "top_up_minor", "tax_minor")


def _empty(currency: str, days: Days) -> dict[str, Any]:
    return {
        "currency": currency,
        "minor_digits": currencies.minor_digits(currency),
        "days": [
            {
                "day": each.isoformat(),
                "orders": 0,
                "energy_mwh": 0,
                "revenue_minor": 0,
                "fees_minor": 0,
                **dict.fromkeys(_PARTS, 0),
                "labels": {},
                **dict.fromkeys(bills.AMOUNTS, 0),
            }
            for each in days.dates()
        ],
    }


def _count(into: dict[str, Any], kind: str, amounts: dict[str, int], settlement: dict[str, Any]) -> None:
    for name, minor in amounts.items():
        into[name] += minor
    if kind == bills.FLAGGED:
        return
    into["orders"] += 1
    into["energy_mwh"] += settlement["energy_mwh"]
    into["revenue_minor"] += amounts["billed_minor"]
    into["fees_minor"] += settlement["session_fee_minor"]
    parts = bills.lines(settlement)
    for name in _PARTS:
        into[name] += parts[name]
    for _, _, _, label, energy_mwh, electricity_minor, service_minor in settlement["periods"]:
        sums = into["labels"].setdefault(label, {"energy_mwh": 0, "electricity_minor": 0, "service_minor": 0})
        sums["energy_mwh"] += energy_mwh
        sums["electricity_minor"] += electricity_minor
        sums["service_minor"] += service_minor
