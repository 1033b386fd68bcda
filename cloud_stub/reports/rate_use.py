"""How many orders confirmed each version of a rate."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from ..db.rows import Query
from ..db.tables import orders
from ..orders import states


class _Use(NamedTuple):
    rate_id: str
    orders: int
    running: int
    last_at: int


def confirmations(conn: Connection, rate_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Of each rate: how many orders confirmed it, how many still run, when the last one was made."""
    query = Query(
        select(
            orders.c.rate_id,
            func.count().label("orders"),
            func.count().filter(orders.c.state.in_(sorted(states.HOLDING))).label("running"),
            func.max(orders.c.created_at).label("last_at"),
        )
        .where(orders.c.rate_id.in_(rate_ids))
        .group_by(orders.c.rate_id),
        _Use,
    )
    found = {
        row.rate_id: {"orders": row.orders, "running": row.running, "last_at": row.last_at}
        for row in query.all(conn)
    }
    none = {"orders": 0, "running": 0, "last_at": None}
    return {rate_id: found.get(rate_id, none) for rate_id in rate_ids}
