"""One request of a webhook, against whatever may be on the other side."""

import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cloud_stub.bridges.webhooks import addresses, sending
from tests.cloud.webhook_peer import Hostile, Peer
from tools.harness.certs import Ca


def post(url: str, limit_s: int = 1, allow_private: bool = True) -> sending.Answer:
    return sending.post(urlsplit(url), {}, b"{}", limit_s, allow_private)


def _for_ever(data: bytes, first: bytes = b"") -> Callable[[socket.socket], None]:
    def act(one: socket.socket) -> None:
        one.sendall(first)
        while True:
            one.sendall(data)

    return act


def _silent(one: socket.socket) -> None:
    while one.recv(100):
        pass


def _reset_at_close(one: socket.socket) -> None:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _dripping(one: socket.socket) -> None:
    one.sendall(b"HTTP/1.1 200 OK\r\n")
    one.settimeout(0.05)
    while True:
        one.sendall(b"X: y\r\n")
        with contextlib.suppress(TimeoutError):
            if not one.recv(1):
                return


_ACTS = "silent dripping 100s closes resets garbage status line headers body holds text chunks"
OK = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    "act, status, said",
    [
        (_silent, None, "no answer in time"),
        (_dripping, None, "no answer in time"),
        (_for_ever(b"HTTP/1.1 100 Continue\r\n\r\n"), None, "no answer in time"),
        (lambda one: None, None, "closed the connection without an answer"),
        (_reset_at_close, None, "closed the connection without an answer"),
        (lambda one: one.sendall(b"\x00\xff garbage\r\n\r\n"), None, "no HTTP: BadStatusLine"),
        (lambda one: one.sendall(b"HTTP/1.1 banana\r\n\r\n"), None, "no HTTP: BadStatusLine"),
        (_for_ever(b"x" * 100_000, b"HTTP/1.1 200 OK\r\nX: "), None, "no HTTP: LineTooLong"),
        (_for_ever(b"X: y\r\n" * 1000, b"HTTP/1.1 200 OK\r\n"), None, "no HTTP: HTTPException"),
        (_for_ever(b"x" * 1_000_000, OK), 200, "200 " + "x" * sending.TEXT_MAX),
        (lambda one: (one.sendall(OK), _silent(one)), 200, "200"),
        (
            lambda one: one.sendall(b"HTTP/1.1 500 No\r\n\r\n<b>\x1b[2J\r\n\xf0\x9f\x92\xa3 bad</b>"),
            500,
            "500 <b> [2J bad</b>",
        ),
        (
            lambda one: one.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            200,
            "200",
        ),
    ],
    ids=_ACTS.split(),
)
def test_a_hostile_peer_takes_no_more_than_the_time_limit(act: Any, status: int | None, said: str):
    with contextlib.closing(Hostile(act)) as hostile:
        began = time.monotonic()
        answer = post(hostile.url)
        assert (answer.status, str(answer)) == (status, said)
        assert time.monotonic() - began < 10


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """(the CA, a certificate for localhost, its key)."""
    ca = Ca(tmp_path_factory.mktemp("ca"))
    return ca.certificate_path, *ca.issue("server", ("localhost",))


def test_tls_is_verified(certified: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch):
    ca, certificate, key = certified
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with contextlib.closing(Peer(tls)) as peer, contextlib.closing(Peer()) as plain:
        unknown_issuer = post(peer.url)
        assert unknown_issuer.status is None and unknown_issuer.text.startswith("TLS: ")
        monkeypatch.setenv("SSL_CERT_FILE", str(ca))
        assert post(peer.url) == (204, "")
        assert post(peer.url.replace("localhost", "127.0.0.1")).text.startswith("TLS: IP address mismatch")
        assert post(plain.url.replace("http:", "https:")).text.startswith("TLS: ")
        assert len(peer.received) == 1 and plain.received == []


@pytest.mark.parametrize(
    "address, public",
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        *(
            (each, False)
            for each in ("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254")
        ),
        *((each, False) for each in ("100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "240.0.0.1")),
        *((each, False) for each in ("::1", "::", "fe80::1", "fd00::1", "ff02::1", "fec0::1")),
        *(
            (each, False)
            for each in ("::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::a00:1")
        ),
        *((each, False) for each in ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "64:ff9b::a00:1")),
    ],
)
def test_only_public_addresses_are_connected_to(address: str, public: bool):
    assert addresses.is_public(addresses.ipaddress.ip_address(address)) is public


def test_the_address_that_was_judged_is_the_one_that_is_used(monkeypatch: pytest.MonkeyPatch):
    """A name server that answers with a public address first and a private one later changes nothing."""
    port = 8443
    answers = [["93.184.216.34"], ["127.0.0.1"]]
    connected = []
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_, **__: [(2, 1, 6, "", (each, port)) for each in answers.pop(0)],
    )

    def connect(to: tuple[str, int], _: float) -> socket.socket:
        connected.append(to)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", connect)
    assert post(f"http://rebinding.example:{port}/", allow_private=False).text == "Connection refused"
    assert connected == [("93.184.216.34", port)]
    assert post(f"http://rebinding.example:{port}/", allow_private=False).text == (
        "127.0.0.1 is no public address"
    )
    assert connected == [("93.184.216.34", port)]
