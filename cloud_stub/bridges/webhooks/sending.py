"""One request to a webhook. The receiver is not trusted.

The request ends at its deadline, whatever the receiver does; that includes connection and TLS, but not the
name resolution, which has its own time limits. Redirects are not followed. Only the status and the beginning
of the answer's text are read.
"""

import http.client
import io
import re
import socket
import ssl
import time
from typing import Any, NamedTuple
from urllib.parse import SplitResult

from .addresses import NotAllowed, resolve

TEXT_MAX = 100  # characters of the answer's text
TEXT_S = 1  # how long the text may take after the status


class Answer(NamedTuple):
    """status: None without an answer. text: why there is none, or the beginning of the answer's text."""

    status: int | None
    text: str

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    def __str__(self) -> str:
        if self.status is None:
            return self.text
        note = " (redirects are not followed)" if 300 <= self.status < 400 else ""
        return f"{self.status}{note} {self.text}".strip()


def post(url: SplitResult, headers: dict[str, str], body: bytes, limit_s: int, allow_private: bool) -> Answer:
    """Send a request; returns within `limit_s` after the host's name was resolved."""
    host = url.hostname or ""
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        addresses = resolve(host, port, allow_private)
        deadline = time.monotonic() + limit_s
        connection = http.client.HTTPConnection(host, port)
        with _connect(addresses, port, deadline) as plain, _secured(plain, url.scheme, host, deadline) as end:
            bounded = connection.sock = _Bounded(end, deadline)
            return _exchange(connection, bounded, url, headers, body)
    except NotAllowed as error:
        return Answer(None, str(error))
    except (OSError, UnicodeError, http.client.HTTPException) as error:
        return Answer(None, _in_words(error))


def _exchange(
    connection: http.client.HTTPConnection,
    bounded: "_Bounded",
    url: SplitResult,
    headers: dict[str, str],
    body: bytes,
) -> Answer:
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    fixed = {"Host": url.netloc, "Content-Type": "application/json", "User-Agent": "RateLock"}
    connection.request("POST", path, body, headers | fixed | {"Connection": "close"})
    response = connection.getresponse()
    try:
        bounded.deadline = min(bounded.deadline, time.monotonic() + TEXT_S)
        text = response.read1(TEXT_MAX).decode(errors="replace")
    except (OSError, ValueError, http.client.HTTPException):
        text = ""  # the status is enough
    return Answer(response.status, re.sub(r"[^!-~]+", " ", text).strip())


def _connect(addresses: list[str], port: int, deadline: float) -> socket.socket:
    """A connection to the first address that accepts one. Raises OSError."""
    for each in addresses[:-1]:
        try:
            return socket.create_connection((each, port), _left_s(deadline))
        except OSError:
            continue
    return socket.create_connection((addresses[-1], port), _left_s(deadline))


def _secured(plain: socket.socket, scheme: str, host: str, deadline: float) -> socket.socket:
    """The socket with TLS. Raises OSError, also for a wrong certificate."""
    if scheme == "http":
        return plain
    plain.settimeout(_left_s(deadline))
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


def _left_s(deadline: float) -> float:
    """Raises TimeoutError."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


class _Bounded:
    """A socket as http.client uses it, whose every wait ends at the deadline."""

    def __init__(self, sock: socket.socket, deadline: float):
        self._sock = sock
        self.deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(_left_s(self.deadline))
        self._sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self))

    def receive(self, into: Any) -> int:
        self._sock.settimeout(_left_s(self.deadline))
        return self._sock.recv_into(into)

    def close(self) -> None:
        """Does nothing: the owner closes the socket."""


class _Reader(io.RawIOBase):
    def __init__(self, bounded: _Bounded):
        self._bounded = bounded

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        return self._bounded.receive(into)


def _in_words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'failed'}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, http.client.RemoteDisconnected):
        return "closed the connection without an answer"
    if isinstance(error, http.client.HTTPException):
        return f"no HTTP: {type(error).__name__}"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
