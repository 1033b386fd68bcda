"""For operators: piles registered, watched, removed; commands to them."""

import asyncio
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from pile_protocol import messages, wire

from ..base.body import Body
from ..base.clock import now_s
from ..base.problems import Problem, require_unchanged
from ..base.text import LINE_PATTERN
from ..db.writer import Transaction
from ..orders import commands
from ..orders.transitions import lose_with_pile
from ..piles import registry, removal
from ..piles.credentials import admit, revoke
from ..reports import fleet
from .access import READ, CanOperate, CanRegister, Limit, TheCloud
from .api_schema import raises
from .etags import NOT_MODIFIED, if_changed
from .paging import page
from .reads import quick

log = structlog.get_logger()

router = APIRouter(prefix="/api", tags=["operator"])

DEVICE_ID = rf"^[A-Za-z0-9_-]{{{wire.DEVICE_ID.low},{wire.DEVICE_ID.high}}}$"


class PileBody(Body):
    device_id: str = Field(pattern=DEVICE_ID, examples=["PILE-1"])
    name: str = Field(default="", max_length=100, pattern=LINE_PATTERN)
    connectors: int = Field(default=1, ge=1, le=messages.MAX_CONNECTORS)


class PowerFields(Body):
    """The most that a connector of the pile carries, in watts; null: what all piles have by default."""

    power_w: int | None = Field(
        ge=registry.CONNECTOR_POWER_MIN_W, le=registry.CONNECTOR_POWER_MAX_W, examples=[7400]
    )


class ConnectorPowerBody(PowerFields):
    replaces: PowerFields | None = Field(default=None, description="What the caller knows of the pile")


class ResetBody(Body):
    connector: int = Field(default=1, ge=1, le=messages.MAX_CONNECTORS)


@router.get("/piles", response_model=dict[str, Any], responses=NOT_MODIFIED, dependencies=READ)
async def list_piles(
    request: Request,
    cloud: TheCloud,
    limit: Limit = 50,
    after: str | None = None,
    q: Annotated[str | None, Query(max_length=100, description="Part of an id or a name")] = None,
    online: bool | None = None,
    state: Annotated[str | None, Query(pattern="^(" + "|".join(fleet.STATES) + ")$")] = None,
    site_id: Annotated[str | None, Query(max_length=40)] = None,
    tag: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """The piles by id, with what each last reported and what it charges; how many are in each state.

    May be polled every few seconds: If-None-Match gets 304 where nothing has changed.
    """
    wanted = fleet.PileFilter(q, online, state, site_id, tag)

    def look(conn: Connection) -> dict[str, Any]:
        items = fleet.list_views(conn, cloud.context, now_s(), wanted, limit, after)
        return page(items, limit, "device_id") | {"summary": fleet.summary(conn, wanted)}

    return if_changed(request, await quick(cloud, look))


@router.get(
    "/piles/{device_id}/report",
    response_model=dict[str, Any],
    responses=NOT_MODIFIED,
    openapi_extra=raises("UnknownPile"),
    dependencies=READ,
)
async def report_pile(request: Request, cloud: TheCloud, device_id: str) -> Response:
    """One pile, as the list has it."""
    return if_changed(
        request, await quick(cloud, lambda conn: fleet.one_view(conn, cloud.context, now_s(), device_id))
    )


def broker_unavailable(error: OSError) -> Problem:
    log.error("broker_folder_failed", reason=str(error))
    return Problem(503, "BrokerUnavailable", "The broker's password file cannot be written; try again")


@router.post("/piles", status_code=201, openapi_extra=raises("PileExists", "BrokerUnavailable"))
async def add_pile(cloud: TheCloud, actor: CanRegister, body: PileBody) -> dict[str, Any]:
    """Register a pile. Only this answer has its key."""
    name = body.name or body.device_id

    def register(tx: Transaction) -> bytes:
        new = registry.NewPile(body.device_id, name, body.connectors)
        key = registry.add(tx, actor, [new], now_s())[body.device_id]
        admit(cloud.settings, body.device_id, key)  # before the commit: if it fails, the id is still free
        return key

    try:
        key = await cloud.write(register)
    except OSError as error:
        raise broker_unavailable(error) from error
    return {"device_id": body.device_id, "name": name, "connectors": body.connectors, "key": key.hex()}


@router.delete("/piles/{device_id}", openapi_extra=raises("UnknownPile", "PileInUse", "SettlementsWaiting"))
async def remove_pile(
    cloud: TheCloud,
    actor: CanRegister,
    device_id: str,
    force: Annotated[bool, Query(description="Also where settlements at the pile would be lost")] = False,
) -> dict[str, Any]:
    """Remove a pile: it can connect no more. Its orders and receipts stay; its id is not used again."""
    lose = lose_with_pile(cloud.context)
    pile = await cloud.write(
        lambda tx: removal.remove(tx, actor, cloud.dispatch, lose, device_id, force, now_s())
    )
    try:
        await asyncio.to_thread(revoke, cloud.settings, device_id)
    except OSError as error:  # the pile is removed; asking again, or the next start, revokes its password
        raise broker_unavailable(error) from error
    return {"device_id": device_id, "removed_at": pile.removed_at}


@router.put(
    "/piles/{device_id}/connector-power",
    openapi_extra=raises("UnknownPile", "PileRemoved", "Replaced"),
)
async def set_connector_power(
    cloud: TheCloud, actor: CanRegister, device_id: str, body: ConnectorPowerBody
) -> dict[str, Any]:
    """Set the most that a connector of the pile carries. A settlement with more is flagged."""

    def change(tx: Transaction) -> None:
        before = registry.get(tx.conn, device_id, lock=True).connector_power_w
        require_unchanged(body.replaces and body.replaces.model_dump(), {"power_w": before})
        registry.set_connector_power(tx, actor, device_id, body.power_w, now_s())

    await cloud.write(change)
    return {"device_id": device_id, "connector_power_w": body.power_w}


@router.post(
    "/piles/{device_id}/reset",
    status_code=202,
    openapi_extra=raises("UnknownPile", "PileRemoved", "UnknownConnector"),
)
async def reset_pile(cloud: TheCloud, actor: CanOperate, device_id: str, body: ResetBody) -> dict[str, Any]:
    """Ask the pile to clear a connector's fault."""
    await cloud.write(
        lambda tx: commands.request_reset(tx, actor, cloud.context, device_id, body.connector, now_s())
    )
    return {"device_id": device_id, "connector": body.connector}
