"""Messages of piles: read on the link's thread, used in the writer's transaction, acknowledged after commit.

A message that cannot be used becomes a dead letter (table `rejects`) with its reason and is acknowledged too,
so that the broker does not deliver it for ever. Only while the database fails is a message kept and tried
again. A settlement with a right seal and wrong content is no dead letter: it is stored, flagged and
acknowledged, because its pile would otherwise repeat it for ever and send nothing after it.

Each pile has budgets: of messages, of dead letters, of stored meter values. What is beyond them is
acknowledged to the broker, counted (metrics.DROPS) and noted as an event of the pile. Settlements have no
such budget: an honest pile sends one until it is stored.

    reasons: UnknownTopic Malformed UnknownPile BadSeal UnknownOrder WrongDevice WrongConnector InternalError
"""

import time
from collections import deque

import structlog
from sqlalchemy.exc import DataError, DBAPIError

from pile_protocol import topics
from pile_protocol.errors import MessageError, TopicError

from ..base.budgets import Budget
from ..base.clock import now_s
from ..db.events import record_event
from ..db.writer import WAITING_MAX, Transaction, Writer
from ..messaging import decoding
from ..messaging.mqtt import Incoming, Link
from ..messaging.outbox import Dispatch
from ..orders.context import Context
from ..releases.chunks import ChunkServer
from .dead_letters import record_dead_letter
from .handlers import Handlers, PileMessage, Unusable
from .meter_sampling import MeterSampling

log = structlog.get_logger()

# An honest pile sends a status each 30 s, four reports for each order, and a hello at each connection.
MESSAGES = (1000, 1)  # at once; then one each so many seconds
DEAD_LETTERS = (200, 60)
EVENTS_OF_DROPS = (1, 3600)
# A retained message of another kind is old, and is ignored.
_USABLE_RETAINED = frozenset({topics.STATUS, topics.SETTLEMENT})
_BUDGETED = frozenset({topics.HELLO, topics.ORDER_STATUS, topics.STATUS, topics.UPDATE_STATUS})


