"""The one thread that writes: greedy group commit.

Whatever has queued up while the last commit ran goes into one transaction. No timer: an idle writer commits
at once, a busy one in groups. If one unit of a group raises, the group is rolled back and each unit is done
again in a transaction of its own, so that a bad one never spoils the others; units therefore change nothing
but the database, and leave the rest to `Transaction.after_commit`.

Many of one kind that stand next to each other may be done by one `Batch`, with statements that take them all;
nothing of another kind is overtaken.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Engine

from .problems import Problem

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
Batch = Callable[[Transaction, list[Any]], None]


@dataclass(slots=True)
class _Job:
    """A unit, or an item for a batch."""

    future: "Future[Any]"
    unit: Unit[Any] | None = None
    batch: Batch | None = None
    item: Any = None


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
        self._jobs.put(_Job(future, unit))
        return future

    def submit_to(self, batch: Batch, item: Any) -> "Future[None]":
        """Queue an item for `batch`, which gets it with its neighbours; the future tells of the commit.

        What the batch raises sends each item to it alone, as with units. The same function is the same batch.
        """
        future: Future[None] = Future()
        self._jobs.put(_Job(future, batch=batch, item=item))
        return future

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
            if job.future.set_running_or_notify_cancel():  # else nobody waits any more, and nothing has begun
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
        results: list[tuple[Any, Problem | None]] = []
        began_ns = time.perf_counter_ns()
        try:
            with conn.begin():
                for run in _runs(group):
                    results += _done(transaction, run)
        except Exception as error:  # noqa: BLE001 - it belongs to whoever waits for the unit
            if len(group) > 1:
                for job in group:
                    self._commit(conn, [job])
            else:
                group[0].future.set_exception(error)
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
        for job, (result, problem) in zip(group, results, strict=True):
            if problem is None:
                job.future.set_result(result)
            else:
                job.future.set_exception(problem)


def _runs(group: list[_Job]) -> Iterator[list[_Job]]:
    """The group in its order: each unit alone, neighbours of one batch together."""
    run: list[_Job] = []
    for job in group:
        if run and (job.batch is None or job.batch != run[0].batch):
            yield run
            run = []
        run.append(job)
    if run:
        yield run


def _done(tx: Transaction, run: list[_Job]) -> list[tuple[Any, Problem | None]]:
    """Does the run; what came of each job."""
    first = run[0]
    if first.batch is not None:
        first.batch(tx, [job.item for job in run])
        return [(None, None)] * len(run)
    if first.unit is None:
        raise TypeError("a job without work")
    try:
        return [(first.unit(tx), None)]
    except Problem as problem:
        return [(None, problem)]
