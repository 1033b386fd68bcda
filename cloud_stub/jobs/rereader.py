"""Finds the orders that another process has changed and wakes their watchers here.

One query reads the versions of all orders that are watched in this process.
"""

import threading
from typing import NamedTuple

import structlog
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from ..base.threads import Threads
from ..db import json_lists
from ..db.engine import to_json
from ..db.rows import Query
from ..db.tables import orders
from ..orders.hub import Hub

log = structlog.get_logger()


class _Version(NamedTuple):
    order_id: str
    version: int


_VERSIONS = Query(
    select(orders.c.order_id, orders.c.version).where(orders.c.order_id.in_(json_lists.texts("order_ids"))),
    _Version,
)


class Rereader:
    """Every `period_ms`, on a thread of its own: wakes the watchers of orders whose version is another."""

    def __init__(self, hub: Hub, engine: Engine, period_ms: int, threads: Threads | None = None):
        self._hub = hub
        self._engine = engine
        self._period_ms = period_ms
        self._versions: dict[str, int] = {}
        self._stopping = threading.Event()
        self._threads = threads or Threads()
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
            rows = _VERSIONS.all(conn, {"order_ids": to_json(order_ids)})
            versions = {row.order_id: row.version for row in rows}
        # The first time it is not known what its watchers have seen: they look again.
        self._hub.wake_all(each for each in order_ids if versions.get(each) != self._versions.get(each))
        self._versions = versions
