"""Disk use of an order in the cloud's database. `make powercut` measures the wear of the pile's flash."""

from __future__ import annotations

import time
from pathlib import Path

from cloud_stub.cloud import Cloud
from cloud_stub.db.engine import Store
from cloud_stub.intake import meter_sampling
from cloud_stub.messaging.mqtt import Incoming
from cloud_stub.settings import Settings
from pile_protocol import topics
from tools.bench import testbed
from tools.bench.figures import Figure
from tools.bench.rows.meters import meter
from tools.harness.processes import ProcessError
from tools.harness.system import SIMULATED_POWER_W

TITLE = "Disk"
PILES = 20
SAMPLES_AN_HOUR = 360
TIMEOUT_S = 60


class _Acks:
    """A broker connection that only counts acknowledgements."""

    connected = False

    def __init__(self) -> None:
        self.count = 0

    def ack(self, _incoming: Incoming) -> None:
        self.count += 1

    def ack_all(self, messages: list[Incoming]) -> None:
        self.count += len(messages)


def measure(data: Path, rounds: int, scale: float) -> list[Figure]:
    count = max(PILES, int(2000 * scale))
    names = [f"DISK-{number:02}" for number in range(PILES)]
    with testbed.database(data) as store:
        chains = {pile.device_id: testbed.chain(pile) for pile in testbed.register(store, names)}
        metered = testbed.charging_orders(store, names, max(1, count // 200))  # they go on running
        empty = _size(store)
        orders = testbed.charging_orders(store, names, count)
        acks = _Acks()
        meter_sampling.BURST = SAMPLES_AN_HOUR  # an hour's values come at once here
        cloud = Cloud(Settings(data=data, connector_power_w=SIMULATED_POWER_W), acks)  # type: ignore[arg-type]
        cloud.writer.start()
        for order in orders:
            sealed = chains[order["device_id"]].settled(order)
            _take(cloud, order["device_id"], topics.SETTLEMENT, sealed)
        _wait(acks, count)
        settled = _size(store)
        for order in metered:
            for turn in range(SAMPLES_AN_HOUR):
                _take(cloud, order["device_id"], topics.METER, meter(order, order["issued_at"], 10 * turn))
        _wait(acks, count + len(metered) * SAMPLES_AN_HOUR)
        sampled = _size(store)
        if sampled == settled:
            raise ProcessError("no meter value was stored")
        cloud.writer.stop()
        cloud.store.close()
    return [
        Figure("the cloud's database, per settled order", "bytes", [(settled - empty) / count]),
        Figure("and per hour of it that is metered", "bytes", [(sampled - settled) / len(metered)]),
    ]


def _take(cloud: Cloud, device_id: str, name: str, payload: bytes) -> None:
    cloud.receiver.receive(Incoming(topics.topic(device_id, name), payload, 1, 1, 1))


def _wait(acks: _Acks, count: int) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while acks.count < count:
        if time.monotonic() > deadline:
            raise ProcessError(f"{acks.count} of {count} messages were stored in time")
        time.sleep(0.01)


def _size(store: Store) -> int:
    """Bytes of the database's file after a checkpoint of its log."""
    with store.reading.connect() as conn:
        conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        pages = conn.exec_driver_sql("PRAGMA page_count").scalar_one()
        return pages * conn.exec_driver_sql("PRAGMA page_size").scalar_one()
