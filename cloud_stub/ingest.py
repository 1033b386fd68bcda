"""Messages of piles: read on paho's thread, acted on in the writer's transaction, acknowledged after commit.

Whatever cannot be used is kept in `rejects` with its reason and acknowledged too: a message that can never be
taken must not be sent for ever. Only while the database fails does one wait, to be tried again. A settlement
that is sealed rightly and says something wrong is no such message: it is stored, flagged, and acknowledged to
its pile, which would send it for ever otherwise, and nothing after it.

    reasons: UnknownTopic Malformed UnknownPile BadSeal UnknownOrder WrongDevice WrongConnector InternalError
"""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import structlog
from sqlalchemy import bindparam, select
from sqlalchemy.exc import DBAPIError

from pile_protocol import messages, seal, topics
from pile_protocol.errors import MessageError, SealError, TopicError

from . import decoding, life, orders, piles, rates, settlements
from .events import METERS_KEPT
from .mqtt import Incoming, Link
from .records import record_reject
from .security import now_s
from .store import insert_or_ignore, to_json
from .tables import meter_samples
from .tables import orders as orders_table
from .writer import Transaction, Writer

log = structlog.get_logger()

_ORDER = select(orders_table.c.device_id, orders_table.c.state).where(
    orders_table.c.order_id == bindparam("order_id")
)


