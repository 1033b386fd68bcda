"""For operators: credit notes of settled bills."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from ..base.clock import now_s
from ..orders.create import check_idempotency_key
from ..settlements import credits
from .access import READ, CanMoney, Limit, TheCloud
from .api_schema import raises
from .paging import page
from .reads import quick

router = APIRouter(prefix="/api", tags=["operator"])


@router.get("/credits", dependencies=READ)
async def list_credits(
    cloud: TheCloud, order_id: str | None = None, limit: Limit = 50, before: str | None = None
) -> dict[str, Any]:
    """The credit notes, newest first."""
    found = await quick(cloud, lambda conn: credits.list_views(conn, order_id, limit, before))
    return page(found, limit, "credit_id")


@router.post(
    "/orders/{order_id}/credits",
    status_code=201,
    responses={
        200: {
            "description": "The credit note that the same Idempotency-Key has made before",
            "model": dict[str, Any],
        }
    },
    openapi_extra=raises(
        "UnknownOrder", "NotSettled", "SettlementFlagged", "CreditTooHigh", "IdempotencyKeyReused"
    ),
)
async def credit_order(
    cloud: TheCloud,
    actor: CanMoney,
    response: Response,
    order_id: str,
    body: credits.CreditBody,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """Credit a settled bill, in whole or in part, and why. The settlement stays as it is.

    What is not paid yet becomes less by it; what was paid is to be paid back, which is done elsewhere.
    """
    key = check_idempotency_key(idempotency_key)
    row, made = await cloud.write(
        lambda tx: credits.credit(tx, actor, cloud.context, order_id, key, body, now_s())
    )
    if not made:
        response.status_code = 200
    return credits.view(row)
