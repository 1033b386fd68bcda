"""Settlements: checked, stored once, durable, acknowledged after the commit, against a bare subscriber."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pile_protocol import topics
from tools.bench import testbed
from tools.bench.feeder import Feeder, packets
from tools.bench.figures import Figure, interleave
from tools.harness.processes import Children
from tools.harness.system import System

TITLE = "Settlement ingestion"
BASELINE = "a paho subscriber that parses and stores nothing"
PILES = 50
BASELINE_TOPIC = topics.topic("{}", "baseline")
DONE = topics.topic("BASELINE", "done")


def measure(data: Path, rounds: int, scale: float) -> list[Figure]:
    count = max(PILES, int(4000 * scale))
    names = [f"INGEST-{number:03}" for number in range(PILES)]
    with testbed.database(data) as store:
        piles = testbed.register(store, names)
        chains = {pile.device_id: testbed.chain(pile) for pile in piles}

        def prepared() -> list[tuple[str, bytes]]:
            orders = testbed.charging_orders(store, names, count)
            return [(order["device_id"], chains[order["device_id"]].settled(order)) for order in orders]

        with (
            System(data) as system,
            baseline(system, data, count, False),
            baseline(system, data, count, True),
        ):
            answers = [topics.topic("+", topics.SETTLEMENT_ACK)]

            def ours() -> float:
                sent = packets(
                    [(topics.topic(name, topics.SETTLEMENT), sealed) for name, sealed in prepared()]
                )
                with Feeder(system.broker, "feeder", answers) as feeder:
                    return count / feeder.feed(sent, count)

            def bare(kind: str) -> float:
                sent = packets([(BASELINE_TOPIC.format(kind), sealed) for _, sealed in prepared()])
                with Feeder(system.broker, "feeder", [DONE]) as feeder:
                    return count / feeder.feed(sent, 1)

            ours()  # the first run of a process is slower than any other
            mine, nothing = interleave(rounds, ours, lambda: bare("parse"))
            mine_too, each = interleave(rounds, ours, lambda: bare("commit"))
    return [
        Figure("settlements ingested", "1/s", mine, nothing, BASELINE, at_least=0.35),
        Figure("settlements ingested", "1/s", mine_too, each, "a commit per message", at_least=2),
    ]


@contextmanager
def baseline(system: System, data: Path, count: int, commits: bool, qos: int = 1) -> Iterator[None]:
    """The bare subscriber, for as long as the block."""
    topic = BASELINE_TOPIC.format("commit" if commits else "parse")
    argv = [sys.executable, "-m", "tools.bench.baselines.subscriber", "--port", str(system.broker.port)]
    argv += ["--topic", topic, "--answer", DONE, "--count", str(count), "--qos", str(qos)]
    if commits:
        argv += ["--database", str(data / "baseline.db")]
    with Children() as children:
        child = children.start("baseline", argv, env={"BASELINE_PASSWORD": system.broker.cloud_password})
        child.wait_for_line("ready")
        yield
