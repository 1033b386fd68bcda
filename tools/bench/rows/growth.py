"""Cost of an order and of a view of the console with a thousand to a million stored orders."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from sqlalchemy import bindparam

from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from cloud_stub.db.engine import Store
from cloud_stub.db.rows import OrderRow
from cloud_stub.db.tables import orders as orders_table
from cloud_stub.db.tables import settlements as settlements_table
from cloud_stub.db.writer import Transaction
from cloud_stub.messaging.mqtt import Incoming
from cloud_stub.orders import create
from cloud_stub.orders import views as order_views
from cloud_stub.piles import registry, status_messages
from cloud_stub.reports import fleet
from cloud_stub.settings import Settings
from cloud_stub.settlements import views as settlement_views
from pile_protocol import topics
from tools.bench import testbed
from tools.bench.figures import Figure
from tools.harness.chain import Chain
from tools.harness.system import SIMULATED_POWER_W

TITLE = "Growth"
SIZES = (1_000, 100_000, 1_000_000)
PILES = 20  # so that each pile has a page of orders even with a thousand orders
CHUNK = 20_000
CONFIRM = "order confirmed"
NEWEST = "console: newest orders"
FLEET = "console: piles and flags"
SETTLE = "settlement stored"
JOBS = "a round of the periodic jobs"
TIMES = 15


_READY = {"connector": 1, "status": "Available", "fault": None, "plugged": True, "order_id": None}


class _Connected:
    """A broker connection that accepts everything, because the database is measured."""

    connected = True
    _mid = 0

    shared = False

    def publish(self, *_: object, **__: object) -> int:
        self._mid += 1
        return self._mid

    def publish_all(self, messages: list[object]) -> list[int]:
        return [self.publish() for _ in messages]

    def ack_all(self, _messages: object) -> None:
        pass


def measure(data: Path, rounds: int, scale: float) -> list[Figure]:
    sizes = [max(100, int(size * min(1, scale))) for size in SIZES]
    names = [f"GROWTH-{number:03}" for number in range(PILES)]
    beds: list[tuple[Cloud, Chain]] = []
    for size in sizes:
        folder = data / str(size)
        with testbed.database(folder) as store:
            first = testbed.register(store, names)[0]
            _fill(store, names, size)
        cloud = Cloud(Settings(data=folder, connector_power_w=SIMULATED_POWER_W), _Connected())  # type: ignore[arg-type]
        cloud.writer.start()
        cloud.jobs.start()  # as in a cloud that serves
        _come_online(cloud, names)
        beds.append((cloud, testbed.chain(first, seq=(size - 1) // PILES + 1)))
    samples: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for size, (cloud, chain) in zip(sizes, beds, strict=True):
            for label, work in _works(cloud, names, chain).items():
                samples.setdefault((label, size), []).append(1000 * median(_times(work)))
    for cloud, _ in beds:
        cloud.jobs.stop()
        cloud.writer.stop()
        cloud.store.close()
    base = sizes[0]
    return [
        Figure(
            f"{label}, {size:,} orders",
            "ms of CPU",
            samples[label, size],
            samples[label, base],
            f"at {base:,}",
            at_most=1.5,
        )
        for label in (CONFIRM, SETTLE, JOBS, NEWEST, FLEET)
        for size in sizes[1:]
    ]


def _works(cloud: Cloud, names: list[str], chain: Chain) -> dict[str, Callable[[], object]]:
    held = {name: cloud.context.rates.at(cloud.reader, name, 1, now_s()) for name in names}
    rate_ids = {name: rate["rate_id"] if rate else "" for name, rate in held.items()}

    def confirm() -> None:
        name = secrets.choice(names[1:])  # not the first pile: an order runs there
        body = create.OrderBody(device_id=name, connector=1, rate_id=rate_ids[name])

        def unit(tx: Transaction) -> OrderRow:
            terms = create.agree(tx, cloud.context, body, secrets.token_hex(16), now_s())
            return terms if isinstance(terms, OrderRow) else create.make(tx, cloud.context, terms, now_s())

        row = cloud.writer.submit(unit).result()
        cloud.writer.submit(lambda tx: tx.conn.execute(_FREE, {"this": row.order_id})).result()

    topic = topics.topic(names[0], topics.SETTLEMENT)
    sealed = [chain.settled(order) for order in testbed.charging_orders(cloud.store, names[:1], TIMES)]

    def settle() -> None:
        cloud.receiver.receive(Incoming(topic, sealed.pop(0), 1, 1, 0))
        cloud.writer.submit(lambda tx: None).result()

    def newest() -> None:
        order_views.list_orders(cloud.reader, order_views.OrderFilter(), 50)
        order_views.list_orders(cloud.reader, order_views.OrderFilter(device_id=names[0]), 50)

    def fleet_view() -> None:
        fleet.list_views(cloud.reader, cloud.context, now_s(), fleet.PileFilter(), 50, None)
        fleet.summary(cloud.reader, fleet.PileFilter())
        settlement_views.list_views(cloud.reader, True, None, None, 50, None)

    def jobs() -> None:
        cloud.jobs.run_once(now_s(), sweep=True)
        cloud.writer.submit(lambda tx: None).result()

    return {
        CONFIRM: confirm,
        SETTLE: settle,
        JOBS: jobs,
        NEWEST: newest,
        FLEET: fleet_view,
    }


_FREE = (
    orders_table.update()
    .where(orders_table.c.order_id == bindparam("this"))
    .values(holds=False, state="Rejected")
)


def _times(work: Callable[[], object]) -> list[float]:
    took = []
    for _ in range(TIMES):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return took


def _come_online(cloud: Cloud, names: list[str]) -> None:
    def unit(tx: Transaction) -> None:
        statuses = status_messages.StatusUpdates(registry.lock_many(tx.conn, names), now_s())
        for name in names:
            statuses.add(name, {"online": True, "connectors": [_READY]})
        statuses.write(tx.conn)

    cloud.writer.submit(unit).result()


def _fill(store: Store, names: list[str], size: int) -> None:
    """Paid orders with their settlements; a page of settlements is flagged, and one in a thousand."""
    message = testbed.charging_orders(store, names[:1], 1)[0]
    for begin in range(0, size, CHUNK):
        rows, settled = [], []
        for number in range(begin, min(begin + CHUNK, size)):
            device_id = names[number % len(names)]
            order = message | {"device_id": device_id, "order_id": f"0{number:025}"}
            rows.append(testbed.order_row(order, "Paid") | {"total_minor": 350, "energy_mwh": 2_500_000})
            settled.append(_settlement(order, number))
        with store.writing.begin() as conn:
            conn.execute(orders_table.insert(), rows)
            conn.execute(settlements_table.insert(), settled)


def _settlement(order: dict, number: int) -> dict:
    return {
        "device_id": order["device_id"],
        "order_id": order["order_id"],
        "seq": number // PILES + 1,
        "mac": f"{number:064x}",
        "settles_order_id": order["order_id"],
        "chain_seq": number // PILES + 1,
        "payload": "{}" + " " * 900,
        "energy_mwh": 2_500_000,
        "total_minor": 350,
        "computed_minor": 350,
        "currency": "CNY",
        "flagged": number % 1000 == 0 or number < 50,  # a page of them, whatever the size
        "flags_json": "[]",
        "received_at": order["issued_at"],
        "ended_at": order["issued_at"],
    }
