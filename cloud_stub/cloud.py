"""The one place where the cloud is put together, started and stopped."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from .base.budgets import Budget
from .base.metrics import Metrics
from .base.problems import database_unavailable, write_unknown
from .base.threads import Threads
from .bridges.courier import Courier
from .bridges.mail import channel as mail
from .bridges.mail.requests import PER_HOUR as MAILS_PER_HOUR
from .bridges.webhooks import channel as webhooks
from .db.engine import Store, is_deadlock
from .db.writer import Unit, Writer
from .intake.receiver import Receiver
from .jobs.rereader import Rereader
from .jobs.runner import PeriodicJobs
from .messaging.mqtt import Link
from .messaging.outbox import Dispatch
from .orders import states
from .orders.context import Context
from .orders.hub import Hub
from .payments import adapters
from .payments.cashier import Cashier
from .payments.confirmation import Confirmations
from .people.attempts import Attempts, Lines
from .people.passwords import Passwords
from .piles import credentials
from .piles.broker_acl import CLOUD_USER
from .piles.keys import KnownPiles
from .rates.holding import Versions
from .releases.chunks import ChunkServer
from .reports.gauges import DatabaseGauges
from .settings import Settings

T = TypeVar("T")

SLOW_READS = 4  # at once; further ones wait for their turn
WRITE_RETRIES_MAX = 4  # of a unit that failed because of another transaction
COMMIT_S = 30  # after this time in a commit the caller gets OutcomeUnknown
STUCK_S = 30  # a writer that takes longer for one group counts as not ready


class Cloud:
    """Everything one process of the cloud runs, except HTTP."""

    def __init__(self, settings: Settings, link: Link | None = None):
        settings.prepare()
        self.settings = settings
        self.operator_token = settings.read_operator_token()
        self.store = Store(settings.database)
        self.threads = Threads()
        self.metrics = Metrics(states.STATES, states.EVENTS)
        self.metrics.registry.register(DatabaseGauges(self.store, settings.pile_silent_s // 2))
        self.writer = Writer(self.store.grouping, self.threads)
        self.writer.on_commit = self.metrics.committed
        self.link = link or Link(
            settings.mqtt_host,
            settings.mqtt_port,
            CLOUD_USER,
            settings.read_mqtt_password(),
            settings.mqtt_client_id,
            settings.mqtt_share,
            settings.mqtt_ca,
            self.threads,
        )
        self.hub = Hub()
        self.rereader = Rereader(self.hub, self.store.reading, settings.reread_ms, self.threads)
        self.dispatch = Dispatch(self.link, self.writer)
        self.context = Context(settings, self.dispatch, self.hub, KnownPiles(), Versions(), self.metrics)
        self.chunks = ChunkServer(settings, self.store, self.dispatch, self.metrics, self.threads)
        self.receiver = Receiver(self.context, self.dispatch, self.link, self.writer, self.chunks)
        self.cashier = Cashier(self.context, self.writer, self.threads, adapters.make(settings))
        self.confirmations = Confirmations(self.context, self.cashier, self.write)
        self.jobs = PeriodicJobs(
            self.context, self.dispatch, self.receiver, self.writer, self.cashier, self.threads
        )
        self.courier = Courier(
            self.writer,
            self.store.reading,
            self.threads,
            settings.duty_period_s,
            [source.channels(self.context, self.store.reading) for source in (webhooks, mail)],
        )
        self.mail_budget = Budget(MAILS_PER_HOUR, 3600 // MAILS_PER_HOUR)  # of each address
        # Apart from the threads of quick reads, so that a few long reports do not delay the prices of phones.
        self.slow_reads = ThreadPoolExecutor(SLOW_READS, "slow-reads")
        self.passwords = Passwords()
        self.attempts = Attempts()
        self.refusal_lines = Lines()
        self._reader: Connection | None = None

    def start(self) -> None:
        """Migrate, let the piles in at the broker, connect. Raises SQLAlchemyError without a database."""
        self.store.migrate()
        credentials.sync_credentials(self.store, self.settings)
        self.writer.start()
        self.chunks.start()
        self.cashier.start()
        self.link.start()
        self.jobs.start()
        self.courier.start()
        self.rereader.start()

    def stop(self) -> None:
        """End every thread; what has been submitted is committed first."""
        self.rereader.stop()
        self.courier.stop()
        self.jobs.stop()
        self.link.stop()
        self.chunks.stop()
        self.confirmations.stop()
        self.cashier.stop()
        self.writer.stop()
        self.slow_reads.shutdown(wait=False, cancel_futures=True)
        self.passwords.stop()
        if self._reader is not None:
            self._reader.close()
        self.store.close()

    @property
    def reader(self) -> Connection:
        """The event loop's own connection to SQLite, without transactions: for quick reads by key.

        Not to PostgreSQL, which may hang, and all of the loop with it.
        """
        if self._reader is None:
            self._reader = self.store.reading.connect()
        return self._reader

    def working(self) -> dict[str, bool]:
        """Whether each thread does its work, by its name."""
        alive = self.threads.alive()
        return alive | {"writer": alive.get("writer", False) and self.writer.busy_s < STUCK_S}

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit on the writer and wait for its commit. Raises Problem.

        After `write_s` from here it is DatabaseUnavailable, and nothing of the unit is done, now or later.
        """
        return await write(self.writer, unit, self.settings.write_s)


async def write(writer: Writer, unit: Unit[T], write_s: float) -> T:
    """As Cloud.write. A unit that failed because of another process's transaction is run again, after it."""
    deadline = time.monotonic() + write_s
    for _ in range(WRITE_RETRIES_MAX):
        try:
            return await _committed(writer, unit, deadline)
        except DBAPIError as error:
            if not (isinstance(error, IntegrityError) or is_deadlock(error)):
                raise
    return await _committed(writer, unit, deadline)


async def _committed(writer: Writer, unit: Unit[T], deadline: float) -> T:
    future = writer.submit(unit, deadline)
    waiter = asyncio.wrap_future(future)
    try:
        await asyncio.wait({waiter}, timeout=deadline - time.monotonic())
        if not waiter.done():
            if writer.give_up(future):
                raise database_unavailable()
            await asyncio.wait({waiter}, timeout=COMMIT_S)
            if not waiter.done():
                raise write_unknown()
        return waiter.result()
    finally:
        waiter.cancel()  # no effect on a unit that is done; the writer skips one that it has not begun
