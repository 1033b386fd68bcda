"""Versions of a tariff: published for now or for a later date, never changed, withdrawn before they begin."""

import json
from datetime import datetime, timezone
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from ..base.ids import new_id
from ..base.problems import Problem, invalid, pile_removed, unknown_pile
from ..db import audit
from ..db.audit import Actor
from ..db.engine import to_json
from ..db.events import record_event
from ..db.rows import Query
from ..db.tables import piles, rates
from ..db.writer import Transaction
from ..messaging.outbox import Outbox
from . import billing, calendars, displays, holding, model, tariffs, unusual, zones
from .model import RateBody

TO_COME_MAX = 50
AHEAD_MAX_S = 2 * 366 * 86_400
NO_RATE = "none"  # in the place of a rate_id


class _Pile(NamedTuple):
    name: str
    tariff_id: str | None
    removed_at: int | None


class _Version(NamedTuple):
    rate_id: str
    tariff_id: str
    from_at: int
    published_by: str | None
    withdrawn_at: int | None
    body_json: str


_PILE = Query(
    select(piles.c.name, piles.c.tariff_id, piles.c.removed_at)
    .where(piles.c.device_id == bindparam("device_id"))
    .with_for_update(key_share=True),
    _Pile,
)
_VERSIONS = select(
    rates.c.rate_id,
    rates.c.tariff_id,
    rates.c.from_at,
    rates.c.published_by,
    rates.c.withdrawn_at,
    rates.c.body_json,
)
_FOUND = Query(_VERSIONS, _Version)
_NEWEST = Query(
    _VERSIONS.where(rates.c.tariff_id == bindparam("tariff_id"), rates.c.withdrawn_at.is_(None))
    .order_by(rates.c.rate_id.desc())
    .limit(1),
    _Version,
)
_AT = Query(_VERSIONS.where(rates.c.rate_id == holding.version_at(bindparam("tariff_id"))), _Version)
_ONE = Query(
    _VERSIONS.where(rates.c.tariff_id == bindparam("tariff_id"), rates.c.rate_id == bindparam("rate_id")),
    _Version,
)
_TO_COME = Query(
    _VERSIONS.where(holding.is_to_come(bindparam("tariff_id"))),
    _Version,
)
_SET_TARIFF = update(piles).where(piles.c.device_id == bindparam("of")).values(tariff_id=bindparam("tariff"))
_WITHDRAW = update(rates).where(rates.c.rate_id == bindparam("of")).values(withdrawn_at=bindparam("at"))


def publish_for_pile(
    tx: Transaction,
    actor: Actor,
    outbox: Outbox,
    device_id: str,
    body: RateBody,
    now: int,
    replaces: str | None = None,
    allow_unusual: bool = False,
) -> dict[str, Any]:
    """As `publish`, in the tariff of that pile alone, which is assigned to the pile where it is not yet.

    replaces: which rate_id must hold at the pile, NO_RATE for none. Raises Problem: also UnknownPile,
    PileRemoved.
    """
    rate = build(tx.conn, body, now)
    pile = _PILE.first(tx.conn, {"device_id": device_id})
    if pile is None:
        raise unknown_pile(device_id)
    if pile.removed_at is not None:
        raise pile_removed(device_id, pile.removed_at)
    held = holding.Versions().at(tx.conn, device_id, holding.PILE, now)
    if held is not None:
        del held["changes_at"], held["power_w"]
    if replaces is not None and replaces != (held["rate_id"] if held else NO_RATE):
        raise _replaced(held)
    if not allow_unusual:
        unusual.require_usual(rate, held)
    if rate["time_zone"] is None:
        zones.require_sites(tx.conn, [device_id], "time_zone")
    billing.require_at_places(tx.conn, [rate], [("", device_id, holding.PILE)])
    tariff_id = tariffs.own_of(device_id)
    if pile.tariff_id != tariff_id:
        if pile.tariff_id is not None:
            left = pile.tariff_id
            audit.record(tx.conn, actor, now, "TariffUnassigned", device_id=device_id, tariff_id=left)
        tariffs.ensure_own(tx, device_id, pile.name, now)
        tx.conn.execute(_SET_TARIFF, {"of": device_id, "tariff": tariff_id})
    record_event(tx.conn, now, "RatePublished", device_id, detail=rate["rate_id"])
    _store(tx, actor, outbox, tariff_id, rate, now, now)
    return rate


