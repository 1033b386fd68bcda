"""Which version of which tariff holds at a connector, and until when.

The nearest assignment holds: the connector's, else the pile's, else its site's. Of that tariff that version
holds whose `from_at` is the latest that has come; of two with the same, the one that was published later.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, func, literal, or_, select

from ..db import json_lists
from ..db.engine import to_json
from ..db.rows import Query
from ..db.site_tables import connector_tariffs, sites
from ..db.tables import piles, rates

VERSIONS_KEPT = 10_000
PILE = 0  # in the place of a connector: what holds where a connector has no tariff of its own


class Holding(NamedTuple):
    """What holds at a connector: a version, the time zone of its site, when another version begins; and the
    most that the connector carries.
    """

    rate_id: str | None
    site_zone: str | None
    changes_at: int | None
    power_w: int | None


class _OfPile(NamedTuple):
    device_id: str
    connector: int
    rate_id: str | None
    site_zone: str | None
    changes_at: int | None


class _Body(NamedTuple):
    body_json: str


_VERSION = Query(select(rates.c.body_json).where(rates.c.rate_id == bindparam("rate_id")), _Body)
_OF_PILE = func.coalesce(piles.c.tariff_id, sites.c.tariff_id)


def _of(tariff_id: ColumnElement[Any]) -> ColumnElement[bool]:
    return (rates.c.tariff_id == tariff_id) & rates.c.withdrawn_at.is_(None)


# What was published for at once has begun, also where the clock was set back since.
_HAS_BEGUN = or_(rates.c.from_at <= bindparam("now"), rates.c.from_at <= rates.c.published_at)


def version_at(tariff_id: ColumnElement[Any]) -> ColumnElement[Any]:
    """The rate_id of the version of `tariff_id` that holds at the parameter `now`."""
    begun = select(rates.c.rate_id).where(_of(tariff_id), _HAS_BEGUN)
    return begun.order_by(rates.c.from_at.desc(), rates.c.rate_id.desc()).limit(1).scalar_subquery()


def is_to_come(tariff_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """A condition on `rates`: a version of `tariff_id` that has not begun at the parameter `now`."""
    return _of(tariff_id) & ~_HAS_BEGUN


def _columns(tariff_id: ColumnElement[Any]) -> tuple[ColumnElement[Any], ...]:
    to_come = select(func.min(rates.c.from_at)).where(is_to_come(tariff_id))
    return (
        version_at(tariff_id).label("rate_id"),
        sites.c.time_zone.label("site_zone"),
        to_come.scalar_subquery().label("changes_at"),
    )


_AT_CONNECTOR = Query(
    select(
        *_columns(func.coalesce(connector_tariffs.c.tariff_id, _OF_PILE)),
        piles.c.connector_power_w.label("power_w"),
    )
    .select_from(
        piles.outerjoin(sites).outerjoin(
            connector_tariffs,
            (connector_tariffs.c.device_id == piles.c.device_id)
            & (connector_tariffs.c.connector == bindparam("connector")),
        )
    )
    .where(piles.c.device_id == bindparam("device_id"), piles.c.removed_at.is_(None)),
    Holding,
)
_WANTED = piles.c.device_id.in_(json_lists.texts("device_ids"))
_AT_PILES = Query(
    select(piles.c.device_id, literal(PILE).label("connector"), *_columns(_OF_PILE))
    .select_from(piles.outerjoin(sites))
    .where(_WANTED),
    _OfPile,
)
_AT_CONNECTORS = Query(
    select(
        connector_tariffs.c.device_id, connector_tariffs.c.connector, *_columns(connector_tariffs.c.tariff_id)
    )
    .select_from(connector_tariffs.join(piles).outerjoin(sites))
    .where(connector_tariffs.c.device_id.in_(json_lists.texts("device_ids"))),
    _OfPile,
)


class _Tariff(NamedTuple):
    tariff_id: str | None


_TARIFF_OF_PILE = Query(
    select(_OF_PILE.label("tariff_id"))
    .select_from(piles.outerjoin(sites))
    .where(piles.c.device_id == bindparam("device_id")),
    _Tariff,
)


def tariff_of_pile(conn: Connection, device_id: str) -> str | None:
    """The tariff of the pile's connectors without one of their own."""
    row = _TARIFF_OF_PILE.first(conn, {"device_id": device_id})
    return row.tariff_id if row else None


def add_rate_ids(pile_view: dict[str, Any], held: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """The view of a pile with the id of the rate of each connector; that of connector 1 is the pile's.

    held: as Versions.at_piles gives it for the pile.
    """
    connectors = [
        each | {"rate_id": held.get(each["connector"], held.get(PILE, {})).get("rate_id")}
        for each in pile_view["connectors"]
    ]
    return pile_view | {"connectors": connectors, "rate_id": connectors[0]["rate_id"]}


class Versions:
    """Published versions, read from the database once each: a version never changes."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Any]] = {}  # the oldest first

    def get(self, conn: Connection, rate_id: str) -> dict[str, Any]:
        """That version as model.build made it, to be looked at only: others have the same one."""
        rate = self._known.get(rate_id)
        if rate is None:
            row = _VERSION.one(conn, {"rate_id": rate_id})
            rate = self._known[rate_id] = json.loads(row.body_json)
            if len(self._known) > VERSIONS_KEPT:
                del self._known[next(iter(self._known))]
        return rate

    def at(self, conn: Connection, device_id: str, connector: int, now: int) -> dict[str, Any] | None:
        """The rate that holds at the connector, with its time zone, `changes_at` and the connector's
        `power_w` (None: the setting); None where none does.

        connector: PILE for what holds at a pile's connectors without a tariff of their own.
        """
        found = _AT_CONNECTOR.first(conn, {"device_id": device_id, "connector": connector, "now": now})
        if found is None:
            return None
        rate = self._held(conn, found.rate_id, found.site_zone, found.changes_at)
        return rate and rate | {"power_w": found.power_w}

    def at_piles(
        self, conn: Connection, device_ids: Sequence[str], now: int
    ) -> defaultdict[str, dict[int, dict[str, Any]]]:
        """device id -> connector -> the rate, as `at` gives it without `power_w`. Connectors without a tariff
        of their own are under PILE.
        """
        parameters = {"device_ids": to_json(list(device_ids)), "now": now}
        found: defaultdict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
        for row in (*_AT_PILES.all(conn, parameters), *_AT_CONNECTORS.all(conn, parameters)):
            rate = self._held(conn, row.rate_id, row.site_zone, row.changes_at)
            if rate is not None:
                found[row.device_id][row.connector] = rate
        return found

    def _held(
        self, conn: Connection, rate_id: str | None, site_zone: str | None, changes_at: int | None
    ) -> dict[str, Any] | None:
        if rate_id is None:
            return None
        rate = self.get(conn, rate_id)
        time_zone = rate["time_zone"] or site_zone
        return None if time_zone is None else rate | {"time_zone": time_zone, "changes_at": changes_at}
