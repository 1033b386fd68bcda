"""Messages of piles: read on paho's thread, acted on in the writer's transaction, acknowledged after commit.

Whatever cannot be used is kept in `rejects` with its reason and acknowledged too: a message that can never be
taken must not be sent for ever. Only while the database fails does one wait, to be tried again. A settlement
that is sealed rightly and says something wrong is no such message: it is stored, flagged, and acknowledged to
its pile, which would send it for ever otherwise, and nothing after it.

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
    """name: of the topic; told: what the message says; unusable: why nothing of it can be used."""

    incoming: Incoming
    name: str
    told: PileMessage | None
    unusable: UnusableMessage | None = None


class Receiver:
    """Connects the link's messages with the writer. `retry` is to be called now and then."""

    def __init__(self, context: Context, link: Link, writer: Writer):
        self._context = context
        self._link = link
        self._writer = writer
        self._meters = MeterSampling(context.hub, context.settings.meter_sample_s)
        self._to_retry: deque[Incoming] = deque()
        link.on_message = self.take

    def take(self, incoming: Incoming) -> None:
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
            told = PileMessage(device_id, name, decoding.decode(name, incoming.payload), incoming.payload)
        except MessageError as error:
            self._take_malformed(incoming, device_id, name, str(error))
            return
        if name == topics.METER and not self._meters.is_due(device_id, told.said):
            self._link.ack(incoming)
        else:
            self._writer.submit_to(self, _Item(incoming, name, told))

    def _take_malformed(self, incoming: Incoming, device_id: str, name: str, why: str) -> None:
        """A settlement may still be one, from a pile newer than this cloud; anything else is of no use."""
        said = decoding.salvage(incoming.payload) if name == topics.SETTLEMENT else None
        if said is None:
            self._reject(incoming, name, UnusableMessage("Malformed", why))
        else:
            told = PileMessage(device_id, name, said, incoming.payload, malformed=why)
            self._writer.submit_to(self, _Item(incoming, name, told))

    def _reject(self, incoming: Incoming, name: str, unusable: UnusableMessage) -> None:
        self._writer.submit_to(self, _Item(incoming, name, None, unusable))

    def retry(self) -> None:
        """Try again what the database could not take."""
        for _ in range(len(self._to_retry)):
            self.take(self._to_retry.popleft())

    def do(self, tx: Transaction, items: list[_Item]) -> None:
        """As writer.Batch."""
        now = now_s()
        told = [item.told for item in items if item.told]
        if told:
            Handlers(self._context, self._meters, tx, now).take(told)
        rejected = []
        for item in items:
            unusable = item.unusable or (item.told and item.told.unusable)
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
            said = {"reason": unusable.reason, "detail": unusable.detail}
            log.warning(
                "message_rejected", topic=incoming.topic[:200], device_id=_device_of(incoming), **said
            )
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
