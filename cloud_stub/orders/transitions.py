"""The steps in the lives of orders, written: decided one after the other, stored together."""

from collections import defaultdict
from typing import Any

import structlog
from sqlalchemy import bindparam, func, update

from ..db.rows import OrderRow
from ..db.tables import orders
from ..db.writer import Transaction
from ..messaging.outbox import withdraw_all, withdraw_orders
from . import states
from .context import Context

log = structlog.get_logger()

_TIME_OF = {
    states.ACCEPTED: "accepted_at",
    states.CHARGING: "charging_at",
    states.FINISHING: "finishing_at",
    states.SETTLED: "settled_at",
    states.PAID: "paid_at",
}
_ENTER = {
    state: update(orders)
    .where(orders.c.order_id == bindparam("this"))
    .values(
        {
            "state": state,
            "holds": state in states.HOLDING,
            "reason": func.coalesce(bindparam("why"), orders.c.reason),
            "version": orders.c.version + 1,
        }
        | ({_TIME_OF[state]: bindparam("when")} if state in _TIME_OF else {})
    )
    for state in states.STATES
}
_ENTER[states.SETTLED] = _ENTER[states.SETTLED].values(
    total_minor=bindparam("total"), energy_mwh=bindparam("energy")
)
_LEAVABLE = (states.REJECTED, states.EXPIRED, states.CANCELLED)
# An order may move twice in one go: out of an end that facts overrule, then on its way.
_WRITTEN_IN_ORDER = (*_LEAVABLE, *(state for state in states.STATES if state not in _LEAVABLE))
# The order itself need not be sent again; a stop may still have to be.
_ANSWERED = frozenset({states.ACCEPTED, states.CHARGING, states.CANCELLED, states.EXPIRED})


class Transitions:
    """What happens to some orders as of `now`; nothing of it is in the database before `write`."""

    def __init__(self, tx: Transaction, context: Context, now: int):
        self._tx = tx
        self._context = context
        self._now = now
        self._state_of: dict[str, str] = {}
        self._updates: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._moved: list[tuple[str, str, str, str | None]] = []

    def state_of(self, row: OrderRow) -> str:
        """The state of an order, of which `row` has been read, after what happened to it here."""
        return self._state_of.get(row.order_id) or row.state

    def apply(self, row: OrderRow, event: str, reason: str | None = None, **values: Any) -> None:
        """Let `event` happen to the order; to some states it changes nothing.

        values: what this event also tells (of life.SETTLEMENT_STORED: total, energy).
        """
        state = states.next_state(self.state_of(row), event)
        if state is None:
            return
        self._state_of[row.order_id] = state
        self._updates[state].append({"this": row.order_id, "why": reason, "when": self._now, **values})
        self._moved.append((row.order_id, row.device_id, state, reason))

    def write(self) -> None:
        """Write all of it, and tell whoever watches after the commit."""
        if not self._moved:
            return
        for state in _WRITTEN_IN_ORDER:
            if state in self._updates:
                self._tx.conn.execute(_ENTER[state], self._updates[state])
        answered, over = [], []
        for order_id, state in self._state_of.items():
            if state in _ANSWERED:
                answered.append(order_id)
            elif state != states.PAID:
                over.append(order_id)
        withdraw_orders(self._tx, answered)
        withdraw_all(self._tx, over)
        moved = self._moved
        self._tx.after_commit(lambda: _announce_all(self._context, moved))


def _announce_all(context: Context, moved: list[tuple[str, str, str, str | None]]) -> None:
    for order_id, device_id, state, reason in moved:
        announce(context, order_id, device_id, state, reason)


def announce(context: Context, order_id: str, device_id: str, state: str, reason: str | None) -> None:
    """After the commit that brought an order into `state`."""
    context.metrics.moves.labels(state).inc()
    log.info("order_moved", order_id=order_id, device_id=device_id, state=state, reason=reason)
    context.hub.wake(order_id)


_THIS = orders.c.order_id == bindparam("this")
REQUEST_STOP = (
    update(orders).where(_THIS).values(stop_requested_at=bindparam("at"), version=orders.c.version + 1)
)
RELEASE = update(orders).where(_THIS).values(holds=False, version=orders.c.version + 1)


def apply_event(
    tx: Transaction, context: Context, row: OrderRow, event: str, now: int, reason: str | None = None
) -> None:
    """Let `event` happen to one order."""
    transitions = Transitions(tx, context, now)
    transitions.apply(row, event, reason)
    transitions.write()