class Receiver:
    """Connects the link's messages with the writer. `retry` is to be called now and then."""

    def __init__(self, context: Context, dispatch: Dispatch, link: Link, writer: Writer, chunks: ChunkServer):
        self._context = context
        self._dispatch = dispatch
        self._link = link
        self._writer = writer
        self._chunks = chunks
        self._meters = MeterSampling(context.hub, context.settings.meter_sample_s)
        self._to_retry: deque[Incoming] = deque()
        self._messages = Budget(*MESSAGES)
        self._dead_letters = Budget(*DEAD_LETTERS)
        self._events_of_drops = Budget(*EVENTS_OF_DROPS)
        link.on_message = self.receive

    def receive(self, incoming: Incoming) -> None:
        """Queue the work for a message. No content of a message ends the reading thread."""
        try:
            self._receive(incoming)
        except Exception:
            log.exception("intake_failed", topic=incoming.topic[:200])
            self._submit(PileMessage(incoming, "", "", {}, unusable=Unusable("InternalError")))

    def _receive(self, incoming: Incoming) -> None:
        try:
            device_id, name = topics.parse(incoming.topic)
        except TopicError:
            device_id = name = ""
        if name not in topics.UPWARD:
            self._submit(PileMessage(incoming, "", "", {}, unusable=Unusable("UnknownTopic")))
            return
        self._context.metrics.messages.labels(name).inc()
        if name == topics.STATUS and not incoming.payload:  # an empty message only clears a retained one
            self._link.ack(incoming)
            return
        if incoming.retained and name not in _USABLE_RETAINED:
            self._link.ack(incoming)
            return
        if name in _BUDGETED and not self._messages.take(device_id):
            self._drop(incoming, device_id, "message_rate")
            return
        try:
            fields = decoding.decode(name, incoming.payload)
        except MessageError as error:
            self._submit(_malformed(incoming, device_id, name, str(error)))
            return
        if name == topics.UPDATE_ASK:
            self._chunks.ask(device_id, fields)
            self._link.ack(incoming)
            return
        message = PileMessage(incoming, device_id, name, fields)
        if name != topics.METER:
            self._submit(message)
        elif not self._meters.is_due(device_id, fields):
            self._link.ack(incoming)
        elif self._writer.waiting >= WAITING_MAX:
            self._drop(incoming, device_id, "writer_full")
        elif not self._meters.is_affordable(device_id, message.fields):
            self._drop(incoming, device_id, "meter_rate")
        else:
            self._submit(message)

    def _submit(self, message: PileMessage) -> None:
        self._writer.submit_to(self, message)

    def _drop(self, incoming: Incoming, device_id: str, why: str) -> None:
        self._context.metrics.dropped.labels(why).inc()
        self._link.ack(incoming)
        if self._events_of_drops.take(device_id):
            log.warning("messages_dropped", device_id=device_id[:40], why=why)
            self._writer.submit(lambda tx: self._note_drops(tx, device_id, why))

    def _note_drops(self, tx: Transaction, device_id: str, why: str) -> None:
        if self._context.known_piles.has(tx.conn, device_id):
            record_event(tx.conn, now_s(), "MessagesDropped", device_id, detail=why)

    def retry(self) -> None:
        """Try again what the database could not take."""
        for _ in range(len(self._to_retry)):
            self.receive(self._to_retry.popleft())

    def do(self, tx: Transaction, items: list[PileMessage]) -> None:
        """As writer.Batch."""
        now = now_s()
        decoded = [message for message in items if message.fields]
        if decoded:
            Handlers(self._context, self._dispatch, self._meters, tx, now).handle(decoded)
        for message in items:
            if message.unusable is None:
                continue
            incoming = message.incoming
            if self._dead_letters.take(_device_of(incoming)):
                record_dead_letter(tx.conn, now, incoming.topic, *message.unusable, incoming.payload)
            else:
                self._context.metrics.dropped.labels("dead_letter_rate").inc()
        tx.after_commit(lambda: self._done(items))

    def _done(self, batch: list[PileMessage]) -> None:
        at_ns = time.monotonic_ns()
        self._link.ack_all([message.incoming for message in batch])
        for message in batch:
            incoming = message.incoming
            if message.unusable:
                self._context.metrics.rejects.labels(message.unusable.reason).inc()
                log.warning("message_rejected", **_where(incoming), **message.unusable._asdict())
            if message.name:
                self._context.metrics.ingested(message.name, at_ns - incoming.received_ns)

    def failed(self, item: PileMessage, error: Exception) -> None:
        """As writer.Batch."""
        incoming = item.incoming
        log.error("ingest_failed", **_where(incoming), exc_info=error)
        if isinstance(error, DataError) or not isinstance(error, DBAPIError):  # it would fail every time
            unusable = Unusable("InternalError", type(error).__name__)
            self._submit(PileMessage(incoming, item.device_id, item.name, {}, unusable=unusable))
        elif incoming.qos:  # the next meter value replaces this one
            self._to_retry.append(incoming)


def _malformed(incoming: Incoming, device_id: str, name: str, why: str) -> PileMessage:
    """A settlement may still be stored as malformed, from a pile newer than this cloud. Any other message is
    a dead letter.
    """
    fields = decoding.salvage(incoming.payload) if name == topics.SETTLEMENT else None
    if fields is None:
        return PileMessage(incoming, device_id, name, {}, unusable=Unusable("Malformed", why))
    return PileMessage(incoming, device_id, name, fields, malformed=why)


def _where(incoming: Incoming) -> dict[str, str | None]:
    """The members of a log line about a message's origin."""
    return {"topic": incoming.topic[:200], "device_id": _device_of(incoming)}


def _device_of(incoming: Incoming) -> str | None:
    try:
        return topics.parse(incoming.topic)[0][:40]
    except TopicError:
        return None
