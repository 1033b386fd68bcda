"""The first requests of a phone: the page behind the QR code and the pile's rate."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.bench import http_load, testbed
from tools.bench.figures import Figure, interleave
from tools.harness.ports import free_port
from tools.harness.processes import Children, ProcessError
from tools.harness.system import System

TITLE = "Page and rate"
BASELINE = "a bare ASGI answer of the same size"
CLIENTS = 8


def measure(data: Path, rounds: int, scale: float) -> list[Figure]:
    count = int(1500 * scale)
    figures = []
    with testbed.database(data) as store:
        testbed.register(store, ["PAGES-1"])
    with System(data) as system, Children() as children:
        port = free_port()
        children.start(
            "baseline", [sys.executable, "-m", "tools.bench.baselines.asgi", str(port)]
        ).wait_for_line("ready")

        def rate_of(server_port: int, path: str) -> float:
            answers, took_s = http_load.load(server_port, [http_load.get(path)] * count, CLIENTS)
            wrong = [answer.status for answer in answers if answer.status != 200]
            if wrong:
                raise ProcessError(f"GET {path}: HTTP {wrong[0]}")
            return count / took_s

        for path in ("/p/PAGES-1", "/api/piles/PAGES-1/rate"):
            size = len(system.phone.get(path).body)
            rate_of(system.http_port, path)
            rate_of(port, f"/{size}")

            def ours(path: str = path) -> float:
                return rate_of(system.http_port, path)

            def bare(size: int = size) -> float:
                return rate_of(port, f"/{size}")

            mine, nothing = interleave(rounds, ours, bare)
            label = "GET " + path.replace("PAGES-1", "{id}")
            figures.append(Figure(label, "1/s", mine, nothing, BASELINE, at_least=0.4))
    return figures
