"""The outermost layer of HTTP. It refuses requests that are too large, answers unexpected errors as problems,
and adds the headers that keep a browser from taking data for a page.
"""

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..base.problems import internal_error
from .problem_details import from_http, response

log = structlog.get_logger()


HEADERS_MAX_BYTES = 8_192  # names and values of a request together

# Added to answers that are data; a page has headers of its own.
_DATA_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
}
_DATA_TYPES = (b"application/json", b"application/problem+json", b"text/event-stream", b"text/csv")


class Guard:
    """ASGI middleware: bodies of up to `body_max_bytes`; 500 InternalError for an unexpected exception."""

    def __init__(self, app: ASGIApp, body_max_bytes: int, larger: dict[str, int]):
        """larger: paths with a bound of their own."""
        self._app = app
        self._body_max_bytes = body_max_bytes
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        max_bytes = self._larger.get(scope["path"], self._body_max_bytes)
        received_bytes = 0
        started = False

        async def counted() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > max_bytes:
                raise HTTPException(413)
            return message

        async def completed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = _with_headers(message)
            await send(message)

        refused = self._refused(scope, max_bytes)
        if refused is not None:
            await response(from_http(refused))(scope, receive, completed)
            return
        try:
            await self._app(scope, counted, completed)
        except Exception:
            log.exception("request_failed", method=scope["method"], path=scope["path"])
            if started:
                raise
            await response(internal_error())(scope, receive, completed)

    def _refused(self, scope: Scope, max_bytes: int) -> HTTPException | None:
        """Why the request is refused by its head alone; None where it is not."""
        headers_bytes = 0
        announced = b"0"
        for name, value in scope["headers"]:
            headers_bytes += len(name) + len(value)
            if name == b"content-length":
                announced = value
        if headers_bytes > HEADERS_MAX_BYTES:
            return HTTPException(431)
        if announced.isdigit() and int(announced) > max_bytes:
            return HTTPException(413)
        # The phone page does not look up such an id, and has a text for a mistyped one.
        is_page = scope["path"].startswith("/p/")
        if not is_page and (b"%00" in scope["raw_path"] or b"%00" in scope["query_string"]):
            # No name has a NUL in it, and PostgreSQL refuses one in a text.
            return HTTPException(400)
        return None


def _with_headers(start: Message) -> Message:
    """The start of an answer; where the answer is data, with those of _DATA_HEADERS that it lacks."""
    headers = dict(start["headers"])
    if headers.get(b"content-type", b"").partition(b";")[0] not in _DATA_TYPES:
        return start
    missing = [header for header in _DATA_HEADERS.items() if header[0] not in headers]
    return {**start, "headers": [*start["headers"], *missing]}
