"""Orders: made by a phone, told to a pile, moved by what the pile says, stopped and paid.

Every function here that takes a Transaction is (part of) a unit of the writer: what it decides holds against
every other order, and it raises Problem before its first write.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, bindparam, insert, select, update

from pile_protocol import messages, pricing, seal, topics, wire

from . import estimates, given, life, piles, rates
from .context import Context
from .dispatch import withdraw_orders
from .moves import Moves, tell
from .problems import Problem, invalid, pile_removed, unknown_order
from .records import record_event
from .security import new_id, new_token, same
from .store import to_json
from .tables import orders
from .writer import Transaction

# Refusals that anyone can provoke with a forged order or a copy of a real one: no word about the real one.
_SAYS_NOTHING = frozenset({"BadSeal", "Malformed", "UsedOrder"})


class LimitsBody(BaseModel):
    """What the order may reach at most; the pile itself stops there."""

    model_config = ConfigDict(extra="forbid", strict=True)

    energy_mwh: int | None = Field(default=None, ge=1, le=messages.MAX_ENERGY_MWH)
    cost_minor: int | None = Field(default=None, ge=1, le=messages.MAX_MINOR)
    duration_s: int | None = Field(default=None, ge=1, le=wire.MAX_DURATION_S)


class OrderBody(BaseModel):
    """A confirmation: this pile, this connector, this rate, at the price that was shown."""

    model_config = ConfigDict(extra="forbid", strict=True)

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
    limits: LimitsBody = LimitsBody()


# What a connector's status says of its order.
_WORD_OF_STATUS = {
    "Preparing": "Accepted",
    "Charging": "Charging",
    "SuspendedEV": "Charging",
    "SuspendedEVSE": "Charging",
    "Finishing": "Finishing",
}

_GET = select(orders).where(orders.c.order_id == bindparam("order_id"))
_LOCK = _GET.with_for_update(key_share=True)
_LOCK_MANY = (
    select(orders)
    .where(orders.c.order_id.in_(given.texts("order_ids")))
    .order_by(orders.c.order_id)
    .with_for_update(key_share=True)
)
_BY_KEY = select(orders).where(orders.c.idempotency_key == bindparam("key"))
_HELD = (
    select(orders)
    .where(orders.c.device_id == bindparam("device_id"), orders.c.holds)
    .with_for_update(key_share=True)
)
_OVERDUE = (
    select(orders)
    .where(orders.c.state == life.PENDING, orders.c.expires_at < bindparam("before"))
    .order_by(orders.c.order_id)
    .with_for_update(skip_locked=True, key_share=True)
)
_INSERT = insert(orders).returning(orders)
_THIS = orders.c.order_id == bindparam("this")
_REQUEST_STOP = (
    update(orders).where(_THIS).values(stop_requested_at=bindparam("at"), version=orders.c.version + 1)
)
_RELEASE = update(orders).where(_THIS).values(holds=False, version=orders.c.version + 1)


def get(conn: Connection, order_id: str) -> Any | None:
    return conn.execute(_GET, {"order_id": order_id}).first()


def locked(conn: Connection, order_id: str) -> Any | None:
    """The order's row, held against other writers until the transaction ends."""
    return conn.execute(_LOCK, {"order_id": order_id}).first()


def locked_many(conn: Connection, order_ids: Iterable[str]) -> dict[str, Any]:
    """Those of the orders that exist, by id, held against other writers until the transaction ends."""
    return {row.order_id: row for row in conn.execute(_LOCK_MANY, {"order_ids": to_json(list(order_ids))})}


def authorized(row: Any | None, token: str | None, operator: bool) -> Any:
    """The row, if whoever asks may see it. Raises Problem (UnknownOrder), the same for every reason."""
    if row is None or not (operator or (token is not None and same(token, row.token))):
        raise unknown_order()
    return row


