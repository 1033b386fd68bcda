"""For operators: what happened to piles and orders, and messages that could not be used."""

from typing import Any

from fastapi import APIRouter

from ..db import events
from ..intake import dead_letters
from .access import READ, Limit, RowId, TheCloud
from .paging import page
from .reads import quick

router = APIRouter(prefix="/api", tags=["operator"])


@router.get("/events", dependencies=READ)
async def list_events(
    cloud: TheCloud,
    limit: Limit = 50,
    before: RowId = None,
    device_id: str | None = None,
    order_id: str | None = None,
) -> dict[str, Any]:
    """What happened to piles and orders (faults, removals, reviews and others), newest first."""
    found = await quick(cloud, lambda conn: events.list_events(conn, device_id, order_id, limit, before))
    return page(found, limit, "id")


@router.get("/rejects", dependencies=READ)
async def list_rejects(
    cloud: TheCloud, limit: Limit = 50, before: RowId = None, reason: str | None = None
) -> dict[str, Any]:
    """The messages that could not be used, newest first."""
    found = await quick(cloud, lambda conn: dead_letters.list_dead_letters(conn, reason, limit, before))
    return page(found, limit, "id")
