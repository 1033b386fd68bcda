"""Dependencies of endpoints: who the caller is, and how often that caller may ask.

All are coroutines. FastAPI runs a plain function on a thread of a pool: that takes longer than the function,
and several threads would share the event loop's one connection to the database.
"""

import time
from typing import Annotated

from fastapi import Depends, Query, Request

from ..base.problems import too_many, unauthorized
from ..base.tokens import bearer_token, secrets_equal
from ..cloud import Cloud
from ..db.rows import OrderRow
from ..orders import lookup
from .rate_limits import Limit as RateLimit
from .reads import quick


async def get_cloud(request: Request) -> Cloud:
    return request.app.state.cloud


TheCloud = Annotated[Cloud, Depends(get_cloud)]


async def is_operator(request: Request, cloud: TheCloud) -> bool:
    token = bearer_token(request.headers.get("authorization"))
    return token is not None and secrets_equal(token, cloud.operator_token)


async def need_operator(operator: Annotated[bool, Depends(is_operator)]) -> None:
    if not operator:
        raise unauthorized()


async def own_order(
    request: Request,
    cloud: TheCloud,
    operator: Annotated[bool, Depends(is_operator)],
    order_id: str,
    token: Annotated[
        str | None,
        Query(description="The order's token, for clients that cannot set an Authorization header"),
    ] = None,
) -> OrderRow:
    """The order's row, if the caller may see it. Raises Problem (UnknownOrder)."""
    presented = token or bearer_token(request.headers.get("authorization"))
    return lookup.require_access(
        await quick(cloud, lambda conn: lookup.find(conn, order_id)), presented, operator
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


OwnOrder = Annotated[OrderRow, Depends(own_order)]
Limit = Annotated[int, Query(ge=1, le=500, description="The most items of one answer")]
RowId = Annotated[int | None, Query(ge=0, le=2**53)]
