"""The database behind the cloud: engines, migrations, and what the two kinds of it do differently."""

import os
import sqlite3
from pathlib import Path
from typing import Any

import orjson
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

_MIGRATIONS = Path(__file__).resolve().parent / "migrations"
_MIGRATION_LOCK = 0x726174654C6F636B  # any constant that all workers share
_DUTIES_LOCK = _MIGRATION_LOCK + 1
_TRY_DUTIES = text("SELECT pg_try_advisory_xact_lock(:lock)")
_DEADLOCK = "40P01"  # PostgreSQL, appendix A
_BUSY_TIMEOUT_MS = 10_000


class Store:
    """One database. `writing` is for the writer's thread; `reading` reads without transactions.

    Raises sqlalchemy.exc.SQLAlchemyError where the database cannot be reached.
    """

    def __init__(self, url: str):
        parsed = make_url(url)
        if parsed.drivername in ("postgres", "postgresql"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        # A failing statement is logged: without its parameters, which may be device keys and order tokens.
        self.writing = create_engine(parsed, hide_parameters=True)
        self.reading = create_engine(parsed, hide_parameters=True, isolation_level="AUTOCOMMIT")
        if self.is_sqlite:
            if parsed.database:
                _create_private(parsed.database)
            for engine in (self.writing, self.reading):
                event.listen(engine, "connect", _set_up_sqlite)
            event.listen(self.writing, "begin", _begin_immediately)

    def migrate(self) -> None:
        """Bring the tables up to date; of several workers that start together, one does it."""
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        with self.writing.begin() as conn:
            if not self.is_sqlite:
                conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
            config.attributes["connection"] = conn
            command.upgrade(config, "head")

    def close(self) -> None:
        self.writing.dispose()
        self.reading.dispose()


def _create_private(path: str) -> None:
    """Device keys are in it: only its owner may read the file (and the WAL, which takes the file's mode)."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The driver would begin a transaction at the first write only, too late to hold what was read before it.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute("PRAGMA " + pragma)


def _begin_immediately(conn: Connection) -> None:
    conn.exec_driver_sql("BEGIN IMMEDIATE")


def only_one(conn: Connection) -> bool:
    """Whether this transaction may do what one worker at a time does; it may until it ends. Never waits."""
    if conn.dialect.name == "sqlite":
        return True  # one writer at a time as it is
    return bool(conn.execute(_TRY_DUTIES, {"lock": _DUTIES_LOCK}).scalar_one())


def is_deadlock(error: DBAPIError) -> bool:
    """Whether two transactions waited for each other, and this one was ended: done again, it succeeds."""
    return getattr(error.orig, "sqlstate", None) == _DEADLOCK


def insert_or_ignore(engine_or_conn: Engine | Connection, table: Table) -> Any:
    """An insert that does nothing where a unique constraint holds against it."""
    if engine_or_conn.dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


def to_json(value: Any) -> str:
    return orjson.dumps(value).decode()
