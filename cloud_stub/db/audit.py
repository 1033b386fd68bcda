"""The audit trail: who did what when, to which pile, order, site, tariff or account. Lines are only added.

Every action of a person writes one line, in the same transaction as the action itself. What happened to a
pile or an order by itself is an event (events), and those are trimmed.
"""

from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select

from .audit_table import audit
from .rows import Query

USER = "user"  # kinds of actors: a named operator,
TOKEN = "token"  # an API token,
SCRIPT = "script"  # the operator token,
COMMAND_LINE = "cli"  # the command line,
CLOUD = "cloud"  # the cloud by itself,
DRIVER = "driver"  # a driver

DETAIL_MAX = 500


class Actor(NamedTuple):
    """Who acts. kind: one of the constants above; name: of the account, token or login."""

    kind: str
    name: str


class AuditRow(NamedTuple):
    """A row of `audit`."""

    id: int
    at: int
    actor_kind: str
    actor: str
    action: str
    device_id: str | None
    order_id: str | None
    site_id: str | None
    tariff_id: str | None
    account: str | None
    detail: str


_LINE = insert(audit)
_ALL = select(audit)
_LINES = Query(_ALL, AuditRow)
OBJECTS = ("device_id", "order_id", "site_id", "tariff_id", "account")


def record(
    conn: Connection,
    actor: Actor,
    at: int,
    action: str,
    *,
    device_id: str | None = None,
    order_id: str | None = None,
    site_id: str | None = None,
    tariff_id: str | None = None,
    account: str | None = None,
    detail: str = "",
) -> None:
    """Add a line. action: a word in the past tense, such as RatePublished; detail: cut at DETAIL_MAX."""
    conn.execute(
        _LINE,
        {
            "at": at,
            "actor_kind": actor.kind,
            "actor": actor.name,
            "action": action,
            "device_id": device_id,
            "order_id": order_id,
            "site_id": site_id,
            "tariff_id": tariff_id,
            "account": account,
            "detail": detail[:DETAIL_MAX],
        },
    )


def list_lines(
    conn: Connection, wanted: dict[str, str], limit: int, before: int | None = None
) -> list[dict[str, Any]]:
    """Newest first, older than line `before`. wanted: what the columns of OBJECTS must be."""
    query = _ALL
    for column, value in wanted.items():
        query = query.where(audit.c[column] == bindparam(column, value))
    if before is not None:
        query = query.where(audit.c.id < before)
    query = query.order_by(audit.c.id.desc()).limit(limit)
    return [row._asdict() for row in _LINES.narrowed(query).all(conn)]
