"""Making an order: a phone confirms a rate, the order is written and its sealed message put into the outbox.

Functions that take a Transaction run in a unit of the writer: nothing else writes meanwhile. They raise
Problem before their first write.
"""

import hashlib
from typing import Any, NamedTuple

from pydantic import Field
from sqlalchemy import Connection, bindparam, insert, select

from pile_protocol import messages, pricing, seal, topics, wire

from ..base.body import Body
from ..base.ids import new_id
from ..base.problems import Problem, invalid, pile_removed, unknown_connector
from ..base.text import LINE_PATTERN
from ..base.tokens import new_token
from ..db.engine import to_json
from ..db.events import tell_receivers
from ..db.rows import OrderRow, PileRow, Query
from ..db.tables import orders
from ..db.writer import Transaction
from ..piles import registry
from ..piles import views as pile_views
from ..rates import billing, component_body, estimates, highest_cost, schedule, versions
from . import states
from .context import Context
from .transitions import announce, event_of


class LimitsBody(Body):
    """What the order may reach at most; the pile itself stops there."""

    energy_mwh: int | None = Field(default=None, ge=1, le=messages.MAX_ENERGY_MWH)
    cost_minor: int | None = Field(default=None, ge=1, le=messages.MAX_MINOR)
    duration_s: int | None = Field(default=None, ge=1, le=wire.MAX_DURATION_S)


class OrderBody(Body):
    """A confirmation: this pile, this connector, this rate, at the price that was shown."""

    device_id: str = Field(max_length=64)
    connector: int = Field(ge=1, le=messages.MAX_CONNECTORS)
    rate_id: str = Field(max_length=64)
    price: int | None = Field(
        default=None,
        ge=0,
        le=2 * wire.MAX_PRICE,
        description="Electricity and service together, in 10^-6 currency per kWh, as they were shown for this"
        " moment. Where another price holds by now, the order is refused with RateChanged; without this"
        " member only another rate_id is.",
        examples=[1_200_000],
    )
    time_price: int | None = Field(
        default=None,
        ge=0,
        le=wire.MAX_PRICE,
        description="As `price`, of an hour of charging, in 10^-6 currency per hour.",
        examples=[0],
    )
    time_zone: str | None = Field(
        default=None,
        max_length=64,
        description="As it was shown. Where another holds by now, the order is refused with RateChanged.",
        examples=["Asia/Shanghai"],
    )
    limits: LimitsBody = LimitsBody()
    code: str | None = Field(
        default=None, min_length=1, max_length=40, description="A code that makes the order free."
    )
    free_reason: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        pattern=LINE_PATTERN,
        description="Of an operator who may decide about money: the order is free, and why.",
    )


_BY_KEY = Query(select(orders).where(orders.c.idempotency_key == bindparam("key")), OrderRow)
_INSERT = Query(insert(orders).returning(orders), OrderRow)


class Terms(NamedTuple):
    """A confirmation that can become an order as it is."""

    pile: PileRow
    connector: int
    idempotency_key: str
    request_digest: str
    rate: dict[str, Any]
    limits: dict[str, int]
    locked_rate: dict[str, Any]
    expires_at: int
    charging_end_at: int


def agree(
    tx: Transaction, context: Context, body: OrderBody, idempotency_key: str, now: int
) -> Terms | OrderRow:
    """The terms of a new order, or the order that the key has made before. Raises Problem; writes nothing."""
    request_digest = hashlib.sha256(body.model_dump_json(exclude_none=True).encode()).hexdigest()
    pile = registry.get(tx.conn, body.device_id, lock=True, removed=True)
    known = _BY_KEY.first(tx.conn, {"key": idempotency_key})
    if known is not None:
        if known.request_digest != request_digest:
            raise Problem(422, "IdempotencyKeyReused", "That Idempotency-Key belongs to another order")
        return known
    if pile.removed_at is not None:
        raise pile_removed(pile.device_id, pile.removed_at)
    rate = _confirmable_rate(tx.conn, context, pile, body, now)
    expires_at = now + context.settings.order_life_s
    limits = body.limits.model_dump(exclude_none=True)
    least_minor = component_body.least_limit_minor(rate)
    if limits.get("cost_minor", least_minor) < least_minor:
        title = "The session fee or the minimum alone reaches the cost limit"
        raise Problem(422, "LimitTooLow", title, limit="cost_minor", least=least_minor)
    limits.setdefault("duration_s", context.settings.duration_s)
    charging_end_at = expires_at + limits["duration_s"]
    locked_rate = schedule.lock_rate(rate, now, charging_end_at)
    return Terms(
        pile,
        body.connector,
        idempotency_key,
        request_digest,
        rate,
        limits,
        locked_rate,
        expires_at,
        charging_end_at,
    )


