"""What a pile reports of its orders, applied to them: order/status, status and hello."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import bindparam, select

from ..db.audit_events import record_event
from ..db.rows import OrderRow, Query
from ..db.tables import orders
from ..db.writer import Transaction
from . import lookup, states
from .context import Context
from .transitions import RELEASE, Transitions

# Refusals that anyone can provoke with a forged order or a copy of a real one: no word about the real one.
_REFUSALS_OF_FORGED_ORDERS = frozenset({"BadSeal", "Malformed", "UsedOrder"})


# What a connector's status says of its order.
_ORDER_STATE_OF_CONNECTOR_STATUS = {
    "Preparing": "Accepted",
    "Charging": "Charging",
    "SuspendedEV": "Charging",
    "SuspendedEVSE": "Charging",
    "Finishing": "Finishing",
}
_HELD = Query(
    select(orders)
    .where(orders.c.device_id == bindparam("device_id"), orders.c.holds)
    .with_for_update(key_share=True),
    OrderRow,
)


def apply_order_status(
    transitions: Transitions, row: OrderRow, status: dict[str, Any]
) -> dict[str, Any] | None:
    """Take in what a pile says of one of its orders (wire.ORDER_STATUS).

    Returns what is to be noted instead, as an event's kind and detail, where it moves nothing.
    """
    word, reason = status["state"], status["reason"]
    if word == "Rejected" and reason in _REFUSALS_OF_FORGED_ORDERS:
        return {"kind": "OrderRefused", "detail": reason}
    in_time = status["at"] is not None and status["at"] <= row.expires_at
    if transitions.state_of(row) in states.GIVEN_UP and not in_time:
        return {"kind": "LateWord", "detail": word}
    transitions.apply(row, states.pile_event(word), reason)
    return None


def order_states_in_status(connectors: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """(order id, word of its state) of what a status says of orders.

    It makes up for a word that was lost on its way.
    """
    for each in connectors:
        word = _ORDER_STATE_OF_CONNECTOR_STATUS.get(each["status"])
        if each["order_id"] is not None and word is not None:
            yield each["order_id"], word


def reconcile(
    tx: Transaction, context: Context, device_id: str, held: dict[str, str], outbox: int, now: int
) -> None:
    """Compare the pile's greeting with the orders it should hold: `held` maps order ids to state words.

    An order that it holds goes on, even one given up here. One that it should hold and does not, with no
    settlement waiting either, is lost there: it no longer keeps others from the connector.
    """
    transitions = Transitions(tx, context, now)
    for order_id, word in held.items():
        row = lookup.lock(tx.conn, order_id)
        if row is not None and row.device_id == device_id and word != "Rejected":
            transitions.apply(row, states.pile_event(word))
    transitions.write()
    for row in _HELD.all(tx.conn, {"device_id": device_id}):
        if row.state != states.PENDING and row.order_id not in held and not outbox:
            tx.conn.execute(RELEASE, {"this": row.order_id})
            record_event(tx.conn, now, "OrderLost", device_id, row.order_id, row.state)
            tx.after_commit(lambda row=row: context.hub.wake(row.order_id))