def publish(
    tx: Transaction,
    actor: Actor,
    outbox: Outbox,
    tariff_id: str,
    body: RateBody,
    now: int,
    from_at: int | None = None,
    replaces: str | None = None,
    allow_unusual: bool = False,
) -> dict[str, Any]:
    """Make `body` the tariff's newest version, a new one also where nothing changed; returns it.

    from_at: when it begins to hold, None for now. replaces: the rate_id that must be the newest, NO_RATE for
    none; None does not ask. allow_unusual: also with prices that are likely typed wrong. Raises Problem:
    UnknownTariff, RateReplaced, PriceUnusual, RateNotBillable, InvalidRequest.
    """
    rate = build(tx.conn, body, now)
    tariffs.get(tx.conn, tariff_id, lock=True)
    newest = _NEWEST.first(tx.conn, {"tariff_id": tariff_id})
    if replaces is not None and replaces != (newest.rate_id if newest else NO_RATE):
        raise _replaced(_view(newest) if newest else None)
    begins_at = now if from_at is None else from_at
    if not now <= begins_at <= now + AHEAD_MAX_S:
        raise invalid(("from_at", "must be a time from now to two years ahead"))
    to_come = _TO_COME.all(tx.conn, {"tariff_id": tariff_id, "now": now})
    if begins_at > now and len(to_come) >= TO_COME_MAX:
        raise invalid(("from_at", f"a tariff has at most {TO_COME_MAX} versions that have not begun"))
    if not allow_unusual:
        unusual.require_usual(rate, running(tx.conn, tariff_id, begins_at))
    if rate["time_zone"] is None:
        zones.require_sites_of_reached(tx.conn, tariff_id, "time_zone")
    billing.require_in_reach(tx.conn, tariff_id, rate)
    _store(tx, actor, outbox, tariff_id, rate, begins_at, now)
    return find(tx.conn, tariff_id, rate["rate_id"])


def build(conn: Connection, body: RateBody, now: int) -> dict[str, Any]:
    """A version that is not stored, as model.build makes it. Raises Problem (InvalidRequest)."""
    return model.build(body, "r-" + new_id(), now, calendars.dates(conn, body))


def _store(
    tx: Transaction,
    actor: Actor,
    outbox: Outbox,
    tariff_id: str,
    rate: dict[str, Any],
    from_at: int,
    now: int,
) -> None:
    row = {
        "rate_id": rate["rate_id"],
        "tariff_id": tariff_id,
        "published_at": now,
        "from_at": from_at,
        "published_by": actor.name[:100],
        "body_json": to_json(rate),
    }
    tx.conn.execute(insert(rates), row)
    detail = rate["rate_id"]
    if from_at != now:
        detail += " " + datetime.fromtimestamp(from_at, timezone.utc).isoformat()
    _record(tx, actor, now, "RatePublished", tariff_id, detail)
    displays.mark_reached(tx, tariff_id, now)
    displays.send_due(tx, outbox, now)


def _record(tx: Transaction, actor: Actor, now: int, action: str, tariff_id: str, detail: str) -> None:
    """An audit line, which names the pile where the tariff is of that pile alone."""
    device_id = tariffs.pile_of(tariff_id)
    audit.record(tx.conn, actor, now, action, device_id=device_id, tariff_id=tariff_id, detail=detail)


