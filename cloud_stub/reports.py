"""Energy and revenue by day and by price period, a pile's power over time, and who confirmed which rate.

A settlement counts on the day its charging ended. A flagged one is not counted as revenue: it is told apart.
One that settles no order bills nobody, so it is never revenue, whatever it says and whatever was decided.
"""

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, or_, select, tuple_

from . import life, piles, rates
from .problems import invalid
from .tables import meter_samples, orders, settlements

YEAR_MIN, YEAR_MAX = 2000, 2100  # far from the ends of what a calendar can compute with
DAYS_MAX = 366
POINTS_MAX = 720  # of one curve: enough for a screen's width
RANGE_MAX_S = 31 * rates.DAY_S
_BATCH = 1000


def zone(name: str) -> ZoneInfo:
    """The time zone of that name. Raises Problem (InvalidRequest)."""
    if not rates.is_time_zone(name):
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
        piles.get(conn, device_id, removed=True)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    currencies: dict[str, dict[str, Any]] = {}
    flagged = 0
    for row in _settled(conn, _midnight(first, local), _midnight(last + timedelta(days=1), local), device_id):
        if row.flagged:
            flagged += 1
            continue
        said = json.loads(row.payload) | json.loads(row.billed_json or "{}")
        money = currencies.get(said["currency"])
        if money is None:
            money = currencies[said["currency"]] = _empty(said, days)
        ended = datetime.fromtimestamp(row.ended_at, local).date()
        _count(money["days"][(ended - first).days], said)
    return {
        "from": first.isoformat(),
        "to": last.isoformat(),
        "time_zone": local.key,
        "flagged": flagged,
        "currencies": [currencies[name] for name in sorted(currencies)],
    }


def _midnight(of: date, local: ZoneInfo) -> int:
    return int(datetime(of.year, of.month, of.day, tzinfo=local).timestamp())


def _settled(conn: Connection, from_at: int, until_at: int, device_id: str | None) -> Iterator[Any]:
    query = select(
        settlements.c.id,
        settlements.c.payload,
        settlements.c.billed_json,
        settlements.c.flagged,
        settlements.c.ended_at,
    ).where(
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
        page = conn.execute(query.where(place > after)).all()
        yield from page
        if len(page) < _BATCH:
            return
        after = (page[-1].ended_at, page[-1].id)


def _empty(said: dict[str, Any], days: list[date]) -> dict[str, Any]:
    return {
        "currency": said["currency"],
        "minor_digits": said["minor_digits"],
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


def _count(into: dict[str, Any], said: dict[str, Any]) -> None:
    into["orders"] += 1
    into["energy_mwh"] += said["energy_mwh"]
    into["revenue_minor"] += said["total_minor"]
    into["fees_minor"] += said["session_fee_minor"]
    for _, _, _, label, energy_mwh, electricity_minor, service_minor in said["periods"]:
        sums = into["labels"].setdefault(label, {"energy_mwh": 0, "electricity_minor": 0, "service_minor": 0})
        sums["energy_mwh"] += energy_mwh
        sums["electricity_minor"] += electricity_minor
        sums["service_minor"] += service_minor


def power(conn: Connection, device_id: str, from_at: int, until_at: int) -> list[dict[str, Any]]:
    """The mean power of each order in equal stretches of time, `points`: [at, power_mw], by order.

    Raises Problem (UnknownPile, InvalidRequest).
    """
    if not 0 < until_at - from_at <= RANGE_MAX_S:
        raise invalid(("until_at", f"must be from 1 to {RANGE_MAX_S} seconds after `from_at`"))
    piles.get(conn, device_id, removed=True)
    stretch_s = -(-(until_at - from_at) // POINTS_MAX)
    place = ((meter_samples.c.at - from_at) // stretch_s).label("place")
    rows = conn.execute(
        select(
            orders.c.order_id,
            orders.c.connector,
            place,
            func.sum(meter_samples.c.power_mw).label("sum_mw"),
            func.count().label("samples"),
        )
        .join(meter_samples, meter_samples.c.order_id == orders.c.order_id)
        .where(
            orders.c.device_id == device_id,
            # What has ended before cannot have a sample in it: spares looking through every order ever made.
            orders.c.window_end_at >= from_at,
            meter_samples.c.at >= from_at,
            meter_samples.c.at < until_at,
        )
        .group_by(orders.c.order_id, orders.c.connector, place)
        .order_by(orders.c.order_id, place)
    )
    curves: dict[str, dict[str, Any]] = {}
    for row in rows:
        curve = curves.setdefault(
            row.order_id,
            {"order_id": row.order_id, "connector": row.connector, "stretch_s": stretch_s, "points": []},
        )
        curve["points"].append([from_at + int(row.place) * stretch_s, int(row.sum_mw) // row.samples])
    return list(curves.values())


def confirmations(conn: Connection, rate_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Of each rate: how many orders confirmed it, how many still run, when the last one was made."""
    rows = conn.execute(
        select(
            orders.c.rate_id,
            func.count().label("orders"),
            func.count().filter(orders.c.state.in_(sorted(life.HOLDING))).label("running"),
            func.max(orders.c.created_at).label("last_at"),
        )
        .where(orders.c.rate_id.in_(rate_ids))
        .group_by(orders.c.rate_id)
    )
    found = {
        row.rate_id: {"orders": row.orders, "running": row.running, "last_at": row.last_at} for row in rows
    }
    none = {"orders": 0, "running": 0, "last_at": None}
    return {rate_id: found.get(rate_id, none) for rate_id in rate_ids}
