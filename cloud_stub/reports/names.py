"""The names of piles, sites and tariffs by their ids, for lists that people read."""

from typing import Annotated, Any, NamedTuple

from pydantic import Field
from sqlalchemy import Connection, select

from ..base.body import Body
from ..db import json_lists
from ..db.engine import to_json
from ..db.rows import Query
from ..db.site_tables import sites, tariffs
from ..db.tables import piles

IDS_MAX = 500
_Ids = Annotated[
    list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_:-]{1,64}$")]], Field(default=[], max_length=IDS_MAX)
]


class NamesBody(Body):
    """Ids of things whose names are wanted; a list that is left out is empty."""

    piles: _Ids
    sites: _Ids
    tariffs: _Ids


class _Named(NamedTuple):
    id: str
    name: str


def _names(of: Any, name: Any) -> Query[_Named]:
    return Query(select(of.label("id"), name.label("name")).where(of.in_(json_lists.texts("ids"))), _Named)


_QUERIES = {
    "piles": _names(piles.c.device_id, piles.c.name),
    "sites": _names(sites.c.site_id, sites.c.name),
    "tariffs": _names(tariffs.c.tariff_id, tariffs.c.name),
}


def names(conn: Connection, wanted: NamesBody) -> dict[str, dict[str, str]]:
    """Each name by its id, removed piles and tariffs too; an id that nothing has is left out."""
    return {
        kind: {row.id: row.name for row in query.all(conn, {"ids": to_json(getattr(wanted, kind))})}
        for kind, query in _QUERIES.items()
    }
