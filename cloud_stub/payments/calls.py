"""Calls to a provider: stored before they are made, resolved after the answer.

If a process ends and leaves a call open, the call is looked up at the provider by its key. If the provider
has no such call, it is made again with the same key. resolve() does nothing for a call that is already
resolved, so an answer and its webhook may come in either order. The exception is a refund that fails after
the provider has reported it as done.
"""

from typing import Any, NamedTuple

import structlog
from sqlalchemy import Connection, bindparam, func, insert, select, update

from ..base.ids import new_id
from ..db import audit
from ..db.audit import Actor
from ..db.events import record_event, tell_receivers
from ..db.payment_tables import payment_calls, payment_holds
from ..db.rows import Query
from ..db.tables import payments
from ..db.writer import Transaction
from ..orders import lookup, states, transitions
from ..orders.context import Context
from ..settlements import bills
from ..settlements import views as settlement_views
from . import holds, port
from .holds import CallRow, HoldRow

log = structlog.get_logger()

OPEN, DONE, REFUSED = "Open", port.DONE, port.REFUSED
CLAIMED_AT_ONCE = 100
UNRESOLVED_S = 600  # calls without an outcome for longer are reported to operators

_DURING = {port.CAPTURE: holds.CAPTURING, port.RELEASE: holds.RELEASING, port.REFUND: holds.REFUNDING}
_REFUSED = {
    port.AUTHORIZE: holds.REFUSED,
    port.CAPTURE: holds.CAPTURE_REFUSED,
    port.RELEASE: holds.RELEASE_REFUSED,
    port.REFUND: holds.REFUND_REFUSED,
}
_ACTIONS = {
    port.AUTHORIZE: "HoldMade",
    port.CAPTURE: "HoldCaptured",
    port.RELEASE: "HoldReleased",
    port.REFUND: "PaymentRefunded",
}

_RESOLVE = update(payment_calls).where(payment_calls.c.key == bindparam("this"))
_LOCK = Query(select(payment_calls).where(payment_calls.c.key == bindparam("key")).with_for_update(), CallRow)
_DUE = Query(
    select(payment_calls)
    .where(payment_calls.c.state == OPEN, payment_calls.c.next_at <= bindparam("now"))
    .order_by(payment_calls.c.next_at)
    .limit(CLAIMED_AT_ONCE)
    .with_for_update(skip_locked=True),
    CallRow,
)


class Unresolved(NamedTuple):
    """How many open calls are older than UNRESOLVED_S, and since when the oldest is open."""

    calls: int
    oldest_at: int | None


# Without the holds that wait for a step of the driver.
_UNRESOLVED = Query(
    select(func.count().label("calls"), func.min(payment_calls.c.created_at).label("oldest_at"))
    .select_from(payment_calls.join(payment_holds, payment_holds.c.hold_id == payment_calls.c.hold_id))
    .where(
        payment_calls.c.state == OPEN,
        payment_calls.c.created_at < bindparam("before"),
        payment_holds.c.state != holds.ACTION_NEEDED,
    ),
    Unresolved,
)
_ADOPT = update(payment_calls).where(payment_calls.c.state == OPEN, payment_calls.c.next_at > 0)


def begin(
    conn: Connection, context: Context, hold: HoldRow, kind: str, amount_minor: int, now: int
) -> port.Call:
    """Store the call before it is made. The hold must be locked, or new."""
    lease_s = 2 * context.settings.payment_call_s
    row = CallRow(
        "k-" + new_id(), hold.hold_id, kind, amount_minor, OPEN, None, None, now, now + lease_s, None
    )
    conn.execute(insert(payment_calls), row._asdict())
    if kind in _DURING:
        hold = holds.change(conn, hold, now, state=_DURING[kind], reason=None)
    return as_call(hold, row)


def as_call(hold: HoldRow, row: CallRow) -> port.Call:
    return port.Call(
        row.kind,
        row.key,
        hold.hold_id,
        hold.order_id,
        row.amount_minor,
        hold.currency,
        hold.minor_digits,
        hold.ref,
    )


