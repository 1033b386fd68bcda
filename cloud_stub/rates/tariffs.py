"""Tariffs: a name for a row of versions. The tariff `pile:<device_id>` is of that pile alone."""

import re
from typing import Any, NamedTuple

from pydantic import Field
from sqlalchemy import Connection, bindparam, exists, func, or_, select, update

from ..base.body import Body
from ..base.problems import Problem, require_unchanged
from ..base.text import LINE_PATTERN
from ..db import audit
from ..db.audit import Actor
from ..db.engine import insert_or_ignore
from ..db.rows import Query
from ..db.site_tables import connector_tariffs, sites, tariffs
from ..db.tables import piles
from ..db.writer import Transaction
from . import holding
from .model import ID_PATTERN

OF_PILE = "pile:"
_ID = re.compile(rf"({OF_PILE})?[A-Za-z0-9_-]{{1,40}}")


class TariffBody(Body):
    tariff_id: str = Field(pattern=ID_PATTERN, examples=["city"])
    name: str = Field(min_length=1, max_length=100, pattern=LINE_PATTERN, examples=["City, from May"])


class NameFields(Body):
    name: str = Field(min_length=1, max_length=100, pattern=LINE_PATTERN, examples=["City"])


class NameBody(NameFields):
    replaces: NameFields | None = Field(default=None, description="What the caller knows of the tariff")


class TariffRow(NamedTuple):
    """A row of `tariffs`."""

    tariff_id: str
    name: str
    created_at: int
    removed_at: int | None


class _Listed(NamedTuple):
    tariff_id: str
    name: str
    created_at: int
    rate_id: str | None
    sites: int
    piles: int
    connectors: int


_BY_ID = select(tariffs).where(tariffs.c.tariff_id == bindparam("tariff_id"))
_GET = Query(_BY_ID, TariffRow)
_LOCK = Query(_BY_ID.with_for_update(key_share=True), TariffRow)
_RENAME = update(tariffs).where(tariffs.c.tariff_id == bindparam("of")).values(name=bindparam("to"))
_REMOVE = update(tariffs).where(tariffs.c.tariff_id == bindparam("of")).values(removed_at=bindparam("at"))
_IS_ASSIGNED = select(
    or_(
        exists().where(sites.c.tariff_id == bindparam("tariff_id")),
        exists().where(piles.c.tariff_id == bindparam("tariff_id"), piles.c.removed_at.is_(None)),
        exists().where(connector_tariffs.c.tariff_id == bindparam("tariff_id")),
    )
)


def _count(table: Any) -> Any:
    counted = select(func.count()).select_from(table).where(table.c.tariff_id == tariffs.c.tariff_id)
    return counted.correlate(tariffs).scalar_subquery()


_LIST = select(
    tariffs.c.tariff_id,
    tariffs.c.name,
    tariffs.c.created_at,
    holding.version_at(tariffs.c.tariff_id).label("rate_id"),
    _count(sites).label("sites"),
    _count(piles).label("piles"),
    _count(connector_tariffs).label("connectors"),
).where(tariffs.c.removed_at.is_(None))
_LISTED = Query(_LIST, _Listed)


def own_of(device_id: str) -> str:
    """The id of the tariff of that pile alone."""
    return OF_PILE + device_id


def pile_of(tariff_id: str) -> str | None:
    """The pile whose own tariff that is."""
    return tariff_id.removeprefix(OF_PILE) if tariff_id.startswith(OF_PILE) else None


def unknown_tariff(tariff_id: str) -> Problem:
    return Problem(404, "UnknownTariff", "There is no tariff with that id", tariff_id=tariff_id[:64])


def add(tx: Transaction, actor: Actor, body: TariffBody, now: int) -> TariffRow:
    """Raises Problem (TariffExists); the id of a removed tariff is not used again."""
    values = {"tariff_id": body.tariff_id, "name": body.name, "created_at": now}
    statement = insert_or_ignore(tx.conn, tariffs).returning(tariffs.c.tariff_id)
    if tx.conn.execute(statement, values).scalar_one_or_none() is None:
        title = "There is, or was, a tariff with that id"
        raise Problem(409, "TariffExists", title, tariff_id=body.tariff_id)
    audit.record(tx.conn, actor, now, "TariffAdded", tariff_id=body.tariff_id, detail=body.name)
    return get(tx.conn, body.tariff_id)


def ensure_own(tx: Transaction, device_id: str, name: str, now: int) -> str:
    """The id of the pile's own tariff, which is made where there is none."""
    tariff_id = own_of(device_id)
    tx.conn.execute(
        insert_or_ignore(tx.conn, tariffs), {"tariff_id": tariff_id, "name": name, "created_at": now}
    )
    return tariff_id


def get(conn: Connection, tariff_id: str, lock: bool = False) -> TariffRow:
    """Its row, locked against other writers if `lock`. Raises Problem (UnknownTariff)."""
    row = None
    if _ID.fullmatch(tariff_id):
        row = (_LOCK if lock else _GET).first(conn, {"tariff_id": tariff_id})
    if row is None or row.removed_at is not None:
        raise unknown_tariff(tariff_id)
    return row


def rename(tx: Transaction, actor: Actor, tariff_id: str, body: NameBody, now: int) -> TariffRow:
    """Raises Problem: UnknownTariff; Replaced where the tariff is not as `body.replaces` says."""
    before = get(tx.conn, tariff_id, lock=True)
    if body.replaces is not None:
        require_unchanged(body.replaces.model_dump(), before._asdict())
    if body.name == before.name:
        return before
    tx.conn.execute(_RENAME, {"of": tariff_id, "to": body.name})
    detail = f"{before.name} -> {body.name}"
    audit.record(tx.conn, actor, now, "TariffRenamed", tariff_id=tariff_id, detail=detail)
    return get(tx.conn, tariff_id)


def remove(tx: Transaction, actor: Actor, tariff_id: str, now: int) -> None:
    """Remove it from the lists; its versions stay for the orders that locked them.

    Raises Problem: UnknownTariff; TariffInUse while it is assigned.
    """
    get(tx.conn, tariff_id, lock=True)
    if tx.conn.execute(_IS_ASSIGNED, {"tariff_id": tariff_id}).scalar_one():
        raise Problem(409, "TariffInUse", "The tariff is assigned; assign another one there first")
    tx.conn.execute(_REMOVE, {"of": tariff_id, "at": now})
    audit.record(tx.conn, actor, now, "TariffRemoved", tariff_id=tariff_id)


def list_views(
    conn: Connection, now: int, limit: int, after: str | None = None, of_piles: bool = False
) -> list[dict[str, Any]]:
    """The tariffs by id, later than `after`, with the version that holds and to how many places each is
    assigned. of_piles: also those of one pile.
    """
    query = _LIST
    if not of_piles:
        query = query.where(~tariffs.c.tariff_id.startswith(OF_PILE))
    if after is not None:
        query = query.where(tariffs.c.tariff_id > after)
    rows = _LISTED.narrowed(query.order_by(tariffs.c.tariff_id).limit(limit)).all(conn, {"now": now})
    return [row._asdict() for row in rows]


def one_view(conn: Connection, tariff_id: str, now: int) -> dict[str, Any]:
    """As list_views, of one. Raises Problem (UnknownTariff)."""
    get(conn, tariff_id)
    query = _LIST.where(tariffs.c.tariff_id == tariff_id)
    return _LISTED.narrowed(query).one(conn, {"now": now})._asdict()
