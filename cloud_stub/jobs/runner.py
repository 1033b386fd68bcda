"""The thread that runs the periodic jobs: expiry of orders, silent piles, unsent messages, retention,
displays of rates.

Each job is one transaction. With several workers, one at a time runs the jobs: a worker that does not get the
lock goes on without them, and at its next turn finds little left to do.
"""

import threading
import time

import structlog

from ..base.clock import now_s
from ..base.threads import Threads
from ..db.engine import try_lock_jobs
from ..db.events import trim_events
from ..db.writer import Transaction, Writer
from ..intake.dead_letters import trim_dead_letters
from ..intake.receiver import Receiver
from ..messaging import receivers
from ..messaging.outbox import Dispatch, drop_expired
from ..orders import places
from ..orders.context import Context
from ..payments.cashier import Cashier
from ..people import sessions
from ..rates import displays
from ..releases import stepping
from . import expiry, retention, stops

log = structlog.get_logger()

SWEEP_EVERY = 10  # rounds
RETENTION_UNITS = 5  # of each of the retention jobs, in one round
RETENTION_MS = 500  # no further unit after that, because the other jobs wait for them
STORED_WITHIN_S = 120  # from the time in an order's id: later, none with an earlier id is stored
_DAY_S = 86_400


class PeriodicJobs:
    """Runs on a thread of its own, once every `duty_period_s`."""

    def __init__(
        self,
        context: Context,
        dispatch: Dispatch,
        ingest: Receiver,
        writer: Writer,
        cashier: Cashier,
        threads: Threads,
    ):
        self._context = context
        self._dispatch = dispatch
        self._ingest = ingest
        self._writer = writer
        self._cashier = cashier
        self._listening_since: int | None = None
        self._stopping = threading.Event()
        self._threads = threads
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = self._threads.start("jobs", self._run)

    def stop(self) -> None:
        self._threads.expect_end("jobs")
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def run_once(self, now: int, sweep: bool = False) -> None:
        """One round as of `now`, Unix seconds; returns when it is committed. sweep: also the less urgent."""
        self._ingest.retry()
        self._listen(now)
        self._writer.submit(lambda tx: self._tidy(tx, now, sweep)).result()
        self._cashier.sweep(now)
        self._dispatch.send_unsent()

    def retain(self, now: int) -> bool:
        """Thin and drop what is old, a few units of each; whether there may be more."""
        settings = self._context.settings
        left = [
            ("drop", now - settings.meter_drop_after_days * _DAY_S),
            ("thin", now - settings.meter_thin_after_days * _DAY_S),
            (places.JOB, now - STORED_WITHIN_S),
        ]
        until_ns = time.monotonic_ns() + RETENTION_MS * 1_000_000
        for _ in range(RETENTION_UNITS):
            left = [each for each in left if self._advance(*each)]
            if not left or time.monotonic_ns() > until_ns or self._stopping.is_set():
                break
        return bool(left)

    def _advance(self, job: str, before_at: int) -> bool:
        def unit(tx: Transaction) -> bool:
            return try_lock_jobs(tx.conn) and retention.advance(tx, job, before_at)

        return self._writer.submit(unit).result()

    def _listen(self, now: int) -> None:
        """Remember when the cloud connected to the broker: the silence of piles counts from then."""
        if not self._dispatch.connected:
            self._listening_since = None
        elif self._listening_since is None or self._listening_since > now:  # or the clock was set back
            self._listening_since = now

    def _tidy(self, tx: Transaction, now: int, sweep: bool) -> None:
        if not try_lock_jobs(tx.conn):
            return
        expiry.expire_orders(tx, self._context, now)
        drop_expired(tx, now)
        stops.repeat_stops(tx, now)
        displays.send_due(tx, self._dispatch, now)
        stepping.step_all(tx, self._context, now)
        if sweep:
            receivers.tidy(tx, now)
            trim_dead_letters(tx.conn, self._context.settings.rejects_kept)
            trim_events(tx.conn, self._context.settings.events_kept)
            sessions.trim(tx.conn, now, self._context.settings.session_idle_s)
            silent_since = now - self._context.settings.pile_silent_s
            if self._listening_since is not None and self._listening_since <= silent_since:
                expiry.set_silent_piles_offline(tx, silent_since, now)
                expiry.lose_unsettled_orders(tx, self._context, now)

    def _run(self) -> None:
        rounds = 0
        more = False
        while not self._stopping.wait(self._context.settings.duty_period_s):
            try:
                sweep = rounds % SWEEP_EVERY == 0
                self.run_once(now_s(), sweep)
                if sweep or more:
                    more = self.retain(now_s())
            except Exception:
                log.exception("periodic_jobs_failed")
            rounds += 1
