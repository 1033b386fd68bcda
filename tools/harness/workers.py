"""Several workers of the cloud on one PostgreSQL and one broker."""

from __future__ import annotations

import sys
from pathlib import Path

from tools import ROOT
from tools.harness.api_client import Client
from tools.harness.postgres import Postgres
from tools.harness.processes import HOST, Child, Children, ProcessError, Started
from tools.harness.system import System

SHARE = "cloud"


class Worker:
    """One process of the cloud, at an address of its own."""

    def __init__(self, number: int, child: Child, base_url: str):
        self.number = number
        self.child = child
        self.base_url = base_url


class Workers(Started):
    """`count` workers. The first is the cloud of `system`, and ends last."""

    def __init__(self, data: Path, postgres: Postgres, count: int):
        self.database = postgres.new_database()
        self.database_url = postgres.url(self.database)
        env = {"DATABASE_URL": self.database_url, "RATELOCK_MQTT_SHARE": SHARE}
        self.system = System(data, env=env)
        self._count = count
        self._children = Children()
        self.workers: list[Worker] = []

    def start(self) -> None:
        """Returns once all of them are ready."""
        self.system.start()
        if self.system.cloud is None:
            raise ProcessError("the system has no cloud")
        self.workers = [Worker(0, self.system.cloud, self.system.base_url)]
        for number in range(1, self._count):
            self.add(number)
        for worker in self.workers:
            wait_until_ready(worker)

    def stop(self) -> None:
        try:
            self._children.stop()
        finally:
            self.system.stop()

    def add(self, number: int) -> Worker:
        """Starts one more worker on a free port."""
        child = self._children.start(
            f"worker {number}",
            [sys.executable, "-m", "cloud_stub", "serve"],
            env={**self.system.cloud_environment(), "RATELOCK_HTTP_PORT": "0"},
            cwd=ROOT,
            log=self.system.data / f"worker{number}.log",
        )
        line = child.wait_for_json(lambda line: "listening" in line, timeout_s=60)
        worker = Worker(number, child, line["listening"].replace("0.0.0.0", HOST))
        self.workers.append(worker)
        return worker

    def kill(self, worker: Worker) -> None:
        """SIGKILL, which stands for a power cut."""
        self.workers.remove(worker)
        worker.child.kill()


def wait_until_ready(worker: Worker) -> None:
    """Returns once the worker reaches broker and database."""
    client = Client(worker.base_url)
    worker.child.wait_for_line('"mqtt_connected"', timeout_s=60)
    if client.get("/readyz").status != 200:
        raise ProcessError(f"worker {worker.number} is connected and not ready\n{worker.child.tail()}")
