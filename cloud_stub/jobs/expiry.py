"""Orders that no pile has answered in time expire."""

from sqlalchemy import bindparam, select

from ..db.rows import OrderRow, Query
from ..db.tables import orders
from ..db.writer import Transaction
from ..orders import states
from ..orders.context import Context
from ..orders.transitions import Transitions

EXPIRED_AT_ONCE = 500  # the rest follows in the next round

_OVERDUE = Query(
    select(orders)
    .where(orders.c.state == states.PENDING, orders.c.expires_at < bindparam("before"))
    .order_by(orders.c.expires_at)  # of the index; by order_id, SQLite would read the whole table for it
    .limit(EXPIRED_AT_ONCE)
    .with_for_update(skip_locked=True, key_share=True),
    OrderRow,
)


def expire_orders(tx: Transaction, context: Context, now: int) -> int:
    """Give up on what is unanswered past its expiry and grace; returns how many."""
    overdue = _OVERDUE.all(tx.conn, {"before": now - context.settings.expiry_grace_s})
    transitions = Transitions(tx, context, now)
    for row in overdue:
        transitions.apply(row, states.TIME_RAN_OUT, "Expired")
    transitions.write()
    return len(overdue)
