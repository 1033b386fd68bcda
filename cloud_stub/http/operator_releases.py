"""For operators: firmware releases, which pile runs which, and rollouts of releases and configurations."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from sqlalchemy import Connection

from ..base.clock import now_s
from ..db.release_rows import RolloutRow
from ..piles import registry
from ..releases import archive, rollouts, states, store, views
from .access import READ, CanRelease, Limit, RowId, TheCloud
from .api_schema import raises
from .paging import page
from .reads import quick, read

router = APIRouter(prefix="/api", tags=["operator"])

ReleaseNumber = Annotated[int, Path(ge=1, le=999_999_999)]
RolloutId = Annotated[int, Path(ge=1, le=2**53)]
_SELECTION = ("UnknownPile", "PileRemoved", "UnknownSite")
_ARCHIVE_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/releases", dependencies=READ)
async def list_releases(cloud: TheCloud) -> dict[str, Any]:
    """The releases, highest number first, and how many piles run each."""
    found = await read(cloud, store.list_views)
    return {"items": found, "firmware": await read(cloud, views.firmware_summary)}


@router.post(
    "/releases",
    status_code=201,
    openapi_extra=_ARCHIVE_BODY | raises("BadRelease", "ReleaseExists", "TooManyReleases"),
)
async def add_release(request: Request, cloud: TheCloud, actor: CanRelease) -> dict[str, Any]:
    """Add a release: its archive, as `make release` writes it. Piles check its signature, not the cloud."""
    release = archive.read(await request.body())
    added = await cloud.write(lambda tx: store.add(tx, actor, release, now_s()))
    return {"release": release.number, "version": release.version, "added": added}


@router.delete("/releases/{number}", openapi_extra=raises("UnknownRelease", "ReleaseInUse"))
async def remove_release(cloud: TheCloud, actor: CanRelease, number: ReleaseNumber) -> dict[str, Any]:
    """Delete a release's files. Its number is never given to other bytes."""
    await cloud.write(lambda tx: store.remove(tx, actor, number, now_s()))
    return {"release": number}


@router.get("/firmware", dependencies=READ)
async def list_firmware(cloud: TheCloud, limit: Limit = 50, after: str | None = None) -> dict[str, Any]:
    """Which release each pile runs, as its last hello told."""
    return page(await read(cloud, lambda conn: views.list_firmware(conn, limit, after)), limit, "device_id")


@router.get("/piles/{device_id}/updates", openapi_extra=raises("UnknownPile"), dependencies=READ)
async def list_updates(
    cloud: TheCloud, device_id: str, limit: Limit = 50, before: RowId = None
) -> dict[str, Any]:
    """What the pile runs, and what each rollout has done with it, the newest first."""

    def look(conn: Connection) -> dict[str, Any]:
        registry.get(conn, device_id, removed=True)
        found = views.history(conn, device_id, limit, before)
        return found | page(found["items"], limit, "rollout_id")

    return await quick(cloud, look)


@router.post("/rollout-preview", openapi_extra=raises("UnknownRelease", *_SELECTION))
async def preview_rollout(cloud: TheCloud, _: CanRelease, body: rollouts.RolloutBody) -> dict[str, Any]:
    """Which piles a rollout would reach, in which waves, and which it leaves out and why. Changes nothing."""
    return await read(cloud, lambda conn: views.plan_view(rollouts.plan(conn, body)))


@router.post(
    "/rollouts", status_code=201, openapi_extra=raises("UnknownRelease", "NothingToUpdate", *_SELECTION)
)
async def start_rollout(cloud: TheCloud, actor: CanRelease, body: rollouts.RolloutBody) -> dict[str, Any]:
    """Start a rollout. It goes on by itself, wave by wave, and halts where a wave loses too many piles."""
    row = await cloud.write(lambda tx: rollouts.start(tx, actor, body, now_s()))
    return await _view(cloud, row.id)


@router.get("/rollouts", dependencies=READ)
async def list_rollouts(cloud: TheCloud, limit: Limit = 50, before: RowId = None) -> dict[str, Any]:
    """The rollouts, newest first, with how many piles are in each state."""
    found = await read(cloud, lambda conn: views.list_rollouts(conn, limit, before))
    return page(found, limit, "rollout_id")


@router.get("/rollouts/{rollout_id}", openapi_extra=raises("UnknownRollout"), dependencies=READ)
async def get_rollout(cloud: TheCloud, rollout_id: RolloutId) -> dict[str, Any]:
    """A rollout: its state, and how many piles of each wave are in which state."""
    return await _view(cloud, rollout_id)


@router.get("/rollouts/{rollout_id}/piles", openapi_extra=raises("UnknownRollout"), dependencies=READ)
async def list_rollout_piles(
    cloud: TheCloud,
    rollout_id: RolloutId,
    limit: Limit = 50,
    after: str | None = None,
    state: Annotated[str | None, Query(pattern="^(" + "|".join(states.PILE_STATES) + ")$")] = None,
) -> dict[str, Any]:
    """The piles of a rollout, by id, and how far each is."""
    found = await read(cloud, lambda conn: views.piles_of(conn, rollout_id, state, limit, after))
    return page(found, limit, "device_id")


@router.post("/rollouts/{rollout_id}/pause", openapi_extra=raises("UnknownRollout", "RolloutEnded"))
async def pause_rollout(cloud: TheCloud, actor: CanRelease, rollout_id: RolloutId) -> dict[str, Any]:
    """Offer nothing more and end downloads; piles on trial go on."""
    await cloud.write(lambda tx: rollouts.pause(tx, actor, rollout_id, now_s()))
    return await _view(cloud, rollout_id)


@router.post("/rollouts/{rollout_id}/resume", openapi_extra=raises("UnknownRollout", "RolloutEnded"))
async def resume_rollout(cloud: TheCloud, actor: CanRelease, rollout_id: RolloutId) -> dict[str, Any]:
    """Go on with a rollout that was paused or has halted."""
    await cloud.write(lambda tx: rollouts.resume(tx, actor, rollout_id, now_s()))
    return await _view(cloud, rollout_id)


@router.post("/rollouts/{rollout_id}/cancel", openapi_extra=raises("UnknownRollout", "RolloutEnded"))
async def cancel_rollout(cloud: TheCloud, actor: CanRelease, rollout_id: RolloutId) -> dict[str, Any]:
    """End a rollout for ever: piles that have not begun keep what they run."""
    await cloud.write(lambda tx: rollouts.cancel(tx, actor, rollout_id, now_s()))
    return await _view(cloud, rollout_id)


async def _view(cloud: TheCloud, rollout_id: int) -> dict[str, Any]:
    def look(conn: Connection) -> dict[str, Any]:
        row: RolloutRow = rollouts.get(conn, rollout_id)
        return views.view(conn, row)

    return await read(cloud, look)
