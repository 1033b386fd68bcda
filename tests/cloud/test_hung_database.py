"""A PostgreSQL that takes connections and answers nothing: every answer comes all the same, and says so."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from cloud_stub.settings import Settings
from tests.cloud.conftest import AS_OPERATOR, OPERATOR
from tests.servers import postgres_or_skip
from tools.harness.postgres import Postgres

BOUND_S = 60  # only where something is wrong
MANY = 30  # more than there are threads

pytestmark = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)


@pytest.fixture
def server() -> Iterator[Postgres]:
    with postgres_or_skip(Postgres) as made:
        yield made


@pytest.fixture
def settings(request: pytest.FixtureRequest, server: Postgres, tmp_path: Path) -> Settings:
    url = server.url(server.new_database())
    return Settings(data=tmp_path, operator_token=OPERATOR, duty_period_s=60, database_url=url)


@pytest.mark.long
def test_a_worker_whose_database_hangs_lives_and_is_not_ready(server: Postgres, served: str):
    with httpx2.Client(base_url=served, timeout=BOUND_S, headers=AS_OPERATOR) as client:

        def get(path: str) -> int:
            return client.get(path).status_code

        assert client.post("/api/piles", json={"device_id": "PILE-1", "connectors": 1}).status_code == 201
        assert (get("/api/piles/PILE-1"), get("/p/PILE-1"), get("/readyz")) == (200, 200, 200)
        paths = ["/api/piles/PILE-1", "/api/orders/none", "/p/PILE-2", "/api/piles"] * (MANY // 4)
        server.freeze()
        try:
            with ThreadPoolExecutor(MANY) as pool:
                asked = [pool.submit(get, path) for path in paths]
                ready = pool.submit(get, "/readyz")
                answers = 0
                while not all(each.done() for each in [*asked, ready]):
                    assert get("/healthz") == 200
                    answers += 1
                assert {each.result() for each in asked} == {503}
                assert ready.result() == 503
                assert answers > 0
            assert "ratelock_database_up 0.0" in client.get("/metrics").text
        finally:
            server.thaw()
        for _ in range(100):
            if get("/api/piles/PILE-1") == 200:
                break
        assert (get("/api/piles/PILE-1"), get("/readyz")) == (200, 200)
