"""The cloud's database: engines, migrations, and the differences between SQLite and PostgreSQL."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import psycopg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.util import CommandError
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError

_MIGRATIONS = Path(__file__).resolve().parent / "migrations"
_MIGRATION_LOCK = 0x726174654C6F636B  # any constant that all workers share
_JOBS_LOCK = _MIGRATION_LOCK + 1
_TRY_LOCK_JOBS = text("SELECT pg_try_advisory_xact_lock(:lock)")
_DEADLOCK = "40P01"  # PostgreSQL, appendix A
_LOCK_NOT_AVAILABLE = "55P03"
_DISK_FAILURES = ("53100", "58030")  # disk_full, io_error
_DISK_FAILURES_OF_SQLITE = ("database or disk is full", "disk I/O error")
_BUSY_TIMEOUT_MS = 10_000
# How long the writer's thread waits for a lock of another process. Then it skips the units that are late, and
# tries again.
_LOCK_WAIT_MS = 250

# How long a PostgreSQL that neither answers nor goes away is waited for: by quick reads, by long ones, by a
# statement of the writer's. A commit has no such limit: it may have to wait for a replica's disk, and if it
# were given up, its outcome would be unknown.
QUICK_S = 3
READING_S = 60
STATEMENT_S = 5
# Connections to a machine that does not answer end after some 20 s, those of the writer too.
_POSTGRESQL = {
    "connect_timeout": QUICK_S,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,  # ms
}


class Store:
    """One database. `grouping` is for the writer's thread, which never waits for long; `writing` is for
    others that write, such as the command line; `migrating` for migrations, which may make a table anew that
    others refer to; `reading` reads without transactions.

    `quick` reads too; it gives up after QUICK_S, `reading` after READING_S, both with an OperationalError.
    Raises sqlalchemy.exc.SQLAlchemyError where the database cannot be reached.
    """

    def __init__(self, url: str):
        parsed = make_url(url)
        if parsed.drivername in ("postgres", "postgresql"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        connect_args = {} if self.is_sqlite else _POSTGRESQL

        def new(**options: Any) -> Engine:
            # A failing statement is logged, without its parameters: they may be device keys or order tokens.
            return create_engine(parsed, hide_parameters=True, connect_args=connect_args, **options)

        self.writing = self.migrating = new()
        self.grouping = new()
        self.reading = self.quick = new(isolation_level="AUTOCOMMIT")
        if not self.is_sqlite:
            # As many as there are threads that read.
            self.quick = new(isolation_level="AUTOCOMMIT", pool_size=0, max_overflow=-1)
            event.listen(self.reading, "do_connect", _bounded(READING_S))
            event.listen(self.quick, "do_connect", _bounded(QUICK_S))
            event.listen(self.grouping, "do_connect", _bounded(STATEMENT_S))
            event.listen(self.grouping, "connect", _set_lock_timeout)
        else:
            if parsed.database:
                _create_private(parsed.database)
            for engine in (self.writing, self.reading):
                event.listen(engine, "connect", _set_up_sqlite(_BUSY_TIMEOUT_MS))
            event.listen(self.grouping, "connect", _set_up_sqlite(_LOCK_WAIT_MS))
            self.migrating = new()
            event.listen(self.migrating, "connect", _set_up_sqlite(_BUSY_TIMEOUT_MS, foreign_keys="OFF"))
            for engine in (self.writing, self.grouping, self.migrating):
                event.listen(engine, "begin", _begin_immediately)

    def migrate(self) -> None:
        """Bring the tables up to date; of several workers that start together, one does it.

        Raises alembic.util.CommandError where they are those of a newer version than this, or where rows
        would refer to others that are missing.
        """
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        with self.migrating.begin() as conn:
            if not self.is_sqlite:
                conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
            config.attributes["connection"] = conn
            before = MigrationContext.configure(conn).get_current_revision()
            command.upgrade(config, "head")
            if self.is_sqlite and before != MigrationContext.configure(conn).get_current_revision():
                _check_references(conn)

    def close(self) -> None:
        self.writing.dispose()
        self.migrating.dispose()
        self.grouping.dispose()
        self.reading.dispose()
        self.quick.dispose()


def _check_references(conn: Connection) -> None:
    """Raises CommandError where a row refers to one that is missing: SQLite did not look at it meanwhile."""
    broken = conn.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise CommandError(f"a row of {broken[0]} refers to a row of {broken[2]} that is missing")


class _Bounded(psycopg.Connection[Any]):
    """Bounds how long this engine waits for its server: `limit_s` at most, except in a commit."""

    limit_s: float
    _is_committing = False

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Raises psycopg.OperationalError after `limit_s`; the connection is of no use then, and closed."""
        if timeout is None and not self._is_committing:
            timeout = self.limit_s
        try:
            return super().wait(gen, interval, timeout)
        except psycopg.OperationalError:
            if self.info.transaction_status == TransactionStatus.ACTIVE:
                self.close()
            raise

    def commit(self) -> None:
        self._is_committing = True
        try:
            super().commit()
        finally:
            self._is_committing = False


