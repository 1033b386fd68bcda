"""A broker that asks over HTTP lets in who is in the device table, to their own topics."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloud_stub.http.broker_hook import access_list
from cloud_stub.messaging.mqtt import Link
from cloud_stub.settings import Settings
from pile_protocol import seal, topics
from tests.cloud.fakes import FakePile

TOKEN = "the-brokers-own-token"


@pytest.fixture
def ask(client: TestClient, settings: Settings) -> Any:
    settings.broker_token = TOKEN

    def call(username: Any, password: Any, token: str = TOKEN, clientid: Any = None) -> Any:
        said = {"username": username, "password": password, "clientid": clientid}
        return client.post("/broker/auth", json=said, headers={"Authorization": "Bearer " + token})

    return call


def test_a_pile_gets_in_with_the_password_of_its_key(ask: Any, pile: FakePile):
    answer = ask("PILE-1", seal.mqtt_password(pile.key)).json()
    assert (answer["result"], answer["is_superuser"]) == ("allow", False)
    assert answer["acl"][-1] == {"permission": "deny", "action": "all", "topic": "#"}


def test_a_pile_gets_in_under_its_own_client_id_alone(ask: Any, pile: FakePile, settings: Settings):
    """A broker ends the older of two connections of one client id, whoever makes the new one."""
    password = seal.mqtt_password(pile.key)
    for own in (seal.mqtt_client_id("PILE-1", pile.key), "PILE-1", None):
        assert ask("PILE-1", password, clientid=own).json()["result"] == "allow", own
    for others in ("cloud", Link("", 1, "cloud", settings.read_mqtt_password(), "cloud").client_id, "PILE-2"):
        assert ask("PILE-1", password, clientid=others).json() == {"result": "deny"}, others


def test_a_pile_added_a_moment_ago_gets_in(ask: Any, add_pile: Any):
    pile = add_pile("PILE-2", rate=None, online=False)
    assert ask("PILE-2", seal.mqtt_password(pile.key)).json()["result"] == "allow"


def test_the_cloud_gets_in_with_its_own(ask: Any, settings: Settings):
    assert ask("cloud", settings.read_mqtt_password()).json()["result"] == "allow"


@pytest.mark.parametrize(
    "username, password",
    [
        ("PILE-1", "wrong"),
        ("PILE-9", "x"),
        ("cloud", "x"),
        ("", ""),
        (None, None),
        ("PILE-1", None),
        ("a\0", "x"),
    ],
)
def test_nobody_else_does(ask: Any, pile: FakePile, username: Any, password: Any):
    answer = ask(username, password)
    assert (answer.status_code, answer.json()) == (200, {"result": "deny"})


def test_a_piles_password_opens_no_other_piles_door(ask: Any, pile: FakePile, add_pile: Any):
    add_pile("PILE-2", rate=None, online=False)
    assert ask("PILE-2", seal.mqtt_password(pile.key)).json() == {"result": "deny"}


def test_only_the_broker_is_answered(ask: Any, client: TestClient, settings: Settings, pile: FakePile):
    password = seal.mqtt_password(pile.key)
    assert ask("PILE-1", password, token="wrong").status_code == 401
    assert client.post("/broker/auth", json={"username": "PILE-1", "password": password}).status_code == 401
    settings.broker_token = None
    assert ask("PILE-1", password).status_code == 404


def test_each_topic_is_open_in_its_one_direction():
    rules = access_list("PILE-1")
    allowed = {(rule["action"], rule["topic"]) for rule in rules if rule["permission"] == "allow"}
    assert allowed == {("subscribe", f"eq pile/v1/PILE-1/{name}") for name in topics.DOWNWARD} | {
        ("publish", f"eq pile/v1/PILE-1/{name}") for name in topics.UPWARD
    }
