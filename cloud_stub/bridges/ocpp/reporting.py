"""Which call of a pile's orders is sent next to the central system: durable and in order.

An event of an order waits in the outbox, for the receiver `ocpp`. `advance` determines the call that follows
from it, and stores the call before it is sent. The same call, with the same message id, is sent until it is
answered. Then one transaction stores the result of the answer, deletes the event if no further call follows
from it, and stores the next call.

    StartTransaction -> DataTransfer Rate -> MeterValues ... -> StopTransaction -> DataTransfer Receipt

After a review or a credit note the receipt is sent again, unless its content is the same.

The content of a call comes from the order, its meter values and its settlement, not from the event. So an
event that comes late or twice, or is lost, changes no call: `advance` also examines each open transaction.
"""

import hashlib
import uuid
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from ...base.clock import iso_utc
from ...db.engine import to_json
from ...db.events import record_event
from ...db.rows import OrderRow, SettlementRow
from ...db.writer import Transaction
from ...messaging import receivers
from ...orders import lookup, states
from ...settlements import credits
from ...settlements import views as settlement_views
from . import mapping, progress, queue
from .errors import GatewayError
from .progress import DONE, REFUSED, STARTED, STOPPED, TOLD, WAITING, ChargePoint, Progress

ATTEMPTS = 5  # of a call that the central system refuses
SAMPLES_AT_ONCE = 20
TRANSACTION_ID_MAX = 2**31 - 1


class Request(NamedTuple):
    """A stored call. refusals: how often the central system has refused it."""

    message_id: str
    action: str
    payload: dict[str, Any]
    order_id: str
    refusals: int = 0


class _Call(NamedTuple):
    action: str
    payload: dict[str, Any]


def due(conn: Connection) -> set[str]:
    """The piles for which `advance` may return a call."""
    points = {row.device_id: row for row in progress.charge_points(conn)}
    found = {device_id for device_id, row in points.items() if row.message_id is not None}
    found |= queue.waiting(conn)
    for each in progress.all_open(conn):
        sample_s = points[each.device_id].sample_s
        has_sample = sample_s and (each.newest_at or 0) >= each.sampled_at + sample_s
        if not each.holds or each.state in (WAITING, STARTED) or (each.state == TOLD and has_sample):
            found.add(each.device_id)
    return found


def advance(
    tx: Transaction, device_id: str, answered: tuple[str, dict[str, Any]] | None, now: int
) -> Request | None:
    """The call to send next; None if none is due. answered: (message id, payload) of the answer to the call
    before, which has passed `check`.
    """
    point = progress.charge_point(tx.conn, device_id)
    request = _stored(point)
    if request is not None:
        if answered is None or answered[0] != request.message_id:
            return request
        _resolve(tx.conn, device_id, request, answered[1], now)
    return _next(tx, device_id, point.sample_s)


def check(request: Request, answer: dict[str, Any]) -> None:
    """Raises GatewayError (BadAnswer) for a value that the schema allows and the database cannot hold."""
    if request.action == "StartTransaction" and abs(answer["transactionId"]) > TRANSACTION_ID_MAX:
        raise GatewayError("BadAnswer", "transactionId has more than 32 bits")


def refused(tx: Transaction, device_id: str, error: GatewayError, now: int) -> None:
    """The central system has refused the stored call, or its answer cannot be used. After ATTEMPTS refusals
    the call is given up, with an event OcppRefused.
    """
    request = _stored(progress.charge_point(tx.conn, device_id))
    if request is None:
        return
    if request.refusals + 1 < ATTEMPTS:
        stored = (request.message_id, request.action, to_json(request.payload), request.order_id)
        progress.ask(tx.conn, device_id, *stored, request.refusals + 1)
        return
    if request.action in ("StartTransaction", "StopTransaction"):
        progress.change(tx.conn, request.order_id, state=REFUSED, open=False)
    else:
        _go_on(tx.conn, request)
    progress.ask(tx.conn, device_id, None, None, None, None)
    record_event(tx.conn, now, "OcppRefused", device_id, request.order_id, str(error)[:200])


