"""Piles that do not answer: they are offline, their unanswered orders expire, unsettled ones are lost."""

from sqlalchemy import bindparam, or_, select, update

from ..db.events import record_event
from ..db.rows import OrderRow, Query
from ..db.tables import orders, piles
from ..db.writer import Transaction
from ..orders import states
from ..orders.context import Context
from ..orders.transitions import Transitions, lose_orders
from ..piles import registry, views

SETTLING_S = 60  # from an order's latest end: its pile has made the settlement, and reports it as waiting
LOST_AT_ONCE = 500  # orders in one transaction

EXPIRED_AT_ONCE = 500  # the rest follows in the next round

_OVERDUE = Query(
    select(orders)
    .where(orders.c.state == states.PENDING, orders.c.expires_at < bindparam("before"))
    .order_by(orders.c.expires_at)  # of the index; by order_id, SQLite would read the whole table for it
    .limit(EXPIRED_AT_ONCE)
    .with_for_update(skip_locked=True, key_share=True),
    OrderRow,
)
_UNSETTLED = (
    select(orders)
    .join(piles, piles.c.device_id == orders.c.device_id)
    .where(orders.c.holds, orders.c.window_end_at < bindparam("before"))
    .limit(LOST_AT_ONCE)
    .with_for_update(skip_locked=True, key_share=True, of=orders)
)
_OF_SILENT_PILES = Query(
    _UNSETTLED.where(or_(piles.c.last_seen_at.is_(None), piles.c.last_seen_at < bindparam("before"))),
    OrderRow,
)
_OF_REPORTING_PILES = Query(
    _UNSETTLED.where(piles.c.online, piles.c.last_seen_at > orders.c.window_end_at + SETTLING_S), OrderRow
)


_SET_SILENT_OFFLINE = (
    update(piles)
    .where(piles.c.online, or_(piles.c.last_seen_at.is_(None), piles.c.last_seen_at < bindparam("since")))
    .values(online=False)
    .returning(piles.c.device_id)
)


def set_silent_piles_offline(tx: Transaction, since: int, now: int) -> None:
    """Set the piles offline from which no message came after `since`, although no last will came."""
    for device_id in tx.conn.execute(_SET_SILENT_OFFLINE, {"since": since}).scalars().all():
        record_event(tx.conn, now, "PileLost", device_id)


def expire_orders(tx: Transaction, context: Context, now: int) -> int:
    """Expire the orders that are unanswered past their expiry and grace; returns how many."""
    overdue = _OVERDUE.all(tx.conn, {"before": now - context.settings.expiry_grace_s})
    transitions = Transitions(tx, context, now)
    for row in overdue:
        transitions.apply(row, states.TIME_RAN_OUT, "Expired")
    transitions.write()
    return len(overdue)


def lose_unsettled_orders(tx: Transaction, context: Context, now: int) -> None:
    """End the orders past their latest end whose settlement is not expected any more.

    Either the pile has sent nothing for settings.order_lost_after_s since then, or it reports that it holds
    neither the order nor a settlement.
    """
    silent = _OF_SILENT_PILES.all(tx.conn, {"before": now - context.settings.order_lost_after_s})
    lose_orders(tx, context, silent, states.PILE_SILENT, now)
    reported = _OF_REPORTING_PILES.all(tx.conn, {"before": now - SETTLING_S})
    missing = [
        row
        for row in reported
        if views.reports_nothing_of(
            registry.get(tx.conn, row.device_id), row.order_id, row.window_end_at + SETTLING_S
        )
    ]
    lose_orders(tx, context, missing, states.NOT_AT_PILE, now)
