"""Which piles and connectors a tariff reaches: where it is assigned and nothing nearer is."""

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


def reached(conn: Connection, tariff_id: str, limit: int, after: str = "") -> list[dict[str, Any]]:
    """The piles by id, later than `after`, each with the connectors at which the tariff holds."""
    rows = _REACHED.all(conn, {"tariff_id": tariff_id, "after": after, "limit": limit})
    own = {
        (row.device_id, row.connector): row.tariff_id
        for row in _OWN.all(conn, {"device_ids": to_json([row.device_id for row in rows])})
    }
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
