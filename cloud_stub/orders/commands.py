"""Commands to piles, sealed and put into the outbox: end an order, clear a connector's fault."""

from typing import Any

from pile_protocol import seal, topics

from ..base.problems import Problem, unknown_order
from ..db.audit_events import record_event
from ..db.engine import to_json
from ..db.rows import OrderRow
from ..db.writer import Transaction
from ..messaging.outbox import withdraw_orders
from ..piles import registry
from . import lookup, states, transitions
from .context import Context


def put_sealed(
    tx: Transaction,
    context: Context,
    name: str,
    message: dict[str, Any],
    now: int,
    expires_at: int,
    order_id: str | None,
) -> None:
    key = context.keys.get(tx.conn, message["device_id"])
    if key is None:
        raise unknown_order()
    payload = seal.seal(to_json(message), key).decode()
    context.dispatch.put(tx, message["device_id"], name, payload, now, expires_at, order_id)


def request_stop(tx: Transaction, context: Context, order_id: str, now: int) -> OrderRow:
    """Ask the pile to end the order, once; one that has certainly not left here is cancelled."""
    row = lookup.lock(tx.conn, order_id)
    if row is None:
        raise unknown_order()
    if row.state not in states.HOLDING or row.state == states.FINISHING or row.stop_requested_at is not None:
        return row
    transitions.request_stop(tx.conn, order_id, now)
    command = {
        "kind": "command",
        "device_id": row.device_id,
        "action": "stop",
        "order_id": order_id,
        "issued_at": now,
        "expires_at": row.window_end_at,
    }
    # Also when cancelled: should the order have reached the pile after all, this ends it there.
    put_sealed(tx, context, topics.COMMAND, command, now, row.window_end_at, order_id)
    if row.state == states.PENDING:
        never_sent = context.dispatch.never_sent(tx, order_id)
        # Sent from here on, it would begin what is to end, and after a stop that the pile had no order for.
        withdraw_orders(tx, [order_id])
        if never_sent:
            transitions.apply_event(tx, context, row, states.USER_CANCELLED, now)
    tx.after_commit(lambda: context.hub.wake(order_id))
    return lookup.get(tx.conn, order_id)


def request_reset(tx: Transaction, context: Context, device_id: str, connector: int, now: int) -> None:
    """Ask the pile to clear a connector's fault."""
    pile = registry.get(tx.conn, device_id)
    if connector > pile.connectors:
        raise Problem(404, "UnknownConnector", "This pile has no such connector", connector=connector)
    expires_at = now + context.settings.command_life_s
    command = {
        "kind": "command",
        "device_id": device_id,
        "action": "reset",
        "connector": connector,
        "issued_at": now,
        "expires_at": expires_at,
    }
    put_sealed(tx, context, topics.COMMAND, command, now, expires_at, None)
    record_event(tx.conn, now, "ResetRequested", device_id, detail=f"connector {connector}")
