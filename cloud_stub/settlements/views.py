"""What HTTP shows of a settlement: as sealed, as billed, beside what the locked rate gives."""

import json
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, select

from ..base.problems import unknown_settlement
from ..db.rows import OrderRow, PaymentRow, Query, SettlementRow
from ..db.tables import payments, settlements
from ..messaging import decoding
from ..orders import lookup, states
from ..orders import views as order_views
from ..orders.hub import Hub
from . import case, credits
from .rules import MALFORMED

_PAYMENT = Query(select(payments).where(payments.c.order_id == bindparam("order_id")), PaymentRow)
_OF_NOTE = ("credit_id", "amount_minor", "created_at")  # its reason is not for the driver
_ALL = select(settlements)
_SETTLEMENTS = Query(_ALL, SettlementRow)
_OF_ORDER = Query(_ALL.where(settlements.c.settles_order_id == bindparam("order_id")), SettlementRow)
_BY_ID = Query(_ALL.where(settlements.c.id == bindparam("id")), SettlementRow)


def of_order(conn: Connection, order_id: str) -> SettlementRow | None:
    """The row of the settlement that settles the order."""
    return _OF_ORDER.first(conn, {"order_id": order_id})


def order_with_bill(conn: Connection, hub: Hub, row: OrderRow) -> dict[str, Any]:
    """The order as its owner sees it: orders.views.order_view, its settlement, payment and credit notes."""
    settled = row.state in (states.SETTLED, states.PAID)
    settlement = of_order(conn, row.order_id) if settled else None
    payment = payment_of(conn, row.order_id) if row.state == states.PAID else None
    notes = credits.of_order(conn, row.order_id) if settled else []
    return order_views.order_view(conn, hub, row) | {
        "settlement": bill(settlement) if settlement else None,
        "payment": payment._asdict() if payment else None,
        "credits": [{name: getattr(each, name) for name in _OF_NOTE} for each in notes],
        "due_minor": _due(row, settlement, payment, sum(each.amount_minor for each in notes)),
    }


def _due(
    row: OrderRow, settlement: SettlementRow | None, payment: PaymentRow | None, credited_minor: int
) -> int | None:
    """What is still to be paid; None before a bill that can be paid."""
    if settlement is None or settlement.flagged:
        return None
    return 0 if payment is not None else (row.total_minor or 0) - credited_minor


def payment_of(conn: Connection, order_id: str) -> PaymentRow | None:
    return _PAYMENT.first(conn, {"order_id": order_id})


def settlement_view(row: SettlementRow) -> dict[str, Any]:
    """The settlement as the pile sealed it, with what was found of it here.

    Of a malformed one: null where a member is not what it should be, and the sealed text beside them.
    """
    flags = json.loads(row.flags_json)
    sealed = {"last_reading": None} | (decoding.salvage(row.payload.encode()) or {})
    text = {"sealed": row.payload} if MALFORMED in flags else {}
    return (
        sealed
        | text
        | {
            "id": row.id,
            "settles": row.settles_order_id is not None,
            "epoch": row.epoch,
            "unbilled_mwh": row.unbilled_mwh,
            "computed_minor": row.computed_minor,
            "flagged": row.flagged,
            "flags": flags,
            "received_at": row.received_at,
            "review": row.review and {"decision": row.review, "at": row.reviewed_at, "note": row.review_note},
        }
    )


def bill(row: SettlementRow) -> dict[str, Any]:
    """The settlement as its driver is billed: as sealed, or as an operator decided (reviews)."""
    found = settlement_view(row) | json.loads(row.billed_json or "{}") | {"review": row.review}
    if "tax_minor" in found:
        found["net_minor"] = found["total_minor"] - found["tax_minor"]
    return found


def comparison(conn: Connection, settlement_id: int) -> dict[str, Any]:
    """A settlement as the pile sealed it, beside what its order's locked rate gives. Raises Problem."""
    row = _BY_ID.first(conn, {"id": settlement_id})
    if row is None:
        raise unknown_settlement()
    view = settlement_view(row)
    order = lookup.find(conn, row.order_id)
    if order is None:
        return view | {"order": None, "computed": None}
    found = case.compute(order, view) if MALFORMED not in view["flags"] else None
    computed = case.lines(found, view) if found else None
    locked = {
        "device_id": order.device_id,
        "connector": order.connector,
        "state": order.state,
        "created_at": order.created_at,
        "window_end_at": order.window_end_at,
        "rate_digest": order.rate_digest,
        "limits": orjson.loads(order.limits_json),
        "rate": orjson.loads(order.rate_json),
    }
    return view | {"order": locked, "computed": computed}


def list_views(
    conn: Connection,
    flagged: bool | None,
    reviewed: bool | None,
    device_id: str | None,
    limit: int,
    before: int | None,
) -> list[dict[str, Any]]:
    """Newest first, older than settlement `before`."""
    query = _ALL
    if flagged is not None:
        query = query.where(settlements.c.flagged == flagged)
    if reviewed is not None:
        at = settlements.c.reviewed_at
        query = query.where(at.is_not(None) if reviewed else at.is_(None))
    if device_id is not None:
        query = query.where(settlements.c.device_id == device_id)
    if before is not None:
        query = query.where(settlements.c.id < before)
    query = query.order_by(settlements.c.id.desc()).limit(limit)
    return [settlement_view(row) for row in _SETTLEMENTS.narrowed(query).all(conn)]
