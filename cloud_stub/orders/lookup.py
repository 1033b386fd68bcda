"""Orders read by id or locked for a transaction, and who may see one."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, select

from ..db import json_lists
from ..db.engine import to_json
from ..db.rows import OrderRow, Query
from ..db.tables import orders
from ..piles import registry, views

_BY_ID = select(orders).where(orders.c.order_id == bindparam("order_id"))
_GET = Query(_BY_ID, OrderRow)
_LOCK = Query(_BY_ID.with_for_update(key_share=True), OrderRow)
_LOCK_MANY = Query(
    select(orders)
    .where(orders.c.order_id.in_(json_lists.texts("order_ids")))
    .order_by(orders.c.order_id)
    .with_for_update(key_share=True),
    OrderRow,
)

_LOCK_HELD = Query(
    select(orders)
    .where(orders.c.device_id == bindparam("device_id"), orders.c.holds)
    .with_for_update(key_share=True),
    OrderRow,
)


def find(conn: Connection, order_id: str) -> OrderRow | None:
    return _GET.first(conn, {"order_id": order_id})


def get(conn: Connection, order_id: str) -> OrderRow:
    """The row of an order that is known to be there. Raises sqlalchemy.exc.NoResultFound."""
    return _GET.one(conn, {"order_id": order_id})


def is_over_at_pile(conn: Connection, order: OrderRow) -> bool:
    """Whether the pile reported, later than it could begin the order, that it has nothing of it."""
    pile = registry.get(conn, order.device_id, removed=True)
    return views.reports_nothing_of(pile, order.order_id, order.expires_at)


def lock(conn: Connection, order_id: str) -> OrderRow | None:
    """The order's row, held against other writers until the transaction ends."""
    return _LOCK.first(conn, {"order_id": order_id})


def lock_many(conn: Connection, order_ids: Iterable[str]) -> dict[str, OrderRow]:
    """Those of the orders that exist, by id, held against other writers until the transaction ends."""
    return {row.order_id: row for row in _LOCK_MANY.all(conn, {"order_ids": to_json(list(order_ids))})}


def lock_held(conn: Connection, device_id: str) -> Sequence[OrderRow]:
    """The orders that keep a connector of the pile, held against other writers until the transaction ends."""
    return _LOCK_HELD.all(conn, {"device_id": device_id})
