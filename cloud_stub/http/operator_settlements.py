"""For operators: settlements, what was found wrong with them, and what is decided about that."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from ..base.clock import now_s
from ..settlements import reviews
from ..settlements import views as settlement_views
from .access import READ, CanMoney, Limit, RowId, TheCloud
from .api_schema import raises
from .paging import page
from .reads import quick

router = APIRouter(prefix="/api", tags=["operator"])


@router.get("/settlements", dependencies=READ)
async def list_settlements(
    cloud: TheCloud,
    limit: Limit = 50,
    before: RowId = None,
    flagged: Annotated[
        bool | None, Query(description="Something is wrong, and nobody has decided yet")
    ] = None,
    reviewed: bool | None = None,
    device_id: str | None = None,
) -> dict[str, Any]:
    """The settlements as the piles sealed them, newest first, with what was found wrong with them."""
    found = await quick(
        cloud, lambda conn: settlement_views.list_views(conn, flagged, reviewed, device_id, limit, before)
    )
    return page(found, limit, "id")


@router.post(
    "/settlements/{settlement_id}/review",
    status_code=201,
    openapi_extra=raises(
        "UnknownSettlement",
        "AlreadyPaid",
        "AlreadyReviewed",
        "NotFlagged",
        "NothingToRelease",
        "AlreadyCredited",
    ),
)
async def review_settlement(
    cloud: TheCloud,
    actor: CanMoney,
    settlement_id: Annotated[int, Path(ge=0, le=2**53)],
    body: reviews.ReviewBody,
) -> dict[str, Any]:
    """Decide about a flagged settlement, once: release or waive it, and why."""
    await cloud.write(lambda tx: reviews.review(tx, actor, cloud.context, settlement_id, body, now_s()))
    return await quick(cloud, lambda conn: settlement_views.comparison(conn, settlement_id))


@router.get("/settlements/{settlement_id}", openapi_extra=raises("UnknownSettlement"), dependencies=READ)
async def compare_settlement(
    cloud: TheCloud, settlement_id: Annotated[int, Path(ge=0, le=2**53)]
) -> dict[str, Any]:
    """A settlement as the pile sealed it, beside what the order's locked rate gives here."""
    return await quick(cloud, lambda conn: settlement_views.comparison(conn, settlement_id))
