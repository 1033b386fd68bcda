"""A PostgreSQL for the tests of several workers."""

from collections.abc import Iterator

import pytest

from tests.servers import postgres_or_skip
from tools.harness.postgres import Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with postgres_or_skip(Postgres) as server:
        yield server