def create(tx: Transaction, cx: Context, body: OrderBody, idempotency_key: str, now: int) -> tuple[Any, bool]:
    """(the order's row, whether it is new). Raises Problem for each reason not to."""
    request_digest = hashlib.sha256(body.model_dump_json(exclude_none=True).encode()).hexdigest()
    pile = piles.get(tx.conn, body.device_id, lock=True, removed=True)
    known = tx.conn.execute(_BY_KEY, {"key": idempotency_key}).first()
    if known is not None:
        if known.request_digest != request_digest:
            raise Problem(422, "IdempotencyKeyReused", "That Idempotency-Key belongs to another order")
        return known, False
    if pile.removed_at is not None:
        raise pile_removed(pile.device_id, pile.removed_at)
    rate = _confirmable_rate(tx.conn, cx, pile, body, now)
    order_id = new_id()
    expires_at = now + cx.settings.order_life_s
    limits = body.limits.model_dump(exclude_none=True)
    limits.setdefault("duration_s", cx.settings.duration_s)
    window_end_at = expires_at + limits["duration_s"]
    locked_rate = rates.locked(rate, now, window_end_at)
    message = {
        "kind": "order",
        "device_id": pile.device_id,
        "connector": body.connector,
        "order_id": order_id,
        "issued_at": now,
        "expires_at": expires_at,
        "limits": limits,
        "rate": locked_rate,
    }
    row = tx.conn.execute(
        _INSERT,
        {
            "order_id": order_id,
            "device_id": pile.device_id,
            "connector": body.connector,
            "state": life.PENDING,
            "version": 1,
            "token": new_token(),
            "idempotency_key": idempotency_key,
            "request_digest": request_digest,
            "rate_id": rate["rate_id"],
            "rate_digest": pricing.digest(locked_rate),
            "rate_json": to_json(locked_rate),
            "limits_json": to_json(limits),
            "created_at": now,
            "expires_at": expires_at,
            "window_end_at": window_end_at,
            "holds": True,
        },
    ).one()
    _put_sealed(tx, cx, topics.ORDER, message, now, expires_at, order_id)
    tx.after_commit(lambda: tell(cx, order_id, body.device_id, life.PENDING, None))
    return row, True


def _confirmable_rate(conn: Connection, cx: Context, pile: Any, body: OrderBody, now: int) -> dict[str, Any]:
    """The pile's latest rate, if it is the confirmed one at the confirmed price, and the connector is there,
    well and free.
    """
    if body.connector > pile.connectors:
        raise Problem(404, "UnknownConnector", "This pile has no such connector", connector=body.connector)
    if pile.rate_id is None:
        raise rates.no_rate(pile.device_id)
    rate = cx.rates.get(conn, pile.rate_id)
    # A rate has several prices: one that was shown before a period's end must not start the next one.
    is_another_price = body.price is not None and body.price != rates.price_at(rate, now)
    if rate["rate_id"] != body.rate_id or is_another_price:
        latest = rates.shown(rate, now)
        offered = latest | {"estimates": estimates.at_present_price(latest)}
        raise Problem(409, "RateChanged", "The price has changed; confirm the new one", rate=offered)
    if not (pile.online and cx.dispatch.connected):
        raise Problem(503, "PileOffline", "The pile is not connected")
    connector = piles.connector_views(conn, pile, now)[body.connector - 1]
    if connector["fault"] or connector["status"] == "Faulted":
        raise Problem(409, "PileFaulted", "The connector has a fault", fault=connector["fault"])
    if connector["busy"]:
        raise Problem(409, "ConnectorBusy", "The connector is in use")
    if connector["status"] == "Unavailable":
        raise Problem(409, "ConnectorUnavailable", "The connector is out of service")
    if not connector["plugged"]:
        # The pile would refuse it, and has to write every order that it refuses into its flash.
        raise Problem(409, "NotPlugged", "No vehicle is plugged in")
    return rate


def _put_sealed(
    tx: Transaction,
    cx: Context,
    name: str,
    message: dict[str, Any],
    now: int,
    expires_at: int,
    order_id: str | None,
) -> None:
    key = cx.keys.get(tx.conn, message["device_id"])
    if key is None:
        raise unknown_order()
    payload = seal.seal(to_json(message), key).decode()
    cx.dispatch.put(tx, message["device_id"], name, payload, now, expires_at, order_id)


def move(tx: Transaction, cx: Context, row: Any, event: str, now: int, reason: str | None = None) -> None:
    """Let `event` happen to one order."""
    moves = Moves(tx, cx, now)
    moves.move(row, event, reason)
    moves.write()


def reported(moves: Moves, row: Any, status: dict[str, Any]) -> dict[str, Any] | None:
    """Take in what a pile says of one of its orders (wire.ORDER_STATUS).

    Returns what is to be noted instead, as an event's kind and detail, where it moves nothing.
    """
    word, reason = status["state"], status["reason"]
    if word == "Rejected" and reason in _SAYS_NOTHING:
        return {"kind": "OrderRefused", "detail": reason}
    in_time = status["at"] is not None and status["at"] <= row.expires_at
    if moves.state_of(row) in life.GIVEN_UP and not in_time:
        return {"kind": "LateWord", "detail": word}
    moves.move(row, life.of_pile(word), reason)
    return None


