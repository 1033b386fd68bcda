"""The outermost layer of HTTP: nothing too large gets in, no error gets out but as a problem, and no answer
without the headers that keep a browser from making something else of it.
"""

import structlog
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problems import from_http, internal_error

log = structlog.get_logger()


HEADERS_MAX_BYTES = 8_192  # names and values of a request together

# Of an answer that is data, not a page; a page brings its own.
_DATA_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_DATA_TYPES = ("application/json", "application/problem+json", "text/event-stream", "text/csv")


class Guard:
    """ASGI middleware: bodies of up to `body_max_bytes`, and 500 InternalError for what nobody foresaw."""

    def __init__(self, app: ASGIApp, body_max_bytes: int):
        self._app = app
        self._body_max_bytes = body_max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _with_headers(send)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADERS_MAX_BYTES:
            await from_http(HTTPException(431)).response()(scope, receive, send)
            return
        too_large = HTTPException(413)
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self._body_max_bytes:
            await from_http(too_large).response()(scope, receive, send)
            return
        if b"%00" in scope["raw_path"] or b"%00" in scope["query_string"]:
            # No name here has one, and PostgreSQL takes none in a text.
            await from_http(HTTPException(400)).response()(scope, receive, send)
            return
        received_bytes = 0
        started = False

        async def counted() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > self._body_max_bytes:
                raise too_large
            return message

        async def noted(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, counted, noted)
        except Exception:
            log.exception("request_failed", method=scope["method"], path=scope["path"])
            if started:
                raise
            await internal_error().response()(scope, receive, send)


def _with_headers(send: Send) -> Send:
    """`send`, with the headers of data added to answers that are data and do not have them."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            kind = headers.get("content-type", "").partition(";")[0]
            if kind in _DATA_TYPES:
                for name, value in _DATA_HEADERS.items():
                    headers.setdefault(name, value)
        await send(message)

    return sent
