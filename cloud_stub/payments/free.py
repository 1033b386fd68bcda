"""Free vend: orders that nobody pays. An operator, a site or a code makes an order free.

A free order is metered and settled like any other. Its bill is then credited in full, with the reason.
"""

import secrets
from typing import Any, NamedTuple

from pydantic import Field
from sqlalchemy import Connection, bindparam, func, insert, select, update

from pile_protocol import messages

from ..base.body import Body
from ..base.ids import new_id
from ..base.problems import Problem, invalid
from ..base.text import LINE_PATTERN
from ..db import audit
from ..db.audit import Actor
from ..db.payment_tables import free_grants, free_orders
from ..db.rows import Query
from ..db.site_tables import sites
from ..db.tables import orders, settlements
from ..db.writer import Transaction
from ..orders import states
from ..orders.context import Context
from ..settlements import bills, credits

AT_ONCE = 100
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # without characters that look alike
CODE_LENGTH = 12  # 60 bits, too many to guess
_CREDIT_KEY = "free-vend"  # shorter than the Idempotency-Key of any request


class GrantBody(Body):
    """Who charges for free: everybody at a site, or everybody who has the new code."""

    reason: str = Field(examples=["Guests of the hotel"], min_length=1, max_length=200, pattern=LINE_PATTERN)
    site_id: str | None = Field(default=None, max_length=32, pattern=LINE_PATTERN, description="Only there")
    with_code: bool = Field(
        default=True, examples=[True], description="False: everybody at the site, which must be given"
    )
    uses_max: int | None = Field(default=None, ge=1, le=messages.MAX_MINOR, description="How many orders")
    until_at: int | None = Field(default=None, ge=0, le=2**40, description="Unix seconds")


class GrantRow(NamedTuple):
    """A row of `free_grants`."""

    grant_id: str
    code: str | None
    site_id: str | None
    reason: str
    uses_max: int | None
    uses: int
    until_at: int | None
    actor: str
    created_at: int
    revoked_at: int | None


class FreeRow(NamedTuple):
    """A row of `free_orders`."""

    order_id: str
    grant_id: str | None
    reason: str
    actor_kind: str
    actor: str
    open: bool


class _Ended(NamedTuple):
    order_id: str
    grant_id: str | None
    state: str


_GRANTS = select(free_grants)
_LIST = Query(_GRANTS, GrantRow)
_GET = Query(_GRANTS.where(free_grants.c.grant_id == bindparam("grant_id")).with_for_update(), GrantRow)
_BY_CODE = Query(_GRANTS.where(free_grants.c.code == bindparam("code")).with_for_update(), GrantRow)
_OF_SITE = _GRANTS.where(
    free_grants.c.site_id == bindparam("site_id"),
    free_grants.c.code.is_(None),
    free_grants.c.revoked_at.is_(None),
).order_by(free_grants.c.grant_id)
_AT_SITE = Query(_OF_SITE, GrantRow)
_LOCK_AT_SITE = Query(_OF_SITE.with_for_update(), GrantRow)
_OF_ORDER = Query(select(free_orders).where(free_orders.c.order_id == bindparam("order_id")), FreeRow)
_REVOKE = update(free_grants).where(free_grants.c.grant_id == bindparam("this"))
_USE = _REVOKE.values(uses=free_grants.c.uses + 1)
_SETTLED = Query(
    select(free_orders)
    .join(orders, orders.c.order_id == free_orders.c.order_id)
    .join(settlements, settlements.c.settles_order_id == free_orders.c.order_id)
    .where(free_orders.c.open, orders.c.state.in_((states.SETTLED, states.PAID)), ~settlements.c.flagged)
    .order_by(free_orders.c.order_id)
    .limit(bindparam("at_most")),
    FreeRow,
)
_ENDED = Query(
    select(free_orders.c.order_id, free_orders.c.grant_id, orders.c.state)
    .join(orders, orders.c.order_id == free_orders.c.order_id)
    .where(
        free_orders.c.open,
        orders.c.state.in_((states.REJECTED, states.EXPIRED, states.CANCELLED, states.LOST)),
    )
    .order_by(free_orders.c.order_id)
    .limit(AT_ONCE)
    .with_for_update(of=orders, key_share=True, skip_locked=True),
    _Ended,
)
_CLOSE = update(free_orders).where(free_orders.c.order_id == bindparam("this")).values(open=False)
_FORGET_GRANT = _CLOSE.where(free_orders.c.grant_id.is_not(None)).values(grant_id=None)
_GIVE_BACK = _REVOKE.values(uses=free_grants.c.uses - 1)
_SITE = select(func.count()).select_from(sites).where(sites.c.site_id == bindparam("site_id"))


