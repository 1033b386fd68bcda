"""Reports for the operator: energy and revenue, power, comparisons, previews, CSV. All need the token."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import StreamingResponse

from ..base.clock import now_s
from ..rates import previews
from ..reports import daily_report, orders_csv, power
from ..settlements import views as settlement_views
from .access import TheCloud, need_operator
from .api_schema import raises
from .operator import WantedOrders
from .reads import quick, read

router = APIRouter(prefix="/api", tags=["reports"], dependencies=[Depends(need_operator)])

At = Annotated[int, Query(ge=0, le=2**40, description="Unix seconds")]
Day = Annotated[str, Query(pattern=r"^\d{4}-\d{2}-\d{2}$", examples=["2026-11-23"])]


@router.get("/reports/daily", openapi_extra=raises("UnknownPile"))
async def get_daily(
    cloud: TheCloud,
    from_day: Annotated[Day, Query(alias="from")],
    to_day: Annotated[Day, Query(alias="to")],
    time_zone: Annotated[str, Query(max_length=64)] = "UTC",
    device_id: str | None = None,
) -> dict[str, Any]:
    """Energy and revenue of settled orders by day and by price label, in days of `time_zone`."""
    local = daily_report.zone(time_zone)
    first, last = daily_report.day(from_day, "from"), daily_report.day(to_day, "to")
    return await read(cloud, lambda conn: daily_report.daily(conn, first, last, local, device_id))


@router.get("/piles/{device_id}/power", openapi_extra=raises("UnknownPile"))
async def get_power(cloud: TheCloud, device_id: str, from_at: At, until_at: At) -> dict[str, Any]:
    """The pile's power over time, a curve for each order."""
    curves = await read(cloud, lambda conn: power.power_curves(conn, device_id, from_at, until_at))
    return {"from_at": from_at, "until_at": until_at, "curves": curves}


@router.get("/settlements/{settlement_id}", openapi_extra=raises("UnknownSettlement"))
async def compare_settlement(
    cloud: TheCloud, settlement_id: Annotated[int, Path(ge=0, le=2**53)]
) -> dict[str, Any]:
    """A settlement as the pile sealed it, beside what the order's locked rate gives here."""
    return await quick(cloud, lambda conn: settlement_views.comparison(conn, settlement_id))


@router.post("/rates/preview")
async def preview_rate(body: previews.PreviewBody) -> dict[str, Any]:
    """What a sample session would cost at a rate that is not published."""
    return previews.preview(body, now_s())


@router.get(
    "/orders.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def export_orders(cloud: TheCloud, wanted: WantedOrders) -> Response:
    """The orders as CSV, newest first; times in UTC, amounts as exact decimals."""
    return StreamingResponse(
        orders_csv.csv_pages(cloud.store, wanted),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="orders.csv"', "Cache-Control": "no-store"},
    )
