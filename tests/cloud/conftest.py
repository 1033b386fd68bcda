"""Fixtures of the cloud's tests: a cloud on a database of its own, over a fake link or a real mosquitto.

Every test here that has `settings` runs twice, on SQLite and on PostgreSQL; `-k sqlite` leaves one out.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, text

from cloud_stub.app import create_app
from cloud_stub.cli import main
from cloud_stub.cloud import Cloud
from cloud_stub.db.engine import Store
from cloud_stub.db.tables import metadata
from cloud_stub.settings import Settings
from tests.cloud import plans, releases
from tests.cloud.described import described
from tests.cloud.fakes import FLAT_RATE, WAIT_S, FakeLink, FakePile, new_key, open_sealed
from tests.servers import postgres_or_skip, serving
from tools.harness.postgres import Postgres

OPERATOR = "operator-token-of-the-tests"
AS_OPERATOR = {"Authorization": "Bearer " + OPERATOR}
FAST_POWER_W = 2_000_000  # a pile of these tests delivers in half a minute what takes others hours
DATABASES = ("sqlite", "postgresql")
# What these hold hardly depends on the database: on PostgreSQL they belong to `make test-long`.
_LONG = (
    "adapters audit books bounds broker_asks calendars cli component_rules components credits deadlines docs"
    " estimates export free_orders free_vend holds home_assistant import labels lost_orders mail metrics"
    " ocpi ocpp ocpp_faults ocpp_queue openapi operator order_words pages payment_kills payments_report"
    " people pile_care reconciliation rejects removal reports reviews rollout_requests rollout_silence"
    " rollouts service settlement_places settlement_rules sites stripe tariff_bodies tariff_commands tariffs"
    " two_editors webhooks"
)
LONG_ON_POSTGRESQL = {f"test_{name}" for name in _LONG.split(" ")}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of one kind of database says so: parametrize("settings", ["sqlite"], indirect=True)."""
    said = any("settings" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if "settings" in metafunc.fixturenames and not said:
        is_long = metafunc.definition.path.stem in LONG_ON_POSTGRESQL
        marks = [pytest.mark.long] if is_long else []
        databases = ["sqlite", pytest.param("postgresql", marks=marks)]
        metafunc.parametrize("settings", databases, ids=DATABASES, indirect=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Store]:
    """A PostgreSQL of this run's own, with one database that has all tables."""
    with postgres_or_skip(Postgres) as server:
        store = Store(server.url(server.new_database()))
        store.migrate()
        yield store
        store.close()


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """On an empty database. Duties never run by themselves: tests run them as of a time of their choice."""
    data = tmp_path / "a data folder"
    data.mkdir()
    if getattr(request, "param", "sqlite") == "postgresql":
        url = emptied(request.getfixturevalue("postgres"))
    else:
        shutil.copy(request.getfixturevalue("migrated"), data / "cloud.db")
        url = None
    return Settings(
        data=data,
        operator_token=OPERATOR,
        duty_period_s=60,
        write_s=WAIT_S,  # a busy machine is no database that does not answer
        database_url=url,
        connector_power_w=FAST_POWER_W,
        raise_unknown_events=True,
    )


def emptied(store: Store) -> str:
    """The address of the database, all of whose tables are empty."""
    with store.writing.begin() as conn:
        for table in reversed(metadata.sorted_tables):
            conn.execute(delete(table))
            for column in table.primary_key:
                if column.name == "id":
                    conn.execute(text(f"ALTER SEQUENCE {table.name}_id_seq RESTART"))
    return store.writing.url.render_as_string(hide_password=False)


def until_it_waits(cloud: Cloud, asked: Future[Any]) -> None:
    """Returns once a connection to the cloud's PostgreSQL waits for another's lock, as `asked` is to do."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND backend_type = 'client backend' AND wait_event_type = 'Lock'"
    )
    found = 0
    while not found:
        assert not asked.done()
        with cloud.store.reading.connect() as conn:  # within one transaction it would stay as it is
            found = conn.execute(waiting).scalar_one()


@pytest.fixture(scope="session")
def stripe_url() -> Iterator[str]:
    from tests.cloud import stripe_mock  # what it needs takes time to load

    with stripe_mock.serving() as url:
        yield url


@pytest.fixture
def stripe(stripe_url: str) -> Iterator[Any]:
    """A stateful mock of Stripe (stripe_mock.Stripe), with nothing in it."""
    from tests.cloud import stripe_mock

    with stripe_mock.emptied(stripe_url) as found:
        yield found


@pytest.fixture
def link() -> FakeLink:
    return FakeLink()


@pytest.fixture
def cloud(settings: Settings, link: FakeLink, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Fails a test in which an order met an event that its state does not know, unless the test allows it, or
    a statement scans a growing table.
    """
    cloud = Cloud(settings, link)  # type: ignore[arg-type]
    with plans.held(cloud, monkeypatch):
        yield cloud
    if settings.raise_unknown_events:
        assert unknown_events(cloud) == 0


def unknown_events(cloud: Cloud) -> int:
    """How many events the states of their orders did not know."""
    samples = [sample for each in cloud.metrics.unknown_events.collect() for sample in each.samples]
    return int(sum(sample.value for sample in samples if sample.name.endswith("_total")))


@pytest.fixture
def client(cloud: Cloud) -> Iterator[TestClient]:
    """HTTP to the cloud, which runs while the test does; its answers must be as the API describes them."""
    app = create_app(cloud)
    with TestClient(app) as running:
        running.event_hooks["response"].append(described(app))
        yield running


@pytest.fixture
def operator(client: TestClient) -> Callable[..., Any]:
    """`operator(method, path, json)`: a call with the operator token; returns the response."""

    def call(method: str, path: str, json: Any = None) -> Any:
        return client.request(method, path, json=json, headers=AS_OPERATOR)

    return call


@pytest.fixture
def add_pile(operator: Callable[..., Any], link: FakeLink) -> Callable[..., FakePile]:
    """Registers a pile with two connectors and the flat rate, and lets it come online."""

    def add(device_id: str = "PILE-1", rate: Any = FLAT_RATE, online: bool = True) -> FakePile:
        made = operator("POST", "/api/piles", {"device_id": device_id, "connectors": 2})
        assert made.status_code == 201, made.text
        key = bytes.fromhex(made.json()["key"])
        pile = FakePile(device_id, key, lambda name, data: link.deliver(f"pile/v1/{device_id}/{name}", data))
        if rate:
            assert operator("PUT", f"/api/piles/{device_id}/rate", rate).status_code == 201
        if online:
            pile.online()
        return pile

    return add


@pytest.fixture
def pile(add_pile: Callable[..., FakePile]) -> FakePile:
    return add_pile()


class Phone:
    """What a phone does, over HTTP; remembers its order and token."""

    def __init__(self, client: TestClient, link: FakeLink):
        self.client = client
        self.link = link
        self.order_id = ""
        self.token = ""

    def body(self, device_id: str = "PILE-1", connector: int = 1, **limits: int) -> dict[str, Any]:
        rate_id = self.client.get(f"/api/piles/{device_id}").json()["rate_id"]
        return {"device_id": device_id, "connector": connector, "rate_id": rate_id, "limits": limits}

    def order(self, device_id: str = "PILE-1", connector: int = 1, **limits: int) -> dict[str, Any]:
        """Confirm; returns the order as HTTP shows it."""
        made = self.client.post(
            "/api/orders", json=self.body(device_id, connector, **limits), headers=new_key()
        )
        assert made.status_code == 201, made.text
        self.order_id, self.token = made.json()["order_id"], made.json()["token"]
        return made.json()

    def message(self, pile: FakePile) -> dict[str, Any]:
        """The newest order that went out to the pile."""
        return open_sealed("order", self.link.sent(pile.device_id, "order")[-1], pile.key)

    def get(self) -> dict[str, Any]:
        found = self._ask("GET", "")
        assert found.status_code == 200, found.text
        return found.json()

    def stop(self) -> Any:
        return self._ask("POST", "/stop")

    def pay(self, amount_minor: int) -> Any:
        return self._ask("POST", "/payment", {"amount_minor": amount_minor, "method": "test"})

    def _ask(self, method: str, path: str, json: Any = None) -> Any:
        headers = {"Authorization": "Bearer " + self.token}
        return self.client.request(method, f"/api/orders/{self.order_id}{path}", json=json, headers=headers)


def settled(phone: Phone, pile: FakePile, mwh: int, **lies: Any) -> None:
    """A whole order, from its confirmation to its settlement."""
    phone.order()
    pile.order_status(phone.order_id, "Accepted")
    pile.settle(phone.message(pile), mwh, **lies)


@pytest.fixture
def phone(client: TestClient, link: FakeLink) -> Phone:
    return Phone(client, link)


@pytest.fixture
def as_operator() -> dict[str, str]:
    return AS_OPERATOR


@pytest.fixture
def served(cloud: Cloud) -> Iterator[str]:
    """The address of a real HTTP server, for what streams."""
    with serving(cloud) as base_url:
        yield base_url


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """`run(*arguments)`: what the command prints, in this process: the values of its JSON lines, or with
    `text=True` the lines; of one that fails its one sentence.
    """
    monkeypatch.setenv("RATELOCK_DATA", str(settings.data))
    monkeypatch.setenv("DATABASE_URL", settings.database)

    def call(*arguments: str, text: bool = False) -> Any:
        capsys.readouterr()  # what a running cloud has logged
        code = main(list(arguments))
        printed = capsys.readouterr()
        if code:
            assert len(printed.err.strip().splitlines()) == 1 and "Traceback" not in printed.err
            return printed.err
        lines = printed.out.splitlines()
        return lines if text else [json.loads(line) for line in lines]

    return call


@pytest.fixture
def rollouts(
    client: TestClient,
    operator: Callable[..., Any],
    cloud: Cloud,
    add_pile: Callable[..., FakePile],
    link: FakeLink,
) -> releases.Rollouts:
    """With release 12 for the board sim; as many piles at once as like."""
    cloud.settings.updates_at_once = 100
    made_it = client.post("/api/releases", content=releases.archive(12), headers=AS_OPERATOR)
    assert made_it.status_code == 201, made_it.text
    return releases.Rollouts(operator, cloud, add_pile, link)
