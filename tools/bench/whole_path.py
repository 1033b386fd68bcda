"""Starts baselines/whole_path.py, the baseline of an order from the phone to the pile."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.bench import device_run, http_load
from tools.bench.machine import Interpreter
from tools.harness.broker import Broker
from tools.harness.ports import free_port
from tools.harness.processes import Children

BASELINE = "HTTP, a durable commit, MQTT, a MicroPython echo, and back"
BODY_BYTES = 900  # of an order


@contextmanager
def running(broker: Broker, data: Path, interpreter: Interpreter) -> Iterator[int]:
    """Runs the baseline during the block; yields its HTTP port."""
    port = free_port()
    with Children() as children:
        echo = [
            *interpreter.argv,
            str(device_run.DEVICE / "echo.py"),
            str(broker.port),
            broker.cloud_password,
        ]
        children.start("echo", echo, env=device_run.environment()).wait_for_line("ready")
        path = [sys.executable, "-m", "tools.bench.baselines.whole_path", str(port), str(broker.port)]
        path.append(str(data / f"baseline-{secrets.token_hex(4)}.db"))
        children.start("path", path, env={"BASELINE_PASSWORD": broker.cloud_password}).wait_for_line("ready")
        yield port


def requests(count: int) -> list[bytes]:
    return [http_load.post("/", b"x" * BODY_BYTES)] * count
