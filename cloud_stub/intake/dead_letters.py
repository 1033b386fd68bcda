"""Messages that could not be used, kept with the reason for people to look into."""

from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from ..db.rows import Query, RejectRow
from ..db.tables import rejects

PAYLOAD_KEPT = 2000  # characters
_REJECT = insert(rejects)
_ALL = select(rejects)
_REJECTS = Query(_ALL, RejectRow)
_TRIM_REJECTS = delete(rejects).where(
    rejects.c.id <= select(func.max(rejects.c.id)).scalar_subquery() - bindparam("kept")
)


def record_dead_letter(
    conn: Connection, at: int, topic: str, reason: str, detail: str, payload: bytes
) -> None:
    """Keep the beginning of a message that could not be used, and why."""
    kept = payload[:PAYLOAD_KEPT].decode("utf-8", "backslashreplace").replace("\0", "\\x00")
    conn.execute(
        _REJECT,
        {
            "at": at,
            "topic": topic.replace("\0", "\\x00")[:200],
            "reason": reason,
            "detail": detail[:200],
            "size_bytes": len(payload),
            "payload": kept[:PAYLOAD_KEPT],
        },
    )


def trim_dead_letters(conn: Connection, kept: int) -> None:
    """Delete all but the newest `kept` rejects, so that bad messages cannot fill the disk."""
    conn.execute(_TRIM_REJECTS, {"kept": kept})


def list_dead_letters(
    conn: Connection, reason: str | None, limit: int, before: int | None
) -> list[dict[str, Any]]:
    """Newest first, older than reject `before`."""
    query = _ALL
    if reason is not None:
        query = query.where(rejects.c.reason == reason)
    if before is not None:
        query = query.where(rejects.c.id < before)
    query = query.order_by(rejects.c.id.desc()).limit(limit)
    return [row._asdict() for row in _REJECTS.narrowed(query).all(conn)]
