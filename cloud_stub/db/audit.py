"""The audit trail: who did what when, to which pile, order, site, tariff or account. Lines are only added.

Every action of a person writes one line, in the same transaction as the action itself. What happened to a
pile or an order by itself is an event (events), and those are trimmed.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Connection, Index, String, Table, Text, insert, select

from .rows import Query
from .tables import SERIAL, metadata

_trail = Table(
    "audit",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("actor_kind", String(16), nullable=False),
    Column("actor", String(100), nullable=False),
    Column("action", String(32), nullable=False),
    Column("device_id", String(32)),
    Column("order_id", String(40)),
    Column("site_id", String(40)),
    Column("tariff_id", String(40)),
    Column("account", String(100)),
    Column("detail", Text, nullable=False),
    Index("audit_by_device", "device_id", "id"),
    Index("audit_by_order", "order_id", "id"),
    Index("audit_by_site", "site_id", "id"),
    Index("audit_by_tariff", "tariff_id", "id"),
    Index("audit_by_account", "account", "id"),
    Index("audit_by_actor", "actor", "id"),
    Index("audit_by_action", "action", "id"),
    Index("audit_by_time", "at", "id"),
)

USER = "user"  # kinds of actors: a named operator,
TOKEN = "token"  # an API token,
SCRIPT = "script"  # the operator token,
COMMAND_LINE = "cli"  # the command line,
CLOUD = "cloud"  # the cloud by itself,
DRIVER = "driver"  # a driver,
OCPP = "ocpp"  # the OCPP central system

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


_LINE = insert(_trail)
_ALL = select(_trail)
_LINES = Query(_ALL, AuditRow)
COLUMNS = ("actor", "action", "device_id", "order_id", "site_id", "tariff_id", "account")
CLOCKS_S = 60  # by how much the clocks of two workers may differ


class Line(NamedTuple):
    """What a line tells. action: a word in the past tense, like RatePublished; detail: cut at DETAIL_MAX."""

    action: str
    device_id: str | None = None
    order_id: str | None = None
    site_id: str | None = None
    tariff_id: str | None = None
    account: str | None = None
    detail: str = ""


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
    """Add a line."""
    record_all(conn, actor, at, [Line(action, device_id, order_id, site_id, tariff_id, account, detail)])


def record_all(conn: Connection, actor: Actor, at: int, lines: Iterable[Line]) -> None:
    """Add the lines, with one statement."""
    who = {"at": at, "actor_kind": actor.kind, "actor": actor.name}
    rows = [who | line._asdict() | {"detail": line.detail[:DETAIL_MAX]} for line in lines]
    if rows:
        conn.execute(_LINE, rows)


class Wanted(NamedTuple):
    """Which lines. columns: what those of COLUMNS must be; accounts: also the lines about accounts."""

    columns: Mapping[str, str] = MappingProxyType({})
    from_at: int | None = None
    until_at: int | None = None
    accounts: bool = True


def list_lines(conn: Connection, wanted: Wanted, limit: int, before: int | None = None) -> Sequence[AuditRow]:
    """Newest first, older than line `before`."""
    query = _ALL
    for column, value in wanted.columns.items():
        query = query.where(_trail.c[column] == value)
    if not wanted.accounts:
        query = query.where(_trail.c.account.is_(None))
    # Ids grow with time, but for the difference of two workers' clocks: an index finds the first and last id
    # of the time wanted, and the walk is no longer than that.
    if wanted.from_at is not None:
        first = select(_trail.c.id).where(_trail.c.at >= wanted.from_at - CLOCKS_S)
        first = first.order_by(_trail.c.at, _trail.c.id).limit(1)
        query = query.where(_trail.c.at >= wanted.from_at, _trail.c.id >= first.scalar_subquery())
    if wanted.until_at is not None:
        last = select(_trail.c.id).where(_trail.c.at < wanted.until_at + CLOCKS_S)
        last = last.order_by(_trail.c.at.desc(), _trail.c.id.desc()).limit(1)
        query = query.where(_trail.c.at < wanted.until_at, _trail.c.id <= last.scalar_subquery())
    if before is not None:
        query = query.where(_trail.c.id < before)
    return _LINES.narrowed(query.order_by(_trail.c.id.desc()).limit(limit)).all(conn)
