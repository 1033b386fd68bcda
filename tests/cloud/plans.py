"""Which statements read a growing table from end to end, by the plan of the database that ran them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, TextClause, event

from cloud_stub.cloud import Cloud
from cloud_stub.db import rows
from cloud_stub.db.engine import Store
from cloud_stub.db.schema import metadata

# Those that grow with orders and messages. `piles` grows with what is registered; `rejects` is trimmed to
# some thousand rows.
GROWING = {
    *("orders", "settlements", "credits", "meter_samples", "payments", "events", "audit", "rates", "outbox"),
    *("payment_holds", "payment_calls", "ocpp_transactions"),
}
# A partial index holds what is open, not what was ever stored.
PARTIAL = frozenset(
    str(index.name)
    for table in metadata.sorted_tables
    for index in table.indexes
    if index.dialect_options["sqlite"]["where"] is not None
)
# Newest first, without a condition that the walk has to look for (each pile has the low connector numbers):
# it ends at its LIMIT.
_NEWEST_FIRST = re.compile(
    r"FROM (\w+)\s+(?:WHERE (?:\1\.(?:order_id|id|credit_id|hold_id) < \S+|orders\.connector = \S+)\s+)?"
    r"ORDER BY \1\.(?:order_id|id|credit_id|hold_id) DESC\s+LIMIT"
)
_ASKED = ("SELECT", "UPDATE", "DELETE", "WITH")


def scanned_by_sqlite(conn: Connection, statement: str, parameters: Any) -> list[str]:
    """The steps of the statement's plan that read all of a growing table, or all of an index of it."""
    if not statement.lstrip().startswith(_ASKED):
        return []
    plan = conn.connection.cursor().execute("EXPLAIN QUERY PLAN " + statement, parameters)
    return [f"{step}: {statement}" for *_, step in plan.fetchall() if is_scan(step, statement)]


def is_scan(step: str, statement: str) -> bool:
    words = step.split()
    if words[0] != "SCAN" or words[1] not in GROWING or "VIRTUAL" in words:  # a list of parameters is a table
        return False
    if words[-1] in PARTIAL:
        return False
    return not _NEWEST_FIRST.search(statement)


_known_to_be_good: set[str] = set()


def _queries() -> Iterator[rows.Query[Any]]:
    """Those of all modules of the cloud, which may have been prepared before."""
    for name, module in list(sys.modules.items()):
        if name.startswith("cloud_stub."):
            yield from (each for each in vars(module).values() if isinstance(each, rows.Query))


@contextmanager
def held(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every statement that the cloud runs on SQLite meanwhile is held to that, once in a test run.

    Not what a test itself writes as text.
    """
    seen: dict[str, Any] = {}

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        written = context.compiled is None or isinstance(context.compiled.statement, TextClause)
        if not written and statement not in _known_to_be_good:
            seen[statement] = parameters[0] if many else parameters

    class Noted(rows._Prepared):
        """What a Query gives to the driver itself."""

        def values(self, parameters: rows.Parameters) -> list[Any]:
            found = super().values(parameters)
            if self._sql not in _known_to_be_good:
                seen[self._sql] = found
            return found

    if cloud.store.is_sqlite:
        monkeypatch.setattr(rows, "_Prepared", Noted)
        for query in _queries():
            query._prepared = None
        for engine in (cloud.store.grouping, cloud.store.reading):
            event.listen(engine, "before_cursor_execute", note)
    yield
    if seen:
        store = Store(cloud.settings.database)
        with store.reading.connect() as conn:
            found = [each for item in seen.items() for each in scanned_by_sqlite(conn, *item)]
        store.close()
        assert not found, "\n".join(found)
        _known_to_be_good.update(seen)
