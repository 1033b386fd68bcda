"""The provider `test`: it holds, captures, releases and refunds as a real one does. No money moves.

It keeps its books in a file of its own, so that tests can kill the cloud between a provider's commit and its
own. `<file>.behaviour`, one JSON object, makes it misbehave, for trials and tests:

    refuse     kinds of calls that it refuses: {"authorize": "card_declined"}
    action     true: a hold needs a step of the driver, until the member is removed
    late       kinds that it executes without an answer
    silent     kinds that it neither executes nor answers
    kill       {"before" or "after": kind}: the process is killed before or after the call, to test recovery
"""

import json
import os
import signal
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..base.clock import now_s
from ..base.problems import invalid
from . import port
from .port import Call, Event, Outcome, ReportRow

_TABLES = """
CREATE TABLE IF NOT EXISTS holds (hold_id TEXT PRIMARY KEY, amount_minor INTEGER,
    captured_minor INTEGER DEFAULT 0, refunded_minor INTEGER DEFAULT 0, state TEXT);
CREATE TABLE IF NOT EXISTS calls (key TEXT PRIMARY KEY, kind TEXT, hold_id TEXT, amount_minor INTEGER,
    currency TEXT, state TEXT, reason TEXT, at INTEGER, times INTEGER DEFAULT 1);
"""


class TestProvider:
    """An Adapter (port.py)."""

    __test__ = False  # not a test class of pytest
    name = "test"
    is_test = True
    report_kept_s: int | None = None

    def __init__(self, path: Path):
        self._path = path
        self._lock = threading.Lock()
        self._books = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
        self._books.execute("PRAGMA journal_mode=WAL")
        self._books.execute("PRAGMA synchronous=NORMAL")
        self._books.executescript(_TABLES)
        os.chmod(path, 0o600)

    def close(self) -> None:
        self._books.close()

    def look_up(self, call: Call) -> Outcome | None:
        behaviour = self._behaviour()
        if call.kind in behaviour.get("silent", ()):
            raise port.ProviderSilent("the test provider was told to be silent")
        with self._lock:
            rows = self._rows("SELECT state, reason FROM calls WHERE key = ?", (call.key,))
            if not rows:
                return None
            state, reason = rows[0]
            if state == port.ACTION_NEEDED and not behaviour.get("action"):
                self._books.execute("UPDATE calls SET state = 'Done' WHERE key = ?", (call.key,))
                self._books.execute("UPDATE holds SET state = 'Held' WHERE hold_id = ?", (call.hold_id,))
                state, reason = port.DONE, None
        return self._outcome(call, state, reason)

    def webhook(self, headers: Mapping[str, str], body: bytes) -> list[Event]:
        raise invalid(("adapter", "the test provider sends no webhooks"))

    def report(self, from_at: int, until_at: int) -> Iterable[ReportRow]:
        with self._lock:
            rows = self._rows(
                "SELECT kind, key, 'test-' || hold_id, amount_minor, currency, at FROM calls"
                " WHERE state = 'Done' AND at >= ? AND at < ? ORDER BY at, key",
                (from_at, until_at),
            )
        return [ReportRow(kind, key, ref, ref, minor, cur, at) for kind, key, ref, minor, cur, at in rows]

    def _do(self, call: Call) -> Outcome:
        behaviour = self._behaviour()
        kill = behaviour.get("kill", {})
        if kill.get("before") == call.kind:
            os.kill(os.getpid(), signal.SIGKILL)
        if call.kind in behaviour.get("silent", ()):
            raise port.ProviderSilent("the test provider was told to be silent")
        state, reason = self._book(call, behaviour)
        if kill.get("after") == call.kind:
            os.kill(os.getpid(), signal.SIGKILL)
        if call.kind in behaviour.get("late", ()):
            raise port.ProviderSilent("the test provider was told to answer too late")
        return self._outcome(call, state, reason)

    authorize = capture = release = refund = _do

    def _book(self, call: Call, behaviour: dict[str, Any]) -> tuple[Any, ...]:
        with self._lock:
            self._books.execute("BEGIN IMMEDIATE")
            try:
                known = self._rows(
                    "UPDATE calls SET times = times + 1 WHERE key = ? RETURNING state, reason", (call.key,)
                )
                if not known:
                    reason = behaviour.get("refuse", {}).get(call.kind) or self._apply(call)
                    state = port.REFUSED if reason else port.DONE
                    if call.kind == port.AUTHORIZE and state == port.DONE and behaviour.get("action"):
                        state = port.ACTION_NEEDED
                    self._books.execute(
                        "INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)",
                        (
                            *(call.key, call.kind, call.hold_id, call.amount_minor, call.currency),
                            *(state, reason, now_s()),
                        ),
                    )
                    known = [(state, reason)]
            finally:
                self._books.execute("COMMIT")
        return known[0]

    def _apply(self, call: Call) -> str | None:
        """Execute the call in the books; returns the reason if it is refused."""
        if call.kind == port.AUTHORIZE:
            self._books.execute(
                "INSERT OR IGNORE INTO holds (hold_id, amount_minor, state) VALUES (?, ?, 'Held')",
                (call.hold_id, call.amount_minor),
            )
            return None
        rules = {
            port.CAPTURE: "state = 'Captured', captured_minor = :minor WHERE state = 'Held'"
            " AND amount_minor >= :minor",
            port.RELEASE: "state = 'Released' WHERE state = 'Held'",
            port.REFUND: "refunded_minor = refunded_minor + :minor WHERE state = 'Captured'"
            " AND captured_minor - refunded_minor >= :minor",
        }
        done = self._rows(
            f"UPDATE holds SET {rules[call.kind]} AND hold_id = :hold_id RETURNING hold_id",
            {"minor": call.amount_minor, "hold_id": call.hold_id},
        )
        return None if done else "not_possible"

    def _rows(self, query: str, values: Any) -> list[tuple[Any, ...]]:
        cursor = self._books.cursor()
        cursor.execute(query, values)
        return cursor.fetchall()

    def _outcome(self, call: Call, state: str, reason: str | None) -> Outcome:
        client = {"test": True} if state == port.ACTION_NEEDED else None
        return Outcome(state, "test-" + call.hold_id, reason, client)

    def _behaviour(self) -> dict[str, Any]:
        try:
            return json.loads(Path(f"{self._path}.behaviour").read_bytes())
        except FileNotFoundError:
            return {}
