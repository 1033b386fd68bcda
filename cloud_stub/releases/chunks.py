"""Serves the chunks of releases that piles ask for, on a thread of its own, from its own connection.

Nothing here goes through the writer, and each message is small and sent after a pause that keeps all chunks
together below settings.update_bytes_per_s, so that an order never waits for more than one of them. A pile
asks for one chunk at a time and asks again for what does not come; so what cannot be answered is counted
(metrics.asks_ignored) and left:

    not_offered   no running rollout has that release under way at that pile
    unknown_file  the release has no such file, or it is shorter
    busy          as many piles as settings.updates_at_once are downloading
    too_many      more piles ask than can wait
    failed        the database does not answer
"""

import base64
import threading
import time
from collections import OrderedDict
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Connection, bindparam, select
from sqlalchemy.exc import SQLAlchemyError

from pile_protocol import topics

from ..base.metrics import Metrics
from ..base.threads import Threads
from ..db.engine import Store, to_json
from ..db.release_tables import rollout_piles, rollouts
from ..db.rows import Query
from ..messaging.outbox import Dispatch
from ..settings import Settings
from . import states, store

log = structlog.get_logger()

WAITING_MAX = 1000  # piles; of each the latest ask
FILES_KEPT_BYTES = 4_000_000
OFFERED_S = 5  # for so long it is remembered which release a pile may ask for
ACTIVE_S = 15  # a pile that has not asked for so long is not downloading


class _Offered(NamedTuple):
    release: int | None


_OFFERED = Query(
    select(rollouts.c.release)
    .join(rollout_piles, rollout_piles.c.rollout_id == rollouts.c.id)
    .where(
        rollout_piles.c.device_id == bindparam("device_id"),
        rollout_piles.c.open,
        rollout_piles.c.state.in_(states.WITHDRAWABLE),
        rollouts.c.state == states.RUNNING,
    ),
    _Offered,
)


class ChunkServer:
    """`ask` may be called on any thread and never blocks."""

    def __init__(
        self, settings: Settings, database: Store, dispatch: Dispatch, metrics: Metrics, threads: Threads
    ):
        self._settings = settings
        self._database = database
        self._dispatch = dispatch
        self._metrics = metrics
        self._threads = threads
        self._thread: threading.Thread | None = None
        self._waiting: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._files: OrderedDict[tuple[int, str], bytes] = OrderedDict()
        self._offered: dict[str, tuple[float, int | None]] = {}  # until when, which release
        self._active: dict[str, float] = {}  # downloading piles, and when each last asked

    def start(self) -> None:
        self._thread = self._threads.start("chunks", self._run)

    def stop(self) -> None:
        self._threads.expect_end("chunks")
        self._stopping.set()
        with self._changed:
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def ask(self, device_id: str, ask: dict[str, Any]) -> None:
        """Answer an update/ask message of a pile, in its turn; its latest replaces an earlier one."""
        with self._changed:
            if device_id not in self._waiting and len(self._waiting) >= WAITING_MAX:
                self._ignore("too_many")
                return
            self._waiting[device_id] = ask
            self._changed.notify()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._changed:
                if not self._waiting:
                    self._changed.wait()
                    continue
                device_id, ask = self._waiting.popitem(last=False)
            try:
                sent_bytes = self.answer(device_id, ask)
            except SQLAlchemyError:
                log.warning("chunk_failed", device_id=device_id, exc_info=True)
                self._ignore("failed")
            else:
                self._stopping.wait(sent_bytes / self._settings.update_bytes_per_s)

    def answer(self, device_id: str, ask: dict[str, Any]) -> int:
        """Send the chunk; returns the size of the message, 0 where none was sent."""
        now = time.monotonic()
        with self._database.reading.connect() as conn:
            if self._offered_to(conn, device_id, now) != ask["release"]:
                return self._ignore("not_offered")
            if not self._is_its_turn(device_id, now):
                return self._ignore("busy")
            content = self._file(conn, ask["release"], ask["file"])
        data = b"" if content is None else content[ask["offset"] : ask["offset"] + ask["bytes"]]
        if not data:
            return self._ignore("unknown_file")
        chunk = {name: ask[name] for name in ("release", "file", "offset")}
        payload = to_json(chunk | {"data": base64.b64encode(data).decode()})
        self._dispatch.publish_once(device_id, topics.UPDATE_CHUNK, payload)
        self._metrics.chunk_bytes.inc(len(payload))
        return len(payload)

    def _ignore(self, why: str) -> int:
        self._metrics.asks_ignored.labels(why).inc()
        return 0

    def _offered_to(self, conn: Connection, device_id: str, now: float) -> int | None:
        """The release that the pile may ask for."""
        until, release = self._offered.get(device_id, (0.0, None))
        if until < now:
            if len(self._offered) >= WAITING_MAX:
                self._offered.clear()
            row = _OFFERED.first(conn, {"device_id": device_id})
            release = None if row is None else row.release
            self._offered[device_id] = (now + OFFERED_S, release)
        return release

    def _is_its_turn(self, device_id: str, now: float) -> bool:
        self._active = {each: at for each, at in self._active.items() if at > now - ACTIVE_S}
        if device_id not in self._active and len(self._active) >= self._settings.updates_at_once:
            return False
        self._active[device_id] = now
        return True

    def _file(self, conn: Connection, release: int, sha256: str) -> bytes | None:
        """The file, from memory if it was used lately."""
        name = (release, sha256)
        content = self._files.get(name)
        if content is None:
            content = store.file(conn, release, sha256)
            if content is None:
                return None
            self._files[name] = content
            while sum(map(len, self._files.values())) > FILES_KEPT_BYTES and len(self._files) > 1:
                self._files.popitem(last=False)
        self._files.move_to_end(name)
        return content
