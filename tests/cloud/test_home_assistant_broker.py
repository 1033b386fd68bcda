"""The bridge to Home Assistant over a real mosquitto of the user's, with its faults and its enemies."""

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from cloud_stub.bridges.home_assistant import bridge as bridges
from cloud_stub.bridges.home_assistant.bridge import Bridge
from cloud_stub.bridges.home_assistant.entities import Topics
from cloud_stub.cloud import Cloud
from cloud_stub.db import audit
from cloud_stub.messaging import client as clients
from cloud_stub.messaging.client import Client
from tests.cloud.conftest import Phone
from tests.cloud.fakes import WAIT_S, FakePile
from tests.cloud.users_broker import PASSWORD, USER, Home, UsersBroker
from tools.harness import certs
from tools.harness.processes import Children
from tools.harness.proxy import Proxy
from tools.harness.system import neutral_environment

pytestmark = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)

CONFIG = "homeassistant/device/ratelock_PILE-1/config"
PILE, FIRST = "ratelock/PILE-1/state", "ratelock/PILE-1/1/state"
COMMAND = "ratelock/PILE-1/1/out_of_service/set"
ALL = {"ratelock/bridge", CONFIG, PILE, FIRST, "ratelock/PILE-1/2/state"}


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridges, "SETTLE_S", 0.1)
    monkeypatch.setattr(clients, "RECONNECT_MIN_S", 0.05)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[UsersBroker]:
    made = UsersBroker(tmp_path / "users broker")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def home(broker: UsersBroker) -> Iterator[Home]:
    with Home(broker.port) as watching:
        yield watching


@contextmanager
def bridging(cloud: Cloud, port: int, password: str = PASSWORD, with_switch: bool = True) -> Iterator[Bridge]:
    def connect(will: tuple[str, bytes]) -> Client:
        return Client("127.0.0.1", port, USER, password, "bridge", True, None, will)

    made = Bridge(cloud.store, cloud.context, Topics("homeassistant", "ratelock"), connect, 1, with_switch)
    made._interval_s = 0.05  # type: ignore[assignment]
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        yield made
    finally:
        made.stop()
        thread.join(WAIT_S)
    assert not thread.is_alive()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_complete(home: Home) -> None:
    until(lambda: set(home.topics) == ALL and home.topics["ratelock/bridge"] == b"online")


def value(home: Home, topic: str, member: str) -> Any:
    return json.loads(home.topics.get(topic, b"{}")).get(member)


def test_what_a_pile_does_reaches_home_assistant_and_the_bridge_says_goodbye(
    cloud: Cloud, pile: FakePile, phone: Phone, home: Home, broker: UsersBroker, operator: Callable[..., Any]
) -> None:
    with bridging(cloud, broker.port):
        is_complete(home)
        phone.order()
        pile.order_status(phone.order_id, "Accepted")
        pile.order_status(phone.order_id, "Charging")
        pile.meter(phone.order_id, 1_234_567)
        until(lambda: value(home, FIRST, "energy_kwh") == "1.234567")
        pile.settle(phone.message(pile), 2_500_001)
        until(lambda: value(home, FIRST, "session_cost") == "3.50")
        pile.offline()
        until(lambda: value(home, PILE, "online") is False)
        assert operator("PATCH", "/api/piles/PILE-1", {"name": "Gate 7"}).is_success
        until(lambda: value(home, CONFIG, "device")["name"] == "Gate 7")
    until(lambda: home.topics["ratelock/bridge"] == b"offline")


def test_a_bridge_that_starts_again_publishes_only_what_differs(
    cloud: Cloud,
    pile: FakePile,
    add_pile: Callable[..., FakePile],
    home: Home,
    broker: UsersBroker,
    operator: Callable[..., Any],
) -> None:
    add_pile("PILE-2")
    with bridging(cloud, broker.port):
        until(lambda: len(home.topics) == 9)
    assert operator("DELETE", "/api/piles/PILE-2").is_success  # while the bridge is down
    assert operator("PATCH", "/api/piles/PILE-1", {"connectors": 1}).is_success
    with bridging(cloud, broker.port, with_switch=False) as again:
        until(lambda: set(home.topics) == ALL - {"ratelock/PILE-1/2/state"})
        until(lambda: "1_out_of_service" not in value(home, CONFIG, "components"))
        sizes = again.counts
        until(lambda: sizes.rounds > 5)
        # Availability, four topics cleared, one more of the pile, and its configuration twice.
        assert again.counts.published == 8
    seen = [json.loads(payload) for topic, payload in home.drain() if topic == CONFIG and payload]
    assert [each["components"].get("2_status") for each in seen[-2:]] == [{"platform": "sensor"}, None]


