"""For operators: sites, which piles are there, and tags."""

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from ..base.body import Body
from ..base.clock import now_s
from ..db.writer import Transaction
from ..sites import registry, remote_starts, selection, tags
from .access import READ, CanPrice, CanRegister, Limit, TheCloud
from .api_schema import raises
from .paging import page
from .reads import quick

router = APIRouter(prefix="/api", tags=["operator"])


class MoveBody(Body):
    """Piles that are to be at a site; null: at none."""

    selection: str = Field(max_length=64, examples=["tag:harbour", "pile:PILE-1"])
    site_id: str | None = Field(max_length=64, examples=["HARBOUR"])


@router.get("/sites", dependencies=READ)
async def list_sites(cloud: TheCloud, limit: Limit = 50, after: str | None = None) -> dict[str, Any]:
    """The sites by id, with how many piles are there, and online."""
    return page(await quick(cloud, lambda conn: registry.list_views(conn, limit, after)), limit, "site_id")


@router.post("/sites", status_code=201, openapi_extra=raises("SiteExists"))
async def add_site(cloud: TheCloud, actor: CanRegister, body: registry.SiteBody) -> dict[str, Any]:
    """Add a site."""
    return await cloud.write(lambda tx: registry.add(tx, actor, body, now_s()))


@router.get("/sites/{site_id}", openapi_extra=raises("UnknownSite"), dependencies=READ)
async def get_site(cloud: TheCloud, site_id: str) -> dict[str, Any]:
    """One site, as the list has it."""
    return await quick(cloud, lambda conn: registry.one_view(conn, site_id))


@router.patch("/sites/{site_id}", openapi_extra=raises("UnknownSite", "Replaced"))
async def change_site(
    cloud: TheCloud, actor: CanRegister, site_id: str, body: registry.SiteChangeBody
) -> dict[str, Any]:
    """Change a site. Its time zone decides when the prices change for orders that are made from then on."""
    return await cloud.write(lambda tx: registry.change(tx, actor, site_id, body, now_s()))


@router.delete("/sites/{site_id}", openapi_extra=raises("UnknownSite", "SiteInUse"))
async def remove_site(cloud: TheCloud, actor: CanRegister, site_id: str) -> dict[str, Any]:
    """Remove a site at which no pile is."""
    await cloud.write(lambda tx: registry.remove(tx, actor, site_id, now_s()))
    return {"site_id": site_id}


@router.put("/sites/{site_id}/remote-start", openapi_extra=raises("UnknownSite", "UnknownRate", "Replaced"))
async def agree_to_remote_start(
    cloud: TheCloud, actor: CanPrice, site_id: str, body: remote_starts.RemoteStartBody
) -> dict[str, Any]:
    """Let an OCPP central system start orders at one rate, to which its users have agreed. `rate_id` null
    ends it.
    """
    return await cloud.write(lambda tx: remote_starts.agree(tx, actor, site_id, body, now_s()))


@router.post(
    "/pile-moves", openapi_extra=raises("UnknownPile", "PileRemoved", "UnknownSite", "RateNotBillable")
)
async def move_piles(cloud: TheCloud, actor: CanRegister, body: MoveBody) -> dict[str, Any]:
    """Let the selected piles be at a site, all of them or none. Running orders keep what they have locked."""

    def move(tx: Transaction) -> list[str]:
        device_ids = selection.pile_ids(tx.conn, body.selection)
        registry.move(tx, actor, device_ids, body.site_id, now_s())
        return device_ids

    return {"site_id": body.site_id, "device_ids": await cloud.write(move)}


@router.get("/tags", dependencies=READ)
async def list_tags(cloud: TheCloud) -> list[dict[str, Any]]:
    """The tags, and how many piles have each."""
    return await quick(cloud, tags.list_views)


@router.post("/tags", openapi_extra=raises("UnknownPile", "PileRemoved", "UnknownSite"))
async def tag_piles(cloud: TheCloud, actor: CanRegister, body: tags.TagsBody) -> dict[str, Any]:
    """Add tags to the selected piles, and take others off them."""

    def change(tx: Transaction) -> list[str]:
        device_ids = selection.pile_ids(tx.conn, body.selection)
        tags.change(tx, actor, device_ids, body.add, body.remove, now_s())
        return device_ids

    return {"device_ids": await cloud.write(change)}
