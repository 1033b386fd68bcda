"""A small HTTP client for the cloud's API: JSON requests and server-sent events, standard library only."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cloud_stub.base.os_errors import in_words

TIMEOUT_S = 20


class ApiError(Exception):
    """The cloud did not answer, or not as expected."""


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise ApiError(f"HTTP {self.status}, not JSON: {self.body[:200]!r}") from error

    @property
    def code(self) -> str | None:
        """The problem's stable code; None if there is no problem."""
        return None if self.status < 400 else self.json().get("code")

    def checked(self) -> Response:
        """This answer. Raises ApiError, with the problem in words, if it is a refusal."""
        if self.status < 400:
            return self
        try:
            problem = json.loads(self.body)
            said = f"{problem.get('detail') or problem['title']} ({problem['code']})"
        except (ValueError, TypeError, AttributeError, KeyError):  # not of our cloud
            said = f"HTTP {self.status} {self.body[:200]!r}"
        raise ApiError(said)


@dataclass(frozen=True)
class Event:
    name: str
    data: Any
    id: str | None


class Client:
    """Speaks to one server. base_url: http(s)://host[:port]. token: the bearer token of every request.
    trust: a file in PEM of
    a certificate that is trusted too, a CA's or the server's own. any_name: whatever name the server's has.

    Raises ApiError if base_url is not such an address, so that a token is sent nowhere else.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        timeout_s: float = TIMEOUT_S,
        trust: Path | None = None,
        any_name: bool = False,
    ):
        self.base_url = base_url.rstrip("/")
        self._scheme, self._host, self._port = _server_of(self.base_url)
        if token and not (token.isascii() and token.isprintable()):
            raise ApiError("the token has characters that no token has")
        self._token = token
        self._timeout_s = timeout_s
        self._trust = trust
        self._any_name = any_name

    def with_token(self, token: str) -> Client:
        return Client(self.base_url, token, self._timeout_s, self._trust, self._any_name)

    def request(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Response:
        """One request. body: bytes, or a value that is sent as JSON. Raises ApiError without an answer."""
        connection = self._connection(self._timeout_s)
        try:
            data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, self._headers(data is not None, headers))
            answer = connection.getresponse()
            return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise ApiError(f"{method} {self.base_url}{path}: {in_words(error)}") from error
        finally:
            connection.close()

    def get(self, path: str) -> Response:
        return self.request("GET", path)

    def post(self, path: str, body: object = None, headers: dict[str, str] | None = None) -> Response:
        return self.request("POST", path, body, headers)

    def put(self, path: str, body: object) -> Response:
        return self.request("PUT", path, body)

    def events(
        self, path: str, timeout_s: float = TIMEOUT_S, lasts_s: float | None = None
    ) -> Iterator[Event]:
        """The server-sent events of `path`, until the server ends them. Raises ApiError.

        timeout_s: the longest time without a line, also a heartbeat. lasts_s: the longest time in all, None
        for no limit; checked at every line.
        """
        deadline = None if lasts_s is None else time.monotonic() + lasts_s
        connection = self._connection(timeout_s)
        try:
            connection.request(
                "GET", path, headers={**self._headers(False, None), "Accept": "text/event-stream"}
            )
            answer = connection.getresponse()
            if answer.status != 200:
                raise ApiError(f"GET {path}: HTTP {answer.status} {answer.read()[:200]!r}")
            name, event_id, data = "message", None, []
            while line := answer.readline():
                if deadline is not None and time.monotonic() > deadline:
                    raise ApiError(f"GET {path}: not over, nor left, after {lasts_s:g} s")
                text = line.decode().rstrip("\r\n")
                field, _, value = text.partition(":")
                value = value.removeprefix(" ")
                if not text:
                    if data:
                        yield Event(name, json.loads("\n".join(data)), event_id)
                    name, data = "message", []
                elif field == "event":
                    name = value
                elif field == "data":
                    data.append(value)
                elif field == "id":
                    event_id = value
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise ApiError(f"GET {self.base_url}{path}: {in_words(error)}") from error
        finally:
            connection.close()

    def wait_until_up(self, check_alive: Any, timeout_s: float = 30) -> None:
        """Returns once /healthz answers 200. check_alive: raises where the server has ended."""
        deadline = time.monotonic() + timeout_s
        while True:
            check_alive()
            try:
                if self.get("/healthz").status == 200:
                    return
                problem = "answers, but is not healthy"
            except ApiError as error:
                problem = str(error)
            if time.monotonic() > deadline:
                raise ApiError(f"the cloud is not up after {timeout_s:g} s: {problem}")
            time.sleep(0.02)

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        if self._scheme == "https":
            context = ssl.create_default_context()
            if self._trust:
                context.load_verify_locations(self._trust)
                context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
                context.check_hostname = not self._any_name
            return http.client.HTTPSConnection(self._host, self._port, timeout=timeout_s, context=context)
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)

    def _headers(self, has_body: bool, more: dict[str, str] | None) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if has_body:
            headers["Content-Type"] = "application/json"
        if self._token:
            headers["Authorization"] = "Bearer " + self._token
        return {**headers, **(more or {})}


def _server_of(url: str) -> tuple[str, str, int | None]:
    """(scheme, host, port) of an address; port: None for the scheme's own. Raises ApiError."""
    try:
        parts = urlsplit(url)
        if (
            parts.scheme in ("http", "https")
            and parts.hostname
            and not parts.path
            and "@" not in parts.netloc
        ):
            return parts.scheme, parts.hostname, parts.port
    except ValueError:  # a port that is none
        pass
    raise ApiError("an address reads http://host:port or https://host")
