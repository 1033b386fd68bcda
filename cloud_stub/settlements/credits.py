"""Credit notes: a settled bill is credited, in whole or in part, with a reason. The settlement never changes.

A bill that is not paid yet is then less by it, and closed once nothing is left to pay. Of a paid one the
amount is to be paid back: by the payment provider where it has captured it, else elsewhere. The sums tell it
apart (bills.py).
"""

from typing import Any, NamedTuple

import orjson
import structlog
from pydantic import Field
from sqlalchemy import Connection, bindparam, insert, select, update

from pile_protocol import messages

from ..base.body import Body
from ..base.ids import new_id
from ..base.problems import Problem, unknown_order
from ..base.text import LINE_PATTERN
from ..db import audit
from ..db.audit import Actor
from ..db.events import tell_receivers
from ..db.payment_tables import credits, payment_holds
from ..db.rows import OrderRow, Query
from ..db.writer import Transaction
from ..orders import lookup, states
from ..orders.context import Context
from ..orders.transitions import Transitions, count_change
from . import bills

log = structlog.get_logger()

REASON_MAX = 500


class CreditBody(Body):
    """How much is credited, in minor units of the order's currency, and why."""

    amount_minor: int = Field(ge=1, le=messages.MAX_MINOR, examples=[350])
    reason: str = Field(
        min_length=1,
        max_length=REASON_MAX,
        pattern=LINE_PATTERN,
        examples=["The socket was loose"],
    )


class CreditRow(NamedTuple):
    """A row of `credits`."""

    credit_id: str
    order_id: str
    amount_minor: int
    currency: str
    minor_digits: int
    reason: str
    actor_kind: str
    actor: str
    created_at: int
    idempotency_key: str


_ALL = select(credits)
_CREDITS = Query(_ALL, CreditRow)
_BY_KEY = Query(
    _ALL.where(credits.c.order_id == bindparam("order_id"), credits.c.idempotency_key == bindparam("key")),
    CreditRow,
)
_OF_ORDER = Query(
    _ALL.where(credits.c.order_id == bindparam("order_id")).order_by(credits.c.credit_id), CreditRow
)


# What was captured is refunded by the payment provider: whoever makes its calls looks at the hold again.
_REOPEN_HOLD = (
    update(payment_holds)
    .where(payment_holds.c.order_id == bindparam("this"), payment_holds.c.captured_minor > 0)
    .values(open=True)
)


def credit(
    tx: Transaction, actor: Actor, context: Context, order_id: str, key: str, body: CreditBody, now: int
) -> tuple[CreditRow, bool]:
    """Credit the order's bill, once for each key; returns the credit note, and whether it was made here.

    Raises Problem: UnknownOrder, IdempotencyKeyReused, NotSettled, SettlementFlagged, CreditTooHigh.
    """
    order = lookup.lock(tx.conn, order_id)
    if order is None:
        raise unknown_order()
    made = _BY_KEY.first(tx.conn, {"order_id": order_id, "key": key})
    if made is not None:
        if (made.amount_minor, made.reason) != (body.amount_minor, body.reason):
            raise Problem(422, "IdempotencyKeyReused", "That Idempotency-Key belongs to another credit")
        return made, False
    bill = bills.of_orders(tx.conn, [order_id]).get(order_id)
    if bill is None or order.state not in (states.SETTLED, states.PAID):
        raise Problem(409, "NotSettled", "There is no bill to credit", state=order.state)
    if bill.flagged:
        raise Problem(409, "SettlementFlagged", "The settlement is being looked into; decide about it first")
    left = (order.total_minor or 0) - bill.credited_minor
    if body.amount_minor > left:
        title = "More than is left of the bill"
        raise Problem(409, "CreditTooHigh", title, left_minor=left, total_minor=order.total_minor)
    rate = orjson.loads(order.rate_json)
    row = CreditRow(
        credit_id="c-" + new_id(),
        order_id=order_id,
        amount_minor=body.amount_minor,
        currency=rate["currency"],
        minor_digits=rate["minor_digits"],
        reason=body.reason,
        actor_kind=actor.kind,
        actor=actor.name,
        created_at=now,
        idempotency_key=key,
    )
    tx.conn.execute(insert(credits), row._asdict())
    tx.conn.execute(_REOPEN_HOLD, {"this": order_id})
    detail = f"{bills.as_text(row.amount_minor, row.currency, row.minor_digits)}: {row.reason}"
    audit.record(
        tx.conn, actor, now, "BillCredited", device_id=order.device_id, order_id=order_id, detail=detail
    )
    event = {"at": now, "kind": "BillCredited", "device_id": order.device_id, "order_id": order_id}
    tell_receivers(tx.conn, [event | {"detail": detail}])
    _close_or_tell(tx, context, order, left - body.amount_minor, now)
    tx.after_commit(lambda: log.info("bill_credited", order_id=order_id, amount_minor=body.amount_minor))
    return row, True


def _close_or_tell(tx: Transaction, context: Context, order: OrderRow, left: int, now: int) -> None:
    """Close an unpaid order of which nothing is left to pay; tell whoever watches any other."""
    if left == 0 and order.state == states.SETTLED:
        transitions = Transitions(tx, context, now)
        transitions.close_if_nothing_to_pay(order, left)
        transitions.write()
        return
    count_change(tx.conn, [order.order_id])
    tx.after_commit(lambda: context.hub.wake(order.order_id))
    tx.after_commit(lambda: context.hub.ended(order.order_id))


def of_order(conn: Connection, order_id: str) -> list[CreditRow]:
    """The credit notes of the order, oldest first."""
    return list(_OF_ORDER.all(conn, {"order_id": order_id}))


def list_views(
    conn: Connection, order_id: str | None, limit: int, before: str | None
) -> list[dict[str, Any]]:
    """Newest first, older than credit note `before`."""
    query = _ALL.order_by(credits.c.credit_id.desc()).limit(limit)
    if order_id is not None:
        query = query.where(credits.c.order_id == order_id)
    if before is not None:
        query = query.where(credits.c.credit_id < before)
    return [view(row) for row in _CREDITS.narrowed(query).all(conn)]


def view(row: CreditRow) -> dict[str, Any]:
    """A credit note as operators see it."""
    found = row._asdict()
    del found["idempotency_key"]
    return found
