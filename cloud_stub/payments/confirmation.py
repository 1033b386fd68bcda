"""A confirmation with a hold: the order is made only after the provider has held the money.

    1. in one transaction: the confirmation is checked, the hold and its call are stored
    2. the provider is called
    3. in one transaction: the call is resolved, and the order is made

A request with the same Idempotency-Key continues at the step where the earlier request ended. If no order is
made, the hold is released (due.py).
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from ..base.clock import now_s
from ..base.ids import new_id
from ..base.problems import Problem
from ..db import audit
from ..db.audit import Actor
from ..db.rows import OrderRow
from ..db.writer import Transaction, Unit
from ..orders import create
from ..orders.context import Context
from ..orders.create import OrderBody
from . import calls, free, holds, port
from .cashier import Cashier
from .holds import HoldRow

AUTHORIZATIONS_AT_ONCE = 64
_DRIVER = Actor(audit.DRIVER, "driver")

Write = Callable[[Unit[Any]], Awaitable[Any]]


class _Made(NamedTuple):
    """The order, and whether this request made it."""

    row: OrderRow
    is_new: bool


class _ToHold(NamedTuple):
    """The call that holds the money. look_first: an earlier request may have made it."""

    call: port.Call
    look_first: bool


class Confirmations:
    """Makes orders from confirmations; one for each Cloud."""

    def __init__(self, context: Context, cashier: Cashier, write: Write):
        self._context = context
        self._cashier = cashier
        self._write = write
        self._pool = ThreadPoolExecutor(AUTHORIZATIONS_AT_ONCE, "authorizations")

    def stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def confirm(self, body: OrderBody, key: str, operator: Actor | None) -> tuple[OrderRow, bool]:
        """Returns (the order, whether it is new). operator: who makes a free order. Raises Problem: those of
        orders.create, and PaymentRefused, PaymentNeeded, PaymentUnavailable, FreeCodeInvalid.
        """
        step = await self._write(lambda tx: self._prepare(tx, body, key, operator, now_s()))
        if isinstance(step, _Made):
            return step
        loop = asyncio.get_running_loop()
        try:
            outcome = await loop.run_in_executor(
                self._pool, self._cashier.perform, step.call, step.look_first
            )
        except port.ProviderError:
            problem = Problem(503, "PaymentUnavailable", "The payment provider does not answer; try again")
            problem.headers["Retry-After"] = "5"
            raise problem from None
        done = await self._write(lambda tx: self._finish(tx, body, key, step.call, outcome, now_s()))
        if isinstance(done, Problem):
            raise done
        return done

    def _prepare(
        self, tx: Transaction, body: OrderBody, key: str, operator: Actor | None, now: int
    ) -> _Made | _ToHold:
        conn, context = tx.conn, self._context
        terms = create.agree(tx, context, body, key, now)
        if not isinstance(terms, create.Terms):
            return _Made(terms, False)
        hold = holds.by_key(conn, key)
        if hold is not None:
            return self._go_on(tx, terms, hold, now)
        used = None
        if operator is None or body.free_reason is None:
            used = free.find(conn, body.code, terms.pile.site_id, now)
        is_free = used is not None or body.free_reason is not None
        amount_minor = create.highest_minor(context, terms)
        if is_free or self._cashier.adapter is None or amount_minor == 0:
            row = create.make(tx, context, terms, now)
            if is_free:
                reason = used.reason if used else body.free_reason or ""
                free.mark(conn, row.order_id, used, operator or Actor(audit.CLOUD, "free vend"), reason)
                detail = f"Free: {reason}"
                about = {"device_id": row.device_id, "order_id": row.order_id}
                audit.record(conn, operator or _DRIVER, now, "FreeOrderMade", **about, detail=detail)
            return _Made(row, True)
        return _ToHold(self._begin(tx, terms, amount_minor, now), False)

    def _begin(self, tx: Transaction, terms: create.Terms, amount_minor: int, now: int) -> port.Call:
        adapter = self._cashier.adapter
        if adapter is None:
            raise ValueError("nothing is held without an adapter")
        hold = HoldRow(
            hold_id="h-" + new_id(),
            idempotency_key=terms.idempotency_key,
            request_digest=terms.request_digest,
            device_id=terms.pile.device_id,
            order_id=None,
            adapter=adapter.name,
            is_test=adapter.is_test,
            amount_minor=amount_minor,
            currency=terms.locked_rate["currency"],
            minor_digits=terms.locked_rate["minor_digits"],
            state=holds.AUTHORIZING,
            ref=None,
            reason=None,
            captured_minor=0,
            released_minor=0,
            refunded_minor=0,
            open=True,
            created_at=now,
            changed_at=now,
        )
        holds.add(tx.conn, hold)
        return calls.begin(tx.conn, self._context, hold, port.AUTHORIZE, amount_minor, now)

    def _go_on(self, tx: Transaction, terms: create.Terms, hold: HoldRow, now: int) -> _Made | _ToHold:
        """Raises Problem."""
        if hold.request_digest != terms.request_digest:
            raise Problem(422, "IdempotencyKeyReused", "That Idempotency-Key belongs to another order")
        if hold.state in (holds.AUTHORIZING, holds.ACTION_NEEDED):
            (row,) = holds.calls_of(tx.conn, hold.hold_id)
            return _ToHold(calls.as_call(hold, row), True)
        if hold.state != holds.HELD or hold.reason:
            raise _refused(hold)
        return _Made(self._order(tx, terms, hold, now), True)

    def _order(self, tx: Transaction, terms: create.Terms, hold: HoldRow, now: int) -> OrderRow:
        row = create.make(tx, self._context, terms, now, hold.amount_minor)
        holds.change(tx.conn, hold, now, order_id=row.order_id)
        return row

    def _finish(
        self, tx: Transaction, body: OrderBody, key: str, call: port.Call, outcome: port.Outcome, now: int
    ) -> _Made | Problem:
        """Returns a Problem instead of raising it, so that the transaction still stores the provider's
        answer.
        """
        hold = calls.resolve(tx, self._context, call.key, outcome, now)
        if hold is None:
            raise ValueError(f"there is no call {call.key}")
        if hold.state == holds.ACTION_NEEDED:
            return _needed(hold, outcome)
        try:
            terms = create.agree(tx, self._context, body, key, now)
        except Problem as error:
            if hold.state == holds.HELD and hold.order_id is None:  # released at once
                holds.change(tx.conn, hold, now, reason=error.code)
            return error
        if not isinstance(terms, create.Terms):
            return _Made(terms, False)
        if hold.state != holds.HELD or hold.reason:
            return _refused(hold)
        return _Made(self._order(tx, terms, hold, now), True)


def _refused(hold: HoldRow) -> Problem:
    title = "The hold of this confirmation was released; confirm again with a new Idempotency-Key"
    if hold.state == holds.REFUSED:
        title = "The payment was refused; no order was made"
    return Problem(402, "PaymentRefused", title, reason=hold.reason, **_members(hold))


def _needed(hold: HoldRow, outcome: port.Outcome) -> Problem:
    title = "The payment needs an action of the driver; after it, send the same request again"
    members = _members(hold) | {"hold_id": hold.hold_id, "client": outcome.client}
    return Problem(402, "PaymentNeeded", title, **members)


def _members(hold: HoldRow) -> dict[str, Any]:
    names = ("amount_minor", "currency", "minor_digits", "adapter", "is_test")
    return {name: getattr(hold, name) for name in names}
