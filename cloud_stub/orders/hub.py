"""In-process fan-out: who watches an order is woken when it changes, and finds its latest meter value here.

Nothing here is a truth of its own: watchers read the database again. What another process changed is found by
`Rereader`, with one query for all that is watched here.
"""

import asyncio
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from ..base.threads import Threads
from ..db import json_lists
from ..db.engine import to_json
from ..db.tables import orders

log = structlog.get_logger()

METERS_KEPT = 20_000


class Hub:
    """`wake` and `put_meter` may be called from any thread, `watch` from the event loop."""

    def __init__(self) -> None:
        self.closed = False
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
        """The orders that somebody watches."""
        with self._lock:
            return list(self._watchers)

    def wake(self, order_id: str) -> None:
        """Something of the order has changed."""
        if order_id not in self._watchers:  # most orders are watched by nobody at most times
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
        """Wake every watcher for the last time; `closed` tells them so."""
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


_VERSIONS = select(orders.c.order_id, orders.c.version).where(
    orders.c.order_id.in_(json_lists.texts("order_ids"))
)


class Rereader:
    """Every `period_ms`, on a thread of its own: wakes the watchers of orders whose version is another."""

    def __init__(self, hub: Hub, engine: Engine, period_ms: int, threads: Threads):
        self._hub = hub
        self._engine = engine
        self._period_ms = period_ms
        self._versions: dict[str, int] = {}
        self._stopping = threading.Event()
        self._threads = threads
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = self._threads.start("rereader", self._run)

    def stop(self) -> None:
        self._threads.expect_end("rereader")
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._period_ms / 1000):
            watched = self._hub.watched()
            if watched:
                try:
                    self._reread(watched)
                except SQLAlchemyError:
                    log.exception("reread_failed")

    def _reread(self, order_ids: list[str]) -> None:
        with self._engine.connect() as conn:
            rows = conn.execute(_VERSIONS, {"order_ids": to_json(order_ids)})
            versions = {row.order_id: row.version for row in rows}
        # The first time it is not known what its watchers have seen: they look again.
        self._hub.wake_all(each for each in order_ids if versions.get(each) != self._versions.get(each))
        self._versions = versions