def grant(tx: Transaction, actor: Actor, body: GrantBody, now: int) -> GrantRow:
    """Make a code, or make a whole site free. Raises Problem: InvalidRequest, UnknownSite."""
    if not body.with_code and body.site_id is None:
        raise invalid(("site_id", "is needed where there is no code"))
    if body.site_id is not None and not tx.conn.execute(_SITE, {"site_id": body.site_id}).scalar_one():
        raise Problem(404, "UnknownSite", "There is no site with that id", site_id=body.site_id)
    code = "".join(secrets.choice(_ALPHABET) for _ in range(CODE_LENGTH)) if body.with_code else None
    row = GrantRow(
        "f-" + new_id(),
        code,
        body.site_id,
        body.reason,
        body.uses_max,
        0,
        body.until_at,
        actor.name,
        now,
        None,
    )
    tx.conn.execute(insert(free_grants), row._asdict())
    detail = f"{row.grant_id}: {'by code' if code else 'everybody'}: {body.reason}"
    audit.record(tx.conn, actor, now, "FreeVendGranted", site_id=body.site_id, detail=detail)
    return row


def revoke(tx: Transaction, actor: Actor, grant_id: str, now: int) -> GrantRow:
    """End the grant: it makes no further order free. A repeated call does nothing. Raises Problem
    (UnknownGrant).
    """
    row = _GET.first(tx.conn, {"grant_id": grant_id})
    if row is None:
        raise Problem(404, "UnknownGrant", "There is no free vend with that id")
    if row.revoked_at is not None:
        return row
    tx.conn.execute(_REVOKE.values(revoked_at=now), {"this": grant_id})
    detail = f"{grant_id}: {row.reason}"
    audit.record(tx.conn, actor, now, "FreeVendRevoked", site_id=row.site_id, detail=detail)
    return _GET.one(tx.conn, {"grant_id": grant_id})


def list_grants(conn: Connection, limit: int, before: str | None) -> list[dict[str, Any]]:
    """Newest first, older than `before`."""
    query = _GRANTS.order_by(free_grants.c.grant_id.desc()).limit(limit)
    if before is not None:
        query = query.where(free_grants.c.grant_id < before)
    return [row._asdict() for row in _LIST.narrowed(query).all(conn)]


def find(conn: Connection, code: str | None, site_id: str | None, now: int) -> GrantRow | None:
    """The grant that makes an order free: that of the code, else that of the pile's site, else None. In the
    code, small letters are capital ones, and characters that no code has are left out, such as blanks and
    hyphens. Raises Problem (FreeCodeInvalid).
    """
    if code is not None:
        typed = "".join(each for each in code.upper() if each in _ALPHABET)
        found = _BY_CODE.first(conn, {"code": typed})
        reason = _invalid_reason(found, site_id, now)
        if reason is not None:
            title = "The code is unknown, used up, expired, revoked, or of another site"
            raise Problem(409, "FreeCodeInvalid", title, reason=reason)
        return found
    rows = _LOCK_AT_SITE.all(conn, {"site_id": site_id}) if site_id is not None else ()
    return next((row for row in rows if _invalid_reason(row, site_id, now) is None), None)


def is_free_at(conn: Connection, site_id: str, now: int) -> bool:
    """Whether everybody at the site charges for free."""
    rows = _AT_SITE.all(conn, {"site_id": site_id})
    return any(_invalid_reason(row, site_id, now) is None for row in rows)


def is_free(conn: Connection, order_id: str) -> bool:
    return _OF_ORDER.first(conn, {"order_id": order_id}) is not None


def _invalid_reason(found: GrantRow | None, site_id: str | None, now: int) -> str | None:
    """Why the code is not valid at the site; None if it is."""
    if found is None:
        return "Unknown"
    if found.revoked_at is not None:
        return "Revoked"
    if found.until_at is not None and found.until_at <= now:
        return "Expired"
    if found.uses_max is not None and found.uses >= found.uses_max:
        return "UsedUp"
    return "Elsewhere" if found.site_id not in (None, site_id) else None


def mark(conn: Connection, order_id: str, used: GrantRow | None, actor: Actor, reason: str) -> None:
    """Store that the order is free, by the grant or by the operator `actor`."""
    row = FreeRow(order_id, used.grant_id if used else None, reason, actor.kind, actor.name, True)
    conn.execute(insert(free_orders), row._asdict())
    if used is not None:
        conn.execute(_USE, {"this": used.grant_id})


def close_ended(tx: Transaction) -> None:
    """Close the free orders that ended without a bill; where nothing was charged, the use of the grant is
    given back. If its pile had received the order, orders.transitions opens it again.
    """
    for row in _ENDED.all(tx.conn, {}):
        one = {"this": row.order_id}
        if row.state != states.LOST and tx.conn.execute(_FORGET_GRANT, one).rowcount:
            tx.conn.execute(_GIVE_BACK, {"this": row.grant_id})
        tx.conn.execute(_CLOSE, one)


def credit_settled(tx: Transaction, context: Context, now: int) -> None:
    """Credit the bills of free orders in full. A flagged bill is credited after its review."""
    for row in _SETTLED.all(tx.conn, {"at_most": AT_ONCE}):
        bill = bills.of_orders(tx.conn, [row.order_id])[row.order_id]
        left_minor = (bill.total_minor or 0) - bill.credited_minor
        if left_minor > 0:
            body = credits.CreditBody(amount_minor=left_minor, reason=row.reason)
            actor = Actor(row.actor_kind, row.actor)
            credits.credit(tx, actor, context, row.order_id, _CREDIT_KEY, body, now)
        tx.conn.execute(_CLOSE, {"this": row.order_id})
