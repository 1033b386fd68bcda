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

from . import decoding
from .context import Context
from .intake import Intake, Told, Unusable
from .meters import Meters
from .mqtt import Incoming, Link
from .records import record_reject
from .security import now_s
from .writer import Transaction, Writer

log = structlog.get_logger()


@dataclass(eq=False, slots=True)
class _Item:
    """name: of the topic; told: what the message says; unusable: why nothing of it can be used."""

    incoming: Incoming
    name: str
    told: Told | None
    unusable: Unusable | None = None


class Ingest:
    """Connects the link's messages with the writer. `retry` is to be called now and then."""

    def __init__(self, cx: Context, link: Link, writer: Writer):
        self._cx = cx
        self._link = link
        self._writer = writer
        self._meters = Meters(cx.hub, cx.settings.meter_sample_s)
        self._to_retry: deque[Incoming] = deque()
        link.on_message = self.take

    def take(self, incoming: Incoming) -> None:
        """Queue what the message asks for."""
        try:
            device_id, name = topics.parse(incoming.topic)
        except TopicError:
            device_id = name = ""
        if name not in topics.UPWARD:
            self._reject(incoming, "", Unusable("UnknownTopic"))
            return
        self._cx.metrics.messages.labels(name).inc()
        if name == topics.STATUS and not incoming.payload:  # how a retained one is cleared; says nothing
            self._link.ack(incoming)
            return
        try:
            told = Told(device_id, name, decoding.decode(name, incoming.payload), incoming.payload)
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
            self._reject(incoming, name, Unusable("Malformed", why))
        else:
            told = Told(device_id, name, said, incoming.payload, malformed=why)
            self._writer.submit_to(self, _Item(incoming, name, told))

    def _reject(self, incoming: Incoming, name: str, unusable: Unusable) -> None:
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
            Intake(self._cx, self._meters, tx, now).take(told)
        rejected = []
        for item in items:
            unusable = item.unusable or (item.told and item.told.unusable)
            if unusable:
                incoming = item.incoming
                rejected.append((incoming, unusable))
                record_reject(
                    tx.conn, now, incoming.topic, unusable.reason, unusable.detail, incoming.payload
                )
        tx.after_commit(lambda: self._done(items, rejected))

    def _done(self, items: list[_Item], rejected: list[tuple[Incoming, Unusable]]) -> None:
        for incoming, unusable in rejected:
            self._cx.metrics.rejects.labels(unusable.reason).inc()
            said = {"reason": unusable.reason, "detail": unusable.detail}
            log.warning(
                "message_rejected", topic=incoming.topic[:200], device_id=_device_of(incoming), **said
            )
        at_ns = time.monotonic_ns()
        for item in items:
            self._link.ack(item.incoming)
            if item.name:
                self._cx.metrics.ingested(item.name, at_ns - item.incoming.received_ns)

    def failed(self, item: _Item, error: Exception) -> None:
        """As writer.Batch."""
        incoming = item.incoming
        log.error("ingest_failed", topic=incoming.topic[:200], device_id=_device_of(incoming), exc_info=error)
        if isinstance(error, DataError) or not isinstance(error, DBAPIError):  # it would be so every time
            self._reject(incoming, item.name, Unusable("InternalError", type(error).__name__))
        elif incoming.qos:  # a meter value is made up for by the next one
            self._to_retry.append(incoming)


def _device_of(incoming: Incoming) -> str | None:
    try:
        return topics.parse(incoming.topic)[0][:40]
    except TopicError:
        return None
