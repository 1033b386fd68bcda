"""What HTTP shows of a pile and its connectors."""

from collections import defaultdict
from collections.abc import Container, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, select

from ..db.rows import PileRow, Query
from ..db.tables import orders
from . import service

_BUSY_STATUSES = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"})
_IS_HELD = orders.c.holds & (orders.c.window_end_at > bindparam("now"))
_HELD = select(orders.c.connector).where(orders.c.device_id == bindparam("device_id"), _IS_HELD)


class _Held(NamedTuple):
    device_id: str
    connector: int


_HELD_ANYWHERE = Query(select(orders.c.device_id, orders.c.connector).where(_IS_HELD), _Held)


def is_stopped(connector: dict[str, Any]) -> bool:
    """Whether the emergency stop is pressed: a pile calls a connector Unavailable for that, or because it is
    out of service.
    """
    return connector.get("status") == "Unavailable" and not connector.get("out_of_service")


def out_of_service_reported(pile: PileRow) -> dict[int, str]:
    """The reason of each registered connector that the pile reports as out of service."""
    return {
        number: each["out_of_service"]
        for number, each in reported_connectors(pile).items()
        if number <= pile.connectors and each.get("out_of_service")
    }


def reported_connectors(pile: PileRow) -> dict[int, dict[str, Any]]:
    """Each connector as the pile last reported it, by number."""
    return {each["connector"]: each for each in _reported(pile).get("connectors", ())}


def _reported(pile: PileRow) -> dict[str, Any]:
    return orjson.loads(pile.status_json) if pile.status_json else {}


def has_no_clock(pile: PileRow) -> bool:
    """Whether the pile last reported that it has no time from the cloud. It refuses every order then."""
    return _reported(pile).get("clock") in ("Unset", "Ntp")


def reports_nothing_of(pile: PileRow, order_id: str, after_at: int) -> bool:
    """Whether the pile reported after `after_at`, by its clock, that it has neither order nor settlement."""
    status = _reported(pile)
    orders_held = {each.get("order_id") for each in reported_connectors(pile).values()}
    is_later = (status.get("at") or 0) > after_at
    return is_later and status.get("outbox") == 0 and order_id not in orders_held


def is_idle(pile: PileRow) -> bool:
    """Whether the pile last reported that it has neither an order nor a settlement to hand over."""
    holds_order = any(each.get("order_id") for each in reported_connectors(pile).values())
    return _reported(pile).get("outbox") == 0 and not holds_order


def connector_views(conn: Connection, pile: PileRow, now: int) -> list[dict[str, Any]]:
    """`{connector, status, fault, plugged, busy, out_of_service, occupied_since}` of each; all are
    Unavailable while the pile is offline.

    out_of_service: the reason, or null. occupied_since: Unix seconds, while a vehicle whose charge is over is
    still plugged in, also where its order goes on to bill the stay.
    """
    held = set(conn.execute(_HELD, {"device_id": pile.device_id, "now": now}).scalars())
    return connector_views_with(pile, held, service.find(conn, pile.device_id))


def all_connector_views(
    conn: Connection, piles: Sequence[PileRow], now: int
) -> dict[str, list[dict[str, Any]]]:
    """As connector_views, of many piles by id, in two statements."""
    out = service.find_many(conn, [pile.device_id for pile in piles])
    held: defaultdict[str, set[int]] = defaultdict(set)
    for row in _HELD_ANYWHERE.all(conn, {"now": now}):
        held[row.device_id].add(row.connector)
    return {
        pile.device_id: connector_views_with(pile, held[pile.device_id], out[pile.device_id])
        for pile in piles
    }


def connector_views_with(pile: PileRow, held: Container[int], out: service.Out) -> list[dict[str, Any]]:
    """As connector_views, of a pile whose connectors `held` are kept by orders, and `out` out of service."""
    reported_of = reported_connectors(pile)
    views = []
    for connector in range(1, pile.connectors + 1):
        reported = reported_of.get(connector, {})
        status = reported.get("status", "Unavailable") if pile.online else "Unavailable"
        busy = connector in held or reported.get("order_id") is not None or status in _BUSY_STATUSES
        stays = status == "Finishing"
        row = service.row_of(out, connector)
        reason = row.reason if row is not None else reported.get("out_of_service")
        if reason and not busy and status != "Faulted":
            status = "Unavailable"
        views.append(
            {
                "connector": connector,
                "status": status,
                "fault": reported.get("fault"),
                "plugged": reported.get("plugged", False),
                "busy": busy,
                "out_of_service": reason,
                "occupied_since": None if busy and not stays else reported.get("occupied_since"),
            }
        )
    return views


def pile_view(conn: Connection, pile: PileRow, now: int) -> dict[str, Any]:
    """The pile as the phone's page gets it."""
    return pile_view_with(pile, connector_views(conn, pile, now))


def pile_view_with(pile: PileRow, connectors: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "device_id": pile.device_id,
        "name": pile.name,
        "online": pile.online,
        "clock_set": not has_no_clock(pile),
        "last_seen_at": pile.last_seen_at,
        "connectors": connectors,
    }
