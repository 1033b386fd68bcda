"""Routes for the driver: a pile's rate, an order, its progress, its stop and its payment."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy import Connection

from ..base.clock import now_s
from ..cloud import Cloud
from ..db.rows import OrderRow
from ..orders import commands, create, lookup, power_curve, states
from ..orders import views as order_views
from ..piles import registry
from ..piles import views as pile_views
from ..rates import estimates, schedule, versions
from ..settlements import payments
from ..settlements import views as settlement_views
from .access import OwnOrder, OwnOrderToPay, OwnOrderToStop, TheCloud, get_cloud, limit_orders, limit_quotes
from .api_schema import raises
from .quick_route import QuickRoute, json_response
from .reads import quick

router = APIRouter(prefix="/api", tags=["phone"])


async def get_rate(request: Request, device_id: str) -> Response:
    """The pile's latest rate, what holds now, the steps of the next 24 hours, what some kWh would cost."""
    cloud = await get_cloud(request)
    await limit_quotes(request)
    rate = await quick(cloud, lambda conn: _latest_rate(conn, device_id))
    view = schedule.rate_view(rate, now_s())
    return json_response(view | {"estimates": estimates.at_present_price(view)})


def _latest_rate(conn: Connection, device_id: str) -> dict[str, Any]:
    """Raises Problem (NoRate, UnknownPile, PileRemoved)."""
    rate = versions.latest(conn, device_id)
    if rate is None:
        raise versions.no_rate(registry.get(conn, device_id).device_id)
    return rate


rate_route = QuickRoute(
    "/api/piles/{device_id}/rate",
    get_rate,
    response_model=dict[str, Any],
    tags=["phone"],
    methods=["GET"],
    openapi_extra=raises("UnknownPile", "PileRemoved", "NoRate", "TooManyRequests"),
)


@router.get(
    "/piles/{device_id}",
    dependencies=[Depends(limit_quotes)],
    openapi_extra=raises("UnknownPile", "PileRemoved", "TooManyRequests"),
)
async def get_pile(cloud: TheCloud, device_id: str) -> dict[str, Any]:
    """The pile, its connectors and the id of its latest rate."""
    return await quick(cloud, lambda conn: pile_views.pile_view(conn, registry.get(conn, device_id), now_s()))


@router.post(
    "/orders",
    status_code=201,
    dependencies=[Depends(limit_orders)],
    responses={
        200: {
            "description": "The order that the same Idempotency-Key has made before",
            "model": dict[str, Any],
        }
    },
    openapi_extra=raises(
        "UnknownPile",
        "PileRemoved",
        "UnknownConnector",
        "NoRate",
        "RateChanged",
        "PileOffline",
        "PileHasNoClock",
        "PileFaulted",
        "ConnectorBusy",
        "ConnectorUnavailable",
        "NotPlugged",
        "LimitTooLow",
        "IdempotencyKeyReused",
        "TooManyRequests",
    ),
)
async def make_order(
    cloud: TheCloud,
    response: Response,
    body: create.OrderBody,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """Confirm a rate. The answer has the order's token, which every other call about the order needs."""
    key = create.check_idempotency_key(idempotency_key)
    row, made = await cloud.write(lambda tx: create.create_order(tx, cloud.context, body, key, now_s()))
    if not made:
        response.status_code = 200
    return await _order_view(cloud, row) | {"token": row.token}


@router.get("/orders/{order_id}")
async def get_order(cloud: TheCloud, own: OwnOrder) -> dict[str, Any]:
    """The order as it is."""
    return await _order_view(cloud, own.row)


@router.get("/orders/{order_id}/curve")
async def get_curve(cloud: TheCloud, own: OwnOrder) -> list[list[int]]:
    """The order's power so far: [at, power_mw] points, a few hundred at most."""
    return await quick(cloud, lambda conn: power_curve.of_order(conn, own.row.order_id))


@router.get("/orders/{order_id}/events", response_class=EventSourceResponse)
async def watch_order(cloud: TheCloud, own: OwnOrder) -> AsyncIterator[ServerSentEvent]:
    """`order` events, the first with the present state, and `meter` events, until the order is final."""
    async for event in _changes(cloud, own.row):
        yield event


async def _changes(cloud: Cloud, row: OrderRow) -> AsyncIterator[ServerSentEvent]:
    order_id = row.order_id
    shown_version = shown_meter = None

    def look(conn: Connection) -> tuple[OrderRow, dict[str, Any] | None, dict[str, Any] | None] | None:
        """The order's row; its view where the last event had another version, else its meter value."""
        row = lookup.find(conn, order_id)
        if row is None:
            return None
        if row.version != shown_version:
            return row, settlement_views.order_with_bill(conn, cloud.hub, row), None
        return row, None, order_views.meter(conn, cloud.hub, row)

    with cloud.hub.watch(order_id) as changed, cloud.link.following(row.device_id):
        while True:
            changed.clear()
            found = await quick(cloud, look)
            if found is None:
                return
            row, view, meter = found
            if view is not None:
                shown_version, shown_meter = row.version, view["meter"]
                yield ServerSentEvent(event="order", id=str(row.version), data=view)
            elif meter is not None and meter != shown_meter:
                shown_meter = meter
                yield ServerSentEvent(event="meter", data=meter)
            if row.state in states.ENDS or cloud.hub.closed:
                return
            await changed.wait()


async def _order_view(cloud: Cloud, row: OrderRow) -> dict[str, Any]:
    return await quick(cloud, lambda conn: settlement_views.order_with_bill(conn, cloud.hub, row))


@router.post("/orders/{order_id}/stop", status_code=202)
async def stop_order(cloud: TheCloud, own: OwnOrderToStop) -> dict[str, Any]:
    """Ask the pile to end the order. Asking again changes nothing."""
    order_id = own.row.order_id
    stopped = await cloud.write(
        lambda tx: commands.request_stop(tx, own.operator, cloud.context, order_id, now_s())
    )
    return await _order_view(cloud, stopped)


@router.post(
    "/orders/{order_id}/payment",
    openapi_extra=raises("NotSettled", "SettlementFlagged", "AmountMismatch"),
)
async def pay_order(cloud: TheCloud, own: OwnOrderToPay, body: payments.PaymentBody) -> dict[str, Any]:
    """Pay the settlement's total. Paying again changes nothing."""
    order_id = own.row.order_id
    paid = await cloud.write(
        lambda tx: payments.pay(tx, own.operator, cloud.context, order_id, body, now_s())
    )
    return await _order_view(cloud, paid)
