"""Measures how long each answer takes to begin, by method, route and status.

A client chooses the method and the address, so neither is used as a label as it came: the address counts by
the pattern of its route, a method without a meaning here as `other`.
"""

import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..base.metrics import Metrics

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestMetrics:
    """ASGI middleware. It measures to the answer's start, because a stream of events ends with its order."""

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
        method = scope["method"] if scope["method"] in METHODS else "other"
        name = (method if route != "none" else "any", route, status)
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._metrics.http.labels(name[0], name[1], str(status))
        return known
