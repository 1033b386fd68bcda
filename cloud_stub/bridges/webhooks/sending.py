"""One request to a webhook. The receiver is not trusted.

The request ends at its deadline, whatever the receiver does; that includes connection and TLS, but not the
name resolution, which has its own time limits. Redirects are not followed. Only the status and the beginning
of the answer's text are read.
"""

import http.client
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Timer
from typing import NamedTuple
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
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    fixed = {"Host": url.netloc, "Content-Type": "application/json", "User-Agent": "RateLock"}
    try:
        addresses = resolve(host, port, allow_private)
        deadline = time.monotonic() + limit_s
        with (
            _connect(addresses, port, deadline) as plain,
            _ended_at(deadline, plain),
            _secured(plain, url.scheme, host) as sock,
        ):
            connection = http.client.HTTPConnection(host, port)
            connection.sock = sock
            connection.request("POST", path, body, headers | fixed | {"Connection": "close"})
            response = connection.getresponse()
            _left_s(deadline)  # headers that the deadline cut off look complete
            sock.settimeout(TEXT_S)
            return Answer(response.status, _beginning(response))
    except NotAllowed as error:
        return Answer(None, str(error))
    except (OSError, UnicodeError, http.client.HTTPException) as error:
        return Answer(None, _in_words(error))


def _beginning(response: http.client.HTTPResponse) -> str:
    """The beginning of the answer's text; the status is enough if it does not come."""
    try:
        text = response.read1(TEXT_MAX).decode(errors="replace")
    except (OSError, ValueError, http.client.HTTPException):
        return ""
    return re.sub(r"[^!-~]+", " ", text).strip()


def _connect(addresses: list[str], port: int, deadline: float) -> socket.socket:
    """A connection to the first address that accepts one. Raises OSError."""
    for each in addresses[:-1]:
        with suppress(OSError):
            return socket.create_connection((each, port), _left_s(deadline))
    return socket.create_connection((addresses[-1], port), _left_s(deadline))


@contextmanager
def _ended_at(deadline: float, plain: socket.socket) -> Iterator[None]:
    """Shut the connection down at the deadline, whatever waits for it. Raises TimeoutError then."""
    with plain.dup() as same:
        timer = Timer(_left_s(deadline), _shut_down, [same])
        timer.start()
        try:
            yield
        except (OSError, http.client.HTTPException):
            _left_s(deadline)  # if it is over, that is the reason
            raise
        finally:
            timer.cancel()
            timer.join()


def _shut_down(sock: socket.socket) -> None:
    with suppress(OSError):  # the receiver has closed it
        sock.shutdown(socket.SHUT_RDWR)


def _secured(plain: socket.socket, scheme: str, host: str) -> socket.socket:
    """The socket with TLS. Raises OSError, also for a wrong certificate."""
    if scheme == "http":
        return plain
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


def _left_s(deadline: float) -> float:
    """Raises TimeoutError."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _in_words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'failed'}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):  # http's RemoteDisconnected is one too
        return "closed the connection without an answer"
    if isinstance(error, http.client.HTTPException):
        return f"no HTTP: {type(error).__name__}"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