def _replaced(rate: dict[str, Any] | None) -> Problem:
    title = "Another version has been published meanwhile; look at it first"
    return Problem(409, "RateReplaced", title, rate=rate)


def withdraw(
    tx: Transaction, actor: Actor, outbox: Outbox, tariff_id: str, rate_id: str, now: int
) -> dict[str, Any]:
    """Take back a version that has not begun; returns it. Doing it again changes nothing.

    Raises Problem: UnknownTariff, UnknownRate; RateInEffect once it has begun.
    """
    tariffs.get(tx.conn, tariff_id, lock=True)
    row = find(tx.conn, tariff_id, rate_id)
    if row["withdrawn_at"] is not None:
        return row
    if row["from_at"] <= max(now, row["published_at"]):
        raise Problem(409, "RateInEffect", "The version has begun; publish another one")
    tx.conn.execute(_WITHDRAW, {"of": rate_id, "at": now})
    _record(tx, actor, now, "RateWithdrawn", tariff_id, rate_id)
    displays.mark_reached(tx, tariff_id, now)
    displays.send_due(tx, outbox, now)
    return row | {"withdrawn_at": now}


def find(conn: Connection, tariff_id: str, rate_id: str) -> dict[str, Any]:
    """That version of the tariff. Raises Problem (UnknownRate)."""
    row = None
    if rate_id.isascii() and rate_id.isprintable():
        row = _ONE.first(conn, {"tariff_id": tariff_id, "rate_id": rate_id})
    if row is None:
        raise Problem(404, "UnknownRate", "The tariff has no version with that id", rate_id=rate_id[:64])
    return _view(row)


def running(conn: Connection, tariff_id: str, at: int) -> dict[str, Any] | None:
    """The version that holds, or will hold, at `at`."""
    row = _AT.first(conn, {"tariff_id": tariff_id, "now": at})
    return _view(row) if row else None


def history(
    conn: Connection, tariff_id: str, now: int, limit: int, before: str | None
) -> list[dict[str, Any]]:
    """The versions of the tariff, newest first, older than version `before`. `state`: Running, Scheduled,
    Past or Withdrawn.
    """
    return _page(conn, rates.c.tariff_id == tariff_id, [tariff_id], now, limit, before)


def history_of_pile(
    conn: Connection, device_id: str, now: int, limit: int, before: str | None
) -> list[dict[str, Any]]:
    """As history, of the pile's own tariff and the one that holds at the pile."""
    own = tariffs.own_of(device_id)
    found = holding.tariff_of_pile(conn, device_id)
    names = [own] if found is None or found == own else [own, found]
    return _page(conn, rates.c.tariff_id.in_(names), names, now, limit, before)


def _page(
    conn: Connection, wanted: Any, tariff_ids: list[str], now: int, limit: int, before: str | None
) -> list[dict[str, Any]]:
    query = _VERSIONS.where(wanted)
    if before is not None:
        query = query.where(rates.c.rate_id < before)
    rows = _FOUND.narrowed(query.order_by(rates.c.rate_id.desc()).limit(limit)).all(conn)
    held = {row["rate_id"] for each in tariff_ids if (row := running(conn, each, now)) is not None}
    return [view | {"state": _state(view, held, now)} for view in map(_view, rows)]


def _state(version: dict[str, Any], held: set[str], now: int) -> str:
    if version["withdrawn_at"] is not None:
        return "Withdrawn"
    if version["rate_id"] in held:
        return "Running"
    return "Scheduled" if version["from_at"] > max(now, version["published_at"]) else "Past"


def _view(row: _Version) -> dict[str, Any]:
    return json.loads(row.body_json) | {
        "tariff_id": row.tariff_id,
        "from_at": row.from_at,
        "published_by": row.published_by,
        "withdrawn_at": row.withdrawn_at,
    }


def no_rate(device_id: str) -> Problem:
    return Problem(409, "NoRate", "This pile has no rate yet", device_id=device_id)
