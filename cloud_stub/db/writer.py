"""The one thread that writes: greedy group commit.

Whatever has queued up while the last commit ran goes into one transaction. No timer: an idle writer commits
at once, a busy one in groups. If one unit of a group raises, the group is rolled back and each unit is done
again in a transaction of its own, so that a bad one never spoils the others; units therefore change nothing
but the database, and leave the rest to `Transaction.after_commit`.

The items of a `Batch` in one group are done together, with statements that take them all, at the place of the
first of them.

If the connection breaks during the commit, the database may have done it. Then units are not done again:
their futures hold Problem (OutcomeUnknown). Items are, because a pile may send each of them twice anyway.

A unit may have a deadline. It is checked when the unit is taken and, last of all, before the commit: a unit
that is late by then changes nothing, and its future holds Problem (DatabaseUnavailable).
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
from sqlalchemy.exc import DBAPIError

from ..base.problems import Problem, database_unavailable, write_unknown
from ..base.threads import Threads
from .engine import is_database_locked, is_disk_failure, is_row_locked

log = structlog.get_logger()
T = TypeVar("T")

GROUP_MAX = 1000
# A pile sends a status every 30 s, so on a disk that stays full the next write fails within this time.
DISK_FAILED_S = 60
WAITING_MAX = 5000  # units and items; beyond that, units with a deadline are refused


class Transaction:
    """What a unit of work gets: the connection, and a list of effects for after the commit."""

    def __init__(self, conn: Connection):
        self.conn = conn
        self.effects: list[Callable[[], object]] = []

    def after_commit(self, effect: Callable[[], object]) -> None:
        """Run `effect` on the writer's thread after the commit, in order; never after a rollback."""
        self.effects.append(effect)


Unit = Callable[[Transaction], T]


class Batch(Protocol):
    """A handler that takes many items at once."""

    def do(self, tx: Transaction, items: list[Any]) -> None:
        """All of them, in the order in which they were submitted. If this raises, each is done alone."""
        ...

    def failed(self, item: Any, error: Exception) -> None:
        """`do` raised with this item alone; on the writer's thread, after the rollback."""
        ...


class Write(Future[T]):
    """The future of a unit. `deadline`: time.monotonic() seconds, None without one."""

    def __init__(self, deadline: float | None):
        super().__init__()
        self.deadline = deadline
        self.is_committing = False

    def is_late(self, now: float) -> bool:
        return self.deadline is not None and now > self.deadline


@dataclass(slots=True)
class _UnitJob:
    future: Write[Any]
    unit: Unit[Any]


@dataclass(slots=True)
class _ItemJob:
    batch: Batch
    item: Any


_Job = _UnitJob | _ItemJob


class _LateError(Exception):
    """A unit of the group is past its deadline: the others are done again without it."""


