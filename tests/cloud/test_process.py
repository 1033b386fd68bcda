"""The process of `serve`: no log line ends anything, no thread ends unseen, and SIGTERM always ends it."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloud_stub import logs
from cloud_stub.base import log_lines
from cloud_stub.base.threads import Threads
from cloud_stub.cli.serve import END_S
from cloud_stub.cloud import Cloud
from cloud_stub.settings import Settings
from tests.cloud.conftest import AS_OPERATOR, OPERATOR
from tests.cloud.fakes import WAIT_S, FakeLink

ROOT = Path(__file__).resolve().parents[2]
ENDED_S = END_S + WAIT_S

only_sqlite = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


class Served:
    """A process of `serve`; `stderr` is whatever its log lines go to."""

    def __init__(self, settings: Settings, stderr: Any, program: list[str]):
        environment = os.environ | {
            "RATELOCK_DATA": str(settings.data),
            "RATELOCK_OPERATOR_TOKEN": OPERATOR,
            "RATELOCK_HTTP_PORT": "0",
            "RATELOCK_MQTT_PORT": "1",  # nobody is there: it tries again and again, and logs that
        }
        self.process = subprocess.Popen(
            [sys.executable, *program], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=stderr
        )
        assert self.process.stdout is not None
        self.url = json.loads(self.process.stdout.readline())["listening"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = AS_OPERATOR | {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(ENDED_S)


@contextmanager
def serving(settings: Settings, stderr: Any, program: list[str] | None = None) -> Iterator[Served]:
    served = Served(settings, stderr, program or ["-m", "cloud_stub", "serve"])
    try:
        yield served
    finally:
        served.process.kill()
        served.process.wait()
        assert served.process.stdout is not None
        served.process.stdout.close()


@contextmanager
def reader_that_ends() -> Iterator[tuple[int, Callable[[], None]]]:
    reader, writer = os.pipe()
    yield writer, lambda: os.close(reader)
    os.close(writer)


@contextmanager
def reader_that_hangs() -> Iterator[tuple[int, Callable[[], None]]]:
    reader, writer = os.pipe()

    def fill() -> None:
        os.set_blocking(writer, False)  # of the open file, so for the process too until it is set back
        try:
            while True:
                os.write(writer, b"x" * 65_536)
        except BlockingIOError:
            os.set_blocking(writer, True)

    yield writer, fill
    os.close(reader)
    os.close(writer)


@contextmanager
def full_disk() -> Iterator[tuple[int, Callable[[], None]]]:
    writer = os.open("/dev/full", os.O_WRONLY)
    yield writer, lambda: None
    os.close(writer)


@only_sqlite
@pytest.mark.parametrize("way", [reader_that_ends, reader_that_hangs, full_disk])
def test_log_lines_that_cannot_be_written_end_nothing(settings: Settings, way: Callable[[], Any]):
    with way() as (stderr, break_it), serving(settings, stderr) as served:
        break_it()
        for number in range(3):
            body = {"device_id": f"PILE-{number}", "connectors": 1}
            assert served.call("POST", "/api/piles", body)[0] == 201
            # Logged on the event loop, on a thread, by the writer.
            assert served.call("GET", "/api/piles/PILE-0")[0] == 200
            assert served.call("GET", "/readyz")[0] == 503  # no broker
        threads = json.loads(served.call("GET", "/readyz")[1])["threads"]
        assert threads == dict.fromkeys(
            ("writer", "chunks", "mqtt", "jobs", "courier", "rereader", "log"), True
        )
        assert served.end() in (0, -signal.SIGTERM)


@only_sqlite
@pytest.mark.long
def test_sigterm_ends_a_process_whose_database_is_locked(settings: Settings):
    with serving(settings, subprocess.DEVNULL) as served:
        other = sqlite3.connect(settings.data / "cloud.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        status, body = served.call("POST", "/api/piles", {"device_id": "PILE-1", "connectors": 1})
        assert (status, json.loads(body)["code"]) == (503, "DatabaseUnavailable")
        assert served.end() in (0, 1, -signal.SIGTERM)
        other.close()


_DYING = """
import sys
from cloud_stub import cli
from {module} import {kind}
go = __import__("threading").Event()
real = {kind}.{method}
def dies(self, *args):
    {kind}.{method} = real
    go.wait()
    raise RuntimeError("by the test")
{kind}.{method} = dies
__import__("signal").signal(__import__("signal").SIGUSR1, lambda *_: go.set())
sys.exit(cli.main(["serve"]))
"""


@only_sqlite
@pytest.mark.parametrize(
    "module, kind, method, thread",
    [
        ("cloud_stub.db.writer", "Writer", "_take", "writer"),
        ("cloud_stub.jobs.runner", "PeriodicJobs", "_run", "jobs"),
        ("cloud_stub.jobs.rereader", "Rereader", "_run", "rereader"),
        ("cloud_stub.messaging.client", "Client", "_one_connection", "mqtt"),
    ],
)
def test_a_thread_that_dies_ends_the_process_loudly(
    settings: Settings, module: str, kind: str, method: str, thread: str, tmp_path: Path
):
    program = ["-c", _DYING.format(module=module, kind=kind, method=method)]
    with open(tmp_path / "log", "w+b") as log, serving(settings, log, program) as served:
        served.process.send_signal(signal.SIGUSR1)
        assert served.process.wait(ENDED_S) == 1
        log.seek(0)
        lines = [json.loads(line) for line in log.read().decode().splitlines()]
    died = [line for line in lines if line["event"] == "thread_died"]
    assert [(line["thread"], line["level"]) for line in died] == [(thread, "critical")]


def test_a_dead_thread_shows_and_nobody_waits_for_the_writer(
    client: TestClient, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    ended: list[str] = []
    cloud.threads.on_death = ended.append

    def dies(*_: Any) -> Any:
        raise RuntimeError("by the test")

    assert client.get("/readyz").json()["threads"]["writer"]
    monkeypatch.setattr(cloud.writer, "_take", dies)
    cloud.writer.submit(lambda tx: None).result(WAIT_S)  # the one that it has begun to wait for
    assert cloud.writer._thread is not None
    cloud.writer._thread.join(WAIT_S)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["threads"]["writer"]) == (503, False)
    assert ended == ["writer"]
    refused = client.post("/api/piles", json={"device_id": "PILE-9", "connectors": 1}, headers=AS_OPERATOR)
    assert (refused.status_code, refused.json()["code"]) == (503, "DatabaseUnavailable")
    assert 'ratelock_thread_working{thread="writer"} 0.0' in client.get("/metrics", headers=AS_OPERATOR).text


def test_a_thread_that_returns_early_is_dead_and_one_that_may_end_is_not():
    ended: list[str] = []
    threads = Threads()
    threads.on_death = ended.append
    threads.start("early", lambda: None).join(WAIT_S)
    threads.expect_end("in time")
    threads.start("in time", lambda: None).join(WAIT_S)
    assert (ended, threads.alive()) == (["early"], {"early": False, "in time": False})


@pytest.mark.parametrize("value", [2**80, "\ud800", object(), {1: 2}, b"\xff", float("nan")])
def test_any_value_can_be_logged(value: Any):
    assert json.loads(logs._as_json(None, "info", {"event": "said", "value": value}))["event"] in (
        "said",
        "'said'",
    )


def test_lines_beyond_the_queue_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log_lines, "QUEUED_MAX", 2)
    lines = log_lines.Lines()
    monkeypatch.setattr(Threads, "start", lambda *_: None)  # nobody writes
    lines.start(Threads())
    for _ in range(5):
        lines.msg("a line")
    assert lines.dropped == 3


def test_whatever_a_message_does_the_thread_that_reads_goes_on(
    cloud: Cloud, client: TestClient, link: FakeLink, monkeypatch: pytest.MonkeyPatch
):
    def fails(*_: Any) -> Any:
        raise RecursionError("by the test")

    monkeypatch.setattr("cloud_stub.intake.receiver.decoding.decode", fails)
    link.deliver("pile/v1/PILE-1/hello", b"{}")
    kept = client.get("/api/rejects", headers=AS_OPERATOR).json()["items"]
    assert [each["reason"] for each in kept] == ["InternalError"]
