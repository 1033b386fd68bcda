"""Energy and revenue by day and by price label.

A settlement counts on the day its charging ended. A flagged one is not counted as revenue: it is counted
apart. One that settles no order bills nobody, so it is never revenue, whatever it says and whatever was
decided.
Energy that flowed between two settlements, and is in neither, is summed for each pile on the day of the later
settlement.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, or_, select, tuple_

from ..base.problems import invalid
from ..db.rows import Query
from ..db.tables import settlements
from ..piles import registry
from ..rates import model

YEAR_MIN, YEAR_MAX = 2000, 2100  # far from the ends of what a calendar can compute with
DAYS_MAX = 366
_BATCH = 1000


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


def daily(
    conn: Connection, first: date, last: date, local: ZoneInfo, device_id: str | None
) -> dict[str, Any]:
    """Per currency, each day's settled orders by price label, from `first` to `last`, both included.

    Raises Problem (InvalidRequest) for too many days, or none.
    """
    if not 0 <= (last - first).days < DAYS_MAX:
        raise invalid(("to", f"must be from 0 to {DAYS_MAX - 1} days after `from`"))
    if device_id is not None:
        registry.get(conn, device_id, removed=True)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    currencies: dict[str, dict[str, Any]] = {}
    flagged = 0
    unbilled: defaultdict[str, int] = defaultdict(int)
    for row in _settled(conn, _midnight(first, local), _midnight(last + timedelta(days=1), local), device_id):
        if row.unbilled_mwh:
            unbilled[row.device_id] += row.unbilled_mwh
        if row.flagged:
            flagged += 1
            continue
        settlement = json.loads(row.payload) | json.loads(row.billed_json or "{}")
        money = currencies.get(settlement["currency"])
        if money is None:
            money = currencies[settlement["currency"]] = _empty(settlement, days)
        ended = datetime.fromtimestamp(row.ended_at, local).date()
        _count(money["days"][(ended - first).days], settlement)
    return {
        "from": first.isoformat(),
        "to": last.isoformat(),
        "time_zone": local.key,
        "flagged": flagged,
        "unbilled": [{"device_id": name, "energy_mwh": unbilled[name]} for name in sorted(unbilled)],
        "currencies": [currencies[name] for name in sorted(currencies)],
    }


def _midnight(of: date, local: ZoneInfo) -> int:
    return int(datetime(of.year, of.month, of.day, tzinfo=local).timestamp())


class _Settled(NamedTuple):
    id: int
    device_id: str
    payload: str
    billed_json: str | None
    flagged: bool
    ended_at: int
    unbilled_mwh: int | None


_COLUMNS = select(
    settlements.c.id,
    settlements.c.device_id,
    settlements.c.payload,
    settlements.c.billed_json,
    settlements.c.flagged,
    settlements.c.ended_at,
    settlements.c.unbilled_mwh,
)
_SETTLED = Query(_COLUMNS, _Settled)


def _settled(conn: Connection, from_at: int, until_at: int, device_id: str | None) -> Iterator[_Settled]:
    query = _COLUMNS.where(
        settlements.c.ended_at < until_at,
        or_(settlements.c.flagged, settlements.c.settles_order_id.is_not(None)),
    )
    if device_id is not None:
        query = query.where(settlements.c.device_id == device_id)
    query = query.order_by(settlements.c.ended_at, settlements.c.id).limit(_BATCH)
    # In pages: a cursor that streams needs a transaction on PostgreSQL, and who reads here has none.
    place = tuple_(settlements.c.ended_at, settlements.c.id)
    after = (from_at, -1)
    while True:
        page = _SETTLED.narrowed(query.where(place > after)).all(conn)
        yield from page
        if len(page) < _BATCH:
            return
        after = (page[-1].ended_at, page[-1].id)


def _empty(settlement: dict[str, Any], days: list[date]) -> dict[str, Any]:
    return {
        "currency": settlement["currency"],
        "minor_digits": settlement["minor_digits"],
        "days": [
            {
                "day": each.isoformat(),
                "orders": 0,
                "energy_mwh": 0,
                "revenue_minor": 0,
                "fees_minor": 0,
                "labels": {},
            }
            for each in days
        ],
    }


def _count(into: dict[str, Any], settlement: dict[str, Any]) -> None:
    into["orders"] += 1
    into["energy_mwh"] += settlement["energy_mwh"]
    into["revenue_minor"] += settlement["total_minor"]
    into["fees_minor"] += settlement["session_fee_minor"]
    for _, _, _, label, energy_mwh, electricity_minor, service_minor in settlement["periods"]:
        sums = into["labels"].setdefault(label, {"energy_mwh": 0, "electricity_minor": 0, "service_minor": 0})
        sums["energy_mwh"] += energy_mwh
        sums["electricity_minor"] += electricity_minor
        sums["service_minor"] += service_minor