def _bounded(limit_s: float) -> Callable[..., _Bounded]:
    """How an engine connects."""
    kind = type("_Bounded", (_Bounded,), {"limit_s": limit_s})

    def connect(_dialect: object, _record: object, args: list[Any], options: dict[str, Any]) -> _Bounded:
        return kind.connect(*args, **options)

    return connect


def _create_private(path: str) -> None:
    """The file holds device keys, so only its owner may read it (and the WAL, which gets its mode)."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _set_up_sqlite(
    busy_timeout_ms: int, foreign_keys: str = "ON"
) -> Callable[[sqlite3.Connection, object], None]:
    def set_up(connection: sqlite3.Connection, _record: object) -> None:
        # The driver would begin a transaction only at the first write, so rows read before it would not be
        # locked.
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout={busy_timeout_ms}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=" + foreign_keys,
        ):
            connection.execute("PRAGMA " + pragma)

    return set_up


def _set_lock_timeout(connection: Any, _record: object) -> None:
    connection.execute(f"SET lock_timeout = {_LOCK_WAIT_MS}")
    connection.commit()


def _begin_immediately(conn: Connection) -> None:
    # Not through SQLAlchemy, which adds 40 us to each transaction.
    try:
        conn.connection.cursor().execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        raise OperationalError("BEGIN IMMEDIATE", None, error) from error


def try_lock_jobs(conn: Connection) -> bool:
    """Whether this transaction has the lock for the periodic jobs, until it ends. Never waits."""
    if conn.dialect.name == "sqlite":
        return True  # SQLite has one writer at a time
    return bool(conn.execute(_TRY_LOCK_JOBS, {"lock": _JOBS_LOCK}).scalar_one())


def is_deadlock(error: DBAPIError) -> bool:
    """Whether the database ended this transaction because of a deadlock; it can be tried again."""
    return getattr(error.orig, "sqlstate", None) == _DEADLOCK


def is_database_locked(error: Exception) -> bool:
    """Whether another process writes to SQLite, so that this transaction could not begin."""
    return isinstance(error, OperationalError) and "database is locked" in str(error.orig)


def is_row_locked(error: Exception) -> bool:
    """Whether another PostgreSQL session has held for long what this transaction needs."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE


def is_disk_failure(error: Exception) -> bool:
    """Whether the database could not write because its disk is full or broken."""
    return isinstance(error, DBAPIError) and (
        str(error.orig) in _DISK_FAILURES_OF_SQLITE or getattr(error.orig, "sqlstate", None) in _DISK_FAILURES
    )


def insert_or_ignore(engine_or_conn: Engine | Connection, table: Table) -> Any:
    """An insert that does nothing if it would break a unique constraint."""
    if engine_or_conn.dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


def upsert(conn: Connection, table: Table) -> Any:
    """An insert that replaces the row with the same primary key, if there is one."""
    statement = sqlite.insert(table) if conn.dialect.name == "sqlite" else postgresql.insert(table)
    keys = [column.name for column in table.primary_key]
    others = {column.name: statement.excluded[column.name] for column in table.c if column.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=others)


def to_json(value: Any) -> str:
    return orjson.dumps(value).decode()
