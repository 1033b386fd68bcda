"""Orders read by id or locked for a transaction, and who may see one."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, select

from ..base.problems import unknown_order
from ..base.tokens import secrets_equal
from ..db import json_lists
from ..db.engine import to_json
from ..db.tables import orders

_GET = select(orders).where(orders.c.order_id == bindparam("order_id"))
_LOCK = _GET.with_for_update(key_share=True)
_LOCK_MANY = (
    select(orders)
    .where(orders.c.order_id.in_(json_lists.texts("order_ids")))
    .order_by(orders.c.order_id)
    .with_for_update(key_share=True)
)


def find(conn: Connection, order_id: str) -> Any | None:
    return conn.execute(_GET, {"order_id": order_id}).first()


def lock(conn: Connection, order_id: str) -> Any | None:
    """The order's row, held against other writers until the transaction ends."""
    return conn.execute(_LOCK, {"order_id": order_id}).first()


def lock_many(conn: Connection, order_ids: Iterable[str]) -> dict[str, Any]:
    """Those of the orders that exist, by id, held against other writers until the transaction ends."""
    return {row.order_id: row for row in conn.execute(_LOCK_MANY, {"order_ids": to_json(list(order_ids))})}


def require_access(row: Any | None, token: str | None, operator: bool) -> Any:
    """The row, if whoever asks may see it. Raises Problem (UnknownOrder), the same for every reason."""
    if row is None or not (operator or (token is not None and secrets_equal(token, row.token))):
        raise unknown_order()
    return row
