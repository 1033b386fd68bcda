"""For operators: the rates of a pile."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Connection

from ..base.clock import now_s
from ..piles import registry
from ..rates import currencies, model, previews, versions
from ..reports import rate_use
from .access import READ, CanPrice, Limit, TheCloud
from .api_schema import raises
from .paging import page
from .reads import quick, read

router = APIRouter(prefix="/api", tags=["operator"])

Replaces = Annotated[
    str | None, Query(max_length=64, description="The version that must be the newest, or `none`")
]
AllowUnusual = Annotated[bool, Query(description="Also with prices that look like a slip")]


@router.put(
    "/piles/{device_id}/rate",
    status_code=201,
    openapi_extra=raises("UnknownPile", "PileRemoved", "RateReplaced", "PriceUnusual", "RateNotBillable"),
)
async def set_rate(
    cloud: TheCloud,
    actor: CanPrice,
    device_id: str,
    body: model.RateBody,
    replaces: Replaces = None,
    allow_unusual: AllowUnusual = False,
) -> dict[str, Any]:
    """Publish a new version of the tariff of this pile alone, which holds there; orders that run keep theirs.

    With `replaces`, a version that the caller has not seen is not replaced: 409 RateReplaced has it.
    """
    return await cloud.write(
        lambda tx: versions.publish_for_pile(
            tx, actor, cloud.dispatch, device_id, body, now_s(), replaces, allow_unusual
        )
    )


@router.get("/currencies", dependencies=READ)
async def list_currencies() -> dict[str, int]:
    """The currencies that a rate may be in, and how many decimals the minor unit of each has."""
    return currencies.MINOR_DIGITS


@router.get("/piles/{device_id}/rates", openapi_extra=raises("UnknownPile"), dependencies=READ)
async def list_rates(
    cloud: TheCloud, device_id: str, limit: Limit = 50, before: str | None = None
) -> dict[str, Any]:
    """The pile's rates, newest first, and how many orders confirmed each."""

    def with_confirmations(conn: Connection) -> list[dict[str, Any]]:
        registry.get(conn, device_id, removed=True)
        found = versions.history_of_pile(conn, device_id, now_s(), limit, before)
        confirmed = rate_use.confirmations(conn, [rate["rate_id"] for rate in found])
        return [rate | {"confirmed": confirmed[rate["rate_id"]]} for rate in found]

    return page(await read(cloud, with_confirmations), limit, "rate_id")


@router.post("/rates/preview", dependencies=READ)
async def preview_rate(cloud: TheCloud, body: previews.PreviewBody) -> dict[str, Any]:
    """What a sample session would cost at a rate that is not published, and that day's prices."""
    return await quick(cloud, lambda conn: previews.preview(conn, body, now_s()))
