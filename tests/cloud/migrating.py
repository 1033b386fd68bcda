"""Databases at a revision of the migrations' choice, for tests of one of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config

from cloud_stub.db.engine import _MIGRATIONS, Store
from tests.servers import postgres_or_skip
from tools.harness.postgres import Postgres


@contextmanager
def empty_store(kind: str, folder: Path) -> Iterator[Store]:
    """A database without tables. kind: `sqlite` or `postgresql`."""
    if kind == "sqlite":
        made = Store(f"sqlite:///{folder / 'cloud.db'}")
        yield made
        made.close()
        return
    with postgres_or_skip(Postgres) as server:
        made = Store(server.url(server.new_database()))
        yield made
        made.close()


def migrate(store: Store, to: str, down: bool = False) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with store.migrating.begin() as conn:
        config.attributes["connection"] = conn
        (command.downgrade if down else command.upgrade)(config, to)
