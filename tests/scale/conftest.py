"""A PostgreSQL for the tests of several workers."""

from collections.abc import Iterator

import pytest

from tools.postgres import NoPostgres, Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    try:
        server = Postgres()
    except NoPostgres as error:
        pytest.skip(str(error))
    with server:
        yield server
