"""Compares the cloud's calls with the provider's own report, and names each difference.

    MissingAtProvider   done here, and not in the provider's report
    MissingHere         in the report, and no call of the cloud: made by hand there, lapsed, or lost here
    AmountDiffers       another amount, or another currency
    StateDiffers        done there and open or refused here, or the other way round

Rows are matched by the call's key. A row without a key (the provider cancelled a hold, somebody refunded in
its dashboard) is matched by the hold. These are no differences: clocks that differ by at most CLOCK_S, a call
that is done there before midnight and resolved here after it, and a refund of these days that failed later.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, select

from ..base.problems import Problem, invalid
from ..db.engine import Store
from ..db.payment_tables import payment_calls, payment_holds
from ..db.rows import Query
from . import calls, holds, port
from .holds import CallRow, HoldRow
from .port import Adapter, ReportRow

MISSING_THERE, MISSING_HERE = "MissingAtProvider", "MissingHere"
AMOUNT_DIFFERS, STATE_DIFFERS = "AmountDiffers", "StateDiffers"
CLOCK_S = 300  # how far the provider's clock may be from ours

_DONE = Query(
    select(payment_calls)
    .join(payment_holds, payment_holds.c.hold_id == payment_calls.c.hold_id)
    .where(
        payment_calls.c.resolved_at >= bindparam("from_at"),
        payment_calls.c.resolved_at < bindparam("until_at"),
        payment_calls.c.state == calls.DONE,
        payment_holds.c.adapter == bindparam("adapter"),
    )
    .order_by(payment_calls.c.resolved_at, payment_calls.c.key),
    CallRow,
)


class _Pair(NamedTuple):
    """A call of the cloud with its hold, and the provider's row about it; None for the missing one."""

    call: CallRow | None
    hold: HoldRow | None
    theirs: ReportRow | None


def reconcile(store: Store, adapter: Adapter | None, from_at: int, until_at: int, now: int) -> dict[str, Any]:
    """Compare the calls from `from_at` until before `until_at`, Unix seconds. Requests the provider's report.

    Raises Problem: NoPaymentProvider, PaymentUnavailable; InvalidRequest if the provider no longer keeps the
    report of `from_at`.
    """
    if adapter is None:
        raise Problem(409, "NoPaymentProvider", "No payment provider is set, so there is nothing to compare")
    kept_s = adapter.report_kept_s
    if kept_s is not None and from_at < now - kept_s:
        raise invalid(("from", f"the provider keeps its report for {kept_s // 86_400} days only"))
    with store.reading.connect() as conn:
        asked = {"from_at": from_at, "until_at": until_at, "adapter": adapter.name}
        ours = {row.key: row for row in _DONE.all(conn, asked)}
    # A call is stored before it is done.
    since_at = min([from_at, *(row.created_at for row in ours.values())])
    try:
        theirs = list(adapter.report(since_at - CLOCK_S, until_at + CLOCK_S))
    except port.ProviderError:
        raise Problem(503, "PaymentUnavailable", "The payment provider gives no report; try again") from None
    with store.reading.connect() as conn:
        pairs = list(_pairs(conn, ours, theirs, from_at, until_at))
    found = [(what, pair) for pair in pairs if (what := _difference(pair, until_at)) is not None]
    return {
        "adapter": adapter.name,
        "is_test": adapter.is_test,
        "rows_ours": len(ours),
        "rows_theirs": sum(from_at <= row.at < until_at for row in theirs),
        "differences": [_view(what, pair) for what, pair in found],
    }


def _pairs(
    conn: Connection, ours: dict[str, CallRow], theirs: list[ReportRow], from_at: int, until_at: int
) -> Iterator[_Pair]:
    matched: set[str] = set()
    for row in theirs:
        call, hold = _find(conn, row)
        is_ours = call is not None and call.key in ours
        if not is_ours and not from_at <= row.at < until_at:
            continue
        if call is None and hold is None and row.key is None:
            continue  # another use of the same account
        if call is not None and call.key in matched:
            yield _Pair(None, hold, row)  # a second time
            continue
        if call is not None:
            matched.add(call.key)
        yield _Pair(call, hold, row)
    for key, call in ours.items():
        if key not in matched:
            yield _Pair(call, holds.find(conn, call.hold_id), None)


def _find(conn: Connection, row: ReportRow) -> tuple[CallRow | None, HoldRow | None]:
    """The call that the provider's row is about, and its hold."""
    call = holds.call(conn, row.key) if row.key is not None else None
    if call is not None and call.kind == row.kind:
        return call, holds.find(conn, call.hold_id)
    hold = holds.by_ref(conn, row.hold_ref)
    if hold is None or row.kind == port.REFUND:  # a hold may have several refunds
        return None, hold
    of_kind = [each for each in holds.calls_of(conn, hold.hold_id) if each.kind == row.kind]
    return (of_kind[-1] if of_kind else None), hold


def _difference(pair: _Pair, until_at: int) -> str | None:
    call, hold, theirs = pair
    if theirs is None:
        return MISSING_THERE
    is_done_there = theirs.state == port.DONE
    if call is None or hold is None:
        return MISSING_HERE if is_done_there else None
    fails_later = call.kind == port.REFUND and call.state == calls.REFUSED
    if is_done_there and fails_later and (call.resolved_at or 0) >= until_at:
        return None
    if is_done_there != (call.state == calls.DONE):
        return STATE_DIFFERS
    if (theirs.amount_minor, theirs.currency) != (call.amount_minor, hold.currency) and is_done_there:
        return AMOUNT_DIFFERS
    return None


def _view(what: str, pair: _Pair) -> dict[str, Any]:
    call, hold, theirs = pair
    said = theirs or call
    return {
        "what": what,
        "hold_id": hold and hold.hold_id,
        "order_id": hold and hold.order_id,
        "ours_minor": call and call.amount_minor,
        "ours_state": call and call.state,
        "theirs_minor": theirs and theirs.amount_minor,
        "theirs_state": theirs and theirs.state,
        "minor_digits": hold and hold.minor_digits,
        "kind": said and said.kind,
        "key": said and said.key,
        "ref": said and said.ref,
        "at": theirs.at if theirs else call and call.resolved_at,
        "currency": hold.currency if hold else theirs and theirs.currency,
        "theirs_currency": theirs and theirs.currency,
    }
