"""The outermost layer of HTTP: nothing too large gets in, and no error gets out but as a problem."""

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problems import from_http, internal_error

log = structlog.get_logger()


class Guard:
    """ASGI middleware: bodies of up to `body_max_bytes`, and 500 InternalError for what nobody foresaw."""

    def __init__(self, app: ASGIApp, body_max_bytes: int):
        self._app = app
        self._body_max_bytes = body_max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
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
