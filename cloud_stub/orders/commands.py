"""Commands to piles, sealed and put into the outbox: end an order, clear a connector's fault."""

from typing import Any

from pydantic import Field

from pile_protocol import topics

from ..base.body import Body
from ..base.problems import Problem, unknown_connector, unknown_order, unknown_pile
from ..base.text import LINE_PATTERN
from ..db import audit
from ..db.audit import Actor
from ..db.events import record_event
from ..db.rows import OrderRow
from ..db.writer import Transaction
from ..messaging.outbox import withdraw_orders
from ..piles import registry
from ..piles.keys import find_key
from . import lookup, states, transitions
from .context import Context

REASON_MAX = 500


class CloseBody(Body):
    """Why an operator ends an order; kept with the order's events."""

    reason: str = Field(
        min_length=1,
        max_length=REASON_MAX,
        pattern=LINE_PATTERN,
        examples=["The pile was stolen"],
    )


def _put(
    tx: Transaction,
    context: Context,
    command: dict[str, Any],
    now: int,
    expires_at: int,
    order_id: str | None,
) -> None:
    key = find_key(tx.conn, command["device_id"])
    if key is None:
        raise unknown_pile(command["device_id"])
    context.outbox.put_sealed(tx, key, topics.COMMAND, command, now, expires_at, order_id)


def request_stop(
    tx: Transaction, operator: Actor | None, context: Context, order_id: str, now: int
) -> OrderRow:
    """Ask the pile to end the order, once; one that has certainly not left here is cancelled.

    operator: who asks; None: its driver, whose own orders have no audit lines.
    """
    row = lookup.lock(tx.conn, order_id)
    if row is None:
        raise unknown_order()
    if row.state not in states.HOLDING or row.state == states.FINISHING or row.stop_requested_at is not None:
        return row
    # Also for a cancelled order: if it has reached the pile all the same, this stops it.
    _put_stop(tx, context, row, now)
    if operator is not None:
        audit.record(tx.conn, operator, now, "OrderStopped", device_id=row.device_id, order_id=order_id)
    if row.state == states.PENDING:
        never_sent = context.outbox.never_sent(tx, order_id)
        # If the order were sent after the stop, the pile would begin to charge: it ignores a stop of an order
        # that it does not have.
        withdraw_orders(tx, [order_id])
        if never_sent:
            transitions.apply_event(tx, context, row, states.USER_CANCELLED, now)
    tx.after_commit(lambda: context.hub.wake(order_id))
    return lookup.get(tx.conn, order_id)


def _put_stop(tx: Transaction, context: Context, row: OrderRow, now: int) -> None:
    transitions.request_stop(tx.conn, row.order_id, now)
    command = {
        "kind": "command",
        "device_id": row.device_id,
        "action": "stop",
        "order_id": row.order_id,
        "issued_at": now,
        "expires_at": row.window_end_at,
    }
    _put(tx, context, command, now, row.window_end_at, row.order_id)


def close_order(
    tx: Transaction, actor: Actor, context: Context, order_id: str, body: CloseBody, now: int
) -> OrderRow:
    """End an order whose settlement is not expected any more; a settlement that comes is still billed.

    A stop is sent to the pile in case it comes back before the order's latest end. Closing a lost order again
    changes nothing. Raises Problem: UnknownOrder, OrderEnded, OrderRunning.
    """
    row = lookup.lock(tx.conn, order_id)
    if row is None:
        raise unknown_order()
    if row.state == states.LOST:
        return row
    if row.state not in states.HOLDING:
        raise Problem(409, "OrderEnded", "The order has ended", state=row.state)
    pile = registry.get(tx.conn, row.device_id, removed=True)
    may_charge = row.window_end_at > now
    if may_charge and pile.online:
        raise Problem(409, "OrderRunning", "The pile is online; stop the order and wait for its settlement")
    if may_charge and row.stop_requested_at is None:
        _put_stop(tx, context, row, now)
    transitions.lose_orders(tx, context, [row], states.CLOSED_BY_OPERATOR, now)
    audit.record(
        tx.conn, actor, now, "OrderClosed", device_id=row.device_id, order_id=order_id, detail=body.reason
    )
    record_event(tx.conn, now, "OrderClosed", row.device_id, order_id, body.reason)
    return lookup.get(tx.conn, order_id)


def request_reset(
    tx: Transaction, actor: Actor, context: Context, device_id: str, connector: int, now: int
) -> None:
    """Ask the pile to clear a connector's fault."""
    pile = registry.get(tx.conn, device_id)
    if connector > pile.connectors:
        raise unknown_connector(connector)
    expires_at = now + context.settings.command_life_s
    command = {
        "kind": "command",
        "device_id": device_id,
        "action": "reset",
        "connector": connector,
        "issued_at": now,
        "expires_at": expires_at,
    }
    _put(tx, context, command, now, expires_at, None)
    detail = f"connector {connector}"
    audit.record(tx.conn, actor, now, "ResetRequested", device_id=device_id, detail=detail)
    record_event(tx.conn, now, "ResetRequested", device_id, detail=detail)
