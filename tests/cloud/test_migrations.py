"""Databases of earlier versions: `databases/<revision>.json` has the rows of one, made by that version."""

import json
from pathlib import Path

from sqlalchemy import insert, text
from sqlalchemy.schema import MetaData

from cloud_stub.db.engine import Store
from cloud_stub.settings import Settings
from tests.cloud.migrating import migrate

DATABASES = Path(__file__).parent / "databases"


def load(store: Store, revision: str) -> dict[str, str]:
    """Fill the empty database with the rows of that revision; returns the names of its orders."""
    made = json.loads((DATABASES / f"{revision}.json").read_text())
    migrate(store, revision, down=True)
    tables = MetaData()
    tables.reflect(store.writing)
    with store.writing.begin() as conn:
        for name, rows in made["tables"].items():
            table = tables.tables[name]
            flags = [column.name for column in table.c if column.type.python_type is bool]
            conn.execute(insert(table), [row | {each: bool(row[each]) for each in flags} for row in rows])
    return made["order_ids"]


def test_orders_that_were_lost_or_had_nothing_to_pay_before_there_were_states_for_it(settings: Settings):
    store = Store(settings.database)
    order_ids = load(store, "0005")
    store.migrate()
    with store.reading.connect() as conn:
        rows = conn.execute(
            text("SELECT order_id, state, reason, holds, paid_at, settled_at FROM orders")
        ).all()
    store.close()
    found = {row.order_id: row for row in rows}
    states = {name: (found[order_id].state, found[order_id].reason) for name, order_id in order_ids.items()}
    assert states == {
        "lost": ("Lost", "NotAtPile"),
        "lost with its pile": ("Lost", "PileRemoved"),
        "charging": ("Charging", None),
        "pending": ("Pending", None),
        "settled": ("Settled", "Remote"),
        "free": ("Paid", "Remote"),
        "waived": ("Paid", "Remote"),
        "free and flagged": ("Settled", "Remote"),
        "paid": ("Paid", "Remote"),
    }
    free = found[order_ids["free"]]
    assert free.paid_at == free.settled_at
    assert [name for name, order_id in order_ids.items() if found[order_id].holds] == ["charging", "pending"]
