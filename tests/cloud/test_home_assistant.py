"""Piles as Home Assistant is shown them: from the database to topics and texts, and what differs."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from sqlalchemy import event

from cloud_stub.base.clock import now_s
from cloud_stub.base.decimals import decimal
from cloud_stub.bridges.home_assistant import entities, facts
from cloud_stub.bridges.home_assistant.entities import Topics
from cloud_stub.bridges.home_assistant.mirror import CONFIG_MAX_BYTES, Mirror
from cloud_stub.cloud import Cloud
from cloud_stub.rates.holding import Versions
from tests.cloud.conftest import Phone, settled
from tests.cloud.fakes import FLAT_RATE, FakePile
from tests.cloud.home_assistant_schema import DEVICE_DISCOVERY

TOPICS = Topics("homeassistant", "ratelock")
SILENT_S = 180
CONFIG = TOPICS.config("PILE-1")


def read(cloud: Cloud, now: int | None = None) -> list[facts.Pile]:
    with cloud.store.reading.connect() as conn:
        return facts.read(conn, Versions(), SILENT_S, now or now_s())


def wanted(cloud: Cloud, with_switch: bool = True, now: int | None = None) -> dict[str, Any]:
    """Every topic with its parsed text."""
    found = entities.wanted(TOPICS, read(cloud, now), with_switch)
    return {
        topic: json.loads(payload) if topic != TOPICS.availability else payload
        for topic, payload in found.items()
    }


def connector(cloud: Cloud, number: int = 1, **how: Any) -> dict[str, Any]:
    found: dict[str, Any] = wanted(cloud, **how)[TOPICS.connector_state("PILE-1", number)]
    return found


def test_a_new_pile_is_one_device_whose_entities_have_no_values_yet(cloud: Cloud, pile: FakePile) -> None:
    shown = wanted(cloud)
    assert set(shown) == {
        "ratelock/bridge",
        "homeassistant/device/ratelock_PILE-1/config",
        "ratelock/PILE-1/state",
        "ratelock/PILE-1/1/state",
        "ratelock/PILE-1/2/state",
    }
    assert shown["ratelock/PILE-1/state"] == {"online": True, "firmware": None, "signal_dbm": None}
    assert connector(cloud) == {
        "status": "Preparing",
        "fault": None,
        "out_of_service": False,
        "power_w": "0.000",
        "energy_kwh": None,
        "session_began": None,
        "session_kwh": None,
        "session_cost": None,
    }


@pytest.mark.parametrize("with_switch", [True, False])
def test_the_configuration_is_one_that_home_assistant_takes(
    cloud: Cloud, pile: FakePile, with_switch: bool
) -> None:
    config = wanted(cloud, with_switch)[CONFIG]
    jsonschema.validate(config, DEVICE_DISCOVERY)
    components = config["components"]
    assert ("1_out_of_service" in components) is with_switch
    assert all(f"{n}_{key}" in components for n in (1, 2) for key in ("status", "power", "energy", "fault"))
    assert components["1_session_cost"]["unit_of_measurement"] == "CNY"
    assert not any(each["platform"] in ("button", "number", "select") for each in components.values())
    for key, each in components.items():
        assert each["unique_id"] == f"ratelock_PILE-1_{key}"


def test_every_entity_of_a_pile_with_all_its_facts_is_valid_and_has_a_value_of_its_own(
    cloud: Cloud, pile: FakePile, operator: Callable[..., Any]
) -> None:
    assert operator("POST", "/api/sites", {"site_id": "H", "name": "Hafen", "time_zone": "UTC"}).is_success
    assert operator("POST", "/api/pile-moves", {"selection": "pile:PILE-1", "site_id": "H"}).is_success
    assert operator("PATCH", "/api/piles/PILE-1", {"name": 'Tor "2"'}).is_success
    said = {"plugged": True, "order_id": None}
    faulted = [{"connector": 1, "status": "Faulted", "fault": "GroundFailure"} | said]
    pile._say("status", {"online": True, "firmware": "1.2", "wifi_rssi_dbm": -61, "connectors": faulted})
    shown = wanted(cloud)
    jsonschema.validate(shown[CONFIG], DEVICE_DISCOVERY)
    device = shown[CONFIG]["device"]
    assert (device["name"], device["suggested_area"]) == ('Hafen Tor "2"', "Hafen")
    assert device["sw_version"] == "1.2"
    assert shown["ratelock/PILE-1/state"] == {"online": True, "firmware": "1.2", "signal_dbm": -61}
    assert connector(cloud)["fault"] == "GroundFailure"
    for each in shown[CONFIG]["components"].values():
        member = each["value_template"].partition("value_json.")[2].split()[0].strip("}")
        assert member in shown[each["state_topic"]]


def test_an_order_shows_power_energy_and_cost_and_then_what_its_bill_says(
    cloud: Cloud, pile: FakePile, phone: Phone
) -> None:
    phone.order()
    assert connector(cloud)["session_kwh"] is None  # nobody knows yet whether the pile takes it
    pile.order_status(phone.order_id, "Accepted")
    pile.order_status(phone.order_id, "Charging")
    pile.meter(phone.order_id, 1_234_567, cost_minor=165)
    shown = connector(cloud)
    assert (shown["power_w"], shown["energy_kwh"], shown["session_kwh"], shown["session_cost"]) == (
        *("7000.000", "1.234567"),
        *("1.234567", "1.65"),
    )
    pile.settle(phone.message(pile), 2_500_001)
    shown = connector(cloud)
    assert (shown["power_w"], shown["session_kwh"], shown["session_cost"]) == ("0.000", "2.500001", "3.50")
    assert connector(cloud, 2)["session_kwh"] is None


def test_a_flagged_bill_has_no_cost_until_somebody_decides(
    cloud: Cloud, pile: FakePile, phone: Phone
) -> None:
    settled(phone, pile, 1_000_000, total_minor=999)
    shown = connector(cloud)
    assert shown["session_cost"] is None and shown["session_kwh"] == "1.000000"


def test_a_pile_of_a_cloud_that_does_not_run_is_offline(cloud: Cloud, pile: FakePile) -> None:
    later = now_s() + SILENT_S + 60
    assert wanted(cloud, now=later)["ratelock/PILE-1/state"]["online"] is False
    shown = connector(cloud, now=later)
    assert (shown["status"], shown["power_w"]) == ("Unavailable", None)


def test_a_removed_pile_is_not_wanted(cloud: Cloud, pile: FakePile, operator: Callable[..., Any]) -> None:
    assert operator("DELETE", "/api/piles/PILE-1").is_success
    assert set(wanted(cloud)) == {"ratelock/bridge"}


def test_a_currency_without_minor_digits_has_no_point(
    cloud: Cloud, add_pile: Callable[..., FakePile], phone: Phone
) -> None:
    pile = add_pile(rate=FLAT_RATE | {"currency": "JPY"})
    settled(phone, pile, 2_000_000)
    assert connector(cloud)["session_cost"] == "52"


def test_a_hundred_piles_take_as_many_statements_as_one(
    cloud: Cloud, pile: FakePile, add_pile: Callable[..., FakePile]
) -> None:
    statements: list[str] = []
    note = lambda *given: statements.append(given[2])  # noqa: E731
    event.listen(cloud.store.reading, "before_cursor_execute", note)
    read(cloud)
    one = len(statements)
    for n in range(2, 8):
        add_pile(f"PILE-{n}", rate=None, online=False)
    statements.clear()
    assert len(read(cloud)) == 7
    event.remove(cloud.store.reading, "before_cursor_execute", note)
    assert len(statements) == one <= 8


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0, 6, "0.000000"), (1, 6, "0.000001"), (10**12, 6, "1000000.000000"), (-5, 2, "-0.05"), (7, 0, "7")],
)
def test_whole_numbers_are_written_out_exactly(value: int, digits: int, text: str) -> None:
    assert decimal(value, digits) == text
    assert Decimal(text).scaleb(digits) == value


# -- what the broker holds, and what it should


@pytest.fixture
def mirror() -> Mirror:
    return Mirror(TOPICS)


def config(*keys: str) -> bytes:
    components = {key: {"platform": "sensor", "name": key} for key in keys}
    return json.dumps({"availability_topic": TOPICS.availability, "components": components}).encode()


def test_only_what_differs_is_published(mirror: Mirror) -> None:
    mirror.note("ratelock/PILE-1/state", b"1")
    asked = {"ratelock/PILE-1/state": b"1", "ratelock/PILE-1/1/state": b"2"}
    assert mirror.differences(asked) == [("ratelock/PILE-1/1/state", b"2")]
    mirror.note("ratelock/PILE-1/1/state", b"2")
    assert mirror.differences(asked) == []
    mirror.note("ratelock/PILE-1/state", b"")  # somebody clears it
    assert mirror.differences(asked) == [("ratelock/PILE-1/state", b"1")]


def test_what_is_not_wanted_any_more_is_cleared(mirror: Mirror) -> None:
    mirror.note(CONFIG, config("1_status"))
    mirror.note("ratelock/PILE-1/state", b"1")
    assert set(mirror.differences({})) == {(CONFIG, b""), ("ratelock/PILE-1/state", b"")}


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("homeassistant/device/zigbee_lamp/config", config("lamp")),  # another program's
        ("homeassistant/device/ratelock_2_PILE-1/config", b'{"availability_topic":"ratelock_2/bridge"}'),
        (CONFIG, b"no JSON"),
        (CONFIG, b"[1]"),
        (CONFIG, b'{"availability_topic":"ratelock/bridge","x":"' + b"y" * CONFIG_MAX_BYTES + b'"}'),
    ],
)
def test_configurations_that_are_not_its_own_stay(mirror: Mirror, topic: str, payload: bytes) -> None:
    mirror.note(topic, payload)
    assert mirror.differences({}) == []
    assert mirror.differences({CONFIG: config("1_status")}) == [(CONFIG, config("1_status"))]


def test_an_entity_that_goes_is_marked_as_removed_and_then_left_out(mirror: Mirror) -> None:
    mirror.note(CONFIG, config("1_status", "2_status"))
    asked = {CONFIG: config("1_status")}
    [(topic, payload)] = mirror.differences(asked)
    assert json.loads(payload)["components"]["2_status"] == {"platform": "sensor"}
    mirror.note(topic, payload)
    assert mirror.differences(asked) == [(CONFIG, config("1_status"))]
    mirror.note(CONFIG, config("1_status"))
    assert mirror.differences(asked) == []


def test_long_texts_of_others_are_not_kept(mirror: Mirror) -> None:
    mirror.note("ratelock/PILE-1/state", b"x" * 10_000_000)
    assert mirror.unchanged() == {"ratelock/PILE-1/state": b"?"}


def test_more_than_the_bound_is_not_kept(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud_stub.bridges.home_assistant.mirror.KEPT_MAX_BYTES", 100)
    for n in range(50):
        mirror.note(f"ratelock/P-{n}/state", b"12345678")
    assert sum(len(topic) + len(payload) for topic, payload in mirror.unchanged().items()) <= 100
    for n in range(50):
        mirror.note(f"ratelock/P-{n}/state", b"")
    mirror.note("ratelock/PILE-1/state", b"1")
    assert mirror.unchanged() == {"ratelock/PILE-1/state": b"1"}


def test_no_statement_reads_a_growing_table_from_end_to_end(
    cloud: Cloud, pile: FakePile, phone: Phone, request: pytest.FixtureRequest
) -> None:
    from tests.cloud import test_plans

    settled(phone, pile, 1_000_000)
    seen = {}
    note = lambda *given: seen.__setitem__(given[2], given[3])  # noqa: E731
    event.listen(cloud.store.reading, "before_cursor_execute", note)
    read(cloud)
    event.remove(cloud.store.reading, "before_cursor_execute", note)
    assert not test_plans.scanned(cloud, seen)
