"""Messages that cannot be used: kept with their reason, acknowledged, and the cloud goes on."""

import json
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from cloud_stub.cloud import Cloud
from cloud_stub.messaging.mqtt import Incoming
from tests.cloud.conftest import Phone
from tests.cloud.fakes import WAIT_S, FakeLink, FakePile

HELLO = {
    "device_id": "PILE-1",
    "firmware": "test",
    "nonce": "0" * 16,
    "connectors": 1,
    "orders": [],
    "last_seq": 0,
    "outbox": 0,
}

CONNECTORS = [{"connector": 1, "status": "Available", "fault": None, "plugged": True, "order_id": None}]


def rejects(operator: Any) -> list[dict[str, Any]]:
    return operator("GET", "/api/rejects").json()["items"]


@pytest.mark.parametrize(
    "topic, payload, reason",
    [
        ("pile/v1/PILE-1/hello", b"not json", "Malformed"),
        ("pile/v1/PILE-1/hello", b"\xff\xfe\x00", "Malformed"),
        ("pile/v1/PILE-1/hello", b"[]", "Malformed"),
        ("pile/v1/PILE-1/hello", b"[" * 16_000, "Malformed"),
        ("pile/v1/PILE-1/hello", b"{" + b" " * 100_000 + b"}", "Malformed"),
        ("pile/v1/PILE-1/hello", json.dumps(HELLO | {"connectors": "1"}).encode(), "Malformed"),
        ("pile/v1/PILE-1/hello", json.dumps(HELLO | {"outbox": -1}).encode(), "Malformed"),
        ("pile/v1/PILE-1/settlement", b'{"kind":"settlement"}', "Malformed"),
        ("pile/v1/PILE-1/status", b'{"online":1}', "Malformed"),
        ("pile/v1/NOBODY/hello", json.dumps(HELLO).encode(), "UnknownPile"),
        ("pile/v1/NOBODY/status", b'{"online":true}', "UnknownPile"),
        ("pile/v1/PILE-1/order", b"{}", "UnknownTopic"),
        ("pile/v1/PILE-1/nonsense", b"{}", "UnknownTopic"),
        ("elsewhere", b"{}", "UnknownTopic"),
    ],
)
def test_what_cannot_be_used_is_kept_and_acknowledged(
    pile: FakePile, link: FakeLink, operator: Any, topic: str, payload: bytes, reason: str
):
    link.deliver(topic, payload)
    (kept,) = rejects(operator)
    assert (kept["topic"], kept["reason"], kept["size_bytes"]) == (topic, reason, len(payload))
    assert len(kept["payload"]) <= 2000
    pile.hello()
    assert len(link.sent("PILE-1", "time")) == 1


def test_a_wrong_field_is_named(pile: FakePile, link: FakeLink, operator: Any):
    link.deliver("pile/v1/PILE-1/hello", json.dumps(HELLO | {"connectors": 99}).encode())
    assert rejects(operator)[0]["detail"] == "connectors: must be from 1 to 8"


def test_words_about_orders_that_are_not_the_piles(
    phone: Phone, pile: FakePile, add_pile: Any, operator: Any
):
    other = add_pile("PILE-2")
    phone.order()
    other.order_status(phone.order_id, "Charging")
    other.meter(phone.order_id, 1)
    pile.order_status("nothing", "Charging")
    pile.meter("nothing", 1)
    pile.order_status(phone.order_id, "Charging", connector=2)
    assert [each["reason"] for each in reversed(rejects(operator))] == [
        "WrongDevice",
        "WrongDevice",
        "UnknownOrder",
        "UnknownOrder",
        "WrongConnector",
    ]
    assert phone.get()["state"] == "Pending"
    assert phone.get()["meter"] is None


def test_only_the_newest_rejects_are_kept(pile: FakePile, link: FakeLink, cloud: Cloud, operator: Any):
    cloud.settings.rejects_kept = 3
    for n in range(10):
        link.deliver("elsewhere", b"%d" % n)
    cloud.jobs.run_once(0, sweep=True)
    assert [each["payload"] for each in rejects(operator)] == ["9", "8", "7"]


def test_only_the_newest_events_are_kept(pile: FakePile, cloud: Cloud, operator: Any):
    cloud.settings.events_kept = 3
    for _ in range(5):
        pile.offline()
        pile.online()
    cloud.jobs.run_once(0, sweep=True)
    kept = operator("GET", "/api/events").json()["items"]
    assert [each["kind"] for each in kept] == ["PileOnline", "PileOffline", "PileOnline"]


