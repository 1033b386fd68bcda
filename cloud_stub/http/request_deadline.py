"""A deadline for each HTTP request: one that has not arrived whole by then ends its connection.

uvicorn limits the pause between two requests, but not how long one takes to arrive: a few thousand
connections that send a byte now and then would use up all that this process can hold.
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_MAX_BYTES = 16_384  # a request line and headers larger than that are refused unread


class DeadlineProtocol(H11Protocol):
    """h11, with a deadline for each request: `request_s` from its first byte, or from the connection's
    beginning, to its last.
    """

    request_s: int
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unwatch()

    def _watch(self) -> None:
        """Start the deadline of a request that has begun; cancel that of one that is whole."""
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._unwatch()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.request_s, self._too_slow)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.abort()


def with_deadline(request_s: int) -> type[DeadlineProtocol]:
    """The protocol class for uvicorn, which makes the instances itself."""
    return type("Protocol", (DeadlineProtocol,), {"request_s": request_s})
