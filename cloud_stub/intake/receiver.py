"""Messages of piles: read on paho's thread, acted on in the writer's transaction, acknowledged after commit.

A message that cannot be used becomes a dead letter (table `rejects`) with its reason and is acknowledged too,
so that the broker does not deliver it for ever. Only while the database fails is a message kept and tried
again. A settlement with a right seal and wrong content is no dead letter: it is stored, flagged and
acknowledged, because its pile would otherwise repeat it for ever and send nothing after it.

    reasons: UnknownTopic Malformed UnknownPile BadSeal UnknownOrder WrongDevice WrongConnector InternalError
"""

import time
from collections import deque
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import DataError, DBAPIError

from pile_protocol import topics
from pile_protocol.errors import MessageError, TopicError

from ..base.clock import now_s
from ..db.writer import Transaction, Writer
from ..messaging import decoding
from ..messaging.mqtt import Incoming, Link
from ..orders.context import Context
from .dead_letters import record_dead_letter
from .handlers import Handlers, PileMessage, UnusableMessage
from .meter_sampling import MeterSampling

log = structlog.get_logger()


@dataclass(eq=False, slots=True)
class _Item:
    """name: of the topic; message: None where it could not be decoded; unusable: why."""

    incoming: Incoming
    name: str
    message: PileMessage | None
    unusable: UnusableMessage | None = None


class Receiver:
    """Connects the link's messages with the writer. `retry` is to be called now and then."""

    def __init__(self, context: Context, link: Link, writer: Writer):
        self._context = context
        self._link = link
        self._writer = writer
        self._meters = MeterSampling(context.hub, context.settings.meter_sample_s)
        self._to_retry: deque[Incoming] = deque()
        link.on_message = self.receive

    def receive(self, incoming: Incoming) -> None:
        """Queue what the message asks for."""
        try:
            device_id, name = topics.parse(incoming.topic)
        except TopicError:
            device_id = name = ""
        if name not in topics.UPWARD:
            self._reject(incoming, "", UnusableMessage("UnknownTopic"))
            return
        self._context.metrics.messages.labels(name).inc()
        if name == topics.STATUS and not incoming.payload:  # how a retained one is cleared; says nothing
            self._link.ack(incoming)
            return
        try:
            message = PileMessage(device_id, name, decoding.decode(name, incoming.payload), incoming.payload)
        except MessageError as error:
            self._receive_malformed(incoming, device_id, name, str(error))
            return
        if name == topics.METER and not self._meters.is_due(device_id, message.fields):
            self._link.ack(incoming)
        else:
            self._writer.submit_to(self, _Item(incoming, name, message))

    def _receive_malformed(self, incoming: Incoming, device_id: str, name: str, why: str) -> None:
        """A settlement may still be one, from a pile newer than this cloud; anything else is of no use."""
        fields = decoding.salvage(incoming.payload) if name == topics.SETTLEMENT else None
        if fields is None:
            self._reject(incoming, name, UnusableMessage("Malformed", why))
        else:
            message = PileMessage(device_id, name, fields, incoming.payload, malformed=why)
            self._writer.submit_to(self, _Item(incoming, name, message))

    def _reject(self, incoming: Incoming, name: str, unusable: UnusableMessage) -> None:
        self._writer.submit_to(self, _Item(incoming, name, None, unusable))

    def retry(self) -> None:
        """Try again what the database could not take."""
        for _ in range(len(self._to_retry)):
            self.receive(self._to_retry.popleft())

    def do(self, tx: Transaction, items: list[_Item]) -> None:
        """As writer.Batch."""
        now = now_s()
        batch = [item.message for item in items if item.message]
        if batch:
            Handlers(self._context, self._meters, tx, now).handle(batch)
        rejected = []
        for item in items:
            unusable = item.unusable or (item.message and item.message.unusable)
            if unusable:
                incoming = item.incoming
                rejected.append((incoming, unusable))
                record_dead_letter(
                    tx.conn, now, incoming.topic, unusable.reason, unusable.detail, incoming.payload
                )
        tx.after_commit(lambda: self._done(items, rejected))

    def _done(self, items: list[_Item], rejected: list[tuple[Incoming, UnusableMessage]]) -> None:
        for incoming, unusable in rejected:
            self._context.metrics.rejects.labels(unusable.reason).inc()
            why = {"reason": unusable.reason, "detail": unusable.detail}
            log.warning("message_rejected", topic=incoming.topic[:200], device_id=_device_of(incoming), **why)
        at_ns = time.monotonic_ns()
        for item in items:
            self._link.ack(item.incoming)
            if item.name:
                self._context.metrics.ingested(item.name, at_ns - item.incoming.received_ns)

    def failed(self, item: _Item, error: Exception) -> None:
        """As writer.Batch."""
        incoming = item.incoming
        log.error("ingest_failed", topic=incoming.topic[:200], device_id=_device_of(incoming), exc_info=error)
        if isinstance(error, DataError) or not isinstance(error, DBAPIError):  # it would be so every time
            self._reject(incoming, item.name, UnusableMessage("InternalError", type(error).__name__))
        elif incoming.qos:  # a meter value is made up for by the next one
            self._to_retry.append(incoming)


def _device_of(incoming: Incoming) -> str | None:
    try:
        return topics.parse(incoming.topic)[0][:40]
    except TopicError:
        return None
