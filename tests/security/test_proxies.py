"""Behind reverse proxies each phone has its own limit, and no phone can claim another address."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import ValidationError

from cloud_stub.settings import Settings
from tests.cloud.fakes import WAIT_S
from tools import ROOT
from tools.harness.system import neutral_environment

QUOTES_PER_MINUTE = 3
# The address that the outermost proxy sees a phone come from: the test's phones all are on 127.0.0.1.
PHONE_HEADER = "X-Test-Phone"


@contextmanager
def reverse_proxy(target: int, outermost: bool = False) -> Iterator[int]:
    """A real HTTP proxy before port `target`, which adds its client's address as nginx and HAProxy do."""

    class Forward(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name: value for name, value in self.headers.items() if name != PHONE_HEADER}
            address = self.headers[PHONE_HEADER] if outermost else self.client_address[0]
            claimed = self.headers.get_all("X-Forwarded-For", [])
            headers["X-Forwarded-For"] = ", ".join([*claimed, address])
            connection = http.client.HTTPConnection("127.0.0.1", target, timeout=WAIT_S)
            try:
                connection.request("GET", self.path, headers=headers)
                answer = connection.getresponse()
                body = answer.read()
            finally:
                connection.close()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Forward)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join(WAIT_S)
        server.server_close()


@contextmanager
def cloud_process(data: Path, **settings: str) -> Iterator[int]:
    """`python -m cloud_stub serve` on a free port: the port. No broker runs, which quotes do not need."""
    env = neutral_environment() | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "firmware")]),
        "RATELOCK_DATA": str(data),
        "RATELOCK_HTTP_PORT": "0",
        "RATELOCK_QUOTES_PER_MINUTE": str(QUOTES_PER_MINUTE),
        "FORWARDED_ALLOW_IPS": "*",  # uvicorn's own, which believes the first address; it must not count
    }
    command = [sys.executable, "-m", "cloud_stub", "serve"]
    with subprocess.Popen(
        command, cwd=ROOT, env=env | settings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        try:
            yield int(json.loads(process.stdout.readline())["listening"].rpartition(":")[2])
        finally:
            process.terminate()


@pytest.fixture(scope="module", params=[1, 2, 3], ids=["one proxy", "two proxies", "three proxies"])
def edge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the outermost of some proxies before a cloud with the default settings."""
    with ExitStack() as running:
        port = running.enter_context(cloud_process(tmp_path_factory.mktemp("behind a proxy")))
        for left in reversed(range(request.param)):
            port = running.enter_context(reverse_proxy(port, outermost=left == 0))
        yield port


def ask(port: int, phone: str, *claims: str) -> int:
    """The status of one quote that the phone at address `phone` asks for, with X-Forwarded-For `claims`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    try:
        connection.putrequest("GET", "/api/piles/NONE")
        connection.putheader(PHONE_HEADER, phone)
        for each in claims:
            connection.putheader("X-Forwarded-For", each)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


def test_each_phone_has_a_limit_of_its_own(edge: int):
    for phone in ("203.0.113.1", "203.0.113.2", "2001:db8::1", "2001:db8:0:1::1"):
        assert [ask(edge, phone) for _ in range(QUOTES_PER_MINUTE + 1)] == [404] * QUOTES_PER_MINUTE + [429]


CLAIMS = [
    ["198.51.100.{n}"],
    ["127.0.0.1"],
    ["::1"],
    ["127.0.0.1, 198.51.100.{n}"],
    ["198.51.100.{n}, 127.0.0.1"],
    ["198.51.100.{n}", "127.0.0.1"],
    ["word{n}"],
    [""],
    [", ,"],
    ["[::1]:{n}"],
    ["203.0.113.1:{n}"],
]


@pytest.mark.parametrize("claims", CLAIMS, ids=" + ".join)
def test_a_forged_address_never_helps(edge: int, claims: list[str]):
    phone = f"203.0.113.{10 + CLAIMS.index(claims)}"
    asked = [
        ask(edge, phone, *(each.replace("{n}", str(n)) for each in claims))
        for n in range(QUOTES_PER_MINUTE + 3)
    ]
    assert asked == [404] * QUOTES_PER_MINUTE + [429] * 3


def test_a_forged_address_takes_nothing_from_another_phone(edge: int):
    for _ in range(QUOTES_PER_MINUTE + 1):
        ask(edge, "203.0.113.100", "203.0.113.101")
    assert ask(edge, "203.0.113.101") == 404


def test_a_peer_that_is_no_trusted_proxy_is_not_believed(tmp_path: Path):
    with cloud_process(tmp_path, RATELOCK_TRUSTED_PROXIES="192.0.2.9") as port:
        # This machine is not limited: no limit means that the claim was not believed.
        asked = [ask(port, "", "203.0.113.1") for _ in range(QUOTES_PER_MINUTE + 2)]
        assert asked == [404] * (QUOTES_PER_MINUTE + 2)


def test_by_default_only_this_machine_is_a_trusted_proxy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("RATELOCK_TRUSTED_PROXIES", raising=False)
    assert Settings().proxies == ["127.0.0.1", "::1"]
    monkeypatch.setenv("RATELOCK_TRUSTED_PROXIES", " 10.1.2.3 ,2001:db8::/48,")
    assert Settings().proxies == ["10.1.2.3", "2001:db8::/48"]


@pytest.mark.parametrize("value", ["*", "0.0.0.0/0", "::/0", "10.0.0.1,*", "proxy.example", "10.0.0.1/8"])
def test_trusting_everybody_or_a_name_is_refused(value: str):
    with pytest.raises(ValidationError):
        Settings(trusted_proxies=value)
