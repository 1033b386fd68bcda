"""Where tariffs are assigned: to sites, piles and connectors, many at once."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, update

from ..base.problems import invalid, require_unchanged
from ..db import audit, json_lists
from ..db.audit import Actor
from ..db.engine import to_json
from ..db.rows import Query
from ..db.site_tables import connector_tariffs, sites
from ..db.tables import piles
from ..db.writer import Transaction
from ..messaging.outbox import Outbox
from . import billing, displays, tariffs, zones

PLACES_MAX = 500


class Place(NamedTuple):
    """A site, a pile (connector 0) or a connector of a pile. The other id is empty."""

    site_id: str
    device_id: str
    connector: int

    def __str__(self) -> str:
        if self.site_id:
            return f"site:{self.site_id}"
        return f"connector:{self.device_id}/{self.connector}" if self.connector else f"pile:{self.device_id}"


class _Site(NamedTuple):
    site_id: str
    tariff_id: str | None


class _Pile(NamedTuple):
    device_id: str
    connectors: int
    tariff_id: str | None


class _Connector(NamedTuple):
    device_id: str
    connector: int
    tariff_id: str


class _AtSite(NamedTuple):
    site_id: str


class _AtPile(NamedTuple):
    device_id: str


class _AtConnector(NamedTuple):
    device_id: str
    connector: int


_SITES = Query(
    select(sites.c.site_id, sites.c.tariff_id)
    .where(sites.c.site_id.in_(json_lists.texts("site_ids")))
    .order_by(sites.c.site_id)
    .with_for_update(key_share=True),
    _Site,
)
_PILES = Query(
    select(piles.c.device_id, piles.c.connectors, piles.c.tariff_id)
    .where(piles.c.device_id.in_(json_lists.texts("device_ids")), piles.c.removed_at.is_(None))
    .order_by(piles.c.device_id)
    .with_for_update(key_share=True),
    _Pile,
)
_CONNECTORS = Query(
    select(connector_tariffs).where(connector_tariffs.c.device_id.in_(json_lists.texts("device_ids"))),
    _Connector,
)
_IS_CONNECTOR = (connector_tariffs.c.device_id == bindparam("of")) & (
    connector_tariffs.c.connector == bindparam("at")
)
_THESE = json_lists.texts("these")
_SET_SITES = update(sites).where(sites.c.site_id.in_(_THESE)).values(tariff_id=bindparam("tariff"))
_SET_PILES = update(piles).where(piles.c.device_id.in_(_THESE)).values(tariff_id=bindparam("tariff"))
_CLEAR_CONNECTOR = delete(connector_tariffs).where(_IS_CONNECTOR)
_INSERT_CONNECTOR = connector_tariffs.insert()
_OF_TARIFF = bindparam("tariff_id")
_AT_SITES = Query(
    select(sites.c.site_id).where(sites.c.tariff_id == _OF_TARIFF).order_by(sites.c.site_id), _AtSite
)
_AT_PILES = Query(
    select(piles.c.device_id)
    .where(piles.c.tariff_id == _OF_TARIFF, piles.c.removed_at.is_(None))
    .order_by(piles.c.device_id),
    _AtPile,
)
_AT_CONNECTORS = Query(
    select(connector_tariffs.c.device_id, connector_tariffs.c.connector)
    .where(connector_tariffs.c.tariff_id == _OF_TARIFF)
    .order_by(connector_tariffs.c.device_id, connector_tariffs.c.connector),
    _AtConnector,
)


def assign(
    tx: Transaction,
    actor: Actor,
    outbox: Outbox,
    places: Iterable[Place],
    tariff_id: str | None,
    now: int,
    seen: Mapping[str, str | None] | None = None,
) -> list[Place]:
    """Let the tariff hold at the places, None: what their pile or site has. All of them or none.

    seen: what the caller knows to be assigned at a place, by its text. Orders that run keep what they have
    locked. Raises Problem: UnknownTariff, InvalidRequest, RateNotBillable; Replaced where another tariff than
    `seen` says is assigned.
    """
    if tariff_id is not None:
        tariffs.get(tx.conn, tariff_id, lock=True)
    wanted = sorted(set(places))
    present = _lock_present(tx.conn, wanted)
    changing = {str(place): before for place, before in present.items() if before != tariff_id}
    require_unchanged({place: seen[place] for place in changing if place in seen} if seen else None, changing)
    if tariff_id is not None:
        _require_assignable(tx.conn, tariff_id, wanted, now)
    else:
        left = [(place.device_id, place.connector) for place in wanted if place.device_id]
        billing.require_after_leaving(tx.conn, left, now)
    changed = {place: before for place, before in present.items() if before != tariff_id}
    _set(tx, changed, tariff_id)
    lines = [
        audit.Line(
            action,
            device_id=place.device_id or None,
            site_id=place.site_id or None,
            tariff_id=of,
            detail=f"{place.device_id}/{place.connector}" if place.connector else "",
        )
        for place, before in changed.items()
        for action, of in (("TariffUnassigned", before), ("TariffAssigned", tariff_id))
        if of is not None
    ]
    audit.record_all(tx.conn, actor, now, lines)
    displays.mark_piles(tx, (place.device_id for place in wanted if place.device_id), now)
    for place in wanted:
        if place.site_id:
            displays.mark_site(tx, place.site_id, now)
    displays.send_due(tx, outbox, now)
    return wanted


def _lock_present(conn: Connection, places: list[Place]) -> dict[Place, str | None]:
    """The tariff that is assigned at each, held against other writers.

    Raises Problem (InvalidRequest) naming those that do not exist.
    """
    site_ids = {place.site_id for place in places if place.site_id}
    device_ids = {place.device_id for place in places if place.device_id}
    of_piles = {"device_ids": to_json(sorted(device_ids))}
    found: dict[Place, str | None] = {}
    for site in _SITES.all(conn, {"site_ids": to_json(sorted(site_ids))}):
        found[Place(site.site_id, "", 0)] = site.tariff_id
    for pile in _PILES.all(conn, of_piles):
        found[Place("", pile.device_id, 0)] = pile.tariff_id
        found |= {Place("", pile.device_id, number): None for number in range(1, pile.connectors + 1)}
    wrong = [place for place in places if place not in found]
    if wrong:
        raise invalid(*(("places", f"there is no {place}") for place in wrong[:20]))
    for row in _CONNECTORS.all(conn, of_piles):
        found[Place("", row.device_id, row.connector)] = row.tariff_id
    return {place: found[place] for place in places}


def _require_assignable(conn: Connection, tariff_id: str, places: list[Place], now: int) -> None:
    own = tariffs.pile_of(tariff_id)
    if own is not None and any(place.device_id != own for place in places):
        raise invalid(("tariff_id", f"is of the pile {own} alone; copy it into a tariff with a name"))
    if zones.are_needed(conn, tariff_id, now):
        zones.require_sites(conn, (place.device_id for place in places if place.device_id), "places")
    billing.require_at_places(conn, billing.held_or_to_come(conn, tariff_id, now), places)


def _set(tx: Transaction, places: Iterable[Place], tariff_id: str | None) -> None:
    """Assign the tariff to places, None: none."""
    every = list(places)
    for statement, ids in (
        (_SET_SITES, [place.site_id for place in every if place.site_id]),
        (_SET_PILES, [place.device_id for place in every if place.device_id and not place.connector]),
    ):
        if ids:
            tx.conn.execute(statement, {"these": to_json(ids), "tariff": tariff_id})
    connectors = [place for place in every if place.connector]
    if not connectors:
        return
    ids = [{"of": each.device_id, "at": each.connector} for each in connectors]
    tx.conn.execute(_CLEAR_CONNECTOR, ids)
    if tariff_id is not None:
        rows = [
            {"device_id": each.device_id, "connector": each.connector, "tariff_id": tariff_id}
            for each in connectors
        ]
        tx.conn.execute(_INSERT_CONNECTOR, rows)


def places_of(conn: Connection, tariff_id: str) -> list[str]:
    """Where the tariff is assigned, as texts: sites, then piles, then connectors."""
    parameters = {"tariff_id": tariff_id}
    found = [Place(row.site_id, "", 0) for row in _AT_SITES.all(conn, parameters)]
    found += [Place("", row.device_id, 0) for row in _AT_PILES.all(conn, parameters)]
    found += [Place("", row.device_id, row.connector) for row in _AT_CONNECTORS.all(conn, parameters)]
    return [str(place) for place in found]
