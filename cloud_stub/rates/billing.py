"""Which rates a pile can bill, as its last hello told: a rate with a part that its firmware does not know is
never sent to it.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, select

from pile_protocol import components

from ..base.problems import Problem
from ..db import json_lists
from ..db.engine import to_json
from ..db.pile_tables import pile_boards
from ..db.rows import Query
from ..db.tables import rates
from . import holding, reach

NAMED_MAX = 20  # of the piles in a problem
_IDLE = "idle"


class _Hello(NamedTuple):
    device_id: str
    hello_json: str


class _Version(NamedTuple):
    body_json: str


_HELLOS = Query(
    select(pile_boards.c.device_id, pile_boards.c.hello_json).where(
        pile_boards.c.device_id.in_(json_lists.texts("device_ids"))
    ),
    _Hello,
)
_HELD_OR_TO_COME = Query(
    select(rates.c.body_json).where(
        (rates.c.rate_id == holding.version_at(bindparam("tariff_id")))
        | holding.is_to_come(bindparam("tariff_id"))
    ),
    _Version,
)


def require_billable(conn: Connection, rate: dict[str, Any], device_id: str, connector: int) -> None:
    """Raises Problem (RateNotBillable) unless the pile has said that it can bill all of the rate there."""
    needed = components.components_of(rate)
    if not needed:
        return
    missing = _missing(needed, _hellos(conn, [device_id]).get(device_id, {}), connector)
    if missing:
        raise _problem("The pile cannot bill this rate", missing, connector=connector)


def require_in_reach(conn: Connection, tariff_id: str, rate: dict[str, Any]) -> None:
    """A new version of the tariff. Raises Problem (RateNotBillable) naming the piles in its reach that are
    known to be unable to bill it. A pile that has never greeted may prove able.
    """
    needed = components.components_of(rate)
    if needed:
        _require_all(conn, needed, reach.all_reached(conn, tariff_id))


def require_at_places(
    conn: Connection, rates: Iterable[dict[str, Any]], places: Iterable[tuple[str, str, int]]
) -> None:
    """As require_in_reach, at the places (site id, device id, connector) that are to get all of `rates`."""
    needed = _needed(rates)
    if needed:
        _require_all(conn, needed, reach.at_places(conn, places))


def require_after_move(conn: Connection, device_ids: Iterable[str], tariff_id: str, now: int) -> None:
    """As require_in_reach, for piles that are to move to a site which has this tariff."""
    needed = _needed(held_or_to_come(conn, tariff_id, now))
    if needed:
        _require_all(conn, needed, reach.after_move(conn, device_ids))


def require_after_leaving(conn: Connection, places: Iterable[tuple[str, int]], now: int) -> None:
    """As require_in_reach, for places (device id, connector) that are to lose their own tariff."""
    left = defaultdict(list)
    for tariff_id, device_id, connectors in reach.after_leaving(conn, places):
        left[tariff_id].append((device_id, connectors))
    for tariff_id, reached in left.items():
        needed = _needed(held_or_to_come(conn, tariff_id, now))
        if needed:
            _require_all(conn, needed, reached)


def _needed(rates: Iterable[dict[str, Any]]) -> list[str]:
    wanted = {word for rate in rates for word in components.components_of(rate)}
    return [word for word in components.COMPONENTS if word in wanted]


def held_or_to_come(conn: Connection, tariff_id: str, now: int) -> list[dict[str, Any]]:
    """The version that holds, and those that have not begun."""
    rows = _HELD_OR_TO_COME.all(conn, {"tariff_id": tariff_id, "now": now})
    return [orjson.loads(row.body_json) for row in rows]


def _require_all(conn: Connection, needed: list[str], piles: Iterable[tuple[str, list[int]]]) -> None:
    connectors_of = dict(piles)
    missing: set[str] = set()
    unable = []
    for device_id, hello in _hellos(conn, list(connectors_of)).items():
        of_pile = {word for at in connectors_of[device_id] for word in _missing(needed, hello, at)}
        missing |= of_pile
        if of_pile:
            unable.append(device_id)
    if unable:
        words = [word for word in needed if word in missing]
        title = "Piles that the tariff would reach cannot bill it"
        raise _problem(title, words, piles=sorted(unable)[:NAMED_MAX], count=len(unable))


def _hellos(conn: Connection, device_ids: list[str]) -> dict[str, dict[str, Any]]:
    rows = _HELLOS.all(conn, {"device_ids": to_json(device_ids)})
    return {row.device_id: orjson.loads(row.hello_json) for row in rows}


def _missing(needed: Iterable[str], hello: dict[str, Any], connector: int) -> list[str]:
    """What of `needed` cannot be billed at the connector: a pile that tells nothing bills none of it."""
    able = set(hello.get("bills", ()))
    if connector not in hello.get("idle_connectors", ()):
        able.discard(_IDLE)
    return [word for word in needed if word not in able]


def _problem(title: str, components: list[str], **members: Any) -> Problem:
    return Problem(409, "RateNotBillable", title, ", ".join(components), components=components, **members)
