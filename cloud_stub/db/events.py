"""Events: what happened to piles and orders, for an operator to look into. The oldest are trimmed.

Who did what is in the audit trail (audit), which is never trimmed.
"""

from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from .rows import EventRow, Query
from .tables import events

_EVENT = insert(events)
_ALL = select(events)
_EVENTS = Query(_ALL, EventRow)
_TRIM_EVENTS = delete(events).where(
    events.c.id <= select(func.max(events.c.id)).scalar_subquery() - bindparam("kept")
)


def record_event(
    conn: Connection, at: int, kind: str, device_id: str, order_id: str | None = None, detail: str = ""
) -> None:
    """Store an event; `kind` is a word in the past tense."""
    conn.execute(
        _EVENT, {"at": at, "device_id": device_id, "order_id": order_id, "kind": kind, "detail": detail}
    )


def record_events(conn: Connection, events: list[dict[str, Any]]) -> None:
    """Store several; each has the members of record_event."""
    if events:
        conn.execute(_EVENT, events)


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
