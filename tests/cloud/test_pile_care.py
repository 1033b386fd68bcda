"""A registered pile changes: name, connectors, key, board; and two boards with one id are told apart."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from cloud_stub.cloud import Cloud
from cloud_stub.piles import broker_passwords, keys, rekey
from cloud_stub.piles.credentials import admit
from cloud_stub.settings import Settings
from cloud_stub.settlements import ledger
from pile_protocol import seal
from tests.cloud.conftest import Phone, settled
from tests.cloud.fakes import FakeLink, FakePile
from tests.cloud.test_operator import problem
from tests.cloud.test_service import lines
from tools import verify_ledger

PILE = "/api/piles/PILE-1"


def report(operator: Any) -> dict[str, Any]:
    return operator("GET", PILE + "/report").json()


def test_a_pile_is_renamed_and_the_change_has_its_line(operator: Any, pile: FakePile, cloud: Cloud):
    assert operator("PATCH", PILE, {"name": "Gate 2"}).json()["name"] == "Gate 2"
    assert lines(operator)[0] == ("PileRenamed", "PILE-1 -> Gate 2")
    for body in (
        {},
        {"name": " "},
        {"name": "a\nb"},
        {"name": "x" * 101},
        {"connectors": 9},
        {"device_id": "PILE-2"},
    ):
        problem(operator("PATCH", PILE, body), 422, "InvalidRequest")


def test_the_number_of_connectors_changes_while_no_order_holds_one(
    operator: Any, client: TestClient, phone: Phone, pile: FakePile
):
    order = phone.order(connector=2)
    problem(operator("PATCH", PILE, {"name": "Gate", "connectors": 1}), 409, "PileInUse")
    assert report(operator)["name"] == "PILE-1", "half of a refused change was made"
    pile.settle(phone.message(pile) | {"connector": 2})
    assert phone.get()["order_id"] == order["order_id"]
    operator("PUT", PILE + "/out-of-service", {"connector": 2, "reason": "Other"})
    assert operator("PATCH", PILE, {"connectors": 1}).json()["connectors"] == 1
    assert len(client.get(PILE).json()["connectors"]) == 1
    operator("PATCH", PILE, {"connectors": 2})
    assert report(operator)["connectors"][1]["out_of_service"] is None, "another connector has that number"


def test_what_the_hello_tells_is_held_against_what_is_registered(operator: Any, pile: FakePile):
    assert not report(operator)["board"]["mismatch"]
    pile.hello(connectors=4, chip="aa", commands=["restart"])
    board = report(operator)["board"]
    assert (board["mismatch"], board["connectors_told"], board["chip"]) == (True, 4, "aa")
    operator("PATCH", PILE, {"connectors": 4})
    assert not report(operator)["board"]["mismatch"]


# -- keys ----------------------------------------------------------------------------------------------------


def passes(settings: Settings, key: bytes) -> bool:
    found = [
        line
        for line in (settings.broker_folder / "passwd").read_text().splitlines()
        if line.startswith("PILE-1:")
    ]
    return broker_passwords.matches(found[0], "PILE-1", seal.mqtt_password(key))


def test_a_rotated_key_ends_the_old_one_and_goes_on_with_the_chain(
    operator: Any, phone: Phone, pile: FakePile, settings: Settings, cloud: Cloud
):
    settled(phone, pile, 1_000_000)
    old, mac_of_the_first = pile.key, pile.last_mac
    answer = operator("POST", PILE + "/key", {})
    assert answer.status_code == 201
    new = bytes.fromhex(answer.json()["key"])
    assert new != old and passes(settings, new) and not passes(settings, old)
    assert lines(operator)[0][0] == "KeyRotated"
    assert "key" not in str(lines(operator))
    assert not report(operator)["online"]
    pile.online()
    phone.order()
    pile.settle(order_of(phone, pile, new), 1_000_000)  # with the old key
    assert phone.get()["settlement"] is None
    assert operator("GET", "/api/rejects").json()["items"][0]["reason"] == "BadSeal"
    pile.key, pile.seq, pile.last_mac = new, 1, mac_of_the_first
    pile.registers_mwh[1] -= 1_000_000
    pile.settle(order_of(phone, pile, new), 1_000_000)
    assert phone.get()["settlement"]["flags"] == []
    with cloud.store.reading.connect() as conn:  # each settlement is still proven by the key that sealed it
        keys = [seal.parse_key(each) for each in rekey.all_keys(conn, "PILE-1")]
        records = [line.encode() for line in ledger.lines(conn, "PILE-1", 1_800_000_000)]
    assert verify_ledger.verify(records, {"PILE-1": keys})["PILE-1"].settlements == 2
    with pytest.raises(verify_ledger.Broken):
        verify_ledger.verify(records, {"PILE-1": [new]})


def test_the_old_key_stays_where_the_new_one_cannot_be_stored(
    operator: Any, pile: FakePile, settings: Settings, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    """The key was committed first: with a full disk the pile was locked out with a key that nobody had."""
    folder = settings.broker_folder
    folder.rename(folder.with_name("away"))
    folder.write_text("in the way")
    assert problem(operator("POST", PILE + "/key", {}), 503, "BrokerUnavailable")
    folder.unlink()
    folder.with_name("away").rename(folder)
    with cloud.store.reading.connect() as conn:
        assert keys.find_key(conn, "PILE-1") == pile.key
    assert passes(settings, pile.key)

    def admit_and_fail(*given: Any) -> None:
        admit(*given)
        raise OperationalError("COMMIT", {}, Exception("gone"))

    monkeypatch.setattr("cloud_stub.http.operator_pile_care.admit", admit_and_fail)
    assert operator("POST", PILE + "/key", {}).status_code == 503
    assert passes(settings, pile.key)


def order_of(phone: Phone, pile: FakePile, key: bytes) -> dict[str, Any]:
    pile.key, kept = key, pile.key
    message = phone.message(pile)
    pile.key = kept
    return message


def test_a_replaced_board_begins_a_chain_that_is_not_flagged(
    operator: Any, phone: Phone, pile: FakePile, link: FakeLink, cloud: Cloud
):
    pile.hello(chip="aa")
    settled(phone, pile, 1_000_000)
    settled(phone, pile, 1_000_000)
    new = bytes.fromhex(operator("POST", PILE + "/key", {"new_board": True}).json()["key"])
    board = FakePile("PILE-1", new, lambda name, data: link.deliver(f"pile/v1/PILE-1/{name}", data))
    board.hello(chip="bb")
    board.online()
    settled(phone, board, 500_000)
    assert phone.get()["settlement"]["flags"] == []
    assert report(operator)["board"]["chip"] == "bb" and not report(operator)["board"]["two_boards"]
    assert "BoardReplaced" in [each for each, _ in lines(operator)]
    assert len(operator("GET", "/api/orders?device_id=PILE-1").json()["items"]) == 3


def test_a_key_is_not_changed_while_settlements_would_be_lost(operator: Any, phone: Phone, pile: FakePile):
    phone.order()
    pile.order_status(phone.order_id, "Charging")
    problem(operator("POST", PILE + "/key", {}), 409, "PileInUse")
    problem(operator("POST", PILE + "/key", {"force": True}), 409, "PileInUse")
    pile.offline()
    problem(operator("POST", PILE + "/key", {"new_board": True}), 409, "PileInUse")
    answer = operator("POST", PILE + "/key", {"new_board": True, "force": True})
    assert answer.status_code == 201
    assert (phone.get()["state"], phone.get()["reason"]) == ("Lost", "BoardReplaced")


def test_settlements_that_wait_at_the_pile_are_given_up_only_where_asked(operator: Any, pile: FakePile):
    idle = {"connector": 1, "status": "Available", "fault": None, "plugged": False, "order_id": None}
    pile._say("status", {"online": True, "connectors": [idle], "outbox": 2})
    assert problem(operator("POST", PILE + "/key", {}), 409, "SettlementsWaiting")["settlements"] == 2
    assert operator("POST", PILE + "/key", {"force": True}).status_code == 201


# -- two boards ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chips", "two"),
    [
        (["aa", "aa", "aa"], False),
        (["aa", "bb"], False),  # replaced
        (["aa", "bb", "bb", "bb"], False),
        (["aa", "bb", "aa"], True),
        (["aa", "bb", "aa", "bb"], True),
        ([None, "bb", None], False),  # its firmware was updated and rolled back
    ],
)
def test_two_boards_with_one_id_are_told_apart(operator: Any, pile: FakePile, chips: list[str], two: bool):
    for chip in chips:
        told: dict[str, Any] = {"chip": chip} if chip else {}
        pile.hello(**told)
    assert report(operator)["board"]["two_boards"] is two
    events = operator("GET", "/api/events?device_id=PILE-1").json()["items"]
    assert sum(each["kind"] == "TwoBoards" for each in events) == two, "told once, not at each greeting"
