"""The site of orders that were stored without one, by processes of one release back.

Such an order counts where its pile is. A periodic job stores that, and a pile that moves leaves it behind.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, func, select, update

from ..db import json_lists
from ..db.engine import to_json
from ..db.tables import orders, piles, progress

JOB = "site"  # its name in `progress`

_OF_PILE = select(piles.c.site_id).where(piles.c.device_id == orders.c.device_id).scalar_subquery()
_KEEP = update(orders).where(orders.c.site_id.is_(None)).values(site_id=func.coalesce(_OF_PILE, ""))
KEEP_ORDERS = _KEEP.where(orders.c.order_id.in_(bindparam("order_ids", expanding=True)))
_DONE = select(progress.c.place).where(progress.c.name == JOB).scalar_subquery()
_KEEP_PILES = _KEEP.where(
    orders.c.device_id.in_(json_lists.texts("device_ids")), orders.c.order_id > func.coalesce(_DONE, "")
)


def keep(conn: Connection, device_ids: Iterable[str]) -> None:
    """Let the orders of these piles stay where the piles are; called before they move."""
    conn.execute(_KEEP_PILES, {"device_ids": to_json(list(device_ids))})
