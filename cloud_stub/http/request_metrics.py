"""How long answers take to begin, by the route's own pattern: an address with an id in it is no route."""

import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..base.metrics import Metrics


class RequestMetrics:
    """ASGI middleware. Begin, not end: a stream of events ends when the order does."""

    def __init__(self, app: ASGIApp, metrics: Metrics):
        self._app = app
        self._metrics = metrics
        self._known: dict[tuple[str, str, int], Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_ns = time.perf_counter_ns()

        async def timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                took_ns = time.perf_counter_ns() - began_ns
                self._histogram(scope, message["status"]).observe(took_ns / 1e9)
            await send(message)

        await self._app(scope, receive, timed)

    def _histogram(self, scope: Scope, status: int) -> Any:
        route = getattr(scope.get("route"), "path", "none")
        name = (scope["method"] if route != "none" else "any", route, status)
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._metrics.http.labels(name[0], name[1], str(status))
        return known
