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
from .transitions import Transitions, release

# Anyone can provoke these refusals with a forged or copied order, so they say nothing about the real order.
_REFUSALS_OF_FORGED_ORDERS = frozenset({"BadSeal", "Malformed", "UsedOrder"})


# The order's state that follows from its connector's status.
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
    """Apply a pile's order/status message to the order (wire.ORDER_STATUS).

    Returns kind and detail of an audit event if the message is not applied, else None.
    """
    reported, reason = status["state"], status["reason"]
    if reported == "Rejected" and reason in _REFUSALS_OF_FORGED_ORDERS:
        return {"kind": "OrderRefused", "detail": reason}
    in_time = status["at"] is not None and status["at"] <= row.expires_at
    if transitions.state_of(row) in states.GIVEN_UP and not in_time:
        return {"kind": "LateWord", "detail": reported}
    transitions.apply(row, states.pile_event(reported), reason)
    return None


def order_states_in_status(connectors: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """(order id, state) of each order that a status message names.

    It repairs the order's state where an order/status message was lost.
    """
    for each in connectors:
        state = _ORDER_STATE_OF_CONNECTOR_STATUS.get(each["status"])
        if each["order_id"] is not None and state is not None:
            yield each["order_id"], state


def reconcile(
    tx: Transaction, context: Context, device_id: str, held: dict[str, str], outbox: int, now: int
) -> None:
    """Compare a hello with the orders that the pile should hold: `held` maps order ids to states.

    An order that it holds goes on, even one given up here. One that it should hold and does not, with no
    settlement waiting either, is lost there: it no longer keeps others from the connector.
    """
    transitions = Transitions(tx, context, now)
    for order_id, state in held.items():
        row = lookup.lock(tx.conn, order_id)
        if row is not None and row.device_id == device_id and state != "Rejected":
            transitions.apply(row, states.pile_event(state))
    transitions.write()
    for row in _HELD.all(tx.conn, {"device_id": device_id}):
        if row.state != states.PENDING and row.order_id not in held and not outbox:
            release(tx.conn, row.order_id)
            record_event(tx.conn, now, "OrderLost", device_id, row.order_id, row.state)
            tx.after_commit(lambda row=row: context.hub.wake(row.order_id))
