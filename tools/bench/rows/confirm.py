"""From the phone's confirmation to the closed relay, on an idle system."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path

from tools.bench import http_load, machine, testbed, whole_path
from tools.bench.figures import Figure, interleave, percentile
from tools.bench.swarm import Pile, Swarm
from tools.harness.processes import ProcessError
from tools.harness.system import System

TITLE = "Confirm to relay"
SPEED = 100
ORDER_TIMEOUT_S = 30
ORDERS_MAX = 60


def measure(data: Path, rounds: int, scale: float) -> list[Figure]:
    # A pile remembers the ids of 64 orders that could still be valid, and refuses the next: stay below.
    count = max(3, int(ORDERS_MAX * min(1, scale)) // rounds)
    interpreter = machine.interpreters()[-1]
    with testbed.database(data) as store:
        identity = testbed.register(store, ["CONFIRM-1"])[0]
    ours_ms: list[list[float]] = []
    bare_ms: list[list[float]] = []
    with (
        System(data) as system,
        Swarm(data / "swarm", system.broker.port, interpreter, SPEED) as swarm,
        whole_path.running(system.broker, data, interpreter) as baseline_port,
    ):
        pile = swarm.add(identity)

        def ours() -> float:
            ours_ms.append([1000 * confirm(system, pile) for _ in range(count)])
            return percentile(ours_ms[-1], 50)

        def bare() -> float:
            answers, _ = http_load.load(baseline_port, whole_path.requests(count), 1)
            bare_ms.append([1000 * answer.took_s for answer in answers])
            return percentile(bare_ms[-1], 50)

        confirm(system, pile)
        bare()
        bare_ms.clear()
        mine, nothing = interleave(rounds, ours, bare)
    worst = [percentile(samples, 99) for samples in ours_ms]
    worst_bare = [percentile(samples, 99) for samples in bare_ms]
    baseline = whole_path.BASELINE
    return [
        Figure("confirm to relay closed, p50", "ms", mine, nothing, baseline, at_most=1.5),
        Figure("confirm to relay closed, p99", "ms", worst, worst_bare, baseline, at_most=2, limit=40),
    ]


def confirm(system: System, pile: Pile) -> float:
    """Seconds from the request's first byte to the relay; returns when the next order can be taken."""
    rate_id = _free(system, pile.device_id)
    closed = sum(1 for _ in pile.events_of("relay closed"))
    limits = {"energy_mwh": 1_000}
    body = {"device_id": pile.device_id, "connector": 1, "rate_id": rate_id, "limits": limits}
    key = secrets.token_hex(16)
    request = http_load.post("/api/orders", json.dumps(body).encode(), Idempotency_Key=key)
    began_us = time.time_ns() // 1000
    answers, _ = http_load.load(system.http_port, [request], 1)
    if answers[0].status != 201:
        raise ProcessError(f"the order was refused: {answers[0].body!r}")
    deadline = time.monotonic() + ORDER_TIMEOUT_S
    while time.monotonic() < deadline:
        seen = list(pile.events_of("relay closed"))
        if len(seen) > closed:
            return (seen[-1]["at_us"] - began_us) / 1e6
        time.sleep(0.005)
    raise ProcessError(f"the relay of {pile.device_id} did not close")


def _free(system: System, device_id: str) -> str:
    """Waits until the pile can take an order; its rate's id."""
    deadline = time.monotonic() + ORDER_TIMEOUT_S
    while time.monotonic() < deadline:
        view = system.phone.get(f"/api/piles/{device_id}").json()
        if view["online"] and view["clock_set"] and not view["connectors"][0]["busy"]:
            return view["rate_id"]
        time.sleep(0.02)
    raise ProcessError(f"{device_id} is not free")