def highest_minor(context: Context, terms: Terms) -> int:
    """The most that the order can cost, in minor units: what is held for it."""
    power_w = terms.pile.connector_power_w or context.settings.connector_power_w
    return highest_cost.highest_minor(terms.locked_rate, terms.limits, power_w)


def make(
    tx: Transaction, context: Context, terms: Terms, now: int, held_minor: int | None = None
) -> OrderRow:
    """Write the order and put its message into the outbox. held_minor: then the money limit is that, except
    where the order costs the session fee and nothing else: a pile would end it at once at this limit.
    """
    order_id = new_id()
    limits = terms.limits
    if held_minor is not None and held_minor >= component_body.least_limit_minor(terms.rate):
        limits = limits | {"cost_minor": held_minor}
    device_id = terms.pile.device_id
    message = {
        "kind": "order",
        "device_id": device_id,
        "connector": terms.connector,
        "order_id": order_id,
        "issued_at": now,
        "expires_at": terms.expires_at,
        "limits": limits,
        "rate": terms.locked_rate,
    }
    row = _INSERT.one(
        tx.conn,
        {
            "order_id": order_id,
            "device_id": device_id,
            "connector": terms.connector,
            "state": states.PENDING,
            "version": 1,
            "token": new_token(),
            "idempotency_key": terms.idempotency_key,
            "request_digest": terms.request_digest,
            "rate_id": terms.rate["rate_id"],
            "rate_digest": pricing.digest(terms.locked_rate),
            "rate_json": to_json(terms.locked_rate),
            "limits_json": to_json(limits),
            "created_at": now,
            "expires_at": terms.expires_at,
            "window_end_at": terms.charging_end_at + component_body.longest_stay_s(terms.rate),
            "holds": True,
            "site_id": terms.pile.site_id or "",
        },
    )
    key = seal.parse_key(terms.pile.key_hex)
    context.outbox.put_sealed(tx, key, topics.ORDER, message, now, terms.expires_at, order_id)
    tell_receivers(tx.conn, [event_of(order_id, device_id, states.PENDING, now)])
    tx.after_commit(lambda: announce(context, order_id, device_id, states.PENDING, None))
    return row


def _confirmable_rate(
    conn: Connection, context: Context, pile: PileRow, body: OrderBody, now: int
) -> dict[str, Any]:
    """The connector's rate, if it is the confirmed one at the confirmed price, and the connector is there,
    well and free.
    """
    if body.connector > pile.connectors:
        raise unknown_connector(body.connector)
    rate = context.rates.at(conn, pile.device_id, body.connector, now)
    if rate is None:
        raise versions.no_rate(pile.device_id)
    # A rate has several prices: one that was shown before a period's end must not start the next one.
    is_another_price = body.price is not None and body.price != schedule.price_at(rate, now)
    if body.time_price is not None and body.time_price != schedule.time_price_at(rate, now):
        is_another_price = True
    is_another_zone = body.time_zone is not None and body.time_zone != rate["time_zone"]
    if rate["rate_id"] != body.rate_id or is_another_price or is_another_zone:
        settings = context.settings
        power_w = rate["power_w"] or settings.connector_power_w
        offered = estimates.offered(rate, now, settings.duration_s, settings.order_life_s, power_w)
        raise Problem(409, "RateChanged", "The price has changed; confirm the new one", rate=offered)
    billing.require_billable(conn, rate, pile.device_id, body.connector)
    if not (pile.online and context.outbox.connected):
        raise Problem(503, "PileOffline", "The pile is not connected")
    connector = pile_views.connector_views(conn, pile, now)[body.connector - 1]
    if pile_views.has_no_clock(pile):
        # It would refuse the order too, after spending one of the order ids that it can remember.
        raise Problem(503, "PileHasNoClock", "The pile does not know the time yet")
    if connector["fault"] or connector["status"] == "Faulted":
        raise Problem(409, "PileFaulted", "The connector has a fault", fault=connector["fault"])
    if connector["busy"]:
        raise Problem(409, "ConnectorBusy", "The connector is in use")
    if connector["status"] == "Unavailable":
        raise Problem(
            409,
            "ConnectorUnavailable",
            "The connector is out of service",
            reason=connector["out_of_service"],
        )
    if not connector["plugged"]:
        # The pile would refuse it, and has to write every order that it refuses into its flash.
        raise Problem(409, "NotPlugged", "No vehicle is plugged in")
    return rate


def check_idempotency_key(key: str | None) -> str:
    """The key of a request that makes something. Raises Problem (InvalidRequest)."""
    if key is None:
        raise invalid(("Idempotency-Key", "is missing"))
    if not 16 <= len(key) <= 128 or not key.isascii() or not key.isprintable():
        # The key of a request gets its order's token again, so it has to be as hard to guess.
        raise invalid(("Idempotency-Key", "must have 16 to 128 printable ASCII characters"))
    return key
