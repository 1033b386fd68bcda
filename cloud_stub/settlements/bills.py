"""Bills: what a settlement counts as in every list, export and sum. This module alone says it.

    Billed    the driver pays it: what the locked rate gives, and no doubt about it, or decided so
    Flagged   something is wrong and nobody has decided: no amount of it is revenue
    Waived    it was flagged, and decided that nothing is to be paid
    Nobody    it was flagged, settles no order, and has been closed: it bills nobody

    billed = paid + unpaid + credited - refund

`refund` is what was credited after it had been paid, and is to be paid back.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson
from sqlalchemy import BigInteger, Connection, bindparam, cast, func, select

from ..base.decimals import decimal
from ..db.payment_tables import credits
from ..db.rows import Query
from ..db.tables import orders, payments, piles, settlements
from ..messaging import decoding

BILLED, FLAGGED, WAIVED, NOBODY = "Billed", "Flagged", "Waived", "Nobody"

AMOUNTS = (
    "billed_minor",
    "credited_minor",
    "paid_minor",
    "unpaid_minor",
    "refund_minor",
    "waived_minor",  # as the piles sealed it; so is the next
    "flagged_minor",
    "flagged_paid_minor",  # paid, or credited, before it was flagged
    "flagged_credited_minor",
)


class BillRow(NamedTuple):
    """A settlement with its order, its payment and what was credited of it; None where there is none."""

    id: int
    device_id: str
    order_id: str
    seq: int
    epoch: int
    settles_order_id: str | None
    payload: str
    billed_json: str | None
    computed_minor: int | None
    currency: str
    flagged: bool
    flags_json: str
    review: str | None
    reviewed_at: int | None
    review_note: str | None
    unbilled_mwh: int | None
    ended_at: int
    received_at: int
    sealed_minor: int
    total_minor: int | None
    rate_id: str | None
    paid_minor: int | None
    paid_at: int | None
    credited_minor: int
    site_id: str | None


_SUM = select(cast(func.coalesce(func.sum(credits.c.amount_minor), 0), BigInteger))
_CREDITED_OF = _SUM.where(credits.c.order_id == bindparam("order_id"))
_CREDITED = _SUM.where(credits.c.order_id == settlements.c.settles_order_id).scalar_subquery()
# Where its order was confirmed, empty for no site; where its pile is if it settles no order, or one for which
# a process of one release back stored no site.
site_id_of_bill = func.coalesce(orders.c.site_id, piles.c.site_id)
ROWS = select(
    *(settlements.c[name] for name in BillRow._fields[: BillRow._fields.index("sealed_minor")]),
    settlements.c.total_minor.label("sealed_minor"),
    orders.c.total_minor,
    orders.c.rate_id.label("rate_id"),
    payments.c.amount_minor.label("paid_minor"),
    payments.c.paid_at.label("paid_at"),
    _CREDITED.label("credited_minor"),
    site_id_of_bill.label("site_id"),
).select_from(
    settlements.join(piles, piles.c.device_id == settlements.c.device_id)
    .outerjoin(orders, orders.c.order_id == settlements.c.settles_order_id)
    .outerjoin(payments, payments.c.order_id == settlements.c.settles_order_id)
)
BILLS = Query(ROWS, BillRow)


def as_text(minor: int, currency: str, digits: int) -> str:
    """An amount for people to read: 350, "CNY", 2 as "3.50 CNY"."""
    return f"{decimal(minor, digits)} {currency}"


def credited(conn: Connection, order_id: str) -> int:
    """How much of the order's bill was credited, in minor units."""
    return conn.execute(_CREDITED_OF, {"order_id": order_id}).scalar_one()


def kind(row: BillRow) -> str:
    """One of the four above."""
    if row.flagged:
        return FLAGGED
    if row.settles_order_id is None:
        return NOBODY
    return WAIVED if row.review == WAIVED else BILLED


def content(row: BillRow) -> dict[str, Any]:
    """The settlement as its driver is billed: as sealed, or as an operator decided.

    Of a malformed one: None where a member is not what it should be.
    """
    sealed = decoding.salvage(row.payload.encode()) or {}
    return sealed | orjson.loads(row.billed_json or "{}")


def lines(said: dict[str, Any]) -> dict[str, int]:
    """The parts that add up to the total of a bill, and the tax in it. said: of content()."""
    periods = said.get("periods") or []
    idle = said.get("idle") or {}
    return {
        "electricity_minor": sum(row[5] for row in periods),
        "service_minor": sum(row[6] for row in periods),
        "fee_minor": said.get("session_fee_minor") or 0,
        "time_minor": sum(row[3] for row in said.get("times") or []),
        "tiers_minor": sum(row[3] for row in said.get("tiers") or []),
        "idle_minor": idle.get("idle_minor", 0),
        "top_up_minor": said.get("top_up_minor") or 0,
        "tax_minor": said.get("tax_minor") or 0,
    }


def amounts(row: BillRow) -> dict[str, int]:
    """What the settlement adds to each of AMOUNTS, in minor units of its currency."""
    found: dict[str, int] = dict.fromkeys(AMOUNTS, 0)
    paid, credited = row.paid_minor or 0, row.credited_minor
    match kind(row):
        case "Flagged":
            found |= {"flagged_minor": row.sealed_minor}
            found |= {"flagged_paid_minor": paid, "flagged_credited_minor": credited}
        case "Waived":
            found["waived_minor"] = row.sealed_minor
        case "Billed":
            billed = row.total_minor or 0
            rest = billed - credited - paid
            found |= {"billed_minor": billed, "credited_minor": credited, "paid_minor": paid}
            found |= {"unpaid_minor": max(0, rest), "refund_minor": max(0, -rest)}
    return found


def of_orders(conn: Connection, order_ids: Iterable[str]) -> dict[str, BillRow]:
    """The bills of these orders, by order id; an order that is not settled has none."""
    wanted = list(order_ids)
    if not wanted:
        return {}
    query = BILLS.narrowed(ROWS.where(settlements.c.settles_order_id.in_(wanted)))
    return {row.settles_order_id: row for row in query.all(conn) if row.settles_order_id}


def add_to(conn: Connection, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """List items of orders, each with `bill`: null, or {kind, credited_minor, unpaid_minor, refund_minor}."""
    found = of_orders(conn, (each["order_id"] for each in items))
    return [each | {"bill": view(found.get(each["order_id"]))} for each in items]


def view(row: BillRow | None) -> dict[str, Any] | None:
    if row is None:
        return None
    sums = amounts(row)
    shown = ("credited_minor", "paid_minor", "unpaid_minor", "refund_minor")
    return {"kind": kind(row)} | {name: sums[name] for name in shown}
