"""The queue between the receiving and the showing thread: bounded, in order; it counts what it drops."""

from __future__ import annotations

import threading
import time
from collections import deque

from tools.console.capture import Event, Message

LIMIT_BYTES = 32 * 1024 * 1024
EVENT_BYTES = 400  # about what one costs besides its payload


def _weight(event: Event) -> int:
    return EVENT_BYTES + (len(event.payload) if isinstance(event, Message) else 0)


class EventQueue:
    """Holds at most `limit_bytes` of events. `lost` counts the messages dropped because it was full."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES):
        self.lost = 0
        self.ended = False
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._events: deque[Event] = deque()
        self._changed = threading.Condition()

    def put(self, event: Event, wait: bool = False) -> None:
        """Adds an event. When the queue is full, a message is dropped, or with `wait` the caller waits.

        A change of the link is always added.
        """
        weight = _weight(event)
        with self._changed:
            if isinstance(event, Message):
                while wait and self._is_full(weight) and not self.ended:
                    self._changed.wait()
                if self.ended:
                    return
                if self._is_full(weight):
                    self.lost += 1
                    return
            self._events.append(event)
            self._bytes += weight
            self._changed.notify_all()

    def take(self, count: int, timeout_s: float = 0) -> list[Event]:
        """Up to `count` events, oldest first; waits for the first, the end or the timeout."""
        with self._changed:
            deadline = time.monotonic() + timeout_s
            while not self._events and not self.ended:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return []
                self._changed.wait(left_s)
            taken = [self._events.popleft() for _ in range(min(count, len(self._events)))]
            self._bytes -= sum(map(_weight, taken))
            self._changed.notify_all()
            return taken

    def end(self) -> None:
        """Ends the queue: nothing can be added any more, and what is in it can still be taken."""
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    @property
    def exhausted(self) -> bool:
        with self._changed:
            return self.ended and not self._events

    def _is_full(self, weight: int) -> bool:
        return bool(self._events) and self._bytes + weight > self._limit_bytes
