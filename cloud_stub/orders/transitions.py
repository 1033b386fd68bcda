"""Updates orders, as nothing else does but `places`. Each update raises the order's version number.

`Transitions` collects the new states of many orders and writes them with one statement for each state.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Connection, bindparam, func, update

from ..db.events import record_events, tell_receivers
from ..db.payment_tables import free_orders
from ..db.rows import OrderRow
from ..db.tables import orders
from ..db.writer import Transaction
from ..messaging.outbox import withdraw_all, withdraw_orders
from . import lookup, states
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
_LEAVABLE = (states.REJECTED, states.EXPIRED, states.CANCELLED, states.LOST)
# A free order whose end is overruled gets a bill after all, which is credited.
_REOPEN_FREE = update(free_orders).where(free_orders.c.order_id == bindparam("this")).values(open=True)
_REQUEST_STOP = _CHANGE_ONE.values(stop_requested_at=bindparam("at"))
_SET_TOTAL = _CHANGE_ONE.values(total_minor=bindparam("total"))

# An order may change its state twice here: out of an end that a later message overrules, then onwards.
_WRITTEN_IN_ORDER = (*_LEAVABLE, *(state for state in states.STATES if state not in _LEAVABLE))
# In these states the order itself is not sent again; its stop still is, for a pile that holds the order.
_STOPPABLE = frozenset({states.ACCEPTED, states.CHARGING, states.CANCELLED, states.EXPIRED, states.LOST})
# A pile that reports one of these has not taken a stop that was requested before.
_NOT_STOPPED = frozenset({states.ACCEPTED, states.CHARGING})


class _Entered(NamedTuple):
    order_id: str
    device_id: str
    before: str
    state: str
    reason: str | None


class Transitions:
    """Events applied to some orders as of `now`; nothing is in the database before `write`."""

    def __init__(self, tx: Transaction, context: Context, now: int):
        self._tx = tx
        self._context = context
        self._now = now
        self._state_of: dict[str, str] = {}
        self._updates: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._entered: list[_Entered] = []
        self._to_stop: list[str] = []

    def state_of(self, row: OrderRow) -> str:
        """The state of an order, of which `row` has been read, after the events applied here."""
        return self._state_of.get(row.order_id) or row.state

    def apply(self, row: OrderRow, event: str, reason: str | None = None, **values: Any) -> None:
        """Apply `event` to the order; a harmless one changes nothing.

        An event that the order's state does not know is logged and counted, and changes nothing. It raises
        states.UnknownEvent instead where settings.raise_unknown_events is set, as tests do.

        values: further columns of this event (of states.SETTLEMENT_STORED: total, energy).
        """
        before = self.state_of(row)
        try:
            state = states.next_state(before, event)
        except states.UnknownEvent:

            def report() -> None:
                _report_unknown(self._context, row, before, event, reason)

            if self._context.settings.raise_unknown_events:
                report()
                raise
            self._tx.after_commit(report)
            return
        if state is None:
            return
        self._state_of[row.order_id] = state
        self._updates[state].append({"this": row.order_id, "why": reason, "when": self._now, **values})
        self._entered.append(_Entered(row.order_id, row.device_id, before, state, reason))
        if row.stop_requested_at is not None and state in _NOT_STOPPED:
            self._to_stop.append(row.order_id)

    def settle(
        self, row: OrderRow, stop_reason: str, total_minor: int, energy_mwh: int, payable: bool
    ) -> None:
        """Apply the settlement of the order. payable: nothing in it waits for a person's decision."""
        self.apply(row, states.SETTLEMENT_STORED, stop_reason, total=total_minor, energy=energy_mwh)
        if payable:
            self.close_if_nothing_to_pay(row, total_minor)

    def close_if_nothing_to_pay(self, row: OrderRow, total_minor: int) -> None:
        """Close a settled order whose total is zero, because nothing is to be paid."""
        if total_minor == 0 and self.state_of(row) == states.SETTLED:
            self.apply(row, states.NOTHING_TO_PAY)

    def write(self) -> None:
        """Write all collected changes. Watchers are woken after the commit."""
        if not self._entered:
            return
        for state in _WRITTEN_IN_ORDER:
            if state in self._updates:
                self._tx.conn.execute(_ENTER[state], self._updates[state])
        overruled = [{"this": each.order_id} for each in self._entered if each.before in _LEAVABLE]
        if overruled:
            self._tx.conn.execute(_REOPEN_FREE, overruled)
        settled = {each["this"] for each in self._updates[states.SETTLED]}
        answered, over = [], []
        for order_id, state in self._state_of.items():
            if state in _STOPPABLE:
                answered.append(order_id)
            elif state != states.PAID or order_id in settled:  # a payment follows what was withdrawn before
                over.append(order_id)
        withdraw_orders(self._tx, answered)
        withdraw_all(self._tx, over)
        self._context.outbox.resend_commands(self._tx, self._to_stop, self._now)
        lost = [self._event(each) for each in self._entered if each.state == states.LOST]
        record_events(self._tx.conn, lost)
        others = (self._event(each) for each in self._entered if each.state != states.LOST)
        tell_receivers(self._tx.conn, others)
        entered = self._entered
        self._tx.after_commit(lambda: _announce_all(self._context, entered))

    def _event(self, each: _Entered) -> dict[str, Any]:
        detail = each.reason or ""
        if each.state == states.LOST:
            detail += f", was {each.before}"
        return event_of(each.order_id, each.device_id, each.state, self._now, detail)