class Unusable(Exception):
    """A message that cannot be used; raised before the first write of its unit."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Ingest:
    """Connects the link's messages with the writer. `retry` is to be called now and then."""

    def __init__(self, cx: orders.Context, link: Link, writer: Writer):
        self._cx = cx
        self._link = link
        self._writer = writer
        self._to_retry: deque[Incoming] = deque()
        self._sampled_at: dict[tuple[str, str], int] = {}
        self._handlers: dict[str, Callable[[Transaction, str, dict[str, Any]], None]] = {
            topics.HELLO: self._hello,
            topics.ORDER_STATUS: self._order_status,
            topics.STATUS: self._status,
            topics.METER: self._meter,
        }
        self._store_settlements = self._settlements  # one bound method: one batch of the writer
        link.on_message = self.take

    def take(self, incoming: Incoming) -> None:
        """Queue what the message asks for."""
        try:
            device_id, name = topics.parse(incoming.topic)
        except TopicError:
            device_id = name = ""
        if name not in topics.UPWARD:
            self._reject(incoming, Unusable("UnknownTopic"))
            return
        self._cx.metrics.messages.labels(name).inc()
        try:
            message = decoding.decode(name, incoming.payload)
        except MessageError as error:
            self._take_malformed(incoming, device_id, name, str(error))
            return
        if name == topics.SETTLEMENT:
            self._take_settlement(incoming, settlements.Received(device_id, message, incoming.payload))
        elif name == topics.METER and not self._is_sample(device_id, message):
            self._link.ack(incoming)
        else:
            handler = self._handlers[name]
            self._submit(incoming, lambda tx: handler(tx, device_id, message))

    def _take_malformed(self, incoming: Incoming, device_id: str, name: str, why: str) -> None:
        """A settlement may still be one, from a pile newer than this cloud; anything else is of no use."""
        said = decoding.salvage(incoming.payload) if name == topics.SETTLEMENT else None
        if said is None:
            self._reject(incoming, Unusable("Malformed", why))
        else:
            self._take_settlement(
                incoming, settlements.Received(device_id, said, incoming.payload, malformed=why)
            )

    def _take_settlement(self, incoming: Incoming, received: settlements.Received) -> None:
        future = self._writer.submit_to(self._store_settlements, (incoming, received))
        future.add_done_callback(lambda future: self._done(incoming, future))

    def retry(self) -> None:
        """Try again what the database could not take."""
        for _ in range(len(self._to_retry)):
            self.take(self._to_retry.popleft())

    def _submit(self, incoming: Incoming, handle: Callable[[Transaction], None]) -> None:
        def unit(tx: Transaction) -> None:
            try:
                handle(tx)
            except Unusable as unusable:
                self._record(tx, incoming, unusable)
            tx.after_commit(lambda: self._link.ack(incoming))

        self._writer.submit(unit).add_done_callback(lambda future: self._done(incoming, future))

    def _reject(self, incoming: Incoming, unusable: Unusable) -> None:
        def handle(tx: Transaction) -> None:
            raise unusable

        self._submit(incoming, handle)

    def _done(self, incoming: Incoming, future: "Future[None]") -> None:
        error = future.exception()
        name = incoming.topic.split("/", 3)[-1]
        if error is None:
            if name in topics.UPWARD:
                self._cx.metrics.ingested(name, time.monotonic_ns() - incoming.received_ns)
            return
        log.error("ingest_failed", topic=incoming.topic[:200], device_id=_device_of(incoming), exc_info=error)
        if isinstance(error, DBAPIError):
            self._to_retry.append(incoming)
        else:
            self._reject(incoming, Unusable("InternalError", type(error).__name__))

    def _hello(self, tx: Transaction, device_id: str, hello: dict[str, Any]) -> None:
        key = self._key(tx, device_id)
        now = now_s()
        piles.seen(tx.conn, device_id, now)
        nonce = hello["nonce"]
        tx.after_commit(lambda: self._tell_time(device_id, nonce, key))
        held = dict(hello["orders"])
        orders.reconcile(tx, self._cx, device_id, held, hello["outbox"], now)
        rate = rates.latest(tx.conn, device_id)
        if rate is not None:  # the broker may have lost what it retained
            text = to_json(rate)
            tx.after_commit(lambda: self._cx.dispatch.publish_now(device_id, topics.RATE, text, retain=True))
        self._cx.dispatch.resend(tx, device_id, now)

    def _tell_time(self, device_id: str, nonce: str, key: bytes) -> None:
        said = {"kind": "time", "device_id": device_id, "nonce": nonce, "at": now_s()}
        self._cx.dispatch.publish_now(device_id, topics.TIME, seal.seal(messages.encode(said), key))

    def _order_status(self, tx: Transaction, device_id: str, status: dict[str, Any]) -> None:
        self._key(tx, device_id)
        now = now_s()
        if status["order_id"] is None:
            orders.refused_unnamed(tx, device_id, status, now)
            return
        row = orders.locked(tx.conn, status["order_id"])
        if row is None:
            raise Unusable("UnknownOrder", status["order_id"])
        if row.device_id != device_id:
            raise Unusable("WrongDevice", status["order_id"])
        if status["connector"] not in (None, row.connector):
            raise Unusable("WrongConnector", status["order_id"])
        orders.reported(tx, self._cx, row, status, now)

    def _status(self, tx: Transaction, device_id: str, status: dict[str, Any]) -> None:
        self._key(tx, device_id)
        now = now_s()
        if piles.set_status(tx.conn, piles.get(tx.conn, device_id, lock=True), status, now):
            orders.shown(tx, self._cx, device_id, status.get("connectors", []), now)

    def _is_sample(self, device_id: str, meter: dict[str, Any]) -> bool:
        """Show a meter value to who watches; whether it is also one of those that are stored.

        The first of an order always is: that is where it is checked that the order is this pile's.
        """
        name = (device_id, meter["order_id"])
        sampled_at = self._sampled_at.get(name)
        if sampled_at is None:
            return True
        self._cx.hub.put_meter(device_id, meter)
        return meter["at"] >= sampled_at + self._cx.settings.meter_sample_s

    def _meter(self, tx: Transaction, device_id: str, meter: dict[str, Any]) -> None:
        self._key(tx, device_id)
        row = tx.conn.execute(_ORDER, {"order_id": meter["order_id"]}).first()
        if row is None:
            raise Unusable("UnknownOrder", meter["order_id"])
        if row.device_id != device_id:
            raise Unusable("WrongDevice", meter["order_id"])
        if row.state not in life.HOLDING:
            return  # its end is told by its settlement; a pile that goes on all the same fills no disk
        names = ("order_id", "at", "register_mwh", "energy_mwh", "power_mw", "cost_minor", "elapsed_s")
        values = {name: meter[name] for name in names} | {"remaining_json": to_json(meter["remaining"])}
        tx.conn.execute(insert_or_ignore(tx.conn, meter_samples), values)
        tx.after_commit(lambda: self._sampled(device_id, meter))

    def _sampled(self, device_id: str, meter: dict[str, Any]) -> None:
        name = (device_id, meter["order_id"])
        self._sampled_at.pop(name, None)
        self._sampled_at[name] = meter["at"]
        if len(self._sampled_at) > METERS_KEPT:
            del self._sampled_at[next(iter(self._sampled_at))]
        self._cx.hub.put_meter(device_id, meter)

    def _settlements(self, tx: Transaction, items: list[tuple[Incoming, settlements.Received]]) -> None:
        """A batch of the writer: what is sealed rightly is stored together."""
        sealed = []
        for incoming, received in items:
            try:
                seal.check(received.payload, self._key(tx, received.device_id))
                sealed.append(received)
            except SealError as error:
                malformed, wrong = received.malformed, Unusable("BadSeal", str(error))
                self._record(tx, incoming, Unusable("Malformed", malformed) if malformed else wrong)
            except Unusable as unusable:
                self._record(tx, incoming, unusable)
        if sealed:
            settlements.store(tx, self._cx, sealed, now_s())
        tx.after_commit(lambda: self._ack_all([incoming for incoming, _ in items]))

    def _ack_all(self, incoming: list[Incoming]) -> None:
        for each in incoming:
            self._link.ack(each)

    def _record(self, tx: Transaction, incoming: Incoming, unusable: Unusable) -> None:
        record_reject(tx.conn, now_s(), incoming.topic, unusable.reason, unusable.detail, incoming.payload)
        tx.after_commit(lambda: self._rejected(incoming, unusable))

    def _rejected(self, incoming: Incoming, unusable: Unusable) -> None:
        self._cx.metrics.rejects.labels(unusable.reason).inc()
        said = {"reason": unusable.reason, "detail": unusable.detail}
        log.warning("message_rejected", topic=incoming.topic[:200], device_id=_device_of(incoming), **said)

    def _key(self, tx: Transaction, device_id: str) -> bytes:
        key = self._cx.keys.get(tx.conn, device_id)
        if key is None:
            raise Unusable("UnknownPile", device_id[:40])
        return key


def _device_of(incoming: Incoming) -> str | None:
    try:
        return topics.parse(incoming.topic)[0][:40]
    except TopicError:
        return None
