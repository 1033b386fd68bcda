"""First boots that go wrong: the relay is open, the light shows which, and one line says how to mend it.

The whole firmware from boot.py on, on boards/sim, whose light tells the name of its pattern.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.boards.kit import config, expect
from tools.harness.ports import free_port

NTP_EPOCH_AT = 2_208_988_800


def test_no_configuration(boot) -> None:
    pile = boot()
    expect(pile, "there is no config.json: provision this pile", "NO_CONFIG")
    assert pile.wait(60) == 0


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", "config.json is not JSON: provision this pile again"),
        ("[]", "must be a JSON object"),
        ('{"device_id": "PILE-1"}', "key: is missing"),
        (config(port=0), "broker.port: must be from 1 to 65535"),
        (config(port=99_999), "broker.port"),
        (config(broker={"ca": "ca.pem"}), "there is no ca.pem: provision this pile again"),
    ],
)
def test_a_broken_configuration(boot, text: object, line: str) -> None:
    expect(boot(text), line, "NO_CONFIG")


def test_a_ca_that_is_no_certificate(boot) -> None:
    (boot.flash / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    expect(boot(config(broker={"ca": "ca.pem"})), "ca.pem is not a certificate", "NO_CONFIG")


def test_a_file_where_the_store_belongs(boot) -> None:
    (boot.flash / "flash").write_text("from another project")
    expect(boot(config()), "the flash cannot be used", "NO_FLASH")


def test_a_file_of_the_pile_that_cannot_be_read(boot) -> None:
    """There may have been a latched fault in it, and nobody knows which."""
    (boot.flash / "flash" / "faults").mkdir(parents=True)
    boot(config()).wait_for_json(lambda event: event.get("event") == "light" and event["pattern"] == "FAULT")


def test_an_unreachable_broker(boot) -> None:
    expect(boot(config(free_port())), "check the address, and that the broker runs", "NO_BROKER")


# -- a broker that is not trusted ---------------------------------------------------------------------------


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ours.pem and other.pem are CAs; server.pem, for localhost, is signed by ours."""
    folder = tmp_path_factory.mktemp("certificates")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ours", "other"):
        openssl(folder, "req", "-x509", *curve, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2",
                "-subj", f"/CN={name}")  # fmt: skip
    openssl(folder, "req", *curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    openssl(folder, "x509", "-req", "-in", "server.csr", "-CA", "ours.pem", "-CAkey", "ours.key",
            "-CAcreateserial", "-out", "server.pem", "-days", "2")  # fmt: skip
    return folder


@pytest.fixture
def tls_server(certificates: Path) -> Iterator[tuple[int, list[bytes]]]:
    """(port, first bytes of each connection whose handshake succeeded)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    listener = socket.create_server(("127.0.0.1", 0))
    greetings: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return  # closed: the test is over
            try:
                with context.wrap_socket(plain, server_side=True) as connection:
                    greetings.append(connection.recv(64))
            except OSError:
                continue

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1], greetings
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


@pytest.mark.parametrize(
    ("ca", "host", "line"),
    [
        (
            "other.pem",
            "localhost",
            "broker certificate: The certificate is not correctly signed by the trusted CA",
        ),
        ("ours.pem", "127.0.0.1", "broker certificate: The certificate Common Name"),
    ],
)
def test_a_broker_that_is_not_trusted(
    boot, certificates: Path, tls_server, ca: str, host: str, line: str
) -> None:
    (boot.flash / "ca.pem").write_bytes((certificates / ca).read_bytes())
    pile = boot(config(tls_server[0], broker={"host": host, "ca": "ca.pem"}))
    expect(pile, line, "UNTRUSTED")
    assert not tls_server[1]


def test_a_broker_that_is_trusted(boot, certificates: Path, tls_server) -> None:
    port, greetings = tls_server
    (boot.flash / "ca.pem").write_bytes((certificates / "ours.pem").read_bytes())
    pile = boot(config(port, broker={"host": "localhost", "ca": "ca.pem"}))
    pile.wait_for_line("the broker closed the connection")
    assert greetings[0][:1] == b"\x10"  # CONNECT


# -- time ---------------------------------------------------------------------------------------------------


class TimeServer(threading.Thread):
    """Answers SNTP with `seconds` (since 1900, modulo 2**32); `spoil` may damage what it says."""

    def __init__(self, seconds: int, spoil: Callable[[bytearray], None] | None = None):
        super().__init__()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.asked = threading.Event()
        self._seconds = seconds
        self._spoil = spoil

    def run(self) -> None:
        while True:
            question, address = self.socket.recvfrom(256)
            if not question:
                return
            answer = bytearray(48)
            answer[0] = 0x24
            answer[1] = 2
            answer[24:32] = question[40:48]
            answer[40:44] = struct.pack(">I", self._seconds % 2**32)
            if self._spoil:
                self._spoil(answer)
            self.socket.sendto(answer, address)
            self.asked.set()

    def __enter__(self) -> TimeServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stopper:
            stopper.sendto(b"", ("127.0.0.1", self.port))
        self.join(10)
        self.socket.close()


TELL_RTC = "import board; board.set_calendar = lambda at: board.log('clock %d' % at)"


def test_the_clock_is_set_from_the_network(boot) -> None:
    with TimeServer(int(time.time()) + NTP_EPOCH_AT) as server:
        pile = boot(config(ntp=f"127.0.0.1:{server.port}"), TELL_RTC)
        line = pile.wait_for_line("clock ")
    at = int(json.loads(line)["text"].split()[1])
    assert abs(at - time.time()) < 60


def test_the_clock_is_right_after_2036(boot) -> None:
    with TimeServer(2_250_000_000 + NTP_EPOCH_AT) as server:  # April 2041
        boot(config(ntp=f"127.0.0.1:{server.port}"), TELL_RTC).wait_for_line("clock 2250000000")


def _spoilt(at: int, value: int) -> Callable[[bytearray], None]:
    def spoil(answer: bytearray) -> None:
        answer[at] = value

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        _spoilt(0, 0xE4),  # "my clock is not set"
        _spoilt(1, 0),  # a kiss of death
        _spoilt(0, 0x23),  # a question, not an answer
        lambda answer: answer.__setitem__(slice(24, 32), b"\0" * 8),  # an answer to somebody else
        lambda answer: answer.__delitem__(slice(40, 48)),  # cut short
    ],
    ids=["unset", "kiss of death", "question", "not ours", "short"],
)
def test_a_time_that_cannot_be_trusted(boot, spoil: Callable[[bytearray], None]) -> None:
    with TimeServer(int(time.time()) + NTP_EPOCH_AT, spoil) as server:
        pile = boot(
            config(ntp=f"127.0.0.1:{server.port}"), TELL_RTC + "; import net.ntp as n; n.TRY_MS = 100"
        )
        pile.wait_for_line("no time from 127.0.0.1")
        assert server.asked.is_set()
    assert not any('"clock ' in line for line in pile.lines)


def test_certificates_wait_for_the_clock(boot, certificates: Path) -> None:
    """On a chip that wakes up in the year 2000 no certificate is valid yet."""
    (boot.flash / "ca.pem").write_bytes((certificates / "ours.pem").read_bytes())
    questions = 0
    may_answer = threading.Event()
    asked_often = threading.Event()

    def hold(answer: bytearray) -> None:
        nonlocal questions
        questions += 1
        if questions == 3:
            asked_often.set()
        if not may_answer.is_set():
            answer[1] = 0

    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0)
    port = listener.getsockname()[1]
    with listener, TimeServer(int(time.time()) + NTP_EPOCH_AT, hold) as server:
        values = config(port, broker={"host": "localhost", "ca": "ca.pem"}, ntp=f"127.0.0.1:{server.port}")
        pile = boot(values, TELL_RTC + "; import net.ntp as n; n.TRY_MS = 100; n.TRIES = 1000")
        assert asked_often.wait(60)
        with pytest.raises(BlockingIOError):
            listener.accept()
        may_answer.set()
        pile.wait_for_line("clock ")
        listener.settimeout(20)
        listener.accept()[0].close()


def test_without_a_time_server_certificates_are_tried_all_the_same(
    boot, certificates: Path, tls_server
) -> None:
    """The chip may know the time from before a reset."""
    (boot.flash / "ca.pem").write_bytes((certificates / "ours.pem").read_bytes())
    with TimeServer(0, _spoilt(1, 0)) as server:
        broker = {"host": "localhost", "ca": "ca.pem"}
        values = config(tls_server[0], broker=broker, ntp=f"127.0.0.1:{server.port}")
        pile = boot(values, "import net.ntp as n; n.TRY_MS = 100")
        pile.wait_for_line("no time from")
        pile.wait_for_line("the broker closed the connection")
