"""Whole orders: confirmed over HTTP, charged by a real firmware, settled and stored."""

from __future__ import annotations

from pathlib import Path

from tools.bench import http_load, machine, testbed, whole_path
from tools.bench.figures import Figure, interleave
from tools.bench.orderflow import Flow
from tools.bench.swarm import Swarm
from tools.harness.system import System

TITLE = "Whole orders"
CLIENTS = 32
PILES = 200
SPEED = 100


def measure(data: Path, rounds: int, scale: float) -> list[Figure]:
    piles = max(8, int(PILES * min(1, scale)))
    window_s = max(2.0, 6 * scale)
    interpreter = machine.interpreters()[-1]
    with testbed.database(data) as store:
        identities = testbed.register(store, [f"ORDERS-{number:03}" for number in range(piles)])
    with (
        System(data) as system,
        Swarm(data / "swarm", system.broker.port, interpreter, SPEED) as swarm,
        whole_path.running(system.broker, data, interpreter) as baseline_port,
    ):
        for identity in identities:
            swarm.add(identity)
        flow = Flow(system, swarm.piles)
        flow.wait_until_online(timeout_s=120)

        def ours() -> float:
            return flow.run(CLIENTS, window_s)

        def bare() -> float:
            count = int(400 * window_s)
            _, took_s = http_load.load(baseline_port, whole_path.requests(count), CLIENTS)
            return count / took_s

        flow.run(CLIENTS, 1.0)
        mine, nothing = interleave(rounds, ours, bare)
    label = f"orders settled and stored, {CLIENTS} clients, {piles} piles"
    return [Figure(label, "1/s", mine, nothing, whole_path.BASELINE, at_least=0.5)]
