"""A driver asks for a receipt by e-mail.

The address is stored only in the outbox's row, which is deleted when the message was sent or given up. To
prevent abuse, a request needs an order with a bill, an order has at most PER_ORDER messages, an address gets
at most PER_HOUR, and the message contains no text of the driver.
"""

from typing import Any

from pydantic import Field
from sqlalchemy import bindparam, func, select

from ...base.body import Body
from ...base.budgets import Budget
from ...base.ids import new_id
from ...base.problems import Problem, too_many, unknown_order
from ...db.engine import to_json
from ...db.events import record_event
from ...db.tables import events
from ...db.writer import Transaction
from ...messaging import receivers
from ...orders import lookup, states
from ...settlements import views

RECEIVER = "mail"
REQUESTED = "ReceiptRequested"
PER_ORDER = 3
PER_HOUR = 5
WAITING_MAX = 1000

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# Without quoted names, comments, address literals and anything that is not ASCII.
ADDRESS = rf"^{_ATOM}(\.{_ATOM})*@({_LABEL}\.)+[A-Za-z]([A-Za-z0-9-]{{0,61}}[A-Za-z0-9])$"
_COUNT = (
    select(func.count())
    .select_from(events)
    .where(events.c.order_id == bindparam("of"), events.c.kind == REQUESTED)
)


class ReceiptBody(Body):
    email: str = Field(max_length=254, pattern=ADDRESS, examples=["driver@example.org"])


def request(
    tx: Transaction,
    budget: Budget,
    order_id: str,
    email: str,
    language: str,
    now: int,
) -> dict[str, Any]:
    """Add the receipt to the outbox. budget: messages of each address; used on the writer's thread.

    Raises Problem: UnknownOrder, NotSettled, SettlementFlagged, TooManyRequests.
    """
    row = lookup.lock(tx.conn, order_id)
    if row is None:
        raise unknown_order()
    settlement = views.of_order(tx.conn, order_id) if row.state in (states.SETTLED, states.PAID) else None
    if settlement is None:
        raise Problem(409, "NotSettled", "There is no receipt yet", state=row.state)
    if settlement.flagged:
        raise Problem(409, "SettlementFlagged", "The settlement is being looked into")
    if tx.conn.execute(_COUNT, {"of": order_id}).scalar_one() >= PER_ORDER:
        raise too_many(86_400)
    if not budget.take(email.lower()):
        raise too_many(3600 // PER_HOUR)
    receivers.subscribe(tx, RECEIVER, [], WAITING_MAX, now)
    wanted = {"event_id": new_id(), "email": email, "language": language}
    receivers.put(tx, RECEIVER, row.device_id, order_id, "Receipt", to_json(wanted), now)
    record_event(tx.conn, now, REQUESTED, row.device_id, order_id)
    return {"state": "Queued"}
