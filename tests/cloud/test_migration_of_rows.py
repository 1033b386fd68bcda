"""A database with rows, from the version before to this one: a cloud shows and goes on with what is in it."""

from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.schema import MetaData

from cloud_stub.app import create_app
from cloud_stub.cloud import Cloud
from cloud_stub.db.engine import Store
from cloud_stub.settings import Settings
from tests.cloud.conftest import AS_OPERATOR
from tests.cloud.fakes import FakeLink
from tests.cloud.migrating import migrate
from tests.cloud.test_migrations import load

BEFORE = "0009"
WRITTEN = (
    "INSERT INTO audit (at, actor_kind, actor, action, device_id, detail)"
    " VALUES (5, 'script', 'operator token', 'PileAdded', 'PILE-1', '')",
    "INSERT INTO events (at, kind, device_id, detail) VALUES (6, 'PileOnline', 'PILE-1', '')",
    "INSERT INTO outbox (device_id, name, payload, created_at) VALUES ('PILE-1', 'command', '{}', 7)",
)
# Which columns of a row this version may move elsewhere; test_migration_to_tariffs.py has where to.
MOVED = {"piles": {"rate_id", "tariff_id"}, "rates": {"device_id", "tariff_id", "from_at", "withdrawn_at"}}


def rows(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Of every table that has some, without the columns of MOVED."""
    tables = MetaData()
    tables.reflect(store.writing)
    found = {}
    with store.reading.connect() as conn:
        for name, table in tables.tables.items():
            kept = [column for column in table.c if column.name not in MOVED.get(name, ())]
            of_table = [dict(row) for row in conn.execute(table.select().with_only_columns(*kept)).mappings()]
            found[name] = sorted(of_table, key=str)
    return {name: some for name, some in found.items() if some and name != "alembic_version"}


def test_nothing_is_lost_on_the_way_to_this_version_and_back(settings: Settings):
    store = Store(settings.database)
    order_ids = load(store, "0005")
    migrate(store, BEFORE)
    with store.writing.begin() as conn:
        for statement in WRITTEN:
            conn.execute(text(statement))
    before = rows(store)
    assert {"piles", "rates", "orders", "settlements", "payments", "audit", "events", "outbox"} <= set(before)
    store.migrate()
    after = rows(store)
    for name, some in before.items():
        known = [{column: row[column] for column in some[0]} for row in after[name]]
        assert sorted(known, key=str) == some, name

    with TestClient(create_app(Cloud(settings, FakeLink()))) as client:  # type: ignore[arg-type]

        def get(path: str) -> Any:
            answer = client.get(path, headers=AS_OPERATOR)
            assert answer.status_code == 200, (path, answer.text)
            return answer.json()

        assert [each["device_id"] for each in get("/api/piles")["items"]] == ["PILE-1", "PILE-2"]
        assert get("/api/piles/PILE-1/rate")["rate_id"]
        for order_id in order_ids.values():
            assert get(f"/api/orders/{order_id}")["order_id"] == order_id
        assert [each["action"] for each in get("/api/audit")["items"]] == ["PileAdded"]
        credit = {"amount_minor": 1, "reason": "goodwill"}
        headers = AS_OPERATOR | {"Idempotency-Key": "0123456789abcdef"}
        path = f"/api/orders/{order_ids['settled']}/credits"
        made = client.post(path, json=credit, headers=headers)
        assert made.status_code == 201, made.text

    # The version before reads the rest as it was: what this one wrote beside it, it has no tables for.
    migrate(store, BEFORE, down=True)
    back = rows(store)
    store.migrate()  # as other tests expect their PostgreSQL
    store.close()
    for name in ("rates", "settlements", "payments"):
        assert back[name] == before[name], name
    assert bills(back) == bills(before)


def bills(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """What the cloud that ran meanwhile must not have changed in an order."""
    names = ("rate_id", "rate_json", "limits_json", "token", "total_minor", "settled_at", "paid_at")
    return {row["order_id"]: [row[name] for name in names] for row in found["orders"]}
