"""Stops are repeated until the pile's report of the order shows that it has taken them.

A stop may reach the pile before its order does, through another worker; the pile then has nothing to stop.
The transition that shows that a stop was taken deletes it from the outbox.
"""

from sqlalchemy import bindparam, select

from ..db.tables import orders, outbox
from ..db.writer import Transaction
from ..messaging.outbox import mark_unsent

REPEAT_S = 5  # after the broker acknowledged the last one

# As a list of orders, not a join: SQLite would begin the join with all of the outbox.
_STOPPING = select(orders.c.order_id).where(orders.c.holds, orders.c.stop_requested_at.is_not(None))
_UNANSWERED = select(outbox.c.id).where(
    outbox.c.order_id.in_(_STOPPING),
    outbox.c.receiver.is_(None),
    outbox.c.name == "command",
    outbox.c.sent_at <= bindparam("before"),
)


def repeat_stops(tx: Transaction, now: int) -> None:
    """Have the stops sent again that no pile has answered for REPEAT_S."""
    mark_unsent(tx, tx.conn.execute(_UNANSWERED, {"before": now - REPEAT_S}).scalars().all())