def shown(connectors: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """(order id, word of its state) of what a status says of orders.

    It makes up for a word that was lost on its way.
    """
    for each in connectors:
        word = _WORD_OF_STATUS.get(each["status"])
        if each["order_id"] is not None and word is not None:
            yield each["order_id"], word


def reconcile(
    tx: Transaction, cx: Context, device_id: str, held: dict[str, str], outbox: int, now: int
) -> None:
    """Compare the pile's greeting with the orders it should hold: `held` maps order ids to state words.

    An order that it holds goes on, even one given up here. One that it should hold and does not, with no
    settlement waiting either, is lost there: it no longer keeps others from the connector.
    """
    moves = Moves(tx, cx, now)
    for order_id, word in held.items():
        row = locked(tx.conn, order_id)
        if row is not None and row.device_id == device_id and word != "Rejected":
            moves.move(row, life.of_pile(word))
    moves.write()
    for row in tx.conn.execute(_HELD, {"device_id": device_id}).all():
        if row.state != life.PENDING and row.order_id not in held and not outbox:
            tx.conn.execute(_RELEASE, {"this": row.order_id})
            record_event(tx.conn, now, "OrderLost", device_id, row.order_id, row.state)
            tx.after_commit(lambda row=row: cx.hub.wake(row.order_id))


def stop(tx: Transaction, cx: Context, order_id: str, now: int) -> Any:
    """Ask the pile to end the order, once; one that has certainly not left here is cancelled."""
    row = locked(tx.conn, order_id)
    if row is None:
        raise unknown_order()
    if row.state not in life.HOLDING or row.state == life.FINISHING or row.stop_requested_at is not None:
        return row
    tx.conn.execute(_REQUEST_STOP, {"this": order_id, "at": now})
    command = {
        "kind": "command",
        "device_id": row.device_id,
        "action": "stop",
        "order_id": order_id,
        "issued_at": now,
        "expires_at": row.window_end_at,
    }
    # Also when cancelled: should the order have reached the pile after all, this ends it there.
    _put_sealed(tx, cx, topics.COMMAND, command, now, row.window_end_at, order_id)
    if row.state == life.PENDING:
        never_sent = cx.dispatch.never_sent(tx, order_id)
        # Sent from here on, it would begin what is to end, and after a stop that the pile had no order for.
        withdraw_orders(tx, [order_id])
        if never_sent:
            move(tx, cx, row, life.USER_CANCELLED, now)
    tx.after_commit(lambda: cx.hub.wake(order_id))
    return get(tx.conn, order_id)


def reset(tx: Transaction, cx: Context, device_id: str, connector: int, now: int) -> None:
    """Ask the pile to clear a connector's fault."""
    pile = piles.get(tx.conn, device_id)
    if connector > pile.connectors:
        raise Problem(404, "UnknownConnector", "This pile has no such connector", connector=connector)
    expires_at = now + cx.settings.command_life_s
    command = {
        "kind": "command",
        "device_id": device_id,
        "action": "reset",
        "connector": connector,
        "issued_at": now,
        "expires_at": expires_at,
    }
    _put_sealed(tx, cx, topics.COMMAND, command, now, expires_at, None)
    record_event(tx.conn, now, "ResetRequested", device_id, detail=f"connector {connector}")


def expire(tx: Transaction, cx: Context, now: int) -> int:
    """Give up on what is unanswered past its expiry and grace; returns how many."""
    overdue = tx.conn.execute(_OVERDUE, {"before": now - cx.settings.expiry_grace_s}).all()
    moves = Moves(tx, cx, now)
    for row in overdue:
        moves.move(row, life.TIME_RAN_OUT, "Expired")
    moves.write()
    return len(overdue)


def check_idempotency_key(key: str | None) -> str:
    """The key of a request that makes something. Raises Problem (InvalidRequest)."""
    if key is None:
        raise invalid(("Idempotency-Key", "is missing"))
    if not 16 <= len(key) <= 128 or not key.isascii() or not key.isprintable():
        # The key of a request gets its order's token again, so it has to be as hard to guess.
        raise invalid(("Idempotency-Key", "must have 16 to 128 printable ASCII characters"))
    return key