def test_what_others_clear_or_change_is_put_back_and_a_birth_brings_everything_anew(
    cloud: Cloud, pile: FakePile, home: Home, broker: UsersBroker
) -> None:
    with bridging(cloud, broker.port) as bridge:
        is_complete(home)
        before = bridge.counts.published
        for topic, payload in ((CONFIG, ""), (FIRST, ""), (PILE, "garbage"), ("ratelock/bridge", "offline")):
            home.publish(topic, payload, retain=True)
        home.publish("ratelock/GHOST/state", "1", retain=True)
        until(lambda: bridge.counts.published >= before + 5)
        is_complete(home)
        until(lambda: value(home, PILE, "online") is True)
        home.drain()
        home.publish("homeassistant/status", "online")
        waited_for = set(ALL)
        home.wait(lambda topic, payload: not (waited_for.discard(topic) or waited_for))


def test_a_broker_that_is_away_at_the_start_and_later_is_waited_for(
    cloud: Cloud, pile: FakePile, tmp_path: Path
) -> None:
    broker = UsersBroker(tmp_path / "users broker")
    with bridging(cloud, broker.port) as bridge:
        until(lambda: bridge._client.connections == 0 and bridge.counts.rounds == 0)
        for _ in range(2):  # the second one has lost what the first retained
            broker.start()
            with Home(broker.port) as home:
                is_complete(home)
            broker.stop()
    assert bridge.counts.database_errors == 0


def test_a_wrong_password_is_refused_and_the_bridge_can_be_ended(
    cloud: Cloud, pile: FakePile, home: Home, broker: UsersBroker
) -> None:
    with bridging(cloud, broker.port, password="wrong"):
        refused = broker.folder / "log"
        until(lambda: refused.read_text().count("not authorised") >= 2)
    assert not home.topics


def test_a_broker_that_does_not_answer_gets_nothing_more_until_it_does(
    cloud: Cloud, pile: FakePile, phone: Phone, home: Home, broker: UsersBroker
) -> None:
    with Proxy(broker.port) as proxy, bridging(cloud, proxy.port) as bridge:
        is_complete(home)
        proxy.stall("down")
        phone.order()
        pile.order_status(phone.order_id, "Accepted")
        until(lambda: bridge.counts.waited > 3)
        published = bridge.counts.published
        for n in range(1, 20):
            pile.meter(phone.order_id, n * 1_000_000, at=int(time.time()) + n * 10)
        waited = bridge.counts.waited
        until(lambda: bridge.counts.waited > waited + 3)
        assert bridge.counts.published == published
        proxy.mend()
        until(lambda: value(home, FIRST, "energy_kwh") == "19.000000")
        assert bridge.counts.published <= published + 2  # not one for each value


def test_the_switch_takes_out_of_service_and_puts_back_what_it_took_out(
    cloud: Cloud, pile: FakePile, home: Home, broker: UsersBroker, operator: Callable[..., Any]
) -> None:
    with bridging(cloud, broker.port) as bridge:
        is_complete(home)
        home.publish(COMMAND, "ON")
        until(lambda: value(home, FIRST, "out_of_service") is True)
        assert value(home, FIRST, "status") == "Unavailable"
        home.publish(COMMAND, "OFF")
        until(lambda: value(home, FIRST, "out_of_service") is False)
        out = {"connector": 1, "reason": "Damaged"}
        assert operator("PUT", "/api/piles/PILE-1/out-of-service", out).is_success
        until(lambda: value(home, FIRST, "out_of_service") is True)
        home.publish(COMMAND, "OFF")
        assert bridge.switch is not None
        refused = bridge.switch.refused
        until(lambda: refused["TakenOutByOperator"] == 1)
    with cloud.store.reading.connect() as conn:
        rows = audit.list_lines(conn, audit.Wanted({"actor": "home-assistant"}), 10)
    assert [row.action for row in rows] == ["PutBackIntoService", "TakenOutOfService"]


def test_hostile_commands_are_counted_and_change_nothing(
    cloud: Cloud, pile: FakePile, home: Home, broker: UsersBroker, client: TestClient
) -> None:
    home.publish(COMMAND, "ON", retain=True)
    with bridging(cloud, broker.port) as bridge:
        until(lambda: home.topics.get("ratelock/bridge") == b"online")
        for payload in (b"", b"on", b"\xff\x00", b"ON" * 500_000, b'{"state":"ON"}'):
            home.publish(COMMAND, payload)
        home.publish("ratelock/OTHER/1/out_of_service/set", "ON")
        for connector in ("3", "0", "-1", "x", "99", "\u0663"):
            home.publish(f"ratelock/PILE-1/{connector}/out_of_service/set", "ON")
        home.publish(f"ratelock/{'P' * 60_000}/1/out_of_service/set", "ON")
        assert bridge.switch is not None
        refused = bridge.switch.refused
        until(lambda: sum(refused.values()) == 14)
        assert refused == {"Retained": 1, "Malformed": 5, "UnknownPile": 2, "UnknownConnector": 6}
        until(lambda: value(home, FIRST, "out_of_service") is False)


