"""Which piles and connectors a tariff reaches: where it is assigned and nothing nearer is."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, func, select

from ..db import json_lists
from ..db.engine import to_json
from ..db.rows import Query
from ..db.site_tables import connector_tariffs, sites
from ..db.tables import piles


class _Pile(NamedTuple):
    device_id: str
    name: str
    connectors: int
    site_id: str | None
    of_pile: str | None


class _Held(NamedTuple):
    device_id: str
    connectors: int
    of_pile: str | None
    of_site: str | None


class _AtPlace(NamedTuple):
    device_id: str
    connectors: int
    of_site: bool


class _Own(NamedTuple):
    device_id: str
    connector: int
    tariff_id: str


def may_reach(tariff_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """A condition on `piles`: the tariff is assigned to it, its site or one of its connectors.

    A superset of the piles that it reaches: all connectors may have nearer ones.
    """
    sites_of = select(sites.c.site_id).where(sites.c.tariff_id == tariff_id)
    with_connector = select(connector_tariffs.c.device_id).where(connector_tariffs.c.tariff_id == tariff_id)
    return piles.c.removed_at.is_(None) & (
        (piles.c.tariff_id == tariff_id)
        | (piles.c.tariff_id.is_(None) & piles.c.site_id.in_(sites_of))
        | piles.c.device_id.in_(with_connector)
    )


_PILES = (
    select(
        piles.c.device_id,
        piles.c.name,
        piles.c.connectors,
        piles.c.site_id,
        func.coalesce(piles.c.tariff_id, sites.c.tariff_id).label("of_pile"),
    )
    .select_from(piles.outerjoin(sites))
    .where(may_reach(bindparam("tariff_id")), piles.c.device_id > bindparam("after"))
    .order_by(piles.c.device_id)
    .limit(bindparam("limit"))
)
_REACHED = Query(_PILES, _Pile)
_OWN = Query(
    select(connector_tariffs).where(connector_tariffs.c.device_id.in_(json_lists.texts("device_ids"))), _Own
)


_AT_PLACES = Query(
    select(
        piles.c.device_id,
        piles.c.connectors,
        (piles.c.tariff_id.is_(None) & piles.c.site_id.in_(json_lists.texts("site_ids"))).label("of_site"),
    ).where(
        piles.c.removed_at.is_(None),
        piles.c.device_id.in_(json_lists.texts("device_ids"))
        | (piles.c.tariff_id.is_(None) & piles.c.site_id.in_(json_lists.texts("site_ids"))),
    ),
    _AtPlace,
)
_HELD = Query(
    select(
        piles.c.device_id,
        piles.c.connectors,
        piles.c.tariff_id.label("of_pile"),
        sites.c.tariff_id.label("of_site"),
    )
    .select_from(piles.outerjoin(sites))
    .where(piles.c.device_id.in_(json_lists.texts("device_ids"))),
    _Held,
)
_PAGE = 500


def all_reached(conn: Connection, tariff_id: str) -> Iterator[tuple[str, list[int]]]:
    """(device id, connectors) of every pile that the tariff reaches."""
    after = ""
    while True:
        page = reached(conn, tariff_id, _PAGE, after)
        yield from ((pile["device_id"], pile["connectors"]) for pile in page)
        if len(page) < _PAGE:
            return
        after = page[-1]["device_id"]


def at_places(conn: Connection, places: Iterable[tuple[str, str, int]]) -> Iterator[tuple[str, list[int]]]:
    """(device id, connectors) where a tariff would hold if it was assigned to the places: (site id, device
    id, connector), as in assignments.Place.
    """
    wanted = list(places)
    at_pile = {(device_id, connector) for _, device_id, connector in wanted}
    parameters = {
        "site_ids": to_json(sorted({site_id for site_id, _, _ in wanted})),
        "device_ids": to_json(sorted({device_id for _, device_id, _ in wanted})),
    }
    rows = _AT_PLACES.all(conn, parameters)
    own = _own_tariffs(conn, [row.device_id for row in rows])
    for row in rows:
        whole = row.of_site or (row.device_id, 0) in at_pile
        yield (
            row.device_id,
            [
                connector
                for connector in range(1, row.connectors + 1)
                if (row.device_id, connector) in at_pile or (whole and (row.device_id, connector) not in own)
            ],
        )


def after_move(conn: Connection, device_ids: Iterable[str]) -> Iterator[tuple[str, list[int]]]:
    """(device id, connectors) of these piles where the tariff of a site would hold, without nearer ones."""
    rows = _HELD.all(conn, {"device_ids": to_json(list(device_ids))})
    own = _own_tariffs(conn, [row.device_id for row in rows])
    for row in rows:
        if row.of_pile is None:
            yield row.device_id, [at for at in range(1, row.connectors + 1) if (row.device_id, at) not in own]


def after_leaving(
    conn: Connection, places: Iterable[tuple[str, int]]
) -> Iterator[tuple[str, str, list[int]]]:
    """(tariff id, device id, connectors) of what would hold if the places, (device id, connector), had no
    tariff of their own. Connector 0 is the pile.
    """
    left = set(places)
    rows = _HELD.all(conn, {"device_ids": to_json(sorted({device_id for device_id, _ in left}))})
    own = _own_tariffs(conn, [row.device_id for row in rows])
    for row in rows:
        whole = (row.device_id, 0) in left
        tariff_id = row.of_site if whole else row.of_pile or row.of_site
        connectors = [
            at
            for at in range(1, row.connectors + 1)
            if (row.device_id, at) in left or (whole and (row.device_id, at) not in own)
        ]
        if tariff_id is not None:
            yield tariff_id, row.device_id, connectors


def _own_tariffs(conn: Connection, device_ids: list[str]) -> dict[tuple[str, int], str]:
    """The tariff of each connector with one of its own."""
    rows = _OWN.all(conn, {"device_ids": to_json(device_ids)})
    return {(row.device_id, row.connector): row.tariff_id for row in rows}


def reached(conn: Connection, tariff_id: str, limit: int, after: str = "") -> list[dict[str, Any]]:
    """The piles by id, later than `after`, each with the connectors at which the tariff holds."""
    rows = _REACHED.all(conn, {"tariff_id": tariff_id, "after": after, "limit": limit})
    own = _own_tariffs(conn, [row.device_id for row in rows])
    return [
        {
            "device_id": row.device_id,
            "name": row.name,
            "site_id": row.site_id,
            "connectors": [
                connector
                for connector in range(1, row.connectors + 1)
                if own.get((row.device_id, connector), row.of_pile) == tariff_id
            ],
        }
        for row in rows
    ]
