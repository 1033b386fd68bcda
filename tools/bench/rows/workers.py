"""Settlements stored by one, two and three workers of the cloud on one PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from cloud_stub.db.engine import Store
from pile_protocol import topics
from tools.bench import testbed
from tools.bench.feeder import Feeder, packets
from tools.bench.figures import Figure
from tools.harness.postgres import NoPostgres, Postgres
from tools.harness.processes import ProcessError
from tools.harness.workers import Workers

TITLE = "Several workers on PostgreSQL, durable"
COUNTS = (1, 2, 3)
PILES = 50


def measure(data: Path, rounds: int, scale: float) -> list[Figure]:
    count = max(PILES, int(3000 * scale))
    samples: dict[int, list[float]] = {workers: [] for workers in COUNTS}
    try:
        postgres = Postgres(durable=True)
    except NoPostgres as error:
        raise ProcessError(str(error)) from error
    with postgres, ExitStack() as running:
        feeds = {workers: _fed(running, data / str(workers), postgres, workers, count) for workers in COUNTS}
        for feed in feeds.values():
            feed()  # the first run of a process is slower than any other
        for number in range(rounds):
            for workers in COUNTS if number % 2 == 0 else reversed(COUNTS):
                samples[workers].append(feeds[workers]())
    alone = samples[COUNTS[0]]
    return [
        Figure(f"settlements ingested, {workers} workers", "1/s", samples[workers], alone, "one worker")
        if workers > 1
        else Figure("settlements ingested, 1 worker", "1/s", alone)
        for workers in COUNTS
    ]


def _fed(
    running: ExitStack, data: Path, postgres: Postgres, count: int, settlements: int
) -> Callable[[], float]:
    """Starts the workers; returns a function that sends them settlements and returns how many per second they
    stored.
    """
    workers = Workers(data, postgres, count)
    store = Store(workers.database_url)
    running.callback(store.close)
    store.migrate()
    names = [f"WORKERS-{number:03}" for number in range(PILES)]
    chains = {pile.device_id: testbed.chain(pile) for pile in testbed.register(store, names)}
    system = running.enter_context(workers).system

    def feed() -> float:
        sent = [
            (topics.topic(order["device_id"], topics.SETTLEMENT), chains[order["device_id"]].settled(order))
            for order in testbed.charging_orders(store, names, settlements)
        ]
        with Feeder(system.broker, "feeder", [topics.topic("+", topics.SETTLEMENT_ACK)]) as feeder:
            return settlements / feeder.feed(packets(sent), settlements)

    return feed
