"""Paying a settled order: the one call that closes it. The method `test` stands in for a payment provider."""

import json

from pydantic import Field
from sqlalchemy import Connection, bindparam, insert, select

from pile_protocol import messages

from ..base.body import Body
from ..base.problems import Problem, unknown_order
from ..db import audit
from ..db.audit import Actor
from ..db.payment_tables import CAPTURE_REFUSED, payment_holds
from ..db.rows import OrderRow
from ..db.tables import payments
from ..db.writer import Transaction
from ..orders import lookup, states, transitions
from ..orders.context import Context
from . import bills
from . import views as settlement_views

_OPEN_HOLD = select(payment_holds.c.open).where(
    payment_holds.c.order_id == bindparam("order_id"),
    payment_holds.c.open,
    payment_holds.c.state != CAPTURE_REFUSED,
)


class PaymentBody(Body):
    """What is paid, in minor units of the order's currency."""

    amount_minor: int = Field(ge=0, le=messages.MAX_MINOR)
    method: str = Field(pattern="^test$", examples=["test"])


def pay(
    tx: Transaction, operator: Actor | None, context: Context, order_id: str, body: PaymentBody, now: int
) -> OrderRow:
    """Pay the settled total less its credit notes, once; again changes nothing. Returns the order's row.

    operator: who enters the payment; None: the driver pays. Raises Problem: NotSettled,
    SettlementFlagged, AmountMismatch, HoldOpen.
    """
    row = lookup.lock(tx.conn, order_id)
    if row is None:
        raise unknown_order()
    if row.state == states.SETTLED and tx.conn.execute(_OPEN_HOLD, {"order_id": order_id}).scalar():
        raise Problem(409, "HoldOpen", "The payment provider holds money for it, and pays it by itself")
    if operator is None and context.settings.payment not in ("after", "test"):
        title = "The payment provider pays it; another payment is entered by an operator"
        raise Problem(409, "HoldOpen", title)
    settlement = settlement_views.of_order(tx.conn, order_id)
    if row.state not in (states.SETTLED, states.PAID) or settlement is None:
        raise Problem(409, "NotSettled", "There is nothing to pay yet", state=row.state)
    if settlement.flagged and row.state == states.SETTLED:
        raise Problem(409, "SettlementFlagged", "The settlement is being looked into; do not pay yet")
    due_minor = _due(tx.conn, row)
    if body.amount_minor != due_minor:
        title = "The amount is not what is to be paid"
        raise Problem(409, "AmountMismatch", title, total_minor=due_minor)
    if row.state == states.PAID:
        return row
    rate = json.loads(row.rate_json)
    values = {
        "order_id": order_id,
        "amount_minor": body.amount_minor,
        "currency": rate["currency"],
        "method": body.method,
        "paid_at": now,
    }
    tx.conn.execute(insert(payments), values)
    if operator is not None:
        detail = bills.as_text(body.amount_minor, rate["currency"], rate["minor_digits"])
        about = {"device_id": row.device_id, "order_id": order_id}
        audit.record(tx.conn, operator, now, "PaymentEntered", **about, detail=detail)
    transitions.apply_event(tx, context, row, states.PAYMENT_MADE, now)
    return lookup.get(tx.conn, order_id)


def _due(conn: Connection, row: OrderRow) -> int:
    """What is to be paid, or was: a credit after the payment does not change what was paid."""
    made = settlement_views.payment_of(conn, row.order_id)
    if made is not None:
        return made.amount_minor
    return (row.total_minor or 0) - bills.credited(conn, row.order_id)
