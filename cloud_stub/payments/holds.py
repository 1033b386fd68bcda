"""Holds: the amount that a provider reserves for an order, and its state.

    Authorizing -> Held -> Capturing -> Captured <-> Refunding
         |          +----> Releasing -> Released
         +-> ActionNeeded | Refused

CaptureRefused, ReleaseRefused and RefundRefused wait for an operator's retry. Where the bill is credited in
whole or paid otherwise, CaptureRefused becomes Releasing.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from ..base.problems import Problem
from ..db.payment_tables import CAPTURE_REFUSED, payment_calls, payment_holds
from ..db.rows import Query

AUTHORIZING, ACTION_NEEDED, HELD, REFUSED = "Authorizing", "ActionNeeded", "Held", "Refused"
CAPTURING, CAPTURED = "Capturing", "Captured"
RELEASING, RELEASED, RELEASE_REFUSED = "Releasing", "Released", "ReleaseRefused"
REFUNDING, REFUND_REFUSED = "Refunding", "RefundRefused"
# The state of a hold after an operator's retry, by its state of refusal.
RETRIED = {CAPTURE_REFUSED: HELD, RELEASE_REFUSED: HELD, REFUND_REFUSED: CAPTURED}


class HoldRow(NamedTuple):
    """A row of `payment_holds`."""

    hold_id: str
    idempotency_key: str
    request_digest: str
    device_id: str
    order_id: str | None
    adapter: str
    is_test: bool
    amount_minor: int
    currency: str
    minor_digits: int
    state: str
    ref: str | None
    reason: str | None
    captured_minor: int
    released_minor: int
    refunded_minor: int
    open: bool
    created_at: int
    changed_at: int


class CallRow(NamedTuple):
    """A row of `payment_calls`."""

    key: str
    hold_id: str
    kind: str
    amount_minor: int
    state: str
    ref: str | None
    reason: str | None
    created_at: int
    next_at: int
    resolved_at: int | None


_HOLDS = select(payment_holds)
_BY_ID = _HOLDS.where(payment_holds.c.hold_id == bindparam("hold_id"))
_GET = Query(_BY_ID, HoldRow)
_LOCK = Query(_BY_ID.with_for_update(), HoldRow)
_BY_KEY = Query(_HOLDS.where(payment_holds.c.idempotency_key == bindparam("key")).with_for_update(), HoldRow)
_OF_ORDER = Query(_HOLDS.where(payment_holds.c.order_id == bindparam("order_id")), HoldRow)
_BY_REF = Query(_HOLDS.where(payment_holds.c.ref == bindparam("ref")), HoldRow)
_SOME = Query(_HOLDS, HoldRow)
_CHANGE = update(payment_holds).where(payment_holds.c.hold_id == bindparam("this"))
_CALLS = select(payment_calls)
_CALL = Query(_CALLS.where(payment_calls.c.key == bindparam("key")), CallRow)
_CALLS_OF = Query(
    _CALLS.where(payment_calls.c.hold_id == bindparam("hold_id")).order_by(payment_calls.c.key), CallRow
)


def add(conn: Connection, row: HoldRow) -> None:
    conn.execute(insert(payment_holds), row._asdict())


def change(conn: Connection, hold: HoldRow, now: int, **values: Any) -> HoldRow:
    """Store new values of the hold; returns the changed row."""
    values["changed_at"] = now
    conn.execute(_CHANGE.values(values), {"this": hold.hold_id})
    return HoldRow(**(hold._asdict() | values))


def find(conn: Connection, hold_id: str) -> HoldRow | None:
    return _GET.first(conn, {"hold_id": hold_id})


def lock(conn: Connection, hold_id: str) -> HoldRow:
    """The row, locked. If the hold has an order, lock the order first."""
    return _LOCK.one(conn, {"hold_id": hold_id})


def unknown_hold() -> Problem:
    return Problem(404, "UnknownHold", "There is no hold with that id")


def by_key(conn: Connection, key: str) -> HoldRow | None:
    """The hold of the confirmation with this Idempotency-Key, locked."""
    return _BY_KEY.first(conn, {"key": key})


def of_order(conn: Connection, order_id: str) -> HoldRow | None:
    return _OF_ORDER.first(conn, {"order_id": order_id})


def of_orders(conn: Connection, order_ids: Iterable[str]) -> dict[str, HoldRow]:
    """The holds of these orders, by order id."""
    found = _SOME.narrowed(_HOLDS.where(payment_holds.c.order_id.in_(list(order_ids)))).all(conn)
    return {row.order_id: row for row in found if row.order_id is not None}


def by_ref(conn: Connection, ref: str) -> HoldRow | None:
    """The hold with this reference of the provider."""
    return _BY_REF.first(conn, {"ref": ref})


def call(conn: Connection, key: str) -> CallRow | None:
    return _CALL.first(conn, {"key": key})


def calls_of(conn: Connection, hold_id: str) -> list[CallRow]:
    """The calls about the hold, oldest first."""
    return list(_CALLS_OF.all(conn, {"hold_id": hold_id}))


def list_rows(
    conn: Connection, state: str | None, order_id: str | None, limit: int, before: str | None
) -> list[HoldRow]:
    """Newest first, older than hold `before`."""
    query = _HOLDS.order_by(payment_holds.c.hold_id.desc()).limit(limit)
    if order_id is not None:
        query = query.where(payment_holds.c.order_id == order_id)
    if state is not None:
        query = query.where(payment_holds.c.state == state)
    if before is not None:
        query = query.where(payment_holds.c.hold_id < before)
    return list(_SOME.narrowed(query).all(conn))
