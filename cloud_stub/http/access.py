"""Dependencies of endpoints: who the caller is, and how often that caller may ask.

All are coroutines. FastAPI runs a plain function on a thread of a pool: that takes longer than the function,
and several threads would share the event loop's one connection to the database.
"""

import re
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Query, Request

from ..base.clock import now_s
from ..base.problems import forbidden, too_many, unauthorized, unknown_order
from ..base.tokens import bearer_token, secrets_equal
from ..cloud import Cloud
from ..db import audit
from ..db.audit import Actor
from ..db.rows import OrderRow
from ..db.writer import Unit
from ..orders import lookup
from ..people import sessions, tokens
from ..people.attempts import unwritten_words
from ..people.roles import PERMISSIONS, ROLES
from ..people.sessions import Session
from . import cookies
from .rate_limits import Limit as RateLimit
from .reads import quick

_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")  # of a pile or an order, as an address names it


class Caller(NamedTuple):
    """Who sent a request, and what that one may do; by which session, if by one."""

    actor: Actor
    permissions: frozenset[str]
    session: Session | None = None


async def get_cloud(request: Request) -> Cloud:
    return request.app.state.cloud


TheCloud = Annotated[Cloud, Depends(get_cloud)]


async def identify(request: Request, cloud: TheCloud) -> Caller | None:
    """Who sent the request, if an operator did: by the operator token, an API token or a session's cookie.

    Raises Problem (CrossSite) where another site's page may have sent it with that cookie.
    """
    header = request.headers.get("authorization")
    if header is not None:  # then the cookie does not count
        token = bearer_token(header)
        return None if token is None else await by_token(cloud, token)
    secret = cookies.secret(request, cloud)
    return None if secret is None else await _by_session(request, cloud, secret)


async def by_token(cloud: Cloud, text: str) -> Caller | None:
    if secrets_equal(text, cloud.operator_token):
        return Caller(Actor(audit.SCRIPT, "operator token"), ROLES["owner"])
    if not text.startswith(tokens.PREFIX):
        return None
    now = now_s()
    row = await quick(cloud, lambda conn: tokens.find(conn, text, now))
    if row is None:
        return None
    if row.used_at is None or now - row.used_at >= tokens.USED_EVERY_S:
        _note(cloud, lambda tx: tokens.note_use(tx.conn, row.token_id, now))
    return Caller(Actor(audit.TOKEN, row.name), tokens.scope(row))


async def _by_session(request: Request, cloud: Cloud, secret: str) -> Caller | None:
    now = now_s()
    row = await quick(cloud, lambda conn: sessions.find(conn, secret, now, cloud.settings.session_idle_s))
    if row is None:
        return None
    cookies.check_origin(request)
    if now - row.used_at >= sessions.USED_EVERY_S:
        _note(cloud, lambda tx: sessions.note_use(tx.conn, row.session_id, now))
    return Caller(Actor(audit.USER, row.user_name), ROLES[row.role], row)


def _note(cloud: Cloud, unit: Unit[None]) -> None:
    """Write something less important, without waiting for it: a late one is left out."""
    cloud.writer.submit(unit, time.monotonic() + cloud.settings.write_s)


TheCaller = Annotated[Caller | None, Depends(identify)]


def need(permission: str) -> Callable[..., Awaitable[Actor]]:
    """A dependency that gives the Actor. Raises Problem: Unauthorized, Forbidden."""
    if permission not in PERMISSIONS:
        raise ValueError(f"there is no permission {permission}")

    async def actor(request: Request, cloud: TheCloud, caller: TheCaller) -> Actor:
        return require(request, cloud, caller, permission)

    actor.permission = permission  # type: ignore[attr-defined]
    return actor


def require(request: Request, cloud: Cloud, caller: Caller | None, permission: str) -> Actor:
    """Who the caller is. Raises Problem: Unauthorized; Forbidden, which leaves an audit line."""
    if caller is None:
        raise unauthorized()
    if permission not in caller.permissions:
        _note_refusal(request, cloud, caller.actor, permission)
        raise forbidden(permission)
    return caller.actor