def is_busy(conn: Connection, hold_id: str) -> bool:
    """Whether a call about the hold is not resolved."""
    return any(row.state == OPEN for row in holds.calls_of(conn, hold_id))


def unresolved(conn: Connection, now: int) -> Unresolved:
    """The calls that are open for too long: the provider does not answer, or a refund is still pending."""
    return _UNRESOLVED.one(conn, {"before": now - UNRESOLVED_S})


def adopt_all(conn: Connection) -> None:
    """Make every open call due. To be called at the start, by the only process of the cloud."""
    conn.execute(_ADOPT.values(next_at=0))


def find(conn: Connection, context: Context, key: str) -> tuple[port.Call, bool] | None:
    """The call with this key of the provider that is set, and whether its outcome may still change."""
    row = holds.call(conn, key)
    hold = holds.find(conn, row.hold_id) if row is not None else None
    if row is None or hold is None or hold.adapter != context.settings.payment:
        return None
    return as_call(hold, row), row.state == OPEN or (row.kind, row.state) == (port.REFUND, DONE)


def claim_due(conn: Connection, context: Context, now: int) -> list[port.Call]:
    """The open calls whose lease has ended. They get a new lease, so no other process claims them."""
    found = []
    for row in _DUE.all(conn, {"now": now}):
        lease_s = 2 * context.settings.payment_call_s
        conn.execute(_RESOLVE.values(next_at=now + lease_s), {"this": row.key})
        hold = holds.find(conn, row.hold_id)
        if hold is not None and hold.adapter == context.settings.payment:
            found.append(as_call(hold, row))
    return found


def resolve(tx: Transaction, context: Context, key: str, outcome: port.Outcome, now: int) -> HoldRow | None:
    """Store the outcome of the call, once. Returns the hold as changed; None if there is no such call."""
    conn = tx.conn
    known = holds.call(conn, key)
    if known is None:
        return None
    hold = holds.find(conn, known.hold_id)
    order = lookup.lock(conn, hold.order_id) if hold is not None and hold.order_id else None
    hold = holds.lock(conn, known.hold_id)
    row = _LOCK.one(conn, {"key": key})
    fails_late = (row.kind, row.state, outcome.state) == (port.REFUND, DONE, port.REFUSED)
    if row.state != OPEN and not fails_late:
        return hold
    if outcome.state in (port.PENDING, port.ACTION_NEEDED):
        return _wait(conn, context, hold, row, outcome, now)
    is_done = outcome.state == port.DONE
    values = {"state": outcome.state, "ref": outcome.ref, "reason": outcome.reason, "resolved_at": now}
    conn.execute(_RESOLVE.values(values), {"this": key})
    changed = _values(conn, hold, row, outcome, is_done)
    hold = holds.change(conn, hold, now, reason=outcome.reason, **changed)
    _record(tx, hold, row, is_done, now)
    if order is not None:
        if is_done and row.kind == port.CAPTURE:
            _pay(tx, context, hold, order, now)
        transitions.count_change(conn, [order.order_id])
        tx.after_commit(lambda: context.hub.wake(order.order_id))
    tx.after_commit(lambda: context.metrics.payment_calls.labels(row.kind, outcome.state).inc())
    if is_done and row.kind in (port.CAPTURE, port.REFUND):
        tx.after_commit(lambda: context.hub.ended(hold.order_id or ""))  # more may be due
    return hold


def _wait(
    conn: Connection, context: Context, hold: HoldRow, row: CallRow, outcome: port.Outcome, now: int
) -> HoldRow:
    """The outcome is pending: the driver or the provider has to act first. A hold whose driver does nothing
    for settings.hold_confirm_s is given up.
    """
    if row.kind != port.AUTHORIZE:
        conn.execute(_RESOLVE.values(ref=outcome.ref), {"this": row.key})
        return hold
    given_up_at = row.created_at + context.settings.hold_confirm_s
    if now >= given_up_at:
        values: dict[str, Any] = {"state": REFUSED, "reason": "Abandoned", "resolved_at": now}
        conn.execute(_RESOLVE.values(values), {"this": row.key})
        return holds.change(conn, hold, now, state=holds.HELD, ref=outcome.ref, reason="Abandoned")
    conn.execute(_RESOLVE.values(ref=outcome.ref, next_at=given_up_at), {"this": row.key})
    return holds.change(conn, hold, now, state=holds.ACTION_NEEDED, ref=outcome.ref)


