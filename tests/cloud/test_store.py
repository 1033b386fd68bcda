"""The database: migrations, modes, and what the settings say of it."""

import stat
import traceback
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import ValidationError
from sqlalchemy import func, select, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

from cloud_stub.base.ids import new_id
from cloud_stub.base.tokens import read_or_create_secret
from cloud_stub.cloud import Cloud
from cloud_stub.db.engine import Store
from cloud_stub.db.schema import metadata
from cloud_stub.db.tables import orders, settlements
from cloud_stub.db.writer import Transaction
from cloud_stub.piles import registry
from cloud_stub.settings import Settings
from tests.cloud.fakes import ACTOR, WAIT_S, FakeLink


def test_the_migrations_make_the_tables(settings: Settings):
    store = Store(settings.database)
    with store.reading.connect() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []
    store.close()


def test_migrating_again_changes_nothing(settings: Settings):
    store = Store(settings.database)
    store.migrate()
    store.migrate()
    store.close()


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_sqlite_is_durable_and_does_not_make_readers_wait(settings: Settings):
    store = Store(settings.database)
    with store.reading.connect() as conn:
        assert conn.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert conn.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL
    with store.writing.begin(), store.reading.connect() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM orders").scalar_one() == 0
    store.close()


def test_everything_secret_is_its_owners_alone(tmp_path: Path):
    settings = Settings(data=tmp_path / "new folder" / "data")
    cloud = Cloud(settings, FakeLink())  # type: ignore[arg-type]
    cloud.start()
    cloud.stop()
    private = ["cloud.db", "operator.token", "broker/cloud.password", "broker/passwd"]
    for name in private:
        assert stat.S_IMODE((settings.data / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(settings.data.stat().st_mode) == 0o700


def test_a_secret_is_made_once(tmp_path: Path):
    path = tmp_path / "deep" / "secret"
    made = read_or_create_secret(path)
    assert len(made) >= 43
    assert read_or_create_secret(path) == made
    assert [each.name for each in path.parent.iterdir()] == ["secret"]


def test_ids_sort_by_time_and_differ():
    made = [new_id() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert made == sorted(made)
    assert all(len(each) == 26 for each in made)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RATELOCK_HTTP_PORT", "18080")
    monkeypatch.setenv("DATABASE_URL", "postgresql://host/name")
    assert Settings().http_port == 18080
    assert Settings().database == "postgresql://host/name"
    monkeypatch.setenv("DATABASE_URL", "")
    assert Settings().database.startswith("sqlite:///")


WRONG_SETTINGS = [
    *(("RATELOCK_HTTP_PORT", "eighty"), ("RATELOCK_MQTT_PORT", "0"), ("RATELOCK_ORDER_LIFE_S", "0")),
    *(("RATELOCK_MQTT_HOST", "a..b"), ("RATELOCK_HTTP_HOST", "a" * 64), ("RATELOCK_MQTT_SHARE", "a/b")),
    ("RATELOCK_MQTT_PASSWORD", "\udcff"),  # a byte of the environment that is not UTF-8
    *(("DATABASE_URL", url) for url in ("mysql://x/y", "postgresql://x:port/y", "sqlite://", "cloud.db")),
]


@pytest.mark.parametrize("name, value", WRONG_SETTINGS)
def test_a_wrong_setting_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_the_partial_indices_serve_the_queries_they_are_for(cloud: Cloud):
    """SQLite uses one only where its condition stands in the query as it does in the index."""
    cloud.start()
    held = select(orders.c.connector).where(orders.c.device_id == "PILE-1", orders.c.holds)
    flagged = select(func.count()).select_from(settlements).where(settlements.c.flagged)
    for query, index in ((held, "orders_holding"), (flagged, "settlements_flagged")):
        plan = cloud.reader.exec_driver_sql(
            "EXPLAIN QUERY PLAN "
            + str(query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
        )
        assert index in str(plan.all())
    cloud.stop()


def test_a_failing_statement_tells_no_secret(cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    key = bytes(range(32))
    monkeypatch.setattr("cloud_stub.piles.registry.secrets.token_bytes", lambda _: key)
    monkeypatch.setattr("cloud_stub.piles.registry.find_many", lambda *_: {})
    cloud.start()
    try:

        def unit(tx: Transaction) -> None:
            tx.conn.execute(text("ALTER TABLE piles RENAME TO piles_elsewhere"))
            registry.add(tx, ACTOR, [registry.NewPile("PILE-1", "", 1)], 1_700_000_000)

        with pytest.raises(DBAPIError) as caught:
            cloud.writer.submit(unit).result(WAIT_S)
    finally:
        cloud.stop()
    said = "".join(traceback.format_exception(caught.value))
    assert "INSERT INTO piles" in said
    assert key.hex() not in said
