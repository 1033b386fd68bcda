"""Dependencies of endpoints: who the caller is, and how often that caller may ask.

All are coroutines. FastAPI runs a plain function on a thread of a pool: that takes longer than the function,
and several threads would share the event loop's one connection to the database.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Annotated, NamedTuple

from fastapi import Depends, Query, Request

from ..base.problems import forbidden, too_many, unauthorized
from ..base.tokens import bearer_token, secrets_equal
from ..cloud import Cloud
from ..db import audit
from ..db.audit import Actor
from ..db.rows import OrderRow
from ..orders import lookup
from ..people.roles import PERMISSIONS, ROLES
from .rate_limits import Limit as RateLimit
from .reads import quick


class Caller(NamedTuple):
    """Who sent a request, and what that one may do."""

    actor: Actor
    permissions: frozenset[str]


async def get_cloud(request: Request) -> Cloud:
    return request.app.state.cloud


TheCloud = Annotated[Cloud, Depends(get_cloud)]


async def identify(request: Request, cloud: TheCloud) -> Caller | None:
    """Who sent the request, if an operator did."""
    token = bearer_token(request.headers.get("authorization"))
    if token is not None and secrets_equal(token, cloud.operator_token):
        return Caller(Actor(audit.SCRIPT, "operator token"), ROLES["owner"])
    return None


TheCaller = Annotated[Caller | None, Depends(identify)]


def need(permission: str) -> Callable[..., Awaitable[Actor]]:
    """A dependency that gives the Actor. Raises Problem: Unauthorized, Forbidden."""
    if permission not in PERMISSIONS:
        raise ValueError(f"there is no permission {permission}")

    async def actor(caller: TheCaller) -> Actor:
        if caller is None:
            raise unauthorized()
        if permission not in caller.permissions:
            raise forbidden(permission)
        return caller.actor

    actor.permission = permission  # type: ignore[attr-defined]
    return actor


async def own_order(
    request: Request,
    cloud: TheCloud,
    caller: TheCaller,
    order_id: str,
    token: Annotated[
        str | None,
        Query(description="The order's token, for clients that cannot set an Authorization header"),
    ] = None,
) -> OrderRow:
    """The order's row, if the caller may see it. Raises Problem (UnknownOrder)."""
    presented = token or bearer_token(request.headers.get("authorization"))
    return lookup.require_access(
        await quick(cloud, lambda conn: lookup.find(conn, order_id)), presented, caller is not None
    )


async def limit_orders(request: Request) -> None:
    _limit(request, request.app.state.order_limit)


async def limit_quotes(request: Request) -> None:
    _limit(request, request.app.state.quote_limit)


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
OwnOrder = Annotated[OrderRow, Depends(own_order)]
Limit = Annotated[int, Query(ge=1, le=500, description="The most items of one answer")]
RowId = Annotated[int | None, Query(ge=0, le=2**53)]
