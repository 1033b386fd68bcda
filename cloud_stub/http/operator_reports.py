"""For operators: energy and revenue by day, power over time."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from ..reports import bill_rows, daily_report, power, settlements_csv
from ..reports import days as report_days
from ..reports.csv_lines import MEDIA_TYPE
from .access import READ, TheCloud
from .api_schema import raises
from .reads import quick, read

router = APIRouter(prefix="/api", tags=["reports"])

At = Annotated[int, Query(ge=0, le=2**40, description="Unix seconds")]
Day = Annotated[str, Query(pattern=r"^\d{4}-\d{2}-\d{2}$", examples=["2026-11-23"])]


async def _scope(
    device_id: str | None = None, site_id: str | None = None, tag: str | None = None
) -> bill_rows.PileScope:
    return bill_rows.PileScope(device_id, site_id, tag)


Scope = Annotated[bill_rows.PileScope, Depends(_scope)]


async def _days(
    from_day: Annotated[Day, Query(alias="from")],
    to_day: Annotated[Day, Query(alias="to")],
    time_zone: Annotated[str, Query(max_length=64)] = "UTC",
) -> report_days.Days:
    return report_days.read_some(from_day, to_day, time_zone)


Days = Annotated[report_days.Days, Depends(_days)]


@router.get("/reports/daily", openapi_extra=raises("UnknownPile", "UnknownSite"), dependencies=READ)
async def get_daily(cloud: TheCloud, days: Days, scope: Scope) -> dict[str, Any]:
    """Energy and revenue of settled orders by day and by price label, in days of `time_zone`.

    `revenue_minor` is what was billed = `paid_minor` + `unpaid_minor` + `credited_minor` - `refund_minor`.
    Flagged settlements are in `flagged_minor` alone.
    """
    return await read(cloud, lambda conn: daily_report.daily(conn, days, scope))


@router.get(
    "/settlements.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
    openapi_extra=raises("UnknownPile", "UnknownSite"),
    dependencies=READ,
)
async def export_settlements(
    cloud: TheCloud, scope: Scope, from_at: At = 0, until_at: At = 2**40
) -> Response:
    """The settlements whose charging ended then, as they count in the books, as CSV with exact decimals.

    `started` and `ended` have the offset of the pile's time zone; `total` of a flagged one is empty.
    """
    await quick(cloud, scope.check)
    return StreamingResponse(
        settlements_csv.csv_pages(cloud.store, from_at, until_at, scope),
        media_type=MEDIA_TYPE,
        headers={
            "Content-Disposition": 'attachment; filename="settlements.csv"',
            "Cache-Control": "no-store",
        },
    )


@router.get("/piles/{device_id}/power", openapi_extra=raises("UnknownPile"), dependencies=READ)
async def get_power(cloud: TheCloud, device_id: str, from_at: At, until_at: At) -> dict[str, Any]:
    """The pile's power over time, a curve for each order."""
    curves = await read(cloud, lambda conn: power.power_curves(conn, device_id, from_at, until_at))
    return {"from_at": from_at, "until_at": until_at, "curves": curves}
