"""The table of sites: adding, changing, removing one, and which piles are there."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import Field
from sqlalchemy import Connection, bindparam, delete, func, select, update

from ..base.body import Body
from ..base.problems import Problem, invalid, require_unchanged
from ..base.text import LINE_PATTERN
from ..db import audit, json_lists
from ..db.audit import Actor
from ..db.engine import insert_or_ignore, to_json
from ..db.payment_tables import free_grants
from ..db.rows import Query
from ..db.site_tables import sites
from ..db.tables import piles
from ..db.writer import Transaction
from ..orders import places
from ..piles import registry as pile_registry
from ..rates import billing, displays, zones
from ..rates.model import ID_PATTERN, is_time_zone


class SiteBody(Body):
    site_id: str = Field(pattern=ID_PATTERN, examples=["HARBOUR"])
    name: str = Field(min_length=1, max_length=100, pattern=LINE_PATTERN, examples=["Harbour car park"])
    address: str = Field(default="", max_length=300, pattern=LINE_PATTERN)
    time_zone: str = Field(max_length=64, examples=["Asia/Shanghai"])
    contact: str = Field(default="", max_length=300, pattern=LINE_PATTERN)


class SiteFields(Body):
    """What may be changed of a site."""

    name: str | None = Field(default=None, min_length=1, max_length=100, pattern=LINE_PATTERN)
    address: str | None = Field(default=None, max_length=300, pattern=LINE_PATTERN)
    time_zone: str | None = Field(default=None, max_length=64)
    contact: str | None = Field(default=None, max_length=300, pattern=LINE_PATTERN)


class SiteChangeBody(SiteFields):
    """What is to be changed of a site; what is not named stays."""

    replaces: SiteFields | None = Field(default=None, description="What the caller knows of the site")


class SiteRow(NamedTuple):
    """A row of `sites`."""

    site_id: str
    name: str
    address: str
    time_zone: str
    contact: str
    tariff_id: str | None
    created_at: int
    remote_start_rate_id: str | None


class _Listed(NamedTuple):
    site_id: str
    name: str
    address: str
    time_zone: str
    contact: str
    tariff_id: str | None
    created_at: int
    remote_start_rate_id: str | None
    piles: int
    online: int


_BY_ID = select(sites).where(sites.c.site_id == bindparam("site_id"))
_GET = Query(_BY_ID, SiteRow)
_LOCK = Query(_BY_ID.with_for_update(key_share=True), SiteRow)
_THERE = (piles.c.site_id == sites.c.site_id) & piles.c.removed_at.is_(None)


def _count(*conditions: Any) -> Any:
    counted = select(func.count()).select_from(piles).where(_THERE, *conditions)
    return counted.correlate(sites).scalar_subquery()


_LIST = select(*sites.c, _count().label("piles"), _count(piles.c.online).label("online"))
_LISTED = Query(_LIST, _Listed)
_REMOVE = delete(sites).where(sites.c.site_id == bindparam("of"))
_END_FREE = (
    update(free_grants)
    .where(free_grants.c.site_id == bindparam("of"), free_grants.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("now"))
)
_REMOVED_THERE = select(piles.c.device_id).where(piles.c.site_id == bindparam("of"))
_LEAVE_REMOVED = update(piles).where(piles.c.site_id == bindparam("of")).values(site_id=None)
_MOVE = (
    update(piles).where(piles.c.device_id.in_(json_lists.texts("device_ids"))).values(site_id=bindparam("to"))
)


def get(conn: Connection, site_id: str, lock: bool = False) -> SiteRow:
    """Its row, locked against other writers if `lock`. Raises Problem (UnknownSite)."""
    row = None
    if re.match(ID_PATTERN, site_id):
        row = (_LOCK if lock else _GET).first(conn, {"site_id": site_id})
    if row is None:
        raise Problem(404, "UnknownSite", "There is no site with that id", site_id=site_id[:64])
    return row


def require_known(conn: Connection, site_id: str) -> None:
    """Raises Problem (UnknownSite) where there is no site with that id and never was one."""
    was_there = audit.Wanted({"site_id": site_id})
    if not (re.match(ID_PATTERN, site_id) and audit.list_lines(conn, was_there, 1)):
        get(conn, site_id)


def add(tx: Transaction, actor: Actor, body: SiteBody, now: int) -> dict[str, Any]:
    """Raises Problem: SiteExists, InvalidRequest."""
    _require_zone(body.time_zone)
    values = body.model_dump() | {"created_at": now}
    statement = insert_or_ignore(tx.conn, sites).returning(sites.c.site_id)
    if tx.conn.execute(statement, values).scalar_one_or_none() is None:
        raise Problem(409, "SiteExists", "There is a site with that id already", site_id=body.site_id)
    audit.record(tx.conn, actor, now, "SiteAdded", site_id=body.site_id, detail=body.name)
    return one_view(tx.conn, body.site_id)


def change(tx: Transaction, actor: Actor, site_id: str, body: SiteChangeBody, now: int) -> dict[str, Any]:
    """With another time zone the tariffs without one of their own hold by that, for new orders.

    Raises Problem: UnknownSite, InvalidRequest; Replaced where the site is not as `body.replaces` says.
    """
    before = get(tx.conn, site_id, lock=True)._asdict()
    wanted = body.model_dump(exclude_none=True)
    require_unchanged(wanted.pop("replaces", None), before)
    changed = {name: value for name, value in wanted.items() if value != before[name]}
    if "time_zone" in changed:
        _require_zone(changed["time_zone"])
    if changed:
        tx.conn.execute(update(sites).where(sites.c.site_id == site_id).values(changed))
        detail = "; ".join(f"{name}: {before[name]} -> {value}" for name, value in changed.items())
        audit.record(tx.conn, actor, now, "SiteChanged", site_id=site_id, detail=detail)
    if "time_zone" in changed:
        displays.mark_site(tx, site_id, now)
    return one_view(tx.conn, site_id)


def _require_zone(name: str) -> None:
    if not is_time_zone(name):
        raise invalid(("time_zone", "is not a time zone of the IANA database"))


def remove(tx: Transaction, actor: Actor, site_id: str, now: int) -> None:
    """Charging for free there ends too. Raises Problem: UnknownSite; SiteInUse while piles are there."""
    get(tx.conn, site_id, lock=True)
    there = one_view(tx.conn, site_id)["piles"]
    if there:
        raise Problem(409, "SiteInUse", "Piles are at the site; move them to another one first", piles=there)
    places.keep(tx.conn, tx.conn.execute(_REMOVED_THERE, {"of": site_id}).scalars())
    tx.conn.execute(_LEAVE_REMOVED, {"of": site_id})
    tx.conn.execute(_END_FREE, {"of": site_id, "now": now})
    tx.conn.execute(_REMOVE, {"of": site_id})
    audit.record(tx.conn, actor, now, "SiteRemoved", site_id=site_id)


def move(tx: Transaction, actor: Actor, device_ids: Sequence[str], site_id: str | None, now: int) -> None:
    """Let these piles be at the site, None: at none. Orders that run keep what they have locked.

    device_ids: of selection.pile_ids. Raises Problem: UnknownSite; InvalidRequest where a pile would be left
    without a time zone; RateNotBillable.
    """
    if site_id is not None:
        tariff_id = get(tx.conn, site_id, lock=True).tariff_id
        if tariff_id is not None:
            billing.require_after_move(tx.conn, device_ids, tariff_id, now)
    else:
        zones.require_own(tx.conn, device_ids, "site_id", now)
    rows = sorted(pile_registry.lock_many(tx.conn, device_ids).items())
    before = {device_id: row.site_id for device_id, row in rows if row.site_id != site_id}
    places.keep(tx.conn, before)
    tx.conn.execute(_MOVE, {"device_ids": to_json(list(before)), "to": site_id})
    lines = [
        audit.Line(action, device_id, site_id=of)
        for device_id, left in before.items()
        for action, of in (("PileMovedAway", left), ("PileMoved", site_id))
        if of is not None
    ]
    audit.record_all(tx.conn, actor, now, lines)
    displays.mark_piles(tx, before, now)


def list_views(conn: Connection, limit: int, after: str | None = None) -> list[dict[str, Any]]:
    """The sites by id, later than `after`, and how many piles are there and online."""
    query = _LIST
    if after is not None:
        query = query.where(sites.c.site_id > after)
    return [row._asdict() for row in _LISTED.narrowed(query.order_by(sites.c.site_id).limit(limit)).all(conn)]


def one_view(conn: Connection, site_id: str) -> dict[str, Any]:
    """As list_views, of one. Raises Problem (UnknownSite)."""
    get(conn, site_id)
    return _LISTED.narrowed(_LIST.where(sites.c.site_id == site_id)).one(conn)._asdict()
