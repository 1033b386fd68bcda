"""How much of settlements that settle no order one pile may have in the database.

An honest pile has few: each order is settled once. Without a bound, a pile that seals settlements of orders
that nobody made would fill the disk, since a stored settlement stays for good.
"""

from sqlalchemy import Connection, bindparam, func, select

from ..db.tables import settlements

UNSETTLED_MAX_BYTES = 8 << 20  # of those that wait for a person: some 10,000; a review makes room

_SIZE = select(func.coalesce(func.sum(func.length(settlements.c.payload)), 0)).where(
    settlements.c.device_id == bindparam("of"),
    settlements.c.flagged,
    settlements.c.settles_order_id.is_(None),
)


class Unsettled:
    """Counts within one transaction; asks the database only for piles that send such settlements."""

    def __init__(self, conn: Connection):
        self._conn = conn
        self._size: dict[str, int] = {}

    def take(self, device_id: str, size_bytes: int) -> bool:
        """Whether one more of this pile may be stored; it counts."""
        size = self._size.get(device_id)
        if size is None:
            size = int(self._conn.execute(_SIZE, {"of": device_id}).scalar_one())
        fits = size + size_bytes <= UNSETTLED_MAX_BYTES
        self._size[device_id] = size + size_bytes if fits else size
        return fits
