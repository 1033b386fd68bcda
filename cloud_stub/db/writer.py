"""The one thread that writes: greedy group commit.

Whatever has queued up while the last commit ran goes into one transaction. No timer: an idle writer commits
at once, a busy one in groups. If one unit of a group raises, the group is rolled back and each unit is done
again in a transaction of its own, so that a bad one never spoils the others; units therefore change nothing
but the database, and leave the rest to `Transaction.after_commit`.

The items of a `Batch` in one group are done together, with statements that take them all, at the place of the
first of them.
"""

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import structlog
from sqlalchemy import Connection, Engine

from ..base.problems import Problem

log = structlog.get_logger()
T = TypeVar("T")

GROUP_MAX = 1000


class Transaction:
    """What a unit of work sees: the connection, and a list of what to do once it is committed."""

    def __init__(self, conn: Connection):
        self.conn = conn
        self.effects: list[Callable[[], None]] = []

    def after_commit(self, effect: Callable[[], None]) -> None:
        """Run `effect` on the writer's thread after the commit, in order; never after a rollback."""
        self.effects.append(effect)


Unit = Callable[[Transaction], T]


class Batch(Protocol):
    """What takes many items at once."""

    def do(self, tx: Transaction, items: list[Any]) -> None:
        """All of them, in the order in which they were submitted. If this raises, each is done alone."""
        ...

    def failed(self, item: Any, error: Exception) -> None:
        """`do` raised with this item alone; on the writer's thread, after the rollback."""
        ...


@dataclass(slots=True)
class _UnitJob:
    future: "Future[Any]"
    unit: Unit[Any]


@dataclass(slots=True)
class _ItemJob:
    batch: Batch
    item: Any


_Job = _UnitJob | _ItemJob


class Writer:
    """Runs units of work on one thread. `commits` and `units` count what has been done."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self.commits = 0
        self.units = 0
        # Told of each transaction: how many units, how many nanoseconds.
        self.on_commit: Callable[[int, int], None] = lambda units, took_ns: None

    @property
    def waiting(self) -> int:
        """Units that nobody has begun yet."""
        return self._jobs.qsize()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish what has been submitted, then end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def submit(self, unit: Unit[T]) -> "Future[T]":
        """Queue a unit; the future holds its result once it is committed, or what it raised."""
        future: Future[T] = Future()
        self._jobs.put(_UnitJob(future, unit))
        return future

    def submit_to(self, batch: Batch, item: Any) -> None:
        """Queue an item for `batch`, which gets it together with others."""
        self._jobs.put(_ItemJob(batch, item))

    def _run(self) -> None:
        with self._engine.connect() as conn:
            while True:
                group, last = self._take()
                if group:
                    self._commit(conn, group)
                if last:
                    return

    def _take(self) -> tuple[list[_Job], bool]:
        group: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            # A cancelled unit is left out: nobody waits for it any more, and nothing has begun.
            if isinstance(job, _ItemJob) or job.future.set_running_or_notify_cancel():
                group.append(job)
            if len(group) == GROUP_MAX:
                return group, False
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _commit(self, conn: Connection, group: list[_Job]) -> None:
        transaction = Transaction(conn)
        results: list[tuple[_UnitJob, Any, Problem | None]] = []
        began_ns = time.perf_counter_ns()
        try:
            with conn.begin():
                for job, items in _together(group):
                    if isinstance(job, _ItemJob):
                        job.batch.do(transaction, items)
                    else:
                        results.append((job, *_done(transaction, job.unit)))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever waits for the unit
            if len(group) > 1:
                for job in group:
                    self._commit(conn, [job])
            else:
                _failed(group[0], error)
            return
        self.commits += 1
        self.units += len(group)
        self.on_commit(len(group), time.perf_counter_ns() - began_ns)
        # Effects first: an order is on its way to the pile before the phone's answer is put together.
        for effect in transaction.effects:
            try:
                effect()
            except Exception:
                log.exception("effect_failed")
        for job, result, problem in results:
            if problem is None:
                job.future.set_result(result)
            else:
                job.future.set_exception(problem)


def _together(group: list[_Job]) -> list[tuple[_Job, list[Any]]]:
    """The group in its order, each batch once, at its first item's place, with all of its items."""
    found: list[tuple[_Job, list[Any]]] = []
    items_of: dict[int, list[Any]] = {}
    for job in group:
        if isinstance(job, _UnitJob):
            found.append((job, []))
        elif id(job.batch) in items_of:
            items_of[id(job.batch)].append(job.item)
        else:
            items_of[id(job.batch)] = [job.item]
            found.append((job, items_of[id(job.batch)]))
    return found


def _done(tx: Transaction, unit: Unit[Any]) -> tuple[Any, Problem | None]:
    try:
        return unit(tx), None
    except Problem as problem:
        return None, problem


def _failed(job: _Job, error: Exception) -> None:
    if isinstance(job, _UnitJob):
        job.future.set_exception(error)
        return
    try:
        job.batch.failed(job.item, error)
    except Exception:
        log.exception("failure_failed")
