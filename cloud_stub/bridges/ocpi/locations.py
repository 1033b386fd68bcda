"""Sites as locations. Each connector of a pile is an EVSE of its own, because all can be used at once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from ...base.clock import iso_utc
from ...db import json_lists
from ...db.engine import to_json
from ...db.rows import PileRow, Query
from ...db.site_tables import sites
from ...db.tables import piles
from ...piles import views as pile_views
from ...rates.holding import PILE, Versions
from .party import Party


class SiteRow(NamedTuple):
    """The exported columns of `sites`."""

    site_id: str
    name: str
    time_zone: str
    created_at: int


_SITES = Query(
    select(sites.c.site_id, sites.c.name, sites.c.time_zone, sites.c.created_at)
    .where(sites.c.site_id.in_(json_lists.texts("site_ids")))
    .order_by(sites.c.created_at, sites.c.site_id),
    SiteRow,
)
_PILES = Query(
    select(piles).where(piles.c.site_id.in_(json_lists.texts("site_ids"))).order_by(piles.c.device_id),
    PileRow,
)
_STATUSES = {
    "Available": "AVAILABLE",
    "Preparing": "AVAILABLE",
    "Charging": "CHARGING",
    "SuspendedEV": "CHARGING",
    "SuspendedEVSE": "CHARGING",
    "Finishing": "CHARGING",
    "Faulted": "OUTOFORDER",
}


def minute(now: int) -> int:
    """The beginning of this minute: `last_updated` of what may change at any time."""
    return now - now % 60


def exported(conn: Connection, party: Party) -> Sequence[SiteRow]:
    """The sites that the party's file names, oldest first."""
    return _SITES.all(conn, {"site_ids": to_json(list(party.sites))})


def locations(conn: Connection, party: Party, rates: Versions, now: int) -> list[tuple[int, dict[str, Any]]]:
    """(when it was last changed, location) of each site.

    That is in this minute: when a pile went offline, left the site or got another price is not stored with
    it, and a partner who asks for changes since the last time must not miss that.
    """
    rows = _PILES.all(conn, {"site_ids": to_json(list(party.sites))})
    device_ids = [row.device_id for row in rows if row.removed_at is None]
    changed_at = minute(now)
    held = rates.at_piles(conn, device_ids, now)
    views = pile_views.all_connector_views(conn, rows, now)
    found = []
    for site in exported(conn, party):
        there = [row for row in rows if row.site_id == site.site_id]
        evses = [
            each
            for row in there
            for each in _evses(party, row, views[row.device_id], held[row.device_id], changed_at)
        ]
        found.append((changed_at, _location(party, site, evses, changed_at)))
    return found


def _location(party: Party, site: SiteRow, evses: list[dict[str, Any]], changed_at: int) -> dict[str, Any]:
    return {
        "country_code": party.country_code,
        "party_id": party.party_id,
        "id": site.site_id,
        "publish": True,
        "name": site.name,
        **party.sites[site.site_id].members(),
        "evses": evses,
        "operator": {"name": party.operator},
        "time_zone": site.time_zone,
        "last_updated": iso_utc(changed_at),
    }


def _evses(
    party: Party,
    pile: PileRow,
    views: Sequence[Mapping[str, Any]],
    held: Mapping[int, Mapping[str, Any]],
    changed_at: int,
) -> Iterator[dict[str, Any]]:
    connector = party.connector_of(pile.device_id)
    changed = {"last_updated": iso_utc(pile.removed_at or changed_at)}
    for view in views:
        number = view["connector"]
        rate = held.get(number, held.get(PILE))
        power_w = {"max_electric_power": pile.connector_power_w} if pile.connector_power_w else {}
        yield {
            "uid": party.evse_uid(pile.device_id, number),
            "evse_id": party.evse_id(pile.device_id, number),
            "status": "REMOVED" if pile.removed_at else _status(view, pile.online),
            "connectors": [
                {
                    "id": "1",
                    "standard": connector.standard,
                    "format": connector.format,
                    "power_type": connector.power_type,
                    "max_voltage": connector.max_voltage,
                    "max_amperage": connector.max_amperage,
                    **power_w,
                    "tariff_ids": [rate["rate_id"]] if rate else [],
                    **changed,
                }
            ],
            "physical_reference": f"{pile.name[:13]} {number}",
            **changed,
        }


def _status(view: Mapping[str, Any], online: bool) -> str:
    if view["out_of_service"] and not view["busy"]:
        return "INOPERATIVE"
    if not online:
        return "UNKNOWN"
    if view["busy"]:
        return "CHARGING"
    return _STATUSES.get(view["status"], "INOPERATIVE")