def test_one_that_meets_a_fault_of_ours_is_parked(
    pile: FakePile, link: FakeLink, cloud: Cloud, operator: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cloud_stub.piles.registry.mark_greeted", lambda *_: [][0])
    pile.hello()
    assert [each["reason"] for each in rejects(operator)] == ["InternalError"]


def test_what_the_database_cannot_store_is_parked_and_not_tried_for_ever(link: FakeLink, operator: Any):
    """PostgreSQL refused it every second, and the broker kept it unacknowledged."""
    link.deliver("pile/v1/" + "\0" * 200 + "/hello", json.dumps(HELLO).encode())
    (reject,) = rejects(operator)
    assert reject["reason"] in ("InternalError", "UnknownPile")  # SQLite can look for such a name
    assert reject["topic"].startswith("pile/v1/\\x00")


def test_while_the_database_fails_nothing_is_acknowledged_and_all_is_tried_again(
    pile: FakePile, link: FakeLink, cloud: Cloud, operator: Any, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: Any) -> None:
        raise OperationalError("UPDATE", {}, Exception("disk I/O error"))

    with monkeypatch.context() as broken:
        broken.setattr("cloud_stub.piles.registry.mark_greeted", fail)
        acknowledged = link.send("pile/v1/PILE-1/hello", json.dumps(HELLO).encode())
        cloud.writer.submit(lambda tx: None).result(WAIT_S)
        assert not acknowledged.is_set()
        assert link.sent("PILE-1", "time") == []
    cloud.jobs.run_once(0)
    assert acknowledged.wait(WAIT_S)
    assert len(link.sent("PILE-1", "time")) == 1
    assert rejects(operator) == []


def test_while_the_database_fails_meter_values_do_not_pile_up(
    phone: Phone, pile: FakePile, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: Any) -> None:
        raise OperationalError("INSERT", {}, Exception("disk I/O error"))

    phone.order()
    said: list[bytes] = []
    pile.say = lambda _, data: said.append(data)
    pile.meter(phone.order_id, 1)
    with monkeypatch.context() as broken:
        broken.setattr("cloud_stub.intake.handlers.insert_or_ignore", fail)
        for _ in range(3):
            cloud.receiver.receive(Incoming("pile/v1/PILE-1/meter", said[0], 0, 0, 1))
        cloud.writer.submit(lambda tx: None).result(WAIT_S)
    units = cloud.writer.units
    cloud.receiver.retry()
    cloud.writer.submit(lambda tx: None).result(WAIT_S)
    assert cloud.writer.units == units + 1  # that one, and no value


@pytest.mark.parametrize(
    "value", ["NaN", "-Infinity", "1e999", '"\\ud800"', '{"\\udfff":1}', "[" * 2000 + "]" * 2000]
)
def test_what_json_cannot_say_is_refused_and_spoils_no_answer(
    phone: Phone, pile: FakePile, link: FakeLink, operator: Any, value: str
):
    phone.order()
    link.deliver("pile/v1/PILE-1/status", b'{"online":true,"more":%s}' % value.encode())
    pile.meter(phone.order_id, 1)
    link.deliver("pile/v1/PILE-1/hello", json.dumps(HELLO)[:-1].encode() + b',"more":%s}' % value.encode())
    assert [each["reason"] for each in rejects(operator)] == ["Malformed", "Malformed"]
    for path in ("/api/piles", "/api/settlements", "/api/rejects"):
        assert operator("GET", path).status_code == 200


def test_a_measurement_out_of_bounds_does_not_hide_the_pile(pile: FakePile, link: FakeLink, operator: Any):
    bad = {"heap_free_bytes": -4_291_456, "wifi_rssi_dbm": "weak", "outbox": None}
    status = {"online": True, "uptime_s": 7} | bad
    link.deliver("pile/v1/PILE-1/status", json.dumps(status | {"connectors": CONNECTORS}).encode())
    assert not rejects(operator)
    reported = operator("GET", "/api/piles/PILE-1/report").json()["reported"]
    assert reported["online"] and reported["uptime_s"] == 7
    assert not set(bad) & set(reported)
    link.deliver("pile/v1/PILE-1/status", json.dumps(status | {"connectors": "all"}).encode())
    assert [each["reason"] for each in rejects(operator)] == ["Malformed"]


def test_unknown_members_are_let_through_and_not_shown(pile: FakePile, link: FakeLink, operator: Any):
    said = {"online": True, "more": 1, "connectors": [CONNECTORS[0] | {"more": {"and": "more"}}]}
    link.deliver("pile/v1/PILE-1/status", json.dumps(said).encode())
    assert rejects(operator) == []
    assert "more" not in operator("GET", "/api/piles").text


def test_meter_values_of_an_order_that_is_over_are_not_stored(phone: Phone, pile: FakePile, cloud: Cloud):
    phone.order()
    pile.meter(phone.order_id, 1, at=1_700_000_000)
    pile.settle(phone.message(pile))
    for n in range(1, 5):
        pile.meter(phone.order_id, 1 + n, at=1_700_000_000 + 3_600 * n)
    with cloud.store.reading.connect() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM meter_samples").scalar_one() == 1
