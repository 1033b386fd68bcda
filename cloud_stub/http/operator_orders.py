"""For operators: orders listed, exported, closed."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from pile_protocol import messages

from ..base.clock import now_s
from ..orders import commands, states
from ..orders import views as order_views
from ..reports import orders_csv
from ..settlements import bills
from .access import READ, CanOperate, Limit, TheCloud
from .api_schema import raises
from .paging import page
from .reads import read

router = APIRouter(prefix="/api", tags=["operator"])


async def _wanted_orders(
    device_id: str | None = None,
    site_id: Annotated[str | None, Query(description="Where it was confirmed")] = None,
    connector: Annotated[int | None, Query(ge=1, le=messages.MAX_CONNECTORS)] = None,
    state: Annotated[str | None, Query(pattern="^(" + "|".join(states.STATES) + ")$")] = None,
    rate_id: str | None = None,
    from_at: Annotated[int | None, Query(ge=0, le=2**40, description="Made then or later")] = None,
    until_at: Annotated[int | None, Query(ge=0, le=2**40, description="Made before")] = None,
) -> order_views.OrderFilter:
    return order_views.OrderFilter(device_id, site_id, connector, state, rate_id, from_at, until_at)


WantedOrders = Annotated[order_views.OrderFilter, Depends(_wanted_orders)]


@router.get("/orders", dependencies=READ)
async def list_orders(
    cloud: TheCloud, wanted: WantedOrders, limit: Limit = 50, before: str | None = None
) -> dict[str, Any]:
    """The orders, newest first; `bill` says what its settlement counts as."""
    found = await read(
        cloud, lambda conn: bills.add_to(conn, order_views.list_orders(conn, wanted, limit, before))
    )
    return page(found, limit, "order_id")


@router.post("/orders/{order_id}/close", openapi_extra=raises("UnknownOrder", "OrderEnded", "OrderRunning"))
async def close_order(
    cloud: TheCloud, actor: CanOperate, order_id: str, body: commands.CloseBody
) -> dict[str, Any]:
    """End an order whose settlement is not expected any more, with a reason; it becomes Lost.

    A settlement that arrives later is still billed. Closing a lost order again changes nothing.
    """
    row = await cloud.write(
        lambda tx: commands.close_order(tx, actor, cloud.context, order_id, body, now_s())
    )
    return order_views.list_item(row)


@router.get(
    "/orders.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
    dependencies=READ,
)
async def export_orders(cloud: TheCloud, wanted: WantedOrders) -> Response:
    """The orders as CSV, newest first; times in UTC, amounts as exact decimals."""
    return StreamingResponse(
        orders_csv.csv_pages(cloud.store, wanted),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="orders.csv"', "Cache-Control": "no-store"},
    )
