"""Which call is due for a hold, given its order and bill. Only this module decides how much is captured.

no order                          release, after settings.hold_orphan_s
Rejected, Cancelled               release
Expired                           release once the pile reports that it has nothing of it, because it may
                                  charge all the same; else after settings.hold_lost_s
Lost                              release, after settings.hold_lost_s
Settled, flagged                  nothing until an operator has decided
Settled, something to pay         capture exactly that; the provider releases the rest
nothing to pay, or paid already   release, also where the capture was refused
captured more than the bill less its credits    refund the difference
"""

from sqlalchemy import and_, bindparam, or_, select

from ..base.problems import Problem
from ..db import audit
from ..db.audit import Actor
from ..db.payment_tables import payment_holds
from ..db.rows import OrderRow
from ..db.tables import orders
from ..db.writer import Transaction
from ..orders import lookup, states
from ..orders.context import Context
from ..settlements import bills
from . import calls, holds, port
from .holds import HoldRow

AT_ONCE = 100
_RELEASED_AT_ONCE = (states.REJECTED, states.CANCELLED, states.PAID)
ORDER_LOST = "OrderLost"

_WAITING = (
    select(payment_holds.c.hold_id)
    .select_from(payment_holds.outerjoin(orders, orders.c.order_id == payment_holds.c.order_id))
    .where(
        payment_holds.c.hold_id > bindparam("after"),
        payment_holds.c.open,
        payment_holds.c.adapter == bindparam("adapter"),
        or_(
            payment_holds.c.state.in_((holds.HELD, holds.CAPTURED)),
            and_(payment_holds.c.state == holds.CAPTURE_REFUSED, orders.c.state == states.PAID),
        ),
        or_(
            orders.c.state.in_((*_RELEASED_AT_ONCE, states.EXPIRED, states.SETTLED, states.LOST)),
            payment_holds.c.order_id.is_(None),
        ),
    )
    .order_by(payment_holds.c.hold_id)
    .limit(AT_ONCE)
)


def begin_due(tx: Transaction, context: Context, after: str, now: int) -> tuple[list[port.Call], str]:
    """Write the calls that are due for at most AT_ONCE holds from the one after `after` on; "": the first.

    Returns them to be made, and the hold after which to go on; "" after the last. So holds that wait long,
    such as those of flagged bills, delay no other.
    """
    values = {"adapter": context.settings.payment, "after": after}
    waiting = tx.conn.execute(_WAITING, values).scalars().all()
    made = (begin_of(tx, context, hold_id, now) for hold_id in waiting)
    next_after = waiting[-1] if len(waiting) == AT_ONCE else ""
    return [each for each in made if each is not None], next_after


def begin_of_order(tx: Transaction, context: Context, order_id: str, now: int) -> port.Call | None:
    """As begin_due, for the hold of one order."""
    hold = holds.of_order(tx.conn, order_id)
    if hold is None or not hold.open or hold.adapter != context.settings.payment:
        return None
    return begin_of(tx, context, hold.hold_id, now)


def begin_of(tx: Transaction, context: Context, hold_id: str, now: int) -> port.Call | None:
    """Store the call that is due for the hold and return it; None if none is due."""
    found = holds.find(tx.conn, hold_id)
    if found is None:
        return None
    order = lookup.lock(tx.conn, found.order_id) if found.order_id else None
    hold = holds.lock(tx.conn, hold_id)
    if not hold.open or hold.order_id != found.order_id or calls.is_busy(tx.conn, hold_id):
        return None
    if hold.state == holds.CAPTURED:
        return _refund(tx, context, hold, order, now)
    is_paid = order is not None and order.state == states.PAID
    if hold.state != holds.HELD and not (hold.state == holds.CAPTURE_REFUSED and is_paid):
        return None
    amount_minor = _capture_minor(tx, context, hold, order, now)
    if amount_minor is None:
        return None
    if amount_minor:
        return calls.begin(tx.conn, context, hold, port.CAPTURE, amount_minor, now)
    return calls.begin(tx.conn, context, hold, port.RELEASE, hold.amount_minor, now)


def _capture_minor(
    tx: Transaction, context: Context, hold: HoldRow, order: OrderRow | None, now: int
) -> int | None:
    """The amount to capture; 0: release all; None: nothing is due yet."""
    if order is None:
        return 0 if hold.reason or now - hold.changed_at >= context.settings.hold_orphan_s else None
    if order.state in _RELEASED_AT_ONCE:
        return 0
    if order.state == states.EXPIRED:
        is_given_up = now - order.expires_at >= context.settings.hold_lost_s
        return 0 if is_given_up or lookup.is_over_at_pile(tx.conn, order) else None
    if order.state == states.LOST:
        if hold.reason != ORDER_LOST:
            holds.change(tx.conn, hold, now, reason=ORDER_LOST)
            return None
        return 0 if now - hold.changed_at >= context.settings.hold_lost_s else None
    if order.state != states.SETTLED:
        return None
    bill = bills.of_orders(tx.conn, [order.order_id]).get(order.order_id)
    if bill is None or bill.flagged:
        return None
    return max(0, min(hold.amount_minor, (order.total_minor or 0) - bill.credited_minor))


def _refund(
    tx: Transaction, context: Context, hold: HoldRow, order: OrderRow | None, now: int
) -> port.Call | None:
    bill = bills.of_orders(tx.conn, [order.order_id]).get(order.order_id) if order is not None else None
    if order is None or bill is None or bill.flagged:
        return None
    due_minor = max(0, (order.total_minor or 0) - bill.credited_minor)
    too_much_minor = hold.captured_minor - hold.refunded_minor - due_minor
    if too_much_minor > 0:
        return calls.begin(tx.conn, context, hold, port.REFUND, too_much_minor, now)
    holds.change(tx.conn, hold, now, open=False)
    return None


def retry(tx: Transaction, actor: Actor, hold_id: str, now: int) -> HoldRow:
    """An operator tries a refused call again: the hold is due, and the call is a new one. Raises Problem:
    UnknownHold, NothingToRetry.
    """
    if holds.find(tx.conn, hold_id) is None:
        raise holds.unknown_hold()
    hold = holds.lock(tx.conn, hold_id)
    if hold.state not in holds.RETRIED or hold.reason == port.AMOUNT_DIFFERS:
        title = "Nothing of this hold was refused without moving money, so there is nothing to try again"
        raise Problem(409, "NothingToRetry", title, state=hold.state)
    about = {"device_id": hold.device_id, "order_id": hold.order_id}
    audit.record(tx.conn, actor, now, "PaymentRetried", **about, detail=f"{hold_id}: was {hold.state}")
    return holds.change(tx.conn, hold, now, state=holds.RETRIED[hold.state], reason=None, open=True)