def _values(
    conn: Connection, hold: HoldRow, row: CallRow, outcome: port.Outcome, is_done: bool
) -> dict[str, Any]:
    """The new values of the hold's row. `open` stays true if further calls may be due."""
    if not is_done and row.kind == port.AUTHORIZE and outcome.reason == port.AMOUNT_DIFFERS:
        return {"state": holds.HELD, "ref": outcome.ref}  # a hold with a reason is released
    if not is_done:
        # After a refused capture the money may be held still, and is released once the bill is closed.
        found = {"state": _REFUSED[row.kind], "open": row.kind == port.CAPTURE}
        if row.state == DONE:  # a refund that fails late
            found["refunded_minor"] = hold.refunded_minor - row.amount_minor
        return found
    match row.kind:
        case port.AUTHORIZE:
            return {"state": holds.HELD, "ref": outcome.ref}
        case port.CAPTURE:
            rest = hold.amount_minor - row.amount_minor
            return {"state": holds.CAPTURED, "captured_minor": row.amount_minor, "released_minor": rest}
        case port.RELEASE:
            # If the driver never took the provider's step, nothing was held.
            was_held = holds.calls_of(conn, hold.hold_id)[0].state == DONE
            minor = hold.amount_minor if was_held else 0
            return {"state": holds.RELEASED, "released_minor": minor, "open": False}
    refunded_minor = hold.refunded_minor + row.amount_minor
    return {"state": holds.CAPTURED, "refunded_minor": refunded_minor, "open": True}


def _pay(tx: Transaction, context: Context, hold: HoldRow, order: Any, now: int) -> None:
    """Store the captured amount as the order's payment. If a full credit closed the order meanwhile, its
    state does not change.
    """
    if settlement_views.payment_of(tx.conn, order.order_id) is None:
        values = {
            "order_id": order.order_id,
            "amount_minor": hold.captured_minor,
            "currency": hold.currency,
            "method": hold.adapter,
            "paid_at": now,
        }
        tx.conn.execute(insert(payments), values)
    if order.state == states.SETTLED:
        transitions.apply_event(tx, context, order, states.PAYMENT_MADE, now)


def _record(tx: Transaction, hold: HoldRow, row: CallRow, is_done: bool, now: int) -> None:
    """Add the audit line, and an event if an operator has to act on it."""
    test = f"{port.TEST}: " if hold.is_test else ""
    detail = test + bills.as_text(row.amount_minor, hold.currency, hold.minor_digits)
    action = _ACTIONS[row.kind] if is_done else _REFUSED[row.kind]
    if not is_done:
        action = "HoldRefused" if row.kind == port.AUTHORIZE else action
        detail += f": {row.kind} was refused" + (f", {hold.reason}" if hold.reason else "")
    actor = Actor(audit.CLOUD, hold.adapter)
    audit.record(tx.conn, actor, now, action, device_id=hold.device_id, order_id=hold.order_id, detail=detail)
    if not is_done and (row.kind != port.AUTHORIZE or hold.reason == port.AMOUNT_DIFFERS):
        record_event(tx.conn, now, action, hold.device_id, hold.order_id, detail)
    else:
        event = {"at": now, "kind": action, "device_id": hold.device_id, "order_id": hold.order_id}
        tell_receivers(tx.conn, [event | {"detail": detail}])
    tx.after_commit(
        lambda: log.info("payment_call_resolved", kind=row.kind, hold_id=hold.hold_id, state=hold.state)
    )
