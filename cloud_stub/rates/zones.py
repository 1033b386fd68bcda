"""Where time zones come from: the version's own, else that of the pile's site. One of them must be there."""

import json
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, or_, select

from ..base.problems import invalid
from ..db import json_lists
from ..db.engine import to_json
from ..db.rows import Query
from ..db.site_tables import connector_tariffs
from ..db.tables import piles, rates
from . import holding, reach


class _Pile(NamedTuple):
    device_id: str


class _Body(NamedTuple):
    body_json: str


class _Tariff(NamedTuple):
    tariff_id: str


_WANTED = json_lists.texts("device_ids")
_WITHOUT_SITE = select(piles.c.device_id).where(piles.c.site_id.is_(None)).limit(1)
_REACHED = Query(_WITHOUT_SITE.where(reach.may_reach(bindparam("tariff_id"))), _Pile)
_NAMED = Query(_WITHOUT_SITE.where(piles.c.device_id.in_(_WANTED)), _Pile)
_HOLDS_OR_WILL = Query(
    select(rates.c.body_json).where(
        or_(
            rates.c.rate_id == holding.version_at(bindparam("tariff_id")),
            holding.is_to_come(bindparam("tariff_id")),
        )
    ),
    _Body,
)
_ASSIGNED = Query(
    select(piles.c.tariff_id.label("tariff_id"))
    .where(piles.c.device_id.in_(_WANTED), piles.c.tariff_id.is_not(None))
    .union(select(connector_tariffs.c.tariff_id).where(connector_tariffs.c.device_id.in_(_WANTED))),
    _Tariff,
)


def require_sites_of_reached(conn: Connection, tariff_id: str, field: str) -> None:
    """Raises Problem (InvalidRequest) where the tariff is assigned to a pile that has no site."""
    _require(_REACHED.first(conn, {"tariff_id": tariff_id}), field)


def require_sites(conn: Connection, device_ids: Iterable[str], field: str) -> None:
    """Raises Problem (InvalidRequest) where one of the piles has no site."""
    _require(_NAMED.first(conn, {"device_ids": to_json(list(device_ids))}), field)


def _require(pile: _Pile | None, field: str) -> None:
    if pile is not None:
        raise invalid((field, f"{pile.device_id} has no site, and the tariff has no time zone of its own"))


def are_needed(conn: Connection, tariff_id: str, now: int) -> bool:
    """Whether a version that holds, or will, has no time zone of its own."""
    rows = _HOLDS_OR_WILL.all(conn, {"tariff_id": tariff_id, "now": now})
    return any(json.loads(row.body_json)["time_zone"] is None for row in rows)


def require_own(conn: Connection, device_ids: Iterable[str], field: str, now: int) -> None:
    """Raises Problem (InvalidRequest) where a tariff that is assigned to one of the piles, or to a connector,
    has no time zone of its own: the pile cannot leave its site.
    """
    for row in _ASSIGNED.all(conn, {"device_ids": to_json(list(device_ids))}):
        if are_needed(conn, row.tariff_id, now):
            raise invalid((field, f"the tariff {row.tariff_id} has no time zone of its own; assign another"))
