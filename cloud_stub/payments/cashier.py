"""Makes the calls to the provider, on threads of its own, outside transactions.

A periodic job begins the calls that are due (due.py) and takes over the open calls of processes that have
ended (calls.py). When an order has ended, a thread begins the call of that order at once. A pool of threads
makes the calls, and the writer stores their outcomes.
"""

import queue
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import structlog

from ..base.clock import now_s
from ..base.threads import Threads
from ..db.writer import Transaction, Writer
from ..orders.context import Context
from . import calls, due, free, port

log = structlog.get_logger()

CALLS_AT_ONCE = 8
ROUNDS_MAX = 8  # of run_once: a capture may be followed by a refund


class Cashier:
    """adapter None: nothing is held. Free orders are credited here in any case."""

    def __init__(self, context: Context, writer: Writer, threads: Threads, adapter: port.Adapter | None):
        self.adapter = adapter
        self._context = context
        self._writer = writer
        self._threads = threads
        self._pool = ThreadPoolExecutor(CALLS_AT_ONCE, "payments")
        self._ended: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._lock = threading.Lock()
        self._being_made: set[Future[None]] = set()
        self._after = ""  # the hold after which the next sweep goes on
        if adapter is not None:
            context.hub.ended = self._ended.put

    def start(self) -> None:
        if self.adapter is None:
            return
        if self._context.settings.mqtt_share is None:  # the only process
            self._writer.submit(lambda tx: calls.adopt_all(tx.conn)).result()
        self._thread = self._threads.start("cashier", self._run)

    def stop(self) -> None:
        self._threads.expect_end("cashier")
        self._stopping = True
        self._ended.put(None)
        if self._thread is not None:
            self._thread.join()
        self._pool.shutdown(cancel_futures=True)

    def run_once(self, now: int) -> None:
        """Make every call that is due at `now`; returns when each is resolved or has had no answer."""
        for _ in range(ROUNDS_MAX):
            self.sweep(now)
            with self._lock:
                waiting = list(self._being_made)
            if not waiting and not self._after:
                return
            for each in waiting:
                each.result()

    def perform(self, call: port.Call, look_first: bool) -> port.Outcome:
        """Make one call. look_first: look it up first, as it may have been made. Raises ProviderSilent."""
        adapter = self.adapter
        if adapter is None:
            raise port.ProviderSilent("no provider is set")
        if look_first:
            found = adapter.look_up(call)
            if found is not None:
                return found
        try:
            outcome: port.Outcome = getattr(adapter, call.kind)(call)
            return outcome
        except port.ProviderSilent:
            self._context.metrics.payment_calls.labels(call.kind, "Silent").inc()
            found = adapter.look_up(call)
            if found is None:
                raise
            return found

    def hear(self, key: str) -> Future[bool]:
        """The provider has sent an event about the call with this key: look the call up and store its
        outcome. The result: whether it is a call of this cloud. Raises ProviderSilent.
        """
        return self._pool.submit(self._hear, key)

    def _hear(self, key: str) -> bool:
        found = self._writer.submit(lambda tx: calls.find(tx.conn, self._context, key)).result()
        if found is None or self.adapter is None:
            return False
        call, may_change = found
        outcome = self.adapter.look_up(call) if may_change else None
        if outcome is not None:
            self._writer.submit(lambda tx: calls.resolve(tx, self._context, key, outcome, now_s())).result()
        return True

    def sweep(self, now: int) -> None:
        """Begin what is due as of `now`, without waiting for the provider: of due.AT_ONCE holds, and in the
        next sweep of those after them.
        """

        def unit(tx: Transaction) -> tuple[list[port.Call], list[port.Call], str]:
            free.close_ended(tx)
            free.credit_settled(tx, self._context, now)
            if self.adapter is None:
                return [], [], ""
            begun, after = due.begin_due(tx, self._context, self._after, now)
            return begun, calls.claim_due(tx.conn, self._context, now), after

        new, left, self._after = self._writer.submit(unit).result()
        for call in new:
            self._submit(call, False, now)
        for call in left:
            self._submit(call, True, now)

    def _submit(self, call: port.Call, look_first: bool, now: int) -> None:
        future = self._pool.submit(self._finish, call, look_first, now)
        with self._lock:
            self._being_made.add(future)
        future.add_done_callback(self._forget)

    def _forget(self, future: Future[None]) -> None:
        with self._lock:
            self._being_made.discard(future)

    def _finish(self, call: port.Call, look_first: bool, now: int) -> None:
        try:
            outcome = self.perform(call, look_first)
        except port.ProviderSilent as error:
            log.warning("provider_silent", kind=call.kind, hold_id=call.hold_id, reason=str(error))
            return  # the call stays open and is looked up later
        except Exception:
            log.exception("provider_failed", kind=call.kind, hold_id=call.hold_id)
            return
        self._writer.submit(lambda tx: calls.resolve(tx, self._context, call.key, outcome, now)).result()

    def _begin_of_order(self, order_id: str) -> None:
        now = now_s()
        call = self._writer.submit(lambda tx: due.begin_of_order(tx, self._context, order_id, now)).result()
        if call is not None:
            self._submit(call, False, now)

    def _run(self) -> None:
        while not self._stopping:
            try:
                order_id = self._ended.get()
                if order_id and not self._stopping:
                    self._begin_of_order(order_id)
            except Exception:
                log.exception("cashier_failed")
