"""What Prometheus reads: counts and times of this process, and what the database says of all of them.

Those of the database are the same at every worker: take their maximum, and the sum of all others. They are
read at most once in FRESH_S, however often somebody asks, by queries that look at what is open and not at
history.
"""

import threading
import time
from collections.abc import Iterable, Iterator

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from pile_protocol import topics

from . import life
from .security import now_s
from .store import Store
from .tables import orders, outbox, piles, settlements

log = structlog.get_logger()

FRESH_S = 5
OVERDUE_S = 3600  # after the latest moment at which an order can be charging

REASONS = (
    "UnknownTopic",
    "Malformed",
    "UnknownPile",
    "BadSeal",
    "UnknownOrder",
    "WrongDevice",
    "WrongConnector",
    "InternalError",
)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
_UNITS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Metrics:
    """One registry a Cloud; its counters may be counted up from any thread."""

    def __init__(self, store: Store, silent_s: int):
        """silent_s: a pile that is online and has said nothing for so long is counted as silent."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(_OfDatabase(store, silent_s))
        self.messages = self._counter("messages", "Messages of piles that arrived", "topic", topics.UPWARD)
        self.rejects = self._counter("rejects", "Messages that could not be used", "reason", REASONS)
        self.moves = self._counter("order_moves", "Orders that came into a state", "state", life.STATES)
        self.settlements = self._counter(
            "settlements", "Settlements stored, by what was found of them", "verdict", ("right", "flagged")
        )
        self.ingest = self._histogram(
            "ingest_seconds", "From a message's arrival to its commit", _SECONDS, ["topic"]
        )
        self.commit = self._histogram("commit_seconds", "Transactions of the writer", _SECONDS)
        self.units = self._histogram("commit_units", "Units of work in one transaction", _UNITS)
        self.http = self._histogram(
            "http_seconds",
            "From a request to the start of its answer",
            _SECONDS,
            ["method", "route", "status"],
        )
        self.mqtt_connected = Gauge(
            "ratelock_mqtt_connected", "1 while this process reaches the broker", registry=self.registry
        )
        self.writer_waiting = Gauge(
            "ratelock_writer_waiting", "Units of work that wait for the writer", registry=self.registry
        )

    def text(self) -> bytes:
        """All of it in Prometheus' text format; reads the database."""
        return generate_latest(self.registry)

    def committed(self, units: int, took_ns: int) -> None:
        """To be told of each of the writer's transactions."""
        self.units.observe(units)
        self.commit.observe(took_ns / 1e9)

    def ingested(self, topic: str, took_ns: int) -> None:
        """To be told of each message whose commit is done."""
        self.ingest.labels(topic).observe(took_ns / 1e9)

    def _counter(self, name: str, what: str, label: str, values: Iterable[str]) -> Counter:
        counter = Counter("ratelock_" + name, what, [label], registry=self.registry)
        for value in values:  # from 0 on: what first appears as 1 has not grown, to Prometheus
            counter.labels(value)
        return counter

    def _histogram(
        self, name: str, what: str, buckets: tuple[float, ...], labels: Iterable[str] = ()
    ) -> Histogram:
        return Histogram("ratelock_" + name, what, labels, buckets=buckets, registry=self.registry)


class _OfDatabase(Collector):
    """Gauges read from the database when somebody asks."""

    def __init__(self, store: Store, silent_s: int):
        self._store = store
        self._silent_s = silent_s
        self._lock = threading.Lock()
        self._read_ns: int | None = None
        self._found: list[Metric] = []

    def describe(self) -> Iterable[Metric]:
        return []  # registering must not ask the database, which may not be there yet

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            now_ns = time.monotonic_ns()
            if self._read_ns is None or now_ns - self._read_ns > FRESH_S * 1_000_000_000:
                self._found = self._read()
                self._read_ns = now_ns
            return self._found

    def _read(self) -> list[Metric]:
        up = 1
        found: list[Metric] = []
        try:
            with self._store.quick.connect() as conn:
                now = now_s()
                found = [
                    *_piles(conn, now, self._silent_s),
                    *_orders(conn, now),
                    *_outbox(conn, now),
                    *_flagged(conn),
                ]
        except SQLAlchemyError as error:
            log.error("metrics_without_database", reason=str(error)[:200])
            up = 0
        return [_gauge("database_up", "1 while the database answers", up), *found]


def _gauge(name: str, what: str, value: int) -> Metric:
    return GaugeMetricFamily("ratelock_" + name, what, value)


def _piles(conn: Connection, now: int, silent_s: int) -> Iterator[Metric]:
    is_new = piles.c.last_seen_at.is_(None)
    total, online, new, faulted, silent = conn.execute(
        select(
            func.count(),
            func.count().filter(piles.c.online),
            func.count().filter(is_new & ~piles.c.online),
            func.count().filter(piles.c.faulted),
            func.count().filter(piles.c.online & or_(is_new, piles.c.last_seen_at < now - silent_s)),
        )
        .select_from(piles)
        .where(piles.c.removed_at.is_(None))
    ).one()
    states = GaugeMetricFamily("ratelock_piles", "Piles: new ones were never heard of", labels=["state"])
    states.add_metric(["online"], online)
    states.add_metric(["offline"], total - online - new)
    states.add_metric(["new"], new)
    yield states
    yield _gauge("piles_faulted", "Piles with a fault on a connector", faulted)
    yield _gauge("piles_silent", f"Piles that are online and have said nothing for {silent_s} s", silent)


def _orders(conn: Connection, now: int) -> Iterator[Metric]:
    rows = conn.execute(
        select(orders.c.state, func.count().label("orders")).where(orders.c.holds).group_by(orders.c.state)
    )
    count = {row.state: row.orders for row in rows}
    states = GaugeMetricFamily("ratelock_orders_open", "Orders that keep a connector", labels=["state"])
    for state in life.STATES:
        if state in life.HOLDING:
            states.add_metric([state], count.get(state, 0))
    yield states
    overdue = conn.execute(
        select(func.count())
        .select_from(orders)
        .where(orders.c.holds, orders.c.window_end_at < now - OVERDUE_S)
    ).scalar_one()
    yield _gauge("orders_overdue", "Orders whose end is past and whose settlement has not come", overdue)


def _outbox(conn: Connection, now: int) -> Iterator[Metric]:
    waiting, oldest_at = conn.execute(
        select(func.count(), func.min(outbox.c.created_at)).where(
            outbox.c.sent_at.is_(None), or_(outbox.c.expires_at.is_(None), outbox.c.expires_at > now)
        )
    ).one()
    yield _gauge("outbox_waiting", "Messages to piles that the broker has not got", waiting)
    oldest_s = max(0, now - oldest_at) if waiting else 0
    yield _gauge("outbox_oldest_seconds", "Age of the oldest of them", oldest_s)


def _flagged(conn: Connection) -> Iterator[Metric]:
    flagged = conn.execute(select(func.count()).select_from(settlements).where(settlements.c.flagged))
    yield _gauge(
        "settlements_flagged",
        "Settlements in which something is wrong, and that wait for a decision",
        flagged.scalar_one(),
    )