@pytest.mark.long
def test_a_connector_that_is_switched_without_end_is_left_alone(
    cloud: Cloud, pile: FakePile, home: Home, broker: UsersBroker
) -> None:
    with bridging(cloud, broker.port) as bridge:
        is_complete(home)
        for _ in range(200):
            home.publish(COMMAND, "ON")
            home.publish(COMMAND, "OFF")
        assert bridge.switch is not None
        until(lambda: bridge.switch is not None and bridge.switch.refused["TooMany"] > 20)
    with cloud.store.reading.connect() as conn:
        rows = audit.list_lines(conn, audit.Wanted({"actor": "home-assistant"}), 100)
    assert len(rows) <= 8


def test_a_connection_whose_thread_dies_ends_the_bridge(
    cloud: Cloud, pile: FakePile, home: Home, broker: UsersBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(will: tuple[str, bytes]) -> Client:
        made = Client("127.0.0.1", broker.port, USER, PASSWORD, "bridge", True, None, will)
        monkeypatch.setattr(made, "run", lambda: None)
        return made

    made = Bridge(cloud.store, cloud.context, Topics("homeassistant", "ratelock"), connect, 1, False)
    assert made.run() is False


def test_without_the_switch_a_command_is_not_even_heard(
    cloud: Cloud, pile: FakePile, home: Home, broker: UsersBroker
) -> None:
    with bridging(cloud, broker.port, with_switch=False) as bridge:
        is_complete(home)
        home.publish(COMMAND, "ON")
        rounds = bridge.counts.rounds
        until(lambda: bridge.counts.rounds > rounds + 2)
        assert value(home, FIRST, "out_of_service") is False


def test_a_database_that_fails_makes_every_entity_unavailable(
    cloud: Cloud, pile: FakePile, home: Home, broker: UsersBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bridging(cloud, broker.port) as bridge:
        is_complete(home)

        def fail(*_: Any) -> None:
            raise OperationalError("SELECT", None, Exception("the database is away"))

        with monkeypatch.context() as patch:
            patch.setattr(bridges.facts, "read", fail)
            until(lambda: home.topics["ratelock/bridge"] == b"offline")
            assert set(home.topics) == ALL
        is_complete(home)
        assert bridge.counts.database_errors > 0


def test_the_process_over_tls_leaves_offline_behind_when_it_is_killed_and_when_it_is_told_to_end(
    cloud: Cloud, pile: FakePile, tmp_path: Path
) -> None:
    certs.ensure(tmp_path / "certs")
    ca = tmp_path / "certs" / "ca.pem"
    broker = UsersBroker(tmp_path / "users", (tmp_path / "certs/server.pem", tmp_path / "certs/server.key"))
    broker.start()
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    command = [sys.executable, "-m", "cloud_stub", "home-assistant", "--ca", str(ca)]
    command += ["--broker", f"mqtts://{USER}@127.0.0.1:{broker.port}", "--password-file", str(password)]
    env = neutral_environment() | {
        "RATELOCK_DATA": str(cloud.settings.data),
        "DATABASE_URL": cloud.settings.database,
    }
    children = Children()
    with Home(broker.port, ca) as home:
        for end in (signal.SIGKILL, signal.SIGTERM):
            child = children.start("bridge", [*command, "--interval", "1"], env=env)
            is_complete(home)
            child.signal(end)
            until(lambda: home.topics["ratelock/bridge"] == b"offline")
            child.wait(WAIT_S)
    children.stop()
    broker.stop()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--broker", "http://a"), "--broker"),
        (("--broker", "mqtt://u:secret@a"), "must have no password"),
        (("--broker", "mqtt://a:port"), "--broker"),
        (("--broker", "mqtt://u@a"), "RATELOCK_HOME_ASSISTANT_PASSWORD"),
        (("--broker", "mqtt://a", "--ca", "x.pem"), "mqtts://"),
        (("--broker", "mqtts://a", "--ca", "x.pem"), "No such file"),
        (("--broker", "mqtt://a", "--prefix", "a/#"), "--prefix"),
        (("--broker", "mqtt://a", "--topic", "a/b"), "--topic"),
        (("--broker", "mqtt://a", "--interval", "0"), "--interval"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(run: Any, arguments: Any, reason: str) -> None:
    assert reason in run("home-assistant", *arguments)
