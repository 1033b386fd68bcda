"""Events: what happened to piles and orders, for an operator to look into. The oldest are trimmed.

Here, and nowhere else, receivers are told of events: each event becomes a row of the outbox, in the same
transaction, for every active receiver that asked for its kind (messaging/receivers.py reads the rows). Who
the receivers are is read from the database at most once in RECEIVERS_S.

Who did what is in the audit trail (audit), which is never trimmed.
"""

import time
from collections.abc import Iterable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import orjson
from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select

from ..base.ids import new_id
from .engine import to_json
from .event_kinds import GROUP_OF
from .receiver_tables import receivers
from .rows import EventRow, Query
from .tables import events, outbox

RECEIVERS_S = 1  # for this time at most a process does not know of a new receiver

_EVENT = insert(events)
_ALL = select(events)
_EVENTS = Query(_ALL, EventRow)
_TRIM_EVENTS = delete(events).where(
    events.c.id <= select(func.max(events.c.id)).scalar_subquery() - bindparam("kept")
)


class _ActiveRow(NamedTuple):
    name: str
    kinds_json: str
    per_pile: bool


class _Receiver(NamedTuple):
    name: str
    kinds: frozenset[str]
    per_pile: bool


class _Receivers(NamedTuple):
    read_at: float  # time.monotonic() seconds
    found: list[_Receiver]


_ACTIVE = Query(
    select(receivers.c.name, receivers.c.kinds_json, receivers.c.per_pile).where(receivers.c.active),
    _ActiveRow,
)
_OUTBOX = insert(outbox)
_known: WeakKeyDictionary[Engine, _Receivers] = WeakKeyDictionary()


def record_event(
    conn: Connection, at: int, kind: str, device_id: str, order_id: str | None = None, detail: str = ""
) -> None:
    """Store an event, and tell receivers of it; `kind` is a word in the past tense."""
    event = {"at": at, "device_id": device_id, "order_id": order_id, "kind": kind, "detail": detail}
    record_events(conn, [event])


def record_events(conn: Connection, events: list[dict[str, Any]]) -> None:
    """Store several, and tell receivers of them; each has the members of record_event."""
    if events:
        conn.execute(_EVENT, events)
        tell_receivers(conn, events)


def tell_receivers(conn: Connection, events: Iterable[dict[str, Any]]) -> None:
    """Put each event into the outbox of every active receiver of its kind; it is stored nowhere else.

    An event has the members of record_event, all of them.
    """
    active = _active(conn)
    rows = [row for event in events for row in _rows(event, active)] if active else []
    if rows:
        conn.execute(_OUTBOX, rows)


def forget_receivers() -> None:
    """Read again who the receivers are, because this process has changed it."""
    _known.clear()


def _active(conn: Connection) -> list[_Receiver]:
    known = _known.get(conn.engine)
    now = time.monotonic()
    if known is None or now - known.read_at > RECEIVERS_S:
        found = [
            _Receiver(row.name, frozenset(orjson.loads(row.kinds_json)), row.per_pile)
            for row in _ACTIVE.all(conn)
        ]
        known = _known[conn.engine] = _Receivers(now, found)
    return known.found


def _rows(event: dict[str, Any], active: list[_Receiver]) -> list[dict[str, Any]]:
    """The rows of the outbox; none of an event without a pile."""
    kind, at = event["kind"], event["at"]
    wanted = [each for each in active if kind in each.kinds or GROUP_OF.get(kind) in each.kinds]
    if not wanted or not event["device_id"]:
        return []
    payload = to_json({"event_id": new_id()} | event)
    lane = event["order_id"] or event["device_id"]
    return [
        {
            "device_id": event["device_id"],
            "order_id": event["order_id"],
            "name": kind,
            "payload": payload,
            "created_at": at,
            "leased_until": at,
            "receiver": each.name,
            "lane": event["device_id"] if each.per_pile else lane,
        }
        for each in wanted
    ]


def trim_events(conn: Connection, kept: int) -> None:
    """Delete all but the newest `kept` events, so that a pile that connects again and again does not fill the
    disk.
    """
    conn.execute(_TRIM_EVENTS, {"kept": kept})


def list_events(
    conn: Connection, device_id: str | None, order_id: str | None, limit: int, before: int | None
) -> list[dict[str, Any]]:
    """Newest first, older than event `before`."""
    query = _ALL
    if device_id is not None:
        query = query.where(events.c.device_id == device_id)
    if order_id is not None:
        query = query.where(events.c.order_id == order_id)
    if before is not None:
        query = query.where(events.c.id < before)
    query = query.order_by(events.c.id.desc()).limit(limit)
    return [row._asdict() for row in _EVENTS.narrowed(query).all(conn)]
