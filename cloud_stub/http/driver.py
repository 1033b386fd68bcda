"""Routes for the driver: a pile's rate, an order, its progress, its stop and its payment."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy import Connection

from pile_protocol import messages

from ..base.clock import now_s
from ..base.problems import Problem, invalid, unknown_order
from ..bridges.mail import requests
from ..cloud import Cloud
from ..db.rows import OrderRow
from ..orders import commands, create, free_time, lookup, power_curve, states
from ..orders import views as order_views
from ..payments import free
from ..payments import views as payment_views
from ..piles import labels, registry
from ..piles import views as pile_views
from ..rates import estimates, holding, versions
from ..settlements import payments
from .access import (
    OwnOrder,
    OwnOrderToPay,
    OwnOrderToStop,
    TheCloud,
    get_cloud,
    identify,
    limit_orders,
    limit_quotes,
    require,
)
from .api_schema import raises
from .languages import language_of
from .quick_route import QuickRoute, json_response
from .reads import quick

router = APIRouter(prefix="/api", tags=["phone"])


async def get_rate(request: Request, device_id: str) -> Response:
    """The connector's rate: its price now, its steps of the next 24 hours, its other components and offers,
    what some kWh and an hour would cost, the most that an order costs, and when another version begins.
    """
    cloud = await get_cloud(request)
    await limit_quotes(request)
    connector, now = _connector(request), now_s()
    rate = await quick(cloud, lambda conn: _rate(conn, cloud, device_id, connector, now))
    settings = cloud.settings
    power_w = rate["power_w"] or settings.connector_power_w
    return json_response(estimates.offered(rate, now, settings.duration_s, settings.order_life_s, power_w))


def _connector(request: Request) -> int:
    """Raises Problem (InvalidRequest)."""
    asked = request.query_params.get("connector", "1")
    if asked.isascii() and asked.isdecimal() and 1 <= int(asked[:3]) <= messages.MAX_CONNECTORS:
        return int(asked[:3])
    raise invalid(("connector", f"must be a number from 1 to {messages.MAX_CONNECTORS}"))


def _rate(conn: Connection, cloud: Cloud, device_id: str, connector: int, now: int) -> dict[str, Any]:
    """Raises Problem (NoRate, UnknownPile, PileRemoved)."""
    rate = None
    if "\0" not in device_id:  # PostgreSQL takes none in a text
        rate = cloud.context.rates.at(conn, device_id, connector, now)
    if rate is None:
        raise versions.no_rate(registry.get(conn, device_id).device_id)
    return rate


rate_route = QuickRoute(
    "/api/piles/{device_id}/rate",
    get_rate,
    response_model=dict[str, Any],
    tags=["phone"],
    methods=["GET"],
    openapi_extra=raises("UnknownPile", "PileRemoved", "NoRate", "TooManyRequests")
    | {
        "parameters": [
            {
                "name": "connector",
                "in": "query",
                "schema": {"type": "integer", "minimum": 1, "maximum": messages.MAX_CONNECTORS, "default": 1},
            }
        ]
    },
)


@router.get(
    "/piles/{device_id}",
    dependencies=[Depends(limit_quotes)],
    openapi_extra=raises("UnknownPile", "PileRemoved", "TooManyRequests"),
)
async def get_pile(cloud: TheCloud, device_id: str) -> dict[str, Any]:
    """The pile, its connectors and the ids of the rates that hold there; `free`: whether everybody charges
    for free there.
    """

    def look(conn: Connection) -> dict[str, Any]:
        now = now_s()
        pile = registry.get(conn, device_id)
        view = pile_views.pile_view(conn, pile, now)
        if any(each["busy"] for each in view["connectors"]):
            free_in_s = free_time.free_in_s(conn, cloud.hub, device_id, cloud.settings.duration_s)
            for each in view["connectors"]:
                each["free_in_s"] = free_in_s.get(each["connector"])
        adapter = cloud.cashier.adapter
        view["mail"] = cloud.settings.mail_host is not None
        view["free"] = pile.site_id is not None and free.is_free_at(conn, pile.site_id, now)
        view["payment"] = adapter and {"adapter": adapter.name, "is_test": adapter.is_test}
        return holding.add_rate_ids(view, cloud.context.rates.at_piles(conn, [device_id], now)[device_id])

    return await quick(cloud, look)


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
        "RateNotBillable",
        "PileOffline",
        "PileHasNoClock",
        "PileFaulted",
        "ConnectorBusy",
        "ConnectorUnavailable",
        "NotPlugged",
        "LimitTooLow",
        "IdempotencyKeyReused",
        "PaymentRefused",
        "PaymentNeeded",
        "PaymentUnavailable",
        "FreeCodeInvalid",
        "Unauthorized",
        "Forbidden",
        "TooManyRequests",
    ),
)
async def make_order(
    cloud: TheCloud,
    request: Request,
    response: Response,
    body: create.OrderBody,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """Confirm a rate. The answer has the order's token, which every other call about the order needs.

    Where a hold is needed, the provider first holds the most that the order can cost, or the money limit if
    that is less. After PaymentNeeded the same request goes on, with the same Idempotency-Key.
    """
    key = create.check_idempotency_key(idempotency_key)
    operator = None
    if body.free_reason is not None:
        operator = require(request, cloud, await identify(request, cloud), "money")
    row, made = await cloud.confirmations.confirm(body, key, operator)
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


@router.get(
    "/orders/{order_id}/code.svg",
    response_class=Response,
    responses={200: {"content": {"image/svg+xml": {"schema": {"type": "string"}}}}},
)
async def get_code(cloud: TheCloud, request: Request, own: OwnOrderToPay) -> Response:
    """A QR code that opens the order on another phone, with its token: who has it can watch, stop and pay.

    Only for the driver, by that token: an operator who had it could act without a line in the audit trail.
    """
    if own.operator is not None:
        raise unknown_order()
    origin = cloud.settings.public_url or str(request.base_url)
    link = f"{origin.rstrip('/')}/p/{own.row.device_id}?order={own.row.order_id}#{own.row.token}"
    return Response(
        labels.plain_code(link), media_type="image/svg+xml", headers={"Cache-Control": "no-store"}
    )


@router.get("/orders/{order_id}/events", response_class=EventSourceResponse)
async def watch_order(request: Request, cloud: TheCloud, own: OwnOrder) -> AsyncIterator[ServerSentEvent]:
    """`order` events, the first with the present state, and `meter` events, until the order is final."""
    async for event in _changes(cloud, own.row):
        if own.operator is not None and await identify(request, cloud) is None:
            return  # the operator's session or token has ended meanwhile
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
            return row, payment_views.order_view(conn, cloud.hub, row), None
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
    return await quick(cloud, lambda conn: payment_views.order_view(conn, cloud.hub, row))


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
    openapi_extra=raises("NotSettled", "SettlementFlagged", "AmountMismatch", "HoldOpen"),
)
async def pay_order(cloud: TheCloud, own: OwnOrderToPay, body: payments.PaymentBody) -> dict[str, Any]:
    """Pay the settlement's total. Paying again changes nothing."""
    order_id = own.row.order_id
    paid = await cloud.write(
        lambda tx: payments.pay(tx, own.operator, cloud.context, order_id, body, now_s())
    )
    return await _order_view(cloud, paid)


@router.post(
    "/orders/{order_id}/receipt",
    status_code=202,
    dependencies=[Depends(limit_orders)],
    openapi_extra=raises("MailNotSet", "NotSettled", "SettlementFlagged", "TooManyRequests"),
)
async def mail_receipt(
    cloud: TheCloud, request: Request, own: OwnOrder, body: requests.ReceiptBody
) -> dict[str, Any]:
    """Send the receipt to an e-mail address, in the language of the phone's page. Only for the driver."""
    if own.operator is not None:
        raise unknown_order()
    if cloud.settings.mail_host is None:
        raise Problem(409, "MailNotSet", "This cloud has no mail server")
    order_id, language = own.row.order_id, language_of(request)
    return await cloud.write(
        lambda tx: requests.request(tx, cloud.mail_budget, order_id, body.email, language, now_s())
    )
