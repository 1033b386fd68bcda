"""How many settlements that settle no order one pile may have in the database.

An honest pile has few: each order is settled once. Without a bound, a pile that seals settlements of orders
that nobody made would fill the disk, since a stored settlement stays for good.
"""

from sqlalchemy import Connection, bindparam, func, select

from ..db.tables import settlements

UNSETTLED_MAX = 500  # that wait for a person; a review makes room

_COUNT = select(func.count()).where(
    settlements.c.device_id == bindparam("of"),
    settlements.c.flagged,
    settlements.c.settles_order_id.is_(None),
)


class Unsettled:
    """Counts within one transaction; asks the database only for piles that send such settlements."""

    def __init__(self, conn: Connection):
        self._conn = conn
        self._count: dict[str, int] = {}

    def take(self, device_id: str) -> bool:
        """Whether one more of this pile may be stored; it counts."""
        count = self._count.get(device_id)
        if count is None:
            count = self._conn.execute(_COUNT, {"of": device_id}).scalar_one()
        self._count[device_id] = count + 1
        return count < UNSETTLED_MAX
