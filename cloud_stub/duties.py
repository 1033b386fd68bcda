"""What is to be done from time to time: give up on unanswered orders, send what is left over, forget the old.

Each duty is a transaction that finds nothing left to do if another process was first.
"""

import threading

import structlog

from . import orders
from .dispatch import drop_expired
from .ingest import Ingest
from .records import trim_rejects
from .security import now_s
from .writer import Transaction, Writer

log = structlog.get_logger()

# Younger rows are on their way from whoever committed them.
LEFT_OVER_AFTER_S = 3
TRIM_EVERY = 60  # rounds


class Duties:
    """Runs on a thread of its own, once every `duty_period_s`."""

    def __init__(self, cx: orders.Context, ingest: Ingest, writer: Writer):
        self._cx = cx
        self._ingest = ingest
        self._writer = writer
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="duties", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def run_once(self, now: int, trim: bool = False) -> None:
        """One round as of `now`, Unix seconds; returns when it is committed."""
        self._ingest.retry()
        self._writer.submit(lambda tx: self._tidy(tx, now, trim)).result()
        self._cx.dispatch.send_unsent(LEFT_OVER_AFTER_S)

    def _tidy(self, tx: Transaction, now: int, trim: bool) -> None:
        orders.expire(tx, self._cx, now)
        drop_expired(tx, now)
        if trim:
            trim_rejects(tx.conn, self._cx.settings.rejects_kept)

    def _run(self) -> None:
        rounds = 0
        while not self._stopping.wait(self._cx.settings.duty_period_s):
            try:
                self.run_once(now_s(), trim=rounds % TRIM_EVERY == 0)
            except Exception:
                log.exception("duties_failed")
            rounds += 1
