"""Sends the outbox's rows for webhooks and mail, on threads of its own, outside transactions.

    next_rows + lease -> committed -> sent, one after the other -> done or failed -> committed

If the process is killed in between, the rows are sent again when their lease ends, with the same event id. If
a receiver does not answer, nothing is sent to it for a while. If it answers with a refusal, only the rows of
the same order, or of the same pile, wait. Waits grow with each attempt.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

import structlog
from sqlalchemy import Connection, Engine

from ..base.clock import now_s
from ..base.threads import Threads
from ..db.rows import OutboxRow
from ..db.writer import Transaction, Writer
from ..messaging import receivers

log = structlog.get_logger()

CHANNELS_AT_ONCE = 4
ROWS_AT_ONCE = 20
ROUND_S = 20  # after this time no further row is begun
LEASE_S = 120  # longer than a round and the longest attempt after it
SWEEP_S = 60
WAITS_S = (5, 15, 60, 300, 900, 3600)  # after the first refusals; the last is for all that follow
AWAY_WAITS_S = (5, 10, 20, 40, 60)


class Result(NamedTuple):
    """is_away: no answer came, so the other rows are not tried. said: the answer or the error, as text."""

    is_done: bool
    is_away: bool
    said: str


class Channel(Protocol):
    """A receiver to which rows of the outbox are sent."""

    receiver: str
    give_up_after_s: int  # rows that are older are dropped

    def send(self, row: OutboxRow) -> Result:
        """Send one row: outside transactions, in at most LEASE_S - ROUND_S."""
        ...

    def settle(self, tx: Transaction, row: OutboxRow, result: Result, now: int) -> None:
        """Store what follows from the result, in the transaction that marks the row."""
        ...


class _Away(NamedTuple):
    attempts: int
    until: int


class Courier:
    """sources: each returns its current channels."""

    def __init__(
        self,
        writer: Writer,
        engine: Engine,
        threads: Threads,
        period_s: int,
        sources: Sequence[Callable[[Connection], Sequence[Channel]]],
    ):
        self._writer = writer
        self._engine = engine
        self._threads = threads
        self._period_s = period_s
        self._sources = sources
        self._away: dict[str, _Away] = {}
        self._swept_at: dict[str, int] = {}
        self._busy: set[str] = set()
        self._pool = ThreadPoolExecutor(CHANNELS_AT_ONCE, "courier")
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = self._threads.start("courier", self._run)

    def stop(self) -> None:
        """Returns when the attempts under way have ended and their results are stored."""
        self._threads.expect_end("courier")
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._pool.shutdown(cancel_futures=True)

    def run_once(self, now: int) -> None:
        """Send all rows that are due at `now`; returns when the results are stored."""
        for channel in self._due(now):
            while self._round(channel, now):
                pass

    def _due(self, now: int) -> list[Channel]:
        with self._engine.connect() as conn:
            found = [channel for source in self._sources for channel in source(conn)]
            return [
                each
                for each in found
                if each.receiver not in self._busy
                and not self._is_away(each, now)
                and receivers.next_rows(conn, each.receiver, 1, now)
            ]

    def _is_away(self, channel: Channel, now: int) -> bool:
        away = self._away.get(channel.receiver)
        # No wait is longer than the last of AWAY_WAITS_S. If `until` is further away, the clock was set back.
        return away is not None and away.until - AWAY_WAITS_S[-1] <= now < away.until

    def _round(self, channel: Channel, now: int) -> bool:
        """Send the next rows; returns whether more may be due."""
        if self._stopping.is_set() or self._is_away(channel, now):
            return False
        rows = self._writer.submit(lambda tx: self._lease_next(tx, channel, now)).result()
        began = time.monotonic()
        results: list[tuple[OutboxRow, Result]] = []
        for row in rows:
            if self._stopping.is_set() or time.monotonic() - began > ROUND_S:
                break
            results.append((row, _send(channel, row)))
            if results[-1][1].is_away:
                break
        at = now + int(time.monotonic() - began)
        self._writer.submit(lambda tx: self._mark(tx, channel, rows, results, at)).result()
        return bool(rows)

    def _lease_next(self, tx: Transaction, channel: Channel, now: int) -> Sequence[OutboxRow]:
        swept_at = self._swept_at.get(channel.receiver, 0)
        if not swept_at <= now < swept_at + SWEEP_S:
            receivers.drop_older(tx, channel.receiver, now - channel.give_up_after_s, now)
            self._swept_at[channel.receiver] = now
        rows = receivers.next_rows(tx.conn, channel.receiver, ROWS_AT_ONCE, now)
        receivers.lease(tx, rows, now, now + LEASE_S)
        return rows

    def _mark(
        self,
        tx: Transaction,
        channel: Channel,
        rows: Sequence[OutboxRow],
        results: Sequence[tuple[OutboxRow, Result]],
        now: int,
    ) -> None:
        for row, result in results:
            if result.is_done:
                receivers.done(tx, row)
            else:
                wait_s = self._wait_s(channel, row, result, now)
                receivers.failed(tx, row, now + wait_s, result.said)
                log.warning("not_delivered", receiver=channel.receiver, kind=row.name, said=result.said)
            channel.settle(tx, row, result, now)
        receivers.release(tx, rows[len(results) :], now)

    def _wait_s(self, channel: Channel, row: OutboxRow, result: Result, now: int) -> int:
        if not result.is_away:
            self._away.pop(channel.receiver, None)
            return WAITS_S[min(row.attempts, len(WAITS_S) - 1)]
        before = self._away.get(channel.receiver, _Away(0, 0))
        wait_s = AWAY_WAITS_S[min(before.attempts, len(AWAY_WAITS_S) - 1)]
        self._away[channel.receiver] = _Away(before.attempts + 1, now + wait_s)
        return wait_s

    def _run(self) -> None:
        while not self._stopping.wait(self._period_s):
            try:
                for channel in self._due(now_s()):
                    self._busy.add(channel.receiver)
                    self._pool.submit(self._drain, channel)
            except Exception:
                log.exception("courier_failed")

    def _drain(self, channel: Channel) -> None:
        try:
            while self._round(channel, now_s()):
                pass
        except Exception:
            log.exception("courier_failed", receiver=channel.receiver)
        finally:
            self._busy.discard(channel.receiver)


def _send(channel: Channel, row: OutboxRow) -> Result:
    try:
        return channel.send(row)
    except Exception:
        log.exception("sending_failed", receiver=channel.receiver, kind=row.name)
        return Result(False, False, "the cloud could not send it; its log says why")
