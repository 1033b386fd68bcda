"""For operators: energy and revenue by day, power over time."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from ..reports import daily_report, power
from .access import READ, TheCloud
from .api_schema import raises
from .reads import read

router = APIRouter(prefix="/api", tags=["reports"])

At = Annotated[int, Query(ge=0, le=2**40, description="Unix seconds")]
Day = Annotated[str, Query(pattern=r"^\d{4}-\d{2}-\d{2}$", examples=["2026-11-23"])]


@router.get("/reports/daily", openapi_extra=raises("UnknownPile"), dependencies=READ)
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


@router.get("/piles/{device_id}/power", openapi_extra=raises("UnknownPile"), dependencies=READ)
async def get_power(cloud: TheCloud, device_id: str, from_at: At, until_at: At) -> dict[str, Any]:
    """The pile's power over time, a curve for each order."""
    curves = await read(cloud, lambda conn: power.power_curves(conn, device_id, from_at, until_at))
    return {"from_at": from_at, "until_at": until_at, "curves": curves}
