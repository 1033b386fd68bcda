"""For operators: the piles as charge points of a central system."""

from typing import Any

from fastapi import APIRouter

from ..bridges.ocpp import progress
from .access import READ, Limit, TheCloud
from .paging import page
from .reads import quick

router = APIRouter(prefix="/api", tags=["operator"])


@router.get("/charge-points", dependencies=READ)
async def list_charge_points(
    cloud: TheCloud, limit: Limit = 50, after: str = "", site_id: str | None = None
) -> dict[str, Any]:
    """The piles as charge points of the OCPP gateway, by id: connection, errors by kind, unsent events."""
    found = await quick(cloud, lambda conn: progress.list_views(conn, limit, after, site_id))
    return page(found, limit, "device_id")