def _note_refusal(request: Request, cloud: Cloud, actor: Actor, permission: str) -> None:
    """Add an audit line, unless there were many; the answer does not wait for it."""
    unwritten = cloud.refusal_lines.take(f"{actor.kind} {actor.name}")
    if unwritten is None:
        return
    path = request.scope["route"].path  # as it is declared: nothing that the caller wrote
    detail = f"{request.method} {path} needs {permission}" + unwritten_words(unwritten)
    given = request.path_params
    about = {name: given[name] for name in ("device_id", "order_id") if _ID.fullmatch(given.get(name, ""))}
    about |= {"account": actor.name, "detail": detail}
    _note(cloud, lambda tx: audit.record(tx.conn, actor, now_s(), "Refused", **about))


async def any_operator(caller: TheCaller) -> Caller:
    """Whoever is known, whatever that one may do. Raises Problem (Unauthorized)."""
    if caller is None:
        raise unauthorized()
    return caller


any_operator.permission = "any"  # type: ignore[attr-defined]


class OrderAccess(NamedTuple):
    """An order that the caller may reach. operator: who; None: the driver, by the order's token."""

    row: OrderRow
    operator: Actor | None


def own_order(permission: str) -> Callable[..., Awaitable[OrderAccess]]:
    """A dependency: the order, for who has its token, and for an operator with that permission.

    Raises Problem: UnknownOrder, also for a wrong token; Forbidden for an operator of another role.
    """

    async def access(
        request: Request,
        cloud: TheCloud,
        order_id: str,
        token: Annotated[
            str | None,
            Query(description="The order's token, for clients that cannot set an Authorization header"),
        ] = None,
    ) -> OrderAccess:
        presented = token or bearer_token(request.headers.get("authorization"))
        row = await quick(cloud, lambda conn: lookup.find(conn, order_id))
        if row is not None and presented is not None and secrets_equal(presented, row.token):
            return OrderAccess(row, None)
        # A token in the address is an order's: it is wrong here, whoever's cookie comes with it.
        caller = None if token else await identify(request, cloud)
        if caller is None or row is None:
            raise unknown_order()
        return OrderAccess(row, require(request, cloud, caller, permission))

    access.permission = "order:" + permission  # type: ignore[attr-defined]
    return access


def permissions(dependant: Any) -> Iterator[str]:
    """What a route's dependencies ask for: a permission, `any`, or `order:` and a permission."""
    for each in dependant.dependencies:
        if hasattr(each.call, "permission"):
            yield each.call.permission
        yield from permissions(each)


async def limit_orders(request: Request) -> None:
    _limit(request, request.app.state.order_limit)


async def limit_quotes(request: Request) -> None:
    _limit(request, request.app.state.quote_limit)


async def limit_sign_ins(request: Request) -> None:
    _limit(request, request.app.state.sign_in_limit)


def _limit(request: Request, limit: RateLimit) -> None:
    """Count this request of the caller's. Raises Problem (TooManyRequests)."""
    wait_s = limit.wait_s(request.client.host if request.client else None, time.monotonic_ns() // 1_000_000)
    if wait_s:
        raise too_many(wait_s)


READ = [Depends(need("read"))]  # `dependencies` of a route that only looks
CanOperate = Annotated[Actor, Depends(need("operate"))]
CanPrice = Annotated[Actor, Depends(need("price"))]
CanRegister = Annotated[Actor, Depends(need("register"))]
CanMoney = Annotated[Actor, Depends(need("money"))]
CanRelease = Annotated[Actor, Depends(need("release"))]
CanPeople = Annotated[Actor, Depends(need("people"))]
AnyOperator = Annotated[Caller, Depends(any_operator)]
OwnOrder = Annotated[OrderAccess, Depends(own_order("read"))]
OwnOrderToStop = Annotated[OrderAccess, Depends(own_order("operate"))]
OwnOrderToPay = Annotated[OrderAccess, Depends(own_order("money"))]
Limit = Annotated[int, Query(ge=1, le=500, description="The most items of one answer")]
RowId = Annotated[int | None, Query(ge=0, le=2**53)]
