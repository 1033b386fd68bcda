"""The bridge to Home Assistant: every few seconds it reads the database, and publishes the changed values to
the user's broker.

Nothing queues up: the bridge publishes again only after the broker has acknowledged all messages, and then
the newest values.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import DBAPIError

from ...base.clock import now_s
from ...base.threads import Threads
from ...db.engine import Store
from ...messaging.client import Client
from ...orders.context import Context
from . import entities, facts
from .entities import Topics
from .mirror import Mirror
from .switch import Switch

log = structlog.get_logger()

SETTLE_S = 1  # this long without a message after the connection: all retained messages have come
UNACKNOWLEDGED_S = 60  # after this time messages that are not acknowledged are sent again
REPORT_S = 600  # between two log lines with the counts
BIRTH = b"online"


@dataclass
class Counts:
    """Since the start. published: messages; waited: rounds in which the broker was too slow to publish to."""

    rounds: int = 0
    published: int = 0
    waited: int = 0
    database_errors: int = 0


class Bridge:
    """`run` returns after `stop`, from any thread. `switch`: None if Home Assistant may only read."""

    def __init__(
        self,
        store: Store,
        context: Context,
        topics: Topics,
        connect: Callable[[tuple[str, bytes]], Client],
        interval_s: int,
        with_switch: bool,
    ):
        """connect: makes the connection, which has the given will."""
        self.counts = Counts()
        self.switch = Switch(store, context, topics) if with_switch else None
        self._store = store
        self._context = context
        self._topics = topics
        self._interval_s = interval_s
        self._mirror = Mirror(topics)
        self._threads = Threads()
        self._stopping = threading.Event()
        self._woken = threading.Event()
        # Brokers acknowledge in order, so it is enough to know the last message.
        self._sent: int | None = None
        self._acknowledged: int | None = None
        self._sent_on = 0  # the connection
        self._published_ns = 0
        self._heard_ns = 0
        self._client = connect((topics.availability, entities.OFFLINE))
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._received
        self._client.on_puback = self._note_acknowledged

    def run(self) -> bool:
        """Run until `stop` is called or the connection's thread dies; returns whether it was `stop`."""
        died: list[str] = []

        def end_for(name: str) -> None:
            died.append(name)
            self.stop()

        self._threads.on_death = end_for
        thread = self._threads.start("mqtt", self._client.run)
        reported_ns = time.monotonic_ns()
        while not self._stopping.is_set():
            self._round()
            if time.monotonic_ns() - reported_ns > REPORT_S * 1_000_000_000:
                reported_ns = time.monotonic_ns()
                self._report()
            self._woken.wait(self._interval_s if self._is_settled() else SETTLE_S)
            self._woken.clear()
        self._publish([(self._topics.availability, entities.OFFLINE)])  # sent before DISCONNECT
        self._threads.expect_end("mqtt")
        self._client.stop()
        thread.join()
        self._report()
        return not died

    def stop(self) -> None:
        self._stopping.set()
        self._woken.set()

    def _round(self) -> None:
        if self.switch is not None:
            self.switch.act()
        if not self._client.connected or not self._is_settled():
            return
        if self._waits_for_broker():
            self.counts.waited += 1
            return
        self.counts.rounds += 1
        self._publish(self._mirror.differences(self._wanted()))

    def _wanted(self) -> dict[str, bytes]:
        try:
            with self._store.reading.connect() as conn:
                silent_s = 2 * self._context.settings.pile_silent_s
                piles = facts.read(conn, self._context.rates, silent_s, now_s())
        except DBAPIError as error:
            self.counts.database_errors += 1
            log.warning("database_failed", reason=type(error).__name__)
            # The published values stay; Home Assistant shows all entities as unavailable.
            return self._mirror.unchanged() | {self._topics.availability: entities.OFFLINE}
        return entities.wanted(self._topics, piles, self.switch is not None)

    def _publish(self, changes: list[tuple[str, bytes]]) -> None:
        if not changes:
            return
        self._sent_on = self._client.connections
        self._published_ns = time.monotonic_ns()
        for (topic, payload), sent in zip(
            changes, self._client.publish((*each, True) for each in changes), strict=True
        ):
            if sent is not None:
                self._sent = sent
                self._mirror.note(topic, payload)
                self.counts.published += 1
        if self._sent_on != self._client.connections:
            self._mirror.forget()  # messages of the former connection may be lost

    def _waits_for_broker(self) -> bool:
        if self._sent == self._acknowledged or self._sent_on != self._client.connections:
            return False
        if time.monotonic_ns() - self._published_ns < UNACKNOWLEDGED_S * 1_000_000_000:
            return True
        self._mirror.forget()
        return False

    def _is_settled(self) -> bool:
        return time.monotonic_ns() - self._heard_ns >= SETTLE_S * 1_000_000_000

    def _report(self) -> None:
        refused = dict(self.switch.refused) if self.switch else {}
        log.info("home_assistant", **vars(self.counts), refused=refused)

    # -- on the link's thread

    def _connected(self) -> None:
        self._mirror.forget()
        self._heard_ns = time.monotonic_ns()
        own = [self.switch.subscription()] if self.switch else []
        self._client.subscribe([*self._mirror.subscriptions(), (self._topics.birth, 0), *own])
        log.info("home_assistant_connected")
        self._woken.set()

    def _disconnected(self, reason: str) -> None:
        log.warning("home_assistant_disconnected", reason=reason)

    def _received(self, topic: str, payload: bytes, _mid: int, _qos: int, retained: bool) -> None:
        if self.switch is not None and self.switch.is_command(topic):
            self.switch.receive(topic, payload, retained)
            self._woken.set()
        elif topic == self._topics.birth:
            if payload == BIRTH and not retained:
                self._mirror.forget()
        else:
            if retained:
                self._heard_ns = time.monotonic_ns()
            self._mirror.note(topic, payload)

    def _note_acknowledged(self, mid: int) -> None:
        self._acknowledged = mid
