"""Prometheus gauges that are read from the database.

Every worker reports the same values: take their maximum (and the sum of what base/metrics.py counts).
The queries run at most once in FRESH_S, and only over open rows, not over history.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import BigInteger, Connection, cast, func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from ..base.clock import now_s
from ..db.engine import Store
from ..db.payment_tables import credits
from ..db.receiver_tables import receivers
from ..db.rows import Query
from ..db.tables import orders, outbox, piles, settlements
from ..orders import states
from ..payments import calls

log = structlog.get_logger()

FRESH_S = 5
OVERDUE_S = 3600  # after the latest moment at which an order can be charging


class DatabaseGauges(Collector):
    """Gauges that are read from the database when /metrics is read."""

    def __init__(self, store: Store, silent_s: int):
        """silent_s: a pile that is online and has sent nothing for so long is counted as silent."""
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
                    *_receivers(conn, now),
                    *_flagged(conn),
                    *_unpaid(conn),
                    *_unresolved(conn, now),
                ]
        except SQLAlchemyError as error:
            log.error("metrics_without_database", reason=str(error)[:200])
            up = 0
        return [_gauge("database_up", "1 while the database answers", up), *found]


def _gauge(name: str, what: str, value: int) -> Metric:
    return GaugeMetricFamily("ratelock_" + name, what, value)


class _Piles(NamedTuple):
    total: int
    online: int
    new: int
    faulted: int
    silent: int


class _Orders(NamedTuple):
    state: str
    orders: int


class _Waiting(NamedTuple):
    waiting: int
    oldest_at: int | None


class _Receiver(NamedTuple):
    name: str
    waiting: int
    oldest_at: int | None


def _piles(conn: Connection, now: int, silent_s: int) -> Iterator[Metric]:
    is_new = piles.c.last_seen_at.is_(None)
    is_silent = piles.c.online & or_(is_new, piles.c.last_seen_at < now - silent_s)
    query = Query(
        select(
            func.count().label("total"),
            func.count().filter(piles.c.online).label("online"),
            func.count().filter(is_new & ~piles.c.online).label("new"),
            func.count().filter(piles.c.faulted).label("faulted"),
            func.count().filter(is_silent).label("silent"),
        )
        .select_from(piles)
        .where(piles.c.removed_at.is_(None)),
        _Piles,
    )
    total, online, new, faulted, silent = query.one(conn)
    family = GaugeMetricFamily("ratelock_piles", "Piles: new ones were never heard of", labels=["state"])
    family.add_metric(["online"], online)
    family.add_metric(["offline"], total - online - new)
    family.add_metric(["new"], new)
    yield family
    yield _gauge("piles_faulted", "Piles with a fault on a connector", faulted)
    yield _gauge("piles_silent", f"Piles that are online and have said nothing for {silent_s} s", silent)


# An expression: to group by the column, SQLite would walk the index of all orders by state.
_STATE = func.coalesce(orders.c.state, "")


def _orders(conn: Connection, now: int) -> Iterator[Metric]:
    query = Query(
        select(_STATE.label("state"), func.count().label("orders")).where(orders.c.holds).group_by(_STATE),
        _Orders,
    )
    count = {row.state: row.orders for row in query.all(conn)}
    family = GaugeMetricFamily("ratelock_orders_open", "Orders that keep a connector", labels=["state"])
    for state in states.STATES:
        if state in states.HOLDING:
            family.add_metric([state], count.get(state, 0))
    yield family
    overdue = conn.execute(
        select(func.count())
        .select_from(orders)
        .where(orders.c.holds, orders.c.window_end_at < now - OVERDUE_S)
    ).scalar_one()
    yield _gauge("orders_overdue", "Orders whose end is past and whose settlement has not come", overdue)


def _outbox(conn: Connection, now: int) -> Iterator[Metric]:
    query = Query(
        select(func.count().label("waiting"), func.min(outbox.c.created_at).label("oldest_at")).where(
            outbox.c.sent_at.is_(None),
            outbox.c.receiver.is_(None),
            or_(outbox.c.expires_at.is_(None), outbox.c.expires_at > now),
        ),
        _Waiting,
    )
    waiting, oldest_at = query.one(conn)
    yield _gauge("outbox_waiting", "Messages to piles that the broker has not got", waiting)
    oldest_s = max(0, now - oldest_at) if oldest_at is not None else 0
    yield _gauge("outbox_oldest_seconds", "Age of the oldest of them", oldest_s)


def _receivers(conn: Connection, now: int) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "ratelock_receiver_waiting", "Events that a webhook or bridge has not got", labels=["receiver"]
    )
    oldest = GaugeMetricFamily(
        "ratelock_receiver_oldest_seconds", "Age of the oldest of them", labels=["receiver"]
    )
    query = Query(
        select(
            receivers.c.name,
            func.count(outbox.c.id).label("waiting"),
            func.min(outbox.c.created_at).label("oldest_at"),
        )
        .outerjoin_from(receivers, outbox, outbox.c.receiver == receivers.c.name)
        .group_by(receivers.c.name),
        _Receiver,
    )
    for name, count, oldest_at in query.all(conn):
        waiting.add_metric([name], count)
        oldest.add_metric([name], max(0, now - oldest_at) if oldest_at is not None else 0)
    yield from (waiting, oldest)


def _flagged(conn: Connection) -> Iterator[Metric]:
    query = select(func.count()).select_from(settlements).where(settlements.c.flagged)
    yield _gauge(
        "settlements_flagged",
        "Settlements in which something is wrong, and that wait for a decision",
        conn.execute(query).scalar_one(),
    )


class _Unpaid(NamedTuple):
    currency: str
    bills: int
    minor: int


_CREDITED = (
    select(func.coalesce(func.sum(credits.c.amount_minor), 0))
    .where(credits.c.order_id == orders.c.order_id)
    .scalar_subquery()
)
_UNPAID = (
    select(
        settlements.c.currency,
        func.count().label("bills"),
        cast(func.sum(orders.c.total_minor - _CREDITED), BigInteger).label("minor"),
    )
    .select_from(orders.join(settlements, settlements.c.settles_order_id == orders.c.order_id))
    .where(orders.c.state == states.SETTLED, ~settlements.c.flagged)
    .group_by(settlements.c.currency)
)
_UNPAID_ROWS = Query(_UNPAID, _Unpaid)


def _unpaid(conn: Connection) -> Iterator[Metric]:
    count = GaugeMetricFamily("ratelock_bills_unpaid", "Bills that wait for payment", labels=["currency"])
    what = "What is to be paid of them, less credit notes, in minor units; flagged ones are in neither"
    minor = GaugeMetricFamily("ratelock_bills_unpaid_minor", what, labels=["currency"])
    for row in _UNPAID_ROWS.all(conn):
        count.add_metric([row.currency], row.bills)
        minor.add_metric([row.currency], row.minor)
    yield from (count, minor)


def _unresolved(conn: Connection, now: int) -> Iterator[Metric]:
    found, oldest_at = calls.unresolved(conn, now)
    what = f"Calls to the payment provider whose outcome has been missing for {calls.UNRESOLVED_S} s"
    yield _gauge("payment_calls_unresolved", what, found)
    oldest_s = max(0, now - oldest_at) if oldest_at is not None else 0
    yield _gauge("payment_calls_unresolved_oldest_seconds", "Age of the oldest of them", oldest_s)
