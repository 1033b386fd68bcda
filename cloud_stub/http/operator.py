"""For the operator of the piles; every call needs the operator token."""

import asyncio
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from pile_protocol import messages, wire

from ..base.clock import now_s
from ..base.problems import Problem
from ..db import audit_events
from ..db.writer import Transaction
from ..intake import dead_letters
from ..orders import commands, states
from ..orders import views as order_views
from ..orders.transitions import lose_with_pile
from ..piles import registry, removal
from ..piles.credentials import admit, revoke
from ..rates import currencies, model, versions
from ..reports import fleet, rate_use
from ..settlements import reviews
from ..settlements import views as settlement_views
from .access import Limit, RowId, TheCloud, need_operator
from .api_schema import raises
from .etags import NOT_MODIFIED, if_changed
from .reads import quick, read

log = structlog.get_logger()

router = APIRouter(prefix="/api", tags=["operator"], dependencies=[Depends(need_operator)])

_DEVICE_ID = rf"^[A-Za-z0-9_-]{{{wire.DEVICE_ID.low},{wire.DEVICE_ID.high}}}$"


class PileBody(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    device_id: str = Field(pattern=_DEVICE_ID, examples=["PILE-1"])
    name: str = Field(default="", max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")
    connectors: int = Field(default=1, ge=1, le=messages.MAX_CONNECTORS)


class ConnectorPowerBody(BaseModel):
    """The most that a connector of the pile carries, in watts; null: what all piles have by default."""

    model_config = ConfigDict(extra="forbid", strict=True)

    power_w: int | None = Field(
        ge=registry.CONNECTOR_POWER_MIN_W, le=registry.CONNECTOR_POWER_MAX_W, examples=[7400]
    )


class ResetBody(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    connector: int = Field(default=1, ge=1, le=messages.MAX_CONNECTORS)


def _page(items: list[dict[str, Any]], limit: int, name: str) -> dict[str, Any]:
    """One page of a list. `next` is the cursor of the following page, null on the last."""
    return {"items": items, "next": items[-1][name] if len(items) == limit else None}


@router.get("/piles", response_model=dict[str, Any], responses=NOT_MODIFIED)
async def list_piles(
    request: Request,
    cloud: TheCloud,
    limit: Limit = 50,
    after: str | None = None,
    q: Annotated[str | None, Query(max_length=100, description="Part of an id or a name")] = None,
    online: bool | None = None,
    state: Annotated[str | None, Query(pattern="^(" + "|".join(fleet.STATES) + ")$")] = None,
) -> Response:
    """The piles by id, with what each last reported and what it charges; how many are in each state.

    May be polled every few seconds: If-None-Match gets 304 where nothing has changed.
    """
    wanted = fleet.PileFilter(q, online, state)

    def look(conn: Connection) -> dict[str, Any]:
        items = fleet.list_views(conn, cloud.hub, now_s(), wanted, limit, after)
        return _page(items, limit, "device_id") | {"summary": fleet.summary(conn, wanted)}

    return if_changed(request, await quick(cloud, look))


@router.get(
    "/piles/{device_id}/report",
    response_model=dict[str, Any],
    responses=NOT_MODIFIED,
    openapi_extra=raises("UnknownPile"),
)
async def report_pile(request: Request, cloud: TheCloud, device_id: str) -> Response:
    """One pile, as the list has it."""
    return if_changed(
        request, await quick(cloud, lambda conn: fleet.one_view(conn, cloud.hub, now_s(), device_id))
    )


def _broker_unavailable(error: OSError) -> Problem:
    log.error("broker_folder_failed", reason=str(error))
    return Problem(503, "BrokerUnavailable", "The broker's password file cannot be written; try again")


@router.post("/piles", status_code=201, openapi_extra=raises("PileExists", "BrokerUnavailable"))
async def add_pile(cloud: TheCloud, body: PileBody) -> dict[str, Any]:
    """Register a pile. Only this answer has its key."""
    name = body.name or body.device_id

    def register(tx: Transaction) -> bytes:
        key = registry.add(tx, body.device_id, name, body.connectors, now_s())
        admit(cloud.settings, body.device_id, key)  # before the commit: if it fails, the id is still free
        return key

    try:
        key = await cloud.write(register)
    except OSError as error:
        raise _broker_unavailable(error) from error
    return {"device_id": body.device_id, "name": name, "connectors": body.connectors, "key": key.hex()}


@router.delete("/piles/{device_id}", openapi_extra=raises("UnknownPile", "PileInUse", "SettlementsWaiting"))
async def remove_pile(
    cloud: TheCloud,
    device_id: str,
    force: Annotated[bool, Query(description="Also where settlements at the pile would be lost")] = False,
) -> dict[str, Any]:
    """Remove a pile: it can connect no more. Its orders and receipts stay; its id is not used again."""
    put, lose = cloud.dispatch.put, lose_with_pile(cloud.context)
    pile = await cloud.write(lambda tx: removal.remove(tx, put, lose, device_id, force, now_s()))
    try:
        await asyncio.to_thread(revoke, cloud.settings, device_id)
    except OSError as error:  # the pile is removed; asking again, or the next start, revokes its password
        raise _broker_unavailable(error) from error
    return {"device_id": device_id, "removed_at": pile.removed_at}


@router.put("/piles/{device_id}/connector-power", openapi_extra=raises("UnknownPile", "PileRemoved"))
async def set_connector_power(cloud: TheCloud, device_id: str, body: ConnectorPowerBody) -> dict[str, Any]:
    """Set what a connector of the pile carries at most: a settlement that tells more is flagged."""
    await cloud.write(lambda tx: registry.set_connector_power(tx, device_id, body.power_w))
    return {"device_id": device_id, "connector_power_w": body.power_w}


@router.put(
    "/piles/{device_id}/rate",
    status_code=201,
    openapi_extra=raises("UnknownPile", "PileRemoved", "RateReplaced"),
)
async def set_rate(
    cloud: TheCloud,
    device_id: str,
    body: model.RateBody,
    replaces: Annotated[
        str | None, Query(max_length=64, description="The version that must be the latest, or `none`")
    ] = None,
) -> dict[str, Any]:
    """Publish a new version of the pile's rate; orders that run keep theirs.

    With `replaces`, a version that the caller has not seen is not replaced: 409 RateReplaced has it.
    """
    put = cloud.dispatch.put
    return await cloud.write(lambda tx: versions.publish(tx, put, device_id, body, now_s(), replaces))


@router.get("/currencies")
async def list_currencies() -> dict[str, int]:
    """The currencies that a rate may be in, and how many decimals the minor unit of each has."""
    return currencies.MINOR_DIGITS


@router.get("/piles/{device_id}/rates", openapi_extra=raises("UnknownPile"))
async def list_rates(
    cloud: TheCloud, device_id: str, limit: Limit = 50, before: str | None = None
) -> dict[str, Any]:
    """The pile's rates, newest first, and how many orders confirmed each."""

    def with_confirmations(conn: Connection) -> list[dict[str, Any]]:
        registry.get(conn, device_id, removed=True)
        found = versions.history(conn, device_id, limit, before)
        confirmed = rate_use.confirmations(conn, [rate["rate_id"] for rate in found])
        return [rate | {"confirmed": confirmed[rate["rate_id"]]} for rate in found]

    return _page(await read(cloud, with_confirmations), limit, "rate_id")


@router.post(
    "/piles/{device_id}/reset",
    status_code=202,
    openapi_extra=raises("UnknownPile", "PileRemoved", "UnknownConnector"),
)
async def reset_pile(cloud: TheCloud, device_id: str, body: ResetBody) -> dict[str, Any]:
    """Ask the pile to clear a connector's fault."""
    await cloud.write(
        lambda tx: commands.request_reset(tx, cloud.context, device_id, body.connector, now_s())
    )
    return {"device_id": device_id, "connector": body.connector}


async def _wanted_orders(
    device_id: str | None = None,
    connector: Annotated[int | None, Query(ge=1, le=messages.MAX_CONNECTORS)] = None,
    state: Annotated[str | None, Query(pattern="^(" + "|".join(states.STATES) + ")$")] = None,
    rate_id: str | None = None,
    from_at: Annotated[int | None, Query(ge=0, le=2**40, description="Made then or later")] = None,
    until_at: Annotated[int | None, Query(ge=0, le=2**40, description="Made before")] = None,
) -> order_views.OrderFilter:
    return order_views.OrderFilter(device_id, connector, state, rate_id, from_at, until_at)


WantedOrders = Annotated[order_views.OrderFilter, Depends(_wanted_orders)]


@router.get("/orders")
async def list_orders(
    cloud: TheCloud, wanted: WantedOrders, limit: Limit = 50, before: str | None = None
) -> dict[str, Any]:
    """The orders, newest first."""
    found = await read(cloud, lambda conn: order_views.list_orders(conn, wanted, limit, before))
    return _page(found, limit, "order_id")


@router.post("/orders/{order_id}/close", openapi_extra=raises("UnknownOrder", "OrderEnded", "OrderRunning"))
async def close_order(cloud: TheCloud, order_id: str, body: commands.CloseBody) -> dict[str, Any]:
    """End an order whose settlement is not expected any more, with a reason; it becomes Lost.

    A settlement that arrives all the same is still billed. Closing a lost order again changes nothing.
    """
    row = await cloud.write(lambda tx: commands.close_order(tx, cloud.context, order_id, body, now_s()))
    return order_views.list_item(row)


@router.get("/settlements")
async def list_settlements(
    cloud: TheCloud,
    limit: Limit = 50,
    before: RowId = None,
    flagged: Annotated[
        bool | None, Query(description="Something is wrong, and nobody has decided yet")
    ] = None,
    reviewed: bool | None = None,
    device_id: str | None = None,
) -> dict[str, Any]:
    """The settlements as the piles sealed them, newest first, with what was found wrong with them."""
    found = await quick(
        cloud, lambda conn: settlement_views.list_views(conn, flagged, reviewed, device_id, limit, before)
    )
    return _page(found, limit, "id")


@router.post(
    "/settlements/{settlement_id}/review",
    status_code=201,
    openapi_extra=raises("UnknownSettlement", "AlreadyReviewed", "NotFlagged", "NothingToRelease"),
)
async def review_settlement(
    cloud: TheCloud, settlement_id: Annotated[int, Path(ge=0, le=2**53)], body: reviews.ReviewBody
) -> dict[str, Any]:
    """Decide about a flagged settlement, once: release or waive it, and why."""
    await cloud.write(lambda tx: reviews.review(tx, cloud.context, settlement_id, body, now_s()))
    return await quick(cloud, lambda conn: settlement_views.comparison(conn, settlement_id))


@router.get("/events")
async def list_events(
    cloud: TheCloud,
    limit: Limit = 50,
    before: RowId = None,
    device_id: str | None = None,
    order_id: str | None = None,
) -> dict[str, Any]:
    """Audit events (faults, removals, reviews and others), newest first."""
    found = await quick(
        cloud, lambda conn: audit_events.list_events(conn, device_id, order_id, limit, before)
    )
    return _page(found, limit, "id")


@router.get("/rejects")
async def list_rejects(
    cloud: TheCloud, limit: Limit = 50, before: RowId = None, reason: str | None = None
) -> dict[str, Any]:
    """The messages that could not be used, newest first."""
    found = await quick(cloud, lambda conn: dead_letters.list_dead_letters(conn, reason, limit, before))
    return _page(found, limit, "id")
