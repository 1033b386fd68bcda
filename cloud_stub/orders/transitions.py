"""The one module that updates orders. Each update raises the order's version number.

`Transitions` collects the new states of many orders and writes them with one statement for each state.
"""

from collections import defaultdict
from typing import Any

import structlog
from sqlalchemy import Connection, bindparam, func, update

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
# Every UPDATE of an order derives from this one: a new version tells watchers that the order has changed.
_CHANGE = update(orders).values(version=orders.c.version + 1)
_CHANGE_ONE = _CHANGE.where(orders.c.order_id == bindparam("this"))
_ENTER = {
    state: _CHANGE_ONE.values(
        {
            "state": state,
            "holds": state in states.HOLDING,
            "reason": func.coalesce(bindparam("why"), orders.c.reason),
        }
        | ({_TIME_OF[state]: bindparam("when")} if state in _TIME_OF else {})
    )
    for state in states.STATES
}
_ENTER[states.SETTLED] = _ENTER[states.SETTLED].values(
    total_minor=bindparam("total"), energy_mwh=bindparam("energy")
)
_LEAVABLE = (states.REJECTED, states.EXPIRED, states.CANCELLED)
_REQUEST_STOP = _CHANGE_ONE.values(stop_requested_at=bindparam("at"))
_SET_TOTAL = _CHANGE_ONE.values(total_minor=bindparam("total"))
_RELEASE = _CHANGE_ONE.values(holds=False)
_RELEASE_OF_PILE = _CHANGE.where(orders.c.device_id == bindparam("of"), orders.c.holds).values(holds=False)

# An order may change its state twice here: out of an end that a later message overrules, then onwards.
_WRITTEN_IN_ORDER = (*_LEAVABLE, *(state for state in states.STATES if state not in _LEAVABLE))
# The order itself need not be sent again; a stop may still have to be.
_ANSWERED = frozenset({states.ACCEPTED, states.CHARGING, states.CANCELLED, states.EXPIRED})


class Transitions:
    """Events applied to some orders as of `now`; nothing is in the database before `write`."""

    def __init__(self, tx: Transaction, context: Context, now: int):
        self._tx = tx
        self._context = context
        self._now = now
        self._state_of: dict[str, str] = {}
        self._updates: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._entered: list[tuple[str, str, str, str | None]] = []

    def state_of(self, row: OrderRow) -> str:
        """The state of an order, of which `row` has been read, after the events applied here."""
        return self._state_of.get(row.order_id) or row.state

    def apply(self, row: OrderRow, event: str, reason: str | None = None, **values: Any) -> None:
        """Apply `event` to the order; in a state that has no transition for it, nothing changes.

        values: further columns of this event (of states.SETTLEMENT_STORED: total, energy).
        """
        state = states.next_state(self.state_of(row), event)
        if state is None:
            return
        self._state_of[row.order_id] = state
        self._updates[state].append({"this": row.order_id, "why": reason, "when": self._now, **values})
        self._entered.append((row.order_id, row.device_id, state, reason))

    def write(self) -> None:
        """Write all of it; watchers are woken after the commit."""
        if not self._entered:
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
        entered = self._entered
        self._tx.after_commit(lambda: _announce_all(self._context, entered))


def _announce_all(context: Context, entered: list[tuple[str, str, str, str | None]]) -> None:
    for order_id, device_id, state, reason in entered:
        announce(context, order_id, device_id, state, reason)


def announce(context: Context, order_id: str, device_id: str, state: str, reason: str | None) -> None:
    """After the commit that brought an order into `state`."""
    context.metrics.transitions.labels(state).inc()
    log.info("order_moved", order_id=order_id, device_id=device_id, state=state, reason=reason)
    context.hub.wake(order_id)


def apply_event(
    tx: Transaction, context: Context, row: OrderRow, event: str, now: int, reason: str | None = None
) -> None:
    """Apply `event` to one order and write it."""
    transitions = Transitions(tx, context, now)
    transitions.apply(row, event, reason)
    transitions.write()


def request_stop(conn: Connection, order_id: str, at: int) -> None:
    """Write down that the order's end is asked for."""
    conn.execute(_REQUEST_STOP, {"this": order_id, "at": at})


def set_total(conn: Connection, order_id: str, total_minor: int) -> None:
    """Replace what the driver pays, after a review."""
    conn.execute(_SET_TOTAL, {"this": order_id, "total": total_minor})


def release(conn: Connection, order_id: str) -> None:
    """Free the connector of an order that its pile does not hold."""
    conn.execute(_RELEASE, {"this": order_id})


def release_of_pile(conn: Connection, device_id: str) -> None:
    """Free every connector of a pile."""
    conn.execute(_RELEASE_OF_PILE, {"of": device_id})


def count_change(conn: Connection, order_ids: list[str]) -> None:
    """Raise the version of orders whose view has changed though their own rows have not."""
    conn.execute(_CHANGE_ONE, [{"this": order_id} for order_id in order_ids])
