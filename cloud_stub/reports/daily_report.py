"""Energy and revenue by day and by price label.

A settlement counts on the day its charging ended, and so do its payment and its credit notes. Revenue is told
apart as settlements/bills.py says: `revenue_minor` of a day is what was billed, its lines add up to it, and
the other amounts stand beside it. Amounts of flagged settlements are in no sum but their own.
Energy that flowed between two settlements, and is in neither, is summed for each pile on the day of the later
settlement.
"""

from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from ..base.problems import invalid
from ..rates import currencies, model
from ..settlements import bills
from .bill_rows import PileScope, of_time

YEAR_MIN, YEAR_MAX = 2000, 2100  # far from the ends of what a calendar can compute with
DAYS_MAX = 366


def zone(name: str) -> ZoneInfo:
    """The time zone of that name. Raises Problem (InvalidRequest)."""
    if not model.is_time_zone(name):
        raise invalid(("time_zone", "is not a time zone of the IANA database"))
    return ZoneInfo(name)


def day(text: str, field: str) -> date:
    """The day written as 2026-11-23. Raises Problem (InvalidRequest)."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise invalid((field, "must be a day like 2026-11-23")) from None
    if not YEAR_MIN <= found.year <= YEAR_MAX:
        raise invalid((field, f"must be in the years {YEAR_MIN} to {YEAR_MAX}"))
    return found


def daily(conn: Connection, first: date, last: date, local: ZoneInfo, piles: PileScope) -> dict[str, Any]:
    """Per currency, each day's settled orders by price label, from `first` to `last`, both included.

    Raises Problem: InvalidRequest for too many days, or none; UnknownPile, UnknownSite.
    """
    if not 0 <= (last - first).days < DAYS_MAX:
        raise invalid(("to", f"must be from 0 to {DAYS_MAX - 1} days after `from`"))
    piles.check(conn)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    found: dict[str, dict[str, Any]] = {}
    flagged = 0
    unbilled: defaultdict[str, int] = defaultdict(int)
    for row in of_time(conn, midnight(first, local), midnight(last + timedelta(days=1), local), piles):
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
        ended = datetime.fromtimestamp(row.ended_at, local).date()
        _count(money["days"][(ended - first).days], kind, bills.amounts(row), settlement)
    return {
        "from": first.isoformat(),
        "to": last.isoformat(),
        "time_zone": local.key,
        "flagged": flagged,
        "unbilled": [{"device_id": name, "energy_mwh": unbilled[name]} for name in sorted(unbilled)],
        "currencies": [found[name] for name in sorted(found)],
    }


def midnight(of: date, local: ZoneInfo) -> int:
    """Unix seconds of the beginning of the day."""
    return int(datetime(of.year, of.month, of.day, tzinfo=local).timestamp())


# Beside energy and fees, of bills.lines.
_PARTS = ("time_minor", "tiers_minor", "idle_minor", "top_up_minor", "tax_minor")


def _empty(currency: str, days: list[date]) -> dict[str, Any]:
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
            for each in days
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
