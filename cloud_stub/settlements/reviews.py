"""An operator's decision about a flagged settlement. It is made once and stored with its reason.

    Released   the driver pays what the order's locked rate gives for the energy that was reported
    Waived     nothing is to be paid

What the pile sealed is never changed, nor what was found wrong with it; an amount that the locked rate does
not give is never charged.
"""

from typing import Any

import orjson
import structlog
from pydantic import Field
from sqlalchemy import bindparam, select, update

from ..base.body import Body
from ..base.problems import Problem, unknown_settlement
from ..base.text import LINE_PATTERN
from ..db import audit
from ..db.audit import Actor
from ..db.engine import to_json
from ..db.events import record_event
from ..db.rows import OrderRow, Query, SettlementRow
from ..db.tables import settlements
from ..db.writer import Transaction
from ..messaging import decoding
from ..orders import lookup, states
from ..orders.context import Context
from ..orders.transitions import Transitions, set_total
from . import bills, case

log = structlog.get_logger()

NOTE_MAX = 500
_DECISIONS = {"release": "Released", "waive": "Waived"}

_BY_ID = select(settlements).where(settlements.c.id == bindparam("id"))
_GET = Query(_BY_ID, SettlementRow)
_LOCK = Query(_BY_ID.with_for_update(key_share=True), SettlementRow)
_REVIEW = (
    update(settlements)
    .where(settlements.c.id == bindparam("this"))
    .values(
        flagged=False,
        review=bindparam("decision"),
        reviewed_at=bindparam("at"),
        review_note=bindparam("note"),
        billed_json=bindparam("billed"),
    )
)


class ReviewBody(Body):
    """A decision and why: `release` at what the locked rate gives, or `waive`."""

    decision: str = Field(pattern="^(release|waive)$", examples=["release"])
    note: str = Field(min_length=1, max_length=NOTE_MAX, pattern=LINE_PATTERN)


def review(
    tx: Transaction, actor: Actor, context: Context, settlement_id: int, body: ReviewBody, now: int
) -> None:
    """Decide about a flagged settlement, once.

    Raises Problem: UnknownSettlement, NotFlagged, AlreadyReviewed, NothingToRelease, AlreadyPaid,
    AlreadyCredited.
    """
    found = _GET.first(tx.conn, {"id": settlement_id})
    if found is None:
        raise unknown_settlement()
    # The order is locked first, as where settlements are stored. Then what may have changed is read again.
    order = lookup.lock(tx.conn, found.settles_order_id) if found.settles_order_id else None
    row = _LOCK.one(tx.conn, {"id": settlement_id})
    if row.reviewed_at is not None:
        raise Problem(409, "AlreadyReviewed", "Somebody has decided about it already", decision=row.review)
    if not row.flagged:
        raise Problem(409, "NotFlagged", "Nothing is wrong with this settlement")
    credited_minor = bills.credited(tx.conn, order.order_id) if order is not None else 0
    billed = _billed(row, order, credited_minor, body.decision)
    decision = _DECISIONS[body.decision]
    values = {"this": settlement_id, "decision": decision, "at": now, "note": body.note}
    tx.conn.execute(_REVIEW, values | {"billed": to_json(billed) if billed else None})
    if order is not None and billed is not None:
        set_total(tx.conn, row.order_id, billed["total_minor"])
        transitions = Transitions(tx, context, now)
        transitions.close_if_nothing_to_pay(order, billed["total_minor"] - credited_minor)
        transitions.write()
    detail = f"{decision}: {body.note}"
    about = {"device_id": row.device_id, "order_id": row.order_id}
    audit.record(tx.conn, actor, now, "SettlementReviewed", **about, detail=detail)
    record_event(tx.conn, now, "SettlementReviewed", row.device_id, row.order_id, detail)
    tx.after_commit(lambda: _tell(context, row, decision))


def _billed(
    row: SettlementRow, order: OrderRow | None, credited_minor: int, decision: str
) -> dict[str, Any] | None:
    """What is billed instead of the total that the pile sealed; its lines add up.

    None if it settles no order. A settlement that was flagged after its payment is billed as it was paid.
    """
    if order is None:
        if decision == "release":
            raise Problem(409, "NothingToRelease", "It settles no order, so nobody can pay it")
        return None
    settlement = decoding.salvage(row.payload.encode()) or {}
    if decision == "waive":
        billed = _nothing(settlement)
    else:
        computed = None if row.computed_minor is None else case.compute(order, settlement)
        if computed is None:
            raise Problem(409, "NothingToRelease", "Nothing could be computed from the locked rate")
        billed = case.lines(computed, settlement)
    total_minor = billed["total_minor"]
    if credited_minor and (decision == "waive" or total_minor < credited_minor):
        title = "It was credited before this was flagged; release it, and credit the rest"
        raise Problem(409, "AlreadyCredited", title, credited_minor=credited_minor)
    if order.state == states.PAID and total_minor != order.total_minor:
        raise Problem(
            409, "AlreadyPaid", "The order was paid before this was flagged", total_minor=order.total_minor
        )
    rate = orjson.loads(order.rate_json)
    return billed | {"currency": rate["currency"], "minor_digits": rate["minor_digits"]}


def _nothing(settlement: dict[str, Any]) -> dict[str, Any]:
    """The lines of the settlement, each of no amount."""
    found: dict[str, Any] = {
        "total_minor": 0,
        "session_fee_minor": 0,
        "periods": [[*period[:5], 0, 0] for period in settlement["periods"]],
    }
    for name in ("times", "tiers"):
        if name in settlement:
            found[name] = [[*row[:3], 0] for row in settlement[name]]
    if "idle" in settlement:
        found["idle"] = settlement["idle"] | {"idle_minor": 0}
    return found | {name: 0 for name in ("top_up_minor", "tax_minor") if name in settlement}


def _tell(context: Context, row: SettlementRow, decision: str) -> None:
    log.info("settlement_reviewed", order_id=row.order_id, device_id=row.device_id, decision=decision)
    context.hub.wake(row.order_id)
