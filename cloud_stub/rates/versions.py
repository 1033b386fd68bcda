"""A pile's published rates: immutable versions, of which the latest can be confirmed."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from pile_protocol import topics

from ..base.ids import new_id
from ..base.problems import Problem, pile_removed, unknown_pile
from ..db import audit
from ..db.audit import Actor
from ..db.engine import to_json
from ..db.events import record_event
from ..db.rows import Query
from ..db.tables import piles, rates
from ..db.writer import Transaction
from ..messaging.outbox import withdraw_named
from . import model
from .model import RateBody

VERSIONS_KEPT = 10_000
NO_RATE = "none"  # in the place of a rate_id


class _Pile(NamedTuple):
    rate_id: str | None
    removed_at: int | None


class _Body(NamedTuple):
    body_json: str


_PILE = Query(
    select(piles.c.rate_id, piles.c.removed_at)
    .where(piles.c.device_id == bindparam("device_id"))
    .with_for_update(key_share=True),
    _Pile,
)
_LATEST = Query(
    select(rates.c.body_json)
    .join(piles, piles.c.rate_id == rates.c.rate_id)
    .where(piles.c.device_id == bindparam("device_id")),
    _Body,
)
_BODIES = select(rates.c.body_json)
_HISTORY = Query(_BODIES, _Body)
_VERSION = Query(_BODIES.where(rates.c.rate_id == bindparam("rate_id")), _Body)
_SET_LATEST = update(piles).where(piles.c.device_id == bindparam("of")).values(rate_id=bindparam("rate"))


def publish(
    tx: Transaction,
    actor: Actor,
    put: Callable[..., object],
    device_id: str,
    body: RateBody,
    now: int,
    replaces: str | None = None,
) -> dict[str, Any]:
    """Make `body` the pile's latest rate, a new version also where nothing changed; returns wire.RATE.

    put: `Dispatch.put`, or `put_row` where this process does not speak MQTT. replaces: which rate_id must
    be the latest, NO_RATE for none; None does not ask. Raises Problem (RateReplaced and others).
    """
    rate = model.build(body, "r-" + new_id(), now)
    pile = _PILE.first(tx.conn, {"device_id": device_id})
    if pile is None:
        raise unknown_pile(device_id)
    if pile.removed_at is not None:
        raise pile_removed(device_id, pile.removed_at)
    if replaces is not None and replaces != (pile.rate_id or NO_RATE):
        raise Problem(
            409,
            "RateReplaced",
            "Another version has been published meanwhile; look at it first",
            rate=latest(tx.conn, device_id),
        )
    text = to_json(rate)
    tx.conn.execute(
        insert(rates),
        {"rate_id": rate["rate_id"], "device_id": device_id, "published_at": now, "body_json": text},
    )
    tx.conn.execute(_SET_LATEST, {"of": device_id, "rate": rate["rate_id"]})
    audit.record(tx.conn, actor, now, "RatePublished", device_id=device_id, detail=rate["rate_id"])
    record_event(tx.conn, now, "RatePublished", device_id, detail=rate["rate_id"])
    withdraw_named(tx, device_id, topics.RATE)
    put(tx, device_id, topics.RATE, text, now)
    return rate


def latest(conn: Connection, device_id: str) -> dict[str, Any] | None:
    """The pile's latest rate as wire.RATE."""
    row = _LATEST.first(conn, {"device_id": device_id})
    return json.loads(row.body_json) if row else None


class Versions:
    """Published rates, read from the database once each: a version never changes."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Any]] = {}  # the oldest first

    def get(self, conn: Connection, rate_id: str) -> dict[str, Any]:
        """That version as wire.RATE, to be looked at only: others have the same one."""
        rate = self._known.get(rate_id)
        if rate is None:
            row = _VERSION.one(conn, {"rate_id": rate_id})
            rate = self._known[rate_id] = json.loads(row.body_json)
            if len(self._known) > VERSIONS_KEPT:
                del self._known[next(iter(self._known))]
        return rate


def history(conn: Connection, device_id: str, limit: int, before: str | None) -> list[dict[str, Any]]:
    """The pile's rates as wire.RATE, newest first, older than rate `before`."""
    query = _BODIES.where(rates.c.device_id == device_id)
    if before is not None:
        query = query.where(rates.c.rate_id < before)
    query = query.order_by(rates.c.rate_id.desc()).limit(limit)
    return [json.loads(row.body_json) for row in _HISTORY.narrowed(query).all(conn)]


def no_rate(device_id: str) -> Problem:
    return Problem(409, "NoRate", "This pile has no rate yet", device_id=device_id)