class Writer:
    """Runs units of work on one thread. `commits` and `units` count what has been done."""

    def __init__(self, engine: Engine, threads: Threads | None = None):
        self._engine = engine
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads = threads or Threads()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._ended = False
        self._began_at: float | None = None
        self._disk_failed_at: float | None = None
        self._gate = threading.Lock()  # of deadlines and of what is being committed
        self.commits = 0
        self.units = 0
        # Called after each transaction: how many units, how many nanoseconds.
        self.on_commit: Callable[[int, int], None] = lambda units, took_ns: None

    @property
    def waiting(self) -> int:
        """Units that have not begun."""
        return self._jobs.qsize()

    @property
    def busy_s(self) -> float:
        """How long the group that is being written has taken so far; 0 between two groups."""
        began_at = self._began_at
        return 0 if began_at is None else time.monotonic() - began_at

    @property
    def can_write(self) -> bool:
        """False for DISK_FAILED_S after each write that failed because the disk is full or broken."""
        failed_at = self._disk_failed_at
        return failed_at is None or time.monotonic() - failed_at > DISK_FAILED_S

    def start(self) -> None:
        self._thread = self._threads.start("writer", self._run)

    def stop(self) -> None:
        """Finish what has been submitted, then end the thread."""
        self._threads.expect_end("writer")
        self._stopping = True
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join()

    def submit(self, unit: Unit[T], deadline: float | None = None) -> Write[T]:
        """Queue a unit; the future holds its result once it is committed, or what it raised.

        deadline: time.monotonic() seconds; past it nothing of the unit is committed. Raises Problem
        (DatabaseUnavailable) where it has a deadline and too many wait.
        """
        if deadline is not None and self.waiting >= WAITING_MAX:
            raise database_unavailable()
        future: Write[T] = Write(deadline)
        self._put(_UnitJob(future, unit))
        return future

    def submit_to(self, batch: Batch, item: Any) -> None:
        """Queue an item for `batch`, which gets it together with others."""
        self._put(_ItemJob(batch, item))

    def give_up(self, future: Write[Any]) -> bool:
        """Whether nothing of the unit is committed, now or later; False where its commit has begun."""
        with self._gate:
            if future.is_committing:
                return False
            future.deadline = 0
            return True

    def _put(self, job: _Job) -> None:
        self._jobs.put(job)
        if self._ended:
            self._fail_waiting()

    def _run(self) -> None:
        try:
            with self._engine.connect() as conn:
                last = False
                while not last:
                    group, last = self._take()
                    self._began_at = time.monotonic()
                    self._commit(conn, group)
                    self._began_at = None
        finally:
            self._ended = True
            self._fail_waiting()

    def _fail_waiting(self) -> None:
        """The thread has ended: sets an exception on each future that is still open."""
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            if isinstance(job, _UnitJob) and _is_wanted(job):
                job.future.set_exception(database_unavailable())

    def _take(self) -> tuple[list[_Job], bool]:
        group: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            # A cancelled unit is skipped: its caller has gone, and it has not begun.
            if _is_wanted(job):
                group.append(job)
            if len(group) == GROUP_MAX:
                return group, False
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _commit(self, conn: Connection, group: list[_Job]) -> None:
        while group := self._in_time(group):
            try:
                self._commit_once(conn, group)
                return
            except _LateError:
                continue
            except Exception as error:  # noqa: BLE001 - it belongs to whoever waits for the unit
                if is_database_locked(error) and not self._stopping:
                    continue  # by another process, before anything was done; those that are late are left out
                if is_disk_failure(error):
                    self._disk_failed_at = time.monotonic()
                if _may_be_committed(error, group):
                    group = _without_units(group)
                if len(group) != 1:
                    for job in group:
                        self._commit(conn, [job])
                    return
                job = group[0]
                if is_row_locked(error) and isinstance(job, _UnitJob) and job.future.deadline is not None:
                    self._put(job)  # until its deadline, after the others
                else:
                    _failed(job, error)
                return

    def _in_time(self, group: list[_Job]) -> list[_Job]:
        """The units that are not late; the futures of the late ones get DatabaseUnavailable."""
        now = time.monotonic()
        found: list[_Job] = []
        for job in group:
            if isinstance(job, _ItemJob):
                found.append(job)
                continue
            with self._gate:
                job.future.is_committing = False
                late = job.future.is_late(now)
            if late:
                job.future.set_exception(database_unavailable())
            else:
                found.append(job)
        return found

    def _begin_commits(self, group: list[_Job]) -> None:
        """From here on nothing is given up. Raises _LateError."""
        now = time.monotonic()
        with self._gate:
            futures = [job.future for job in group if isinstance(job, _UnitJob)]
            if any(future.is_late(now) for future in futures):
                raise _LateError
            for future in futures:
                future.is_committing = True

    def _commit_once(self, conn: Connection, group: list[_Job]) -> None:
        transaction = Transaction(conn)
        results: list[tuple[_UnitJob, Any, Problem | None]] = []
        began_ns = time.perf_counter_ns()
        with conn.begin():
            for job, items in _together(group):
                if isinstance(job, _ItemJob):
                    job.batch.do(transaction, items)
                else:
                    results.append((job, *_done(transaction, job.unit)))
            self._begin_commits(group)
        self.commits += 1
        self.units += len(group)
        self.on_commit(len(group), time.perf_counter_ns() - began_ns)
        # Effects first, so that an order is sent to the pile before the phone's answer is made.
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


def _may_be_committed(error: Exception, group: list[_Job]) -> bool:
    """Whether the database had been told to commit, and the connection broke before it answered."""
    is_broken = isinstance(error, DBAPIError) and error.connection_invalidated
    return is_broken and any(isinstance(job, _UnitJob) and job.future.is_committing for job in group)


def _without_units(group: list[_Job]) -> list[_Job]:
    """The items of the group; whoever waits for one of its units is told that its outcome is unknown."""
    for job in group:
        if isinstance(job, _UnitJob):
            job.future.set_exception(write_unknown())
    return [job for job in group if isinstance(job, _ItemJob)]


def _is_wanted(job: _Job) -> bool:
    """Whether the caller still waits. From here on the unit cannot be cancelled."""
    if isinstance(job, _ItemJob) or job.future.running():
        return True
    return job.future.set_running_or_notify_cancel()


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