def _stored(point: ChargePoint) -> Request | None:
    """The stored call, which waits for its answer."""
    if point.message_id is None or point.action is None or point.order_id is None:
        return None
    payload = orjson.loads(point.payload_json or "{}")
    return Request(point.message_id, point.action, payload, point.order_id, point.refusals)


def _resolve(conn: Connection, device_id: str, request: Request, answer: dict[str, Any], now: int) -> None:
    if request.action == "StartTransaction":
        at = mapping.at(request.payload["timestamp"])
        progress.change(
            conn,
            request.order_id,
            state=STARTED,
            transaction_id=answer["transactionId"],
            sampled_at=at,
            open=True,
        )
        status = answer["idTagInfo"]["status"]
        if status != "Accepted":
            record_event(conn, now, "OcppTagRefused", device_id, request.order_id, status)
    else:
        _go_on(conn, request)
    progress.ask(conn, device_id, None, None, None, None)


def _go_on(conn: Connection, request: Request) -> None:
    """Store that this call has ended, and the state that follows."""
    if request.action == "MeterValues":
        at = mapping.at(request.payload["meterValue"][-1]["timestamp"])
        progress.change(conn, request.order_id, sampled_at=at)
    elif request.action == "StopTransaction":
        progress.change(conn, request.order_id, state=STOPPED)
    elif request.payload["messageId"] == "Rate":
        progress.change(conn, request.order_id, state=TOLD)
    else:
        digest = _digest(request.payload["data"])
        progress.change(conn, request.order_id, state=DONE, open=False, receipt_digest=digest)


def _next(tx: Transaction, device_id: str, sample_s: int) -> Request | None:
    """Starts and stops of transactions follow the events, so they keep the order in which they happened. Then
    each open transaction follows, oldest first.
    """
    conn = tx.conn
    while event := queue.next_of(conn, device_id):
        order = lookup.find(conn, event.order_id) if event.order_id else None
        known = progress.find(conn, order.order_id) if order else None
        # A correction of an order that ended before the gateway was first started is not told.
        if order is not None and (known is not None or event.name not in queue.CORRECTIONS):
            call = _step(conn, order, known, sample_s, event.name not in queue.BEFORE_THE_END)
            if call is not None:
                return _store(conn, order, call)
            if order.holds and order.charging_at is not None and (known is None or known.state == WAITING):
                break  # its first meter value is not stored yet
        receivers.done(tx, event)
    for known in progress.open_of(conn, device_id):
        order = lookup.get(conn, known.order_id)
        call = _step(conn, order, known, sample_s, True)
        if call is not None:
            return _store(conn, order, call)
        if not order.holds:
            progress.change(conn, known.order_id, open=False)
    return None


def _store(conn: Connection, order: OrderRow, call: _Call) -> Request:
    request = Request(str(uuid.uuid4()), call.action, call.payload, order.order_id)
    progress.ask(
        conn, order.device_id, request.message_id, call.action, to_json(call.payload), order.order_id
    )
    return request


def _step(
    conn: Connection, order: OrderRow, known: Progress | None, sample_s: int, with_end: bool
) -> _Call | None:
    """The order's next call. with_end: also MeterValues, StopTransaction and the receipt."""
    settlement = settlement_views.of_order(conn, order.order_id)
    is_over = settlement is not None or not order.holds
    state = known.state if known is not None else WAITING
    if state == WAITING:
        start = _start(conn, order, settlement)
        if start is None:
            return None
        if known is None:
            known = progress.add(conn, order.order_id, order.device_id, mapping.id_tag(order.order_id))
        at, register_mwh = start
        payload = {
            "connectorId": order.connector,
            "idTag": known.id_tag,
            "meterStart": mapping.wh(register_mwh),
            "timestamp": iso_utc(at),
        }
        return _Call("StartTransaction", payload)
    if state == STARTED:
        return _transfer("Rate", {"order_id": order.order_id, "rate": orjson.loads(order.rate_json)})
    if not with_end or known is None:
        return None
    if state == TOLD:
        values = _meter_values(conn, order, known, sample_s)
        return values or (_stop(conn, order, known, settlement) if is_over else None)
    if state in (STOPPED, DONE) and settlement is not None:
        receipt = _transfer("Receipt", _receipt(conn, settlement))
        if known.receipt_digest != _digest(receipt.payload["data"]):
            return receipt
    return None


