"""The retained `rate` message of each pile, for displays and monitors: no order is priced by it.

It shows one day: the rate of connector 1 with the periods of today. `connectors` has the rates of the other
connectors, where another rate holds there. So it is made again when a version begins and, where days differ,
at midnight: `piles.rate_due_at` tells when.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, select, update

from pile_protocol import topics, wire

from ..db import json_lists
from ..db.engine import to_json
from ..db.rows import Query
from ..db.tables import piles
from ..db.writer import Transaction
from ..messaging.outbox import Outbox, withdraw_named
from . import expansion, reach, schedule
from .holding import PILE, Versions

SENT_AT_ONCE = 200

_FIELDS = [name.rstrip("?") for name, _ in wire.RATE_FIELDS]


class _Due(NamedTuple):
    device_id: str
    connectors: int


_DUE = Query(
    select(piles.c.device_id, piles.c.connectors)
    .where(piles.c.rate_due_at <= bindparam("now"))
    .order_by(piles.c.rate_due_at, piles.c.device_id)
    .limit(bindparam("limit")),
    _Due,
)
_MARK = update(piles).values(rate_due_at=bindparam("at"))
_MARK_REACHED = _MARK.where(reach.may_reach(bindparam("tariff")))
_MARK_PILES = _MARK.where(piles.c.removed_at.is_(None), piles.c.device_id.in_(json_lists.texts("device_ids")))
_MARK_SITE = _MARK.where(piles.c.removed_at.is_(None), piles.c.site_id == bindparam("site"))
_SET_DUE = _MARK.where(piles.c.device_id == bindparam("of"))


def mark_reached(tx: Transaction, tariff_id: str, now: int) -> None:
    """The messages of all piles that the tariff may reach are to be made again."""
    tx.conn.execute(_MARK_REACHED, {"tariff": tariff_id, "at": now})


def mark_piles(tx: Transaction, device_ids: Iterable[str], now: int) -> None:
    tx.conn.execute(_MARK_PILES, {"device_ids": to_json(list(device_ids)), "at": now})


def mark_site(tx: Transaction, site_id: str, now: int) -> None:
    tx.conn.execute(_MARK_SITE, {"site": site_id, "at": now})


def send_due(tx: Transaction, outbox: Outbox, now: int) -> None:
    """Send the messages that are due, SENT_AT_ONCE at most; the periodic job sends the rest."""
    rows = _DUE.all(tx.conn, {"now": now, "limit": SENT_AT_ONCE})
    held_of = Versions().at_piles(tx.conn, [row.device_id for row in rows], now)
    for row in rows:
        held = held_of[row.device_id]
        found = message(held, row.connectors, now)
        withdraw_named(tx, row.device_id, topics.RATE)
        outbox.put(tx, row.device_id, topics.RATE, to_json(found) if found else "", now)
        tx.conn.execute(_SET_DUE, {"of": row.device_id, "at": _next_due_at(held.values(), now)})


def current(conn: Connection, versions: Versions, device_id: str, connectors: int, now: int) -> Any:
    """The pile's message at `now`, as wire.RATE; None where no rate holds."""
    return message(versions.at_piles(conn, [device_id], now)[device_id], connectors, now)


def message(held: dict[int, dict[str, Any]], connectors: int, now: int) -> dict[str, Any] | None:
    """As `current`. held: as Versions.at_piles gives it for the pile."""
    rates = {
        connector: rate
        for connector in range(1, connectors + 1)
        if (rate := held.get(connector, held.get(PILE))) is not None
    }
    if not rates:
        return None
    first = next(iter(rates.values()))
    others = [
        {"connector": connector} | _fields(rate, now)
        for connector, rate in rates.items()
        if rate["rate_id"] != first["rate_id"]
    ]
    return _fields(first, now) | ({"connectors": others} if others else {})


def _fields(rate: dict[str, Any], now: int) -> dict[str, Any]:
    today = schedule.on_date_of(rate, now)
    return {name: today[name] for name in _FIELDS if name in today}


def _next_due_at(rates: Iterable[dict[str, Any]], now: int) -> int | None:
    return min((at for rate in rates for at in _changes(rate, now)), default=None)


def _changes(rate: dict[str, Any], now: int) -> Iterable[int]:
    if rate["changes_at"] is not None:
        yield rate["changes_at"]
    if "days" in rate:
        zone = ZoneInfo(rate["time_zone"])
        tomorrow = expansion.day_start(expansion.local_date(now, zone) + timedelta(days=1), zone)
        yield max(tomorrow, now + 1)
