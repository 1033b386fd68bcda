"""The piles as their operator sees them: what each reports, and what its connectors charge right now."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from pile_protocol import seal

from ..base.tokens import key_id
from ..db.rows import OrderRow, PileRow, Query
from ..db.site_tables import pile_tags
from ..db.tables import orders, settlements
from ..db.tables import piles as piles_table
from ..orders import states
from ..orders import views as order_views
from ..orders.context import Context
from ..orders.hub import Hub
from ..piles import boards, registry, service
from ..piles import views as pile_views
from ..rates import holding
from ..sites import tags

STATES = ("online", "offline", "charging", "faulted", "removed")


@dataclass(frozen=True, slots=True)
class PileFilter:
    """Which piles to list; None does not narrow. text: part of an id or a name; state: one of STATES.

    Those that were removed are listed as such, and nowhere else.
    """

    text: str | None = None
    online: bool | None = None
    state: str | None = None
    site_id: str | None = None
    tag: str | None = None

    def narrow(self, query: Select[Any]) -> Select[Any]:
        is_there = piles_table.c.removed_at.is_(None)
        query = query.where(~is_there if self.state == "removed" else is_there)
        if self.text:
            query = query.where(
                piles_table.c.device_id.icontains(self.text, autoescape=True)
                | piles_table.c.name.icontains(self.text, autoescape=True)
            )
        online = {"online": True, "offline": False}.get(self.state or "", self.online)
        if online is not None:
            query = query.where(piles_table.c.online == online)
        if self.state == "faulted":
            query = query.where(piles_table.c.faulted)
        if self.state == "charging":
            query = query.where(piles_table.c.device_id.in_(_CHARGING))
        return self.at_place(query)

    def at_place(self, query: Any) -> Any:
        """`query` narrowed by site and tag alone."""
        if self.site_id is not None:
            query = query.where(piles_table.c.site_id == self.site_id)
        if self.tag is not None:
            tagged = select(pile_tags.c.device_id).where(pile_tags.c.tag == self.tag)
            query = query.where(piles_table.c.device_id.in_(tagged))
        return query


_PILES = select(piles_table)
_PILE_ROWS = Query(_PILES, PileRow)
_ORDERS = select(orders)
_ORDER_ROWS = Query(_ORDERS, OrderRow)
_CHARGING = select(orders.c.device_id).where(orders.c.holds, orders.c.state == states.CHARGING).distinct()


def list_views(
    conn: Connection, context: Context, now: int, wanted: PileFilter, limit: int, after: str | None
) -> list[dict[str, Any]]:
    """Piles by id, later than `after`; the queries are for all of them, not one each."""
    query = wanted.narrow(_PILES).order_by(piles_table.c.device_id).limit(limit)
    if after is not None:
        query = query.where(piles_table.c.device_id > after)
    return _views(conn, context, _PILE_ROWS.narrowed(query).all(conn), now)


def one_view(conn: Connection, context: Context, now: int, device_id: str) -> dict[str, Any]:
    """As list_views, of one pile. Raises Problem (UnknownPile)."""
    row = registry.get(conn, device_id, removed=True)
    return _views(conn, context, [row], now)[0] | {
        "created_at": row.created_at,
        "key_id": key_id(seal.parse_key(row.key_hex)),
    }


def _views(conn: Connection, context: Context, rows: Sequence[PileRow], now: int) -> list[dict[str, Any]]:
    device_ids = [row.device_id for row in rows]
    held = _held(conn, device_ids, now)
    rates = context.rates.at_piles(conn, device_ids, now)
    tags_of = tags.of_piles(conn, device_ids)
    out = service.find_many(conn, device_ids)
    boards_of = boards.find_many(conn, device_ids)
    return [
        holding.add_rate_ids(
            _view(conn, context.hub, row, held[row.device_id], out[row.device_id]), rates[row.device_id]
        )
        | {
            "tags": tags_of[row.device_id],
            "board": boards.view(row, boards_of.get(row.device_id), now),
        }
        for row in rows
    ]


class _Counts(NamedTuple):
    total: int
    online: int
    faulted: int
    removed: int
    charging: int


_IS_REMOVED = piles_table.c.removed_at.is_not(None)
_COUNTS = select(
    func.count().filter(~_IS_REMOVED).label("total"),
    func.count().filter(piles_table.c.online).label("online"),
    func.count().filter(piles_table.c.faulted).label("faulted"),
    func.count().filter(_IS_REMOVED).label("removed"),
    func.count().filter(piles_table.c.device_id.in_(_CHARGING)).label("charging"),
).select_from(piles_table)
_COUNT = Query(_COUNTS, _Counts)


def summary(conn: Connection, wanted: PileFilter) -> dict[str, Any]:
    """How many piles of the wanted site and tag are in each state, how many match `wanted`, and what waits
    for an operator.
    """
    total, online, faulted, removed, charging = _COUNT.narrowed(wanted.at_place(_COUNTS)).one(conn)
    flagged = conn.execute(
        select(func.count()).select_from(settlements).where(settlements.c.flagged)
    ).scalar_one()
    matching = conn.execute(wanted.narrow(select(func.count()).select_from(piles_table))).scalar_one()
    return {
        "piles": total,
        "online": online,
        "offline": total - online,
        "charging": charging,
        "faulted": faulted,
        "removed": removed,
        "flagged_settlements": flagged,
        "matching": matching,
    }


def _held(conn: Connection, device_ids: Sequence[str], now: int) -> defaultdict[str, dict[int, OrderRow]]:
    """device id -> connector -> the order that keeps it."""
    query = _ORDERS.where(orders.c.device_id.in_(device_ids), orders.c.holds, orders.c.window_end_at > now)
    found: defaultdict[str, dict[int, OrderRow]] = defaultdict(dict)
    for row in _ORDER_ROWS.narrowed(query.order_by(orders.c.order_id)).all(conn):
        found[row.device_id][row.connector] = row
    return found


def _view(
    conn: Connection, hub: Hub, row: PileRow, held: dict[int, OrderRow], out: service.Out
) -> dict[str, Any]:
    connectors_reported = pile_views.reported_connectors(row)
    connectors = [
        each
        | {
            "order": _running(conn, hub, held.get(each["connector"])),
            "emergency_stop": row.online
            and pile_views.is_stopped(connectors_reported.get(each["connector"], {})),
            "service": service.view(service.row_of(out, each["connector"])),
        }
        for each in pile_views.connector_views_with(row, held, out)
    ]
    reported = json.loads(row.status_json) if row.status_json else None
    return pile_views.pile_view_with(row, connectors) | {
        "faulted": row.faulted,
        "service": service.view(out.get(service.WHOLE_PILE)),
        "reported": reported,
        "connector_power_w": row.connector_power_w,
        "site_id": row.site_id,
        "tariff_id": row.tariff_id,
        "removed_at": row.removed_at,
    }


def _running(conn: Connection, hub: Hub, order: OrderRow | None) -> dict[str, Any] | None:
    if order is None:
        return None
    meter = order_views.meter(conn, hub, order) or {}
    rate = json.loads(order.rate_json)
    return {
        "order_id": order.order_id,
        "state": order.state,
        "currency": rate["currency"],
        "minor_digits": rate["minor_digits"],
        "power_mw": meter.get("power_mw", 0),
        "energy_mwh": meter.get("energy_mwh", 0),
        "cost_minor": meter.get("cost_minor", 0),
    }