def event_of(order_id: str, device_id: str, state: str, at: int, detail: str = "") -> dict[str, Any]:
    """The event that the order has entered `state`, as db.events takes it."""
    kind = "Order" + state
    return {"at": at, "kind": kind, "device_id": device_id, "order_id": order_id, "detail": detail}


def _announce_all(context: Context, entered: list[_Entered]) -> None:
    for each in entered:
        announce(context, each.order_id, each.device_id, each.state, each.reason)


def _report_unknown(context: Context, row: OrderRow, state: str, event: str, reason: str | None) -> None:
    context.metrics.unknown_events.labels(event).inc()
    order = {"order_id": row.order_id, "device_id": row.device_id, "state": state}
    log.error("order_event_unknown", **order, order_event=event, reason=reason)


def announce(context: Context, order_id: str, device_id: str, state: str, reason: str | None) -> None:
    """After the commit that brought an order into `state`."""
    context.metrics.transitions.labels(state).inc()
    log.info("order_moved", order_id=order_id, device_id=device_id, state=state, reason=reason)
    context.hub.wake(order_id)
    if state in states.ENDS or state == states.SETTLED:
        context.hub.ended(order_id)


def apply_event(
    tx: Transaction, context: Context, row: OrderRow, event: str, now: int, reason: str | None = None
) -> None:
    """Apply `event` to one order and write it."""
    transitions = Transitions(tx, context, now)
    transitions.apply(row, event, reason)
    transitions.write()


def request_stop(conn: Connection, order_id: str, at: int) -> None:
    """Store that a stop of the order was requested."""
    conn.execute(_REQUEST_STOP, {"this": order_id, "at": at})


def set_total(conn: Connection, order_id: str, total_minor: int) -> None:
    """Replace what the driver pays, after a review."""
    conn.execute(_SET_TOTAL, {"this": order_id, "total": total_minor})


def lose_orders(tx: Transaction, context: Context, rows: Iterable[OrderRow], reason: str, now: int) -> None:
    """End orders whose settlements are not expected any more, which frees their connectors."""
    transitions = Transitions(tx, context, now)
    for row in rows:
        transitions.apply(row, states.ORDER_LOST, reason)
    transitions.write()


def lose_with_pile(
    context: Context, reason: str = states.PILE_REMOVED
) -> Callable[[Transaction, str, int], None]:
    """For piles.removal and piles.rekey: what ends the orders of a pile, by its device id."""

    def lose(tx: Transaction, device_id: str, now: int) -> None:
        lose_orders(tx, context, lookup.lock_held(tx.conn, device_id), reason, now)

    return lose


def count_change(conn: Connection, order_ids: list[str]) -> None:
    """Raise the version of orders whose view has changed though their own rows have not."""
    conn.execute(_CHANGE_ONE, [{"this": order_id} for order_id in order_ids])
