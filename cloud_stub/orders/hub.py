"""Event streams of this process: wakes an order's watchers when it changes, keeps its latest meter value.

Watchers read the order from the database again. A change by another process is found by jobs.rereader.
"""

import asyncio
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog

log = structlog.get_logger()

METERS_KEPT = 20_000


class Hub:
    """`wake` and `put_meter` may be called from any thread, `watch` from the event loop."""

    def __init__(self) -> None:
        self.closed = False
        # Called from any thread with an order that has ended or was settled: its payment may be due.
        self.ended: Callable[[str], object] = lambda order_id: None
        self._lock = threading.Lock()
        self._watchers: defaultdict[str, list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = defaultdict(
            list
        )
        self._meters: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()

    @contextmanager
    def watch(self, order_id: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever there may be something new of the order."""
        watcher = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._watchers[order_id].append(watcher)
        try:
            yield watcher[1]
        finally:
            with self._lock:
                self._watchers[order_id].remove(watcher)
                if not self._watchers[order_id]:
                    del self._watchers[order_id]

    def watched(self) -> list[str]:
        """The orders that have watchers."""
        with self._lock:
            return list(self._watchers)

    def wake(self, order_id: str) -> None:
        """Wake the order's watchers."""
        if order_id not in self._watchers:  # most orders have no watcher
            return
        with self._lock:
            watchers = list(self._watchers.get(order_id, ()))
        for loop, event in watchers:
            try:
                loop.call_soon_threadsafe(event.set)
            except RuntimeError:  # the loop has just been closed, and its watchers with it
                pass

    def wake_all(self, order_ids: Iterable[str]) -> None:
        for order_id in order_ids:
            self.wake(order_id)

    def close(self) -> None:
        """Wake every watcher for the last time, with `closed` set."""
        self.closed = True
        self.wake_all(self.watched())

    def put_meter(self, device_id: str, meter: dict[str, Any]) -> None:
        """Keep a meter value, unless the order has a later one; the oldest orders' are forgotten."""
        name = (device_id, meter["order_id"])
        with self._lock:
            known = self._meters.get(name)
            if known and known["register_mwh"] > meter["register_mwh"]:
                return
            self._meters[name] = meter
            self._meters.move_to_end(name)
            if len(self._meters) > METERS_KEPT:
                self._meters.popitem(last=False)
        self.wake(meter["order_id"])

    def meter(self, device_id: str, order_id: str) -> dict[str, Any] | None:
        """The latest meter value of an order that came through this process."""
        return self._meters.get((device_id, order_id))
