"""Meter values of a thousand charging piles: at full speed, and at one per second and pile."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pile_protocol import messages, topics
from tools.bench import swarm, testbed
from tools.bench.feeder import Feeder, packets
from tools.bench.figures import Figure, interleave
from tools.bench.rows.ingest import BASELINE, BASELINE_TOPIC, DONE, baseline
from tools.harness.processes import ProcessError
from tools.harness.system import System

TITLE = "Meter values"
PILES = 1000


def measure(data: Path, rounds: int, scale: float) -> list[Figure]:
    piles = max(50, int(PILES * min(1, scale)))
    turns = max(2, int(10 * scale))  # as many seconds as lie between two values that are stored
    names = [f"METERS-{number:04}" for number in range(piles)]
    with testbed.database(data) as store:
        testbed.register(store, names)
        running = testbed.charging_orders(store, names, piles)
    at = running[0]["issued_at"]
    second = 0

    def values(topic: str | None) -> list[tuple[str, bytes]]:
        """One value of each pile, a second later than the last ones."""
        nonlocal second
        second += 1
        return [
            (topic or topics.topic(order["device_id"], topics.METER), meter(order, at, second))
            for order in running
        ]

    count = turns * piles
    with System(data) as system, baseline(system, data, count, False, qos=0):
        answers = [topics.topic(names[0], topics.TIME)]

        def ours() -> float:
            sent = packets([one for _ in range(turns) for one in values(None)], qos=0)
            # One connection's messages stay in order: the answer to this greeting comes after all of them.
            sent += packets([(topics.topic(names[0], topics.HELLO), hello(names[0]))])
            with Feeder(system.broker, "feeder", answers) as feeder:
                return count / feeder.feed(sent, 1)

        def bare() -> float:
            sent = packets(
                [one for _ in range(turns) for one in values(BASELINE_TOPIC.format("parse"))], qos=0
            )
            with Feeder(system.broker, "feeder", [DONE]) as feeder:
                return count / feeder.feed(sent, 1)

        ours()
        mine, nothing = interleave(rounds, ours, bare)
        if system.cloud is None:
            raise ProcessError("the cloud does not run")
        pid = system.cloud.pid
        cores, memory = [], [swarm.memory_bytes(pid) / 2**20]
        with Feeder(system.broker, "feeder", []) as feeder:
            for _ in range(rounds):
                cores.append(
                    _cores(feeder, pid, lambda: packets(values(None), qos=0), max(2, int(4 * scale)))
                )
                memory.append(swarm.memory_bytes(pid) / 2**20)
    return [
        Figure("meter values ingested", "1/s", mine, nothing, BASELINE, at_least=0.5),
        Figure(f"the cloud's cores, {piles} values a second", "cores", cores, limit=1),
        Figure("the cloud's memory meanwhile", "MiB", memory),
    ]


def _cores(feeder: Feeder, pid: int, one_second: Callable[[], bytes], seconds: int) -> float:
    """Cores used at one value per second and pile, by all threads of the process."""
    began, used_s = time.monotonic(), swarm.cpu_s(pid)
    for number in range(seconds):
        feeder.send(one_second())
        time.sleep(max(0, began + number + 1 - time.monotonic()))  # a fixed pace is part of what is measured
    return (swarm.cpu_s(pid) - used_s) / (time.monotonic() - began)


def meter(order: dict, at: int, second: int) -> bytes:
    """The value of an order at `second` after its start at `at`."""
    message = {
        "order_id": order["order_id"],
        "connector": 1,
        "at": at + second,
        "register_mwh": 1_944 * second,
        "energy_mwh": 1_944 * second,
        "power_mw": 7_000_000,
        "cost_minor": second // 5,
        "elapsed_s": second,
        "remaining": {"energy_mwh": None, "cost_minor": None, "duration_s": 3_600 - second},
    }
    return messages.encode(message).encode()


def hello(device_id: str) -> bytes:
    message = {
        "device_id": device_id,
        "firmware": "bench",
        "nonce": "0123456789abcdef",
        "connectors": 1,
        "orders": [],
        "last_seq": 0,
        "outbox": 1,  # with none waiting, the cloud would set the pile's order Lost
    }
    return messages.encode(message).encode()
