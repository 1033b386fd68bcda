"""tools/harness/api_client.py: to whom it speaks, and how."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tools.harness.api_client import ApiError, Client
from tools.harness.certs import Ca
from tools.harness.processes import HOST

TOKEN = "operator of the test"


class Server(http.server.HTTPServer):
    """Answers {} to everything, and keeps what each request was authorised with."""

    def __init__(self) -> None:
        super().__init__((HOST, 0), Handler)
        self.seen: list[str | None] = []


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if isinstance(self.server, Server):
            self.server.seen.append(self.headers["Authorization"])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(server: Server) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        yield made


def test_an_https_address_is_spoken_to_over_tls_alone(server: Server, tmp_path, monkeypatch) -> None:
    """The operator's token goes to no port in the clear where its owner wrote https."""
    certificate, key = Ca(tmp_path).issue("server", ("localhost",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"https://localhost:{server.server_port}"
    with serving(server):
        with pytest.raises(ApiError, match="CERTIFICATE_VERIFY_FAILED"):
            Client(url, TOKEN).get("/api/piles")
        assert server.seen == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert Client(url + "/", TOKEN).get("/api/piles").json() == {}
    assert server.seen == ["Bearer " + TOKEN]


def test_an_http_address_is_spoken_to_in_the_clear(server: Server) -> None:
    with serving(server):
        assert Client(f"http://{HOST}:{server.server_port}", TOKEN).get("/").status == 200
    assert server.seen == ["Bearer " + TOKEN]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8080",
        "127.0.0.1",
        "ftp://a.example",
        "http://",
        "http://a:99999",
        "http://a/x",
        "http://u@a",
    ],
)
def test_what_is_no_address_is_not_taken_for_this_machine(url: str) -> None:
    with pytest.raises(ApiError, match="http://host:port"):
        Client(url, TOKEN)


def test_a_token_that_cannot_be_sent_is_not_shown() -> None:
    with pytest.raises(ApiError) as caught:
        Client("http://a.example", "a secret\n")
    assert "secret" not in str(caught.value)
