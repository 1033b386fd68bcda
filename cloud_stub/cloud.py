"""The one place where the cloud is put together, started and stopped."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from pile_protocol import seal

from . import broker_auth, piles, rates
from .context import Context
from .dispatch import Dispatch
from .duties import Duties
from .events import Hub, Rereader
from .ingest import Ingest
from .limits import Limit
from .metrics import Metrics
from .mqtt import Link
from .settings import Settings
from .store import Store, is_deadlock
from .tables import piles as piles_table
from .writer import Unit, Writer

T = TypeVar("T")

SLOW_READS = 4  # at once; further ones wait for their turn
MEETINGS_MAX = 4  # who was ended for another may be faster than it, and meet it once more


class Cloud:
    """Everything one process of the cloud runs, except HTTP."""

    def __init__(self, settings: Settings, link: Link | None = None):
        settings.prepare()
        self.settings = settings
        self.operator_token = settings.read_operator_token()
        self.store = Store(settings.database)
        self.metrics = Metrics(self.store, settings.pile_silent_s // 2)
        self.writer = Writer(self.store.writing)
        self.writer.on_commit = self.metrics.committed
        self.link = link or Link(
            settings.mqtt_host,
            settings.mqtt_port,
            broker_auth.CLOUD_USER,
            settings.read_mqtt_password(),
            settings.mqtt_client_id,
            settings.mqtt_share,
            settings.mqtt_ca,
        )
        self.hub = Hub()
        self.rereader = Rereader(self.hub, self.store.reading, settings.reread_ms)
        self.dispatch = Dispatch(self.link, self.writer)
        self.orders = Context(settings, self.dispatch, self.hub, piles.Keys(), rates.Versions(), self.metrics)
        self.ingest = Ingest(self.orders, self.link, self.writer)
        self.order_limit = Limit(settings.orders_per_minute)
        self.quote_limit = Limit(settings.quotes_per_minute)
        self.duties = Duties(self.orders, self.ingest, self.writer)
        # Apart from the threads of quick reads: a few long reports must not have phones wait for a price.
        self.slow_reads = ThreadPoolExecutor(SLOW_READS, "slow-reads")
        self._reader: Connection | None = None

    def start(self) -> None:
        """Migrate, let the piles in at the broker, connect. Raises SQLAlchemyError without a database."""
        self.store.migrate()
        sync_broker(self.store, self.settings)
        self.writer.start()
        self.link.start()
        self.duties.start()
        self.rereader.start()

    def stop(self) -> None:
        """End every thread; what has been submitted is committed first."""
        self.rereader.stop()
        self.duties.stop()
        self.link.stop()
        self.writer.stop()
        self.slow_reads.shutdown(wait=False, cancel_futures=True)
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

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit on the writer and wait for its commit. Raises Problem."""
        return await write(self.writer, unit)


async def write(writer: Writer, unit: Unit[T]) -> T:
    """As Cloud.write. A unit that met another process is done again, and sees what that one did."""
    for _ in range(MEETINGS_MAX):
        try:
            return await asyncio.wrap_future(writer.submit(unit))
        except DBAPIError as error:
            if not (isinstance(error, IntegrityError) or is_deadlock(error)):
                raise
    return await asyncio.wrap_future(writer.submit(unit))


def sync_broker(store: Store, settings: Settings) -> None:
    """Make the broker's password file say who may connect: the cloud and every pile."""
    query = select(piles_table.c.device_id, piles_table.c.key_hex).where(piles_table.c.removed_at.is_(None))

    def passwords() -> dict[str, str]:
        with store.reading.connect() as conn:
            rows = conn.execute(query).all()
        of_piles = {row.device_id: seal.mqtt_password(seal.parse_key(row.key_hex)) for row in rows}
        return _cloud_user(settings) | of_piles

    broker_auth.sync(_passwd(settings), passwords)


def let_in(settings: Settings, device_id: str, key: bytes) -> None:
    """Add one pile to the broker's password file, which this may be the first to make."""
    passwords = _cloud_user(settings) | {device_id: seal.mqtt_password(key)}
    broker_auth.write(_passwd(settings), passwords, keep_others=True)


def shut_out(settings: Settings, device_id: str) -> None:
    """Take one pile out of the broker's password file; a broker that reads it ends the pile's connection."""
    broker_auth.remove(_passwd(settings), device_id)


def _passwd(settings: Settings) -> Path:
    return settings.broker_folder / "passwd"


def _cloud_user(settings: Settings) -> dict[str, str]:
    return {broker_auth.CLOUD_USER: settings.read_mqtt_password()}