def _meter_values(conn: Connection, order: OrderRow, known: Progress, sample_s: int) -> _Call | None:
    """The next meter values, each at least `sample_s` after the one before; 0: none is sent."""
    chosen: list[dict[str, Any]] = []
    last_at = known.sampled_at
    for row in progress.samples(conn, order.order_id, last_at + sample_s) if sample_s else ():
        if row.at >= last_at + sample_s and len(chosen) < SAMPLES_AT_ONCE:
            chosen.append(mapping.meter_value(row))
            last_at = row.at
    payload = {"connectorId": order.connector, "transactionId": known.transaction_id, "meterValue": chosen}
    return _Call("MeterValues", payload) if chosen else None


def _receipt(conn: Connection, settlement: SettlementRow) -> dict[str, Any]:
    """The settlement as billed, with its credit notes if it has any."""
    notes = credits.of_order(conn, settlement.order_id)
    listed = [{"amount_minor": each.amount_minor, "created_at": each.created_at} for each in notes]
    return settlement_views.bill(settlement) | ({"credits": listed} if listed else {})


def _digest(data: str) -> str:
    return hashlib.sha256(data.encode()).hexdigest()


def _transfer(message_id: str, data: dict[str, Any]) -> _Call:
    payload = {"vendorId": mapping.VENDOR, "messageId": message_id, "data": to_json(data)}
    return _Call("DataTransfer", payload)


def _start(conn: Connection, order: OrderRow, settlement: SettlementRow | None) -> tuple[int, int] | None:
    """(Unix seconds, register in mWh) at the start of the charge; None if they are not known, or not yet."""
    if settlement is not None and settlement.start_register_mwh is not None:
        return orjson.loads(settlement.payload)["started_at"], settlement.start_register_mwh
    if order.charging_at is None:
        return None
    first = progress.first_sample(conn, order.order_id)
    return (first.at - first.elapsed_s, first.register_mwh - first.energy_mwh) if first else None


def _stop(
    conn: Connection, order: OrderRow, known: Progress, settlement: SettlementRow | None
) -> _Call | None:
    """StopTransaction. For a lost order, with its last known reading."""
    start = _start(conn, order, settlement)
    if settlement is not None and settlement.end_register_mwh is not None:
        end_at, end_mwh = settlement.ended_at, settlement.end_register_mwh
    else:
        last = progress.last_sample(conn, order.order_id)
        if last is None:
            return None
        end_at, end_mwh = last.at, last.register_mwh
    values = [mapping.register_value(end_at, end_mwh, mapping.END)]
    if start is not None:
        values.insert(0, mapping.register_value(*start, mapping.BEGIN))
    payload = {
        "idTag": known.id_tag,
        "meterStop": mapping.wh(end_mwh),
        "timestamp": iso_utc(end_at),
        "transactionId": known.transaction_id,
        "reason": mapping.reason(order.reason if order.state != states.LOST else None),
        "transactionData": values,
    }
    return _Call("StopTransaction", payload)


def latest(conn: Connection, device_id: str, connector: int | None) -> list[dict[str, Any]]:
    """The payloads of MeterValues with the latest value of each transaction that runs."""
    found = []
    for each in progress.open_of(conn, device_id):
        order, row = lookup.get(conn, each.order_id), progress.last_sample(conn, each.order_id)
        if each.state in (STARTED, TOLD) and row is not None and connector in (None, 0, order.connector):
            payload = {"connectorId": order.connector, "transactionId": each.transaction_id}
            found.append(payload | {"meterValue": [mapping.meter_value(row)]})
    return found


def cost(conn: Connection, order_id: str) -> dict[str, Any] | None:
    """The payload of DataTransfer with the cost so far."""
    row = progress.last_sample(conn, order_id)
    if row is None:
        return None
    rate = orjson.loads(lookup.get(conn, order_id).rate_json)
    data = {name: getattr(row, name) for name in ("order_id", "at", "energy_mwh", "cost_minor")}
    return _transfer("Cost", data | {name: rate[name] for name in ("currency", "minor_digits")}).payload
