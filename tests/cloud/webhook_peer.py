"""A webhook's other side: a real HTTP server, or a socket that does what no server should."""

from __future__ import annotations

import http.client
import queue
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import orjson

from tests.cloud.fakes import WAIT_S


class Received(NamedTuple):
    path: str
    headers: dict[str, str]
    data: bytes

    @property
    def body(self) -> dict[str, Any]:
        return orjson.loads(self.data)


class Peer:
    """Answers each request with `answer(received)`: a status. `received`: the requests, oldest first."""

    def __init__(self, tls: ssl.SSLContext | None = None):
        self.received: list[Received] = []
        self.arrived: queue.SimpleQueue[Received] = queue.SimpleQueue()
        self.answer: Callable[[Received], int] = lambda received: 204
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                received = Received(self.path, headers, data)
                peer.received.append(received)
                status = peer.answer(received)
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                peer.arrived.put(received)

            do_GET = do_POST

            def log_message(self, format: str, *_: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        scheme = "http"
        if tls is not None:
            scheme = "https"
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{scheme}://localhost:{self._server.server_port}/hook?t=1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def kinds(self) -> list[str]:
        return [each.body["kind"] for each in self.received]

    def wait(self) -> Received:
        return self.arrived.get(timeout=WAIT_S)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Hostile:
    """Reads a request and then does `act(socket)`. What the other side does with its socket ends it."""

    def __init__(self, act: Callable[[socket.socket], None]):
        self._act = act
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                one, _ = self._socket.accept()
            except OSError:
                return
            with one:
                try:
                    with one.makefile("rb") as request:  # the whole: a close would reset a part not read
                        request.readline()
                        headers = http.client.parse_headers(request)
                        request.read(int(headers["Content-Length"]))
                    self._act(one)
                except OSError:
                    pass

    def close(self) -> None:
        self._socket.close()
