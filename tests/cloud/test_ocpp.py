"""The OCPP gateway in process: real cloud, database and WebSockets; the tests are pile and central system."""

import asyncio
import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloud_stub.base.clock import iso_utc
from cloud_stub.base.ids import new_id
from cloud_stub.bridges.ocpp import mapping
from cloud_stub.cloud import Cloud
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FLAT_RATE, FakeLink, FakePile, open_sealed
from tests.cloud.ocpp_central import Central, Running, charging, running


@pytest.fixture
def central() -> Central:
    return Central()


@pytest.fixture
def gateway(cloud: Cloud, client: Any, central: Central) -> Iterator[Running]:
    """Not started. What crossed the connection is held against the schemas when the test ends."""
    with running(cloud, central) as made:
        yield made
        made.stop()
        assert central.check_schemas() > 0


def test_an_order_is_told_as_a_transaction_from_its_start_to_its_receipt(
    gateway: Running, central: Central, pile: FakePile, phone: Phone
):
    gateway.start()
    central.wait_for("StatusNotification", 3)
    order = phone.order()
    order_id = order["order_id"]
    pile.order_status(order_id, "Accepted")
    pile.order_status(order_id, "Charging")
    at = phone.get()["charging_at"]
    pile.meter(order_id, 1_000_400, at=at + 1, energy_mwh=400, elapsed_s=1)
    (start,) = central.wait_for("StartTransaction")
    tag = mapping.id_tag(order_id)
    assert start == {"connectorId": 1, "idTag": tag, "meterStart": 1000, "timestamp": iso_utc(at)}
    assert central.of("Authorize") == [{"idTag": tag}]
    central.wait(lambda: central.transfers("Rate"), "rate")
    assert central.transfers("Rate")[0]["rate"] == phone.get()["rate"]

    pile.meter(
        order_id,
        1_700_600,
        at=at + 61,
        energy_mwh=700_600,
        elapsed_s=61,
        power_mw=7_123_456,
        current_ma=30_970,
    )
    (values,) = central.wait_for("MeterValues")
    register, power, current = values["meterValue"][0]["sampledValue"]
    assert values["transactionId"] == 100
    assert (register["value"], register["context"], register["unit"]) == ("1701", "Sample.Periodic", "Wh")
    assert (power["value"], power["measurand"], power["unit"]) == ("7123.456", "Power.Active.Import", "W")
    assert (current["value"], current["measurand"], current["unit"]) == ("30.970", "Current.Import", "A")
    central.wait(lambda: central.transfers("Cost"), "cost")

    pile.order_status(order_id, "Finishing", reason="EVDisconnected")
    sealed = {"start_register_mwh": 1_000_000, "end_register_mwh": 3_500_000, "stop_reason": "EVDisconnected"}
    pile.settle(phone.message(pile), 2_500_000, **sealed)
    (stop,) = central.wait_for("StopTransaction")
    assert (stop["transactionId"], stop["meterStop"], stop["reason"]) == (100, 3500, "EVDisconnected")
    contexts = [each["sampledValue"][0]["context"] for each in stop["transactionData"]]
    assert contexts == ["Transaction.Begin", "Transaction.End"]
    central.wait(lambda: central.transfers("Receipt"), "receipt")
    assert central.transfers("Receipt")[0]["total_minor"] == phone.get()["settlement"]["total_minor"]
    told = [each for _, each, _ in central.calls if each in ("StartTransaction", "StopTransaction")]
    assert told == ["StartTransaction", "StopTransaction"]
    central.wait(lambda: gateway.points()["PILE-1"]["unsent"] == 0, "end of the queue")


# -- values


def test_each_order_has_an_id_tag_of_its_own_of_at_most_20_characters():
    ids = [new_id() for _ in range(20_000)]
    tags = {mapping.id_tag(each) for each in ids}
    assert len({tag.casefold() for tag in tags}) == len(ids)
    assert max(map(len, tags)) == 20


def test_what_the_transactions_of_a_register_add_up_to_is_the_difference_of_its_rounded_ends():
    rng = random.Random(1)
    registers = [rng.randrange(10**9)]
    for _ in range(5000):
        registers.append(registers[-1] + rng.choice((0, 1, 499, 500, 501, 999, rng.randrange(10**7))))
    told = [(mapping.wh(a), mapping.wh(b)) for a, b in itertools.pairwise(registers)]
    assert sum(stop - start for start, stop in told) == mapping.wh(registers[-1]) - mapping.wh(registers[0])
    assert all(abs(mapping.wh(each) * 1000 - each) <= 500 for each in registers)


# -- registration


def test_nothing_but_boot_notifications_is_sent_before_the_pile_is_accepted(
    gateway: Running, central: Central, pile: FakePile
):
    statuses = iter(("Pending", "Rejected"))
    central.answers["BootNotification"] = lambda message_id, _: (
        central.usual(message_id, "BootNotification") | {"status": next(statuses, "Accepted"), "interval": 0}
    )
    pile.hello(board="esp32-s3", firmware="0.2.0")
    gateway.start()
    central.wait_for("StatusNotification", 3)
    boots = central.of("BootNotification")
    assert len(boots) == 3 and [each for _, each, _ in central.calls[:3]] == ["BootNotification"] * 3
    assert boots[0] == {
        "chargePointVendor": "RateLock",
        "chargePointModel": "esp32-s3",
        "chargePointSerialNumber": "PILE-1",
        "firmwareVersion": "0.2.0",
    }


def test_while_pending_the_central_system_gets_what_it_asks_for_and_while_rejected_nothing(
    gateway: Running, central: Central, pile: FakePile
):
    state = {"status": "Pending", "interval": 3600}
    central.answers["BootNotification"] = lambda message_id, _: (
        central.usual(message_id, "BootNotification") | state
    )
    gateway.start()
    central.wait_for("BootNotification")
    asked = {"requestedMessage": "StatusNotification", "connectorId": 1}
    assert gateway.status("TriggerMessage", **asked) == "Accepted"
    assert central.wait_for("StatusNotification")[0]["connectorId"] == 1
    state |= {"status": "Rejected"}
    assert gateway.status("TriggerMessage", requestedMessage="BootNotification") == "Accepted"
    central.wait(lambda: gateway.points()["PILE-1"]["state"] == "Rejected", "state Rejected")
    with pytest.raises(asyncio.TimeoutError):
        gateway.did(asyncio.wait_for(central.call("GetConfiguration", {}), 0.2))
    assert len(central.of("StatusNotification")) == 1


def test_changes_of_the_pile_are_told_and_a_restarted_pile_boots_again(
    gateway: Running, central: Central, pile: FakePile
):
    gateway.start()
    central.wait_for("StatusNotification", 3)
    pile.online(connector=1, status="Faulted", fault="PowerSwitchStuckOpen")
    told = newest_status(central, 1, "Faulted")
    assert (told["errorCode"], told["vendorErrorCode"]) == ("OtherError", "PowerSwitchStuckOpen")
    pile.offline()
    newest_status(central, 1, "Unavailable")
    assert newest_status(central, 0, "Unavailable")["info"] == "The pile is offline"
    connector = {"connector": 1, "status": "Available", "fault": None, "plugged": False, "order_id": None}
    connectors = [connector, connector | {"connector": 2}]
    pile._say("status", {"online": True, "boots": 7, "at": None, "connectors": connectors})
    assert len(central.wait_for("BootNotification", 2)) == 2


def newest_status(central: Central, connector: int, status: str) -> dict[str, Any]:
    """The newest StatusNotification of the connector, once it has that status."""

    def newest() -> dict[str, Any]:
        return [each for each in central.of("StatusNotification") if each["connectorId"] == connector][-1]

    central.wait(lambda: newest()["status"] == status, status)
    return newest()


def test_each_pile_has_a_connection_of_its_own_and_a_removed_one_none(
    gateway: Running, central: Central, pile: FakePile, add_pile: Callable[..., FakePile], operator: Any
):
    add_pile("PILE-2")
    gateway.start()
    central.wait_for("StatusNotification", 3)
    central.wait_for("StatusNotification", 3, "PILE-2")
    assert set(central.connections) == {"PILE-1", "PILE-2"}
    assert operator("DELETE", "/api/piles/PILE-2").status_code == 200
    gateway.did(central.connections["PILE-2"].wait_closed())
    add_pile("PILE-3")
    central.wait_for("BootNotification", 1, "PILE-3")


# -- what the central system asks


def test_requests_that_need_no_order(
    gateway: Running, central: Central, pile: FakePile, link: FakeLink, run: Any
):
    pile.hello(commands=["restart", "service"])
    gateway.start()
    central.wait_for("StatusNotification", 3)
    status = gateway.status
    assert status("UnlockConnector", connectorId=1) == "NotSupported"
    assert status("ClearCache") == "Rejected"
    assert status("SendLocalList", listVersion=1, updateType="Full") == "NotSupported"
    assert status("DataTransfer", vendorId="other") == "UnknownVendorId"
    assert gateway.call("GetLocalListVersion", {}) == (3, [{"listVersion": -1}])
    assert status("TriggerMessage", requestedMessage="DiagnosticsStatusNotification") == "NotImplemented"
    assert status("TriggerMessage", requestedMessage="StatusNotification", connectorId=9) == "Rejected"
    assert status("TriggerMessage", requestedMessage="Heartbeat") == "Accepted"
    central.wait_for("Heartbeat")
    assert status("TriggerMessage", requestedMessage="StatusNotification") == "Accepted"
    central.wait_for("StatusNotification", 6)
    for action, payload, code in (
        ("UpdateFirmware", {"location": "x", "retrieveDate": "2026-01-01T00:00:00Z"}, "NotSupported"),
        ("Reset", {"type": "Hot"}, "FormatViolation"),
        ("RemoteStopTransaction", {"transactionId": "7"}, "TypeConstraintViolation"),
    ):
        kind, rest = gateway.call(action, payload)
        assert (kind, rest[0]) == (4, code), action
    assert status("Reset", type="Soft") == "Accepted"
    sent = [open_sealed("command", data, pile.key) for data in sent_soon(gateway, link, "command")]
    assert [each["action"] for each in sent] == ["restart"]
    assert status("RemoteStopTransaction", transactionId=5) == "Rejected"
    pile.offline()
    assert status("Reset", type="Hard") == "Rejected"
    lines = [(each["actor_kind"], each["action"]) for each in run("audit")[:1]]
    assert lines == [("ocpp", "RestartRequested")]


def sent_soon(gateway: Running, link: FakeLink, name: str) -> list[bytes]:
    """What the gateway put into the outbox leaves with the cloud's next periodic job."""
    before = len(link.sent("PILE-1", name))
    gateway.cloud.dispatch.send_unsent()
    return link.wait_for("PILE-1", name, before + 1)


def test_configuration_keys_are_read_and_two_of_them_are_written(
    gateway: Running, central: Central, pile: FakePile
):
    gateway.start()
    central.wait_for("StatusNotification", 3)
    _, (found,) = gateway.call("GetConfiguration", {})
    values = {each["key"]: each["value"] for each in found["configurationKey"]}
    assert values["NumberOfConnectors"] == "2" and values["HeartbeatInterval"] == "300"
    assert values["SupportedFeatureProfiles"] == "Core,RemoteTrigger"
    writable = [each["key"] for each in found["configurationKey"] if not each["readonly"]]
    assert sorted(writable) == ["HeartbeatInterval", "MeterValueSampleInterval"]

    def change(key: str, value: str) -> str:
        return gateway.status("ChangeConfiguration", key=key, value=value)

    assert change("MeterValueSampleInterval", "15") == "Accepted"
    assert change("HeartbeatInterval", "30") == "Accepted"
    assert {change("HeartbeatInterval", "0"), change("HeartbeatInterval", "-1")} == {"Rejected"}
    assert {change("MeterValueSampleInterval", "1e3"), change("NumberOfConnectors", "7")} == {"Rejected"}
    assert change("Tea", "7") == "NotSupported"
    _, (found,) = gateway.call(
        "GetConfiguration", {"key": ["MeterValueSampleInterval", "HeartbeatInterval", "Tea"]}
    )
    assert [each["value"] for each in found["configurationKey"]] == ["15", "30"]
    assert found["unknownKey"] == ["Tea"]


def test_availability_waits_for_the_order_and_does_not_undo_what_an_operator_did(
    gateway: Running, central: Central, pile: FakePile, phone: Phone, operator: Any
):
    gateway.start()
    central.wait_for("StatusNotification", 3)

    def change(connector: int, kind: str) -> str:
        return gateway.status("ChangeAvailability", connectorId=connector, type=kind)

    charging(phone, pile)
    assert change(1, "Inoperative") == "Scheduled"
    assert change(2, "Inoperative") == "Accepted"
    assert newest_status(central, 2, "Unavailable")["info"] == "Out of service: Other"
    assert change(2, "Operative") == "Accepted"
    assert change(9, "Operative") == "Rejected"
    body = {"connector": 2, "reason": "Damaged", "note": "the cable"}
    assert operator("PUT", "/api/piles/PILE-1/out-of-service", body).status_code == 200
    assert change(2, "Inoperative") == "Accepted"
    assert (change(2, "Operative"), change(0, "Operative")) == ("Rejected", "Rejected")
    assert change(1, "Operative") == "Accepted"


def test_a_remote_stop_asks_the_pile_to_end_the_order(
    gateway: Running, central: Central, pile: FakePile, phone: Phone, link: FakeLink, run: Any
):
    gateway.start()
    order_id = charging(phone, pile)
    central.wait_for("StartTransaction")
    central.wait(lambda: central.transfers("Rate"), "rate")
    assert gateway.status("RemoteStopTransaction", transactionId=100) == "Accepted"
    (command,) = sent_soon(gateway, link, "command")
    assert open_sealed("command", command, pile.key)["order_id"] == order_id
    assert gateway.status("RemoteStopTransaction", transactionId=100) == "Accepted"
    lines = [(each["actor_kind"], each["action"]) for each in run("audit") if each["order_id"] == order_id]
    assert lines == [("ocpp", "OrderStopped")]
    assert gateway.status("Reset", type="Hard") == "Rejected"


# -- remote starts


@pytest.fixture
def agreed(operator: Any, pile: FakePile) -> Callable[..., Any]:
    """`agreed(rate_id)`: lets central systems start at the pile's site at that rate."""
    assert operator("POST", "/api/sites", {"site_id": "S", "name": "S", "time_zone": "UTC"}).is_success
    assert operator("POST", "/api/pile-moves", {"selection": "pile:PILE-1", "site_id": "S"}).is_success

    def agree(rate_id: str | None) -> Any:
        body = {"rate_id": rate_id, "agreement": "Contract 17"}
        return operator("PUT", "/api/sites/S/remote-start", body)

    return agree


def start_remotely(gateway: Running, tag: str = "CARD-1", **more: Any) -> str:
    return gateway.status("RemoteStartTransaction", idTag=tag, **more)


def test_a_remote_start_is_rejected_unless_the_site_says_that_its_rate_was_agreed_to(
    gateway: Running,
    central: Central,
    pile: FakePile,
    phone: Phone,
    link: FakeLink,
    operator: Any,
    agreed: Callable[..., Any],
    run: Any,
):
    gateway.start()
    central.wait_for("StatusNotification", 3)
    rate_id = phone.body()["rate_id"]
    assert start_remotely(gateway, connectorId=1) == "Rejected"
    wait_for_error(gateway, "RemoteStartNotAgreed")
    assert agreed("r-none").status_code == 404
    assert agreed(rate_id).json()["remote_start_rate_id"] == rate_id
    assert start_remotely(gateway) == "Rejected"  # the pile has two connectors
    assert operator("PUT", "/api/piles/PILE-1/rate", FLAT_RATE).status_code == 201
    assert start_remotely(gateway, connectorId=1) == "Rejected"  # another rate holds than was agreed to
    wait_for_error(gateway, "RateChanged")
    assert agreed(None).json()["remote_start_rate_id"] is None
    assert link.sent("PILE-1", "order") == []
    actions = [(each["action"], each["detail"]) for each in run("audit") if each["site_id"] == "S"]
    assert ("RemoteStartAgreed", f"{rate_id}: Contract 17") in actions
    assert ("RemoteStartEnded", "Contract 17") in actions


def wait_for_error(gateway: Running, word: str) -> None:
    """Until one of that kind was counted, or one of that detail was the last."""

    def is_there() -> bool:
        point = gateway.points().get("PILE-1", {})
        return word in point.get("errors", {}) or word in (point.get("last_error") or "")

    gateway.central.wait(is_there, word)


@pytest.mark.parametrize("is_free", [False, True], ids=["paid after", "free at the site"])
def test_a_remote_start_locks_the_agreed_rate_and_keeps_the_tag_of_the_central_system(
    gateway: Running,
    central: Central,
    pile: FakePile,
    phone: Phone,
    link: FakeLink,
    operator: Any,
    agreed: Callable[..., Any],
    is_free: bool,
):
    rate_id = phone.body()["rate_id"]
    agreed(rate_id)
    if is_free:
        grant = {"site_id": "S", "with_code": False, "reason": "paid by contract 17"}
        assert operator("POST", "/api/free-vend", grant).status_code == 201
    gateway.start()
    central.wait_for("StatusNotification", 3)
    assert start_remotely(gateway, connectorId=2) == "Accepted"
    assert start_remotely(gateway, connectorId=2) == "Rejected"  # it is in use
    order = open_sealed("order", sent_soon(gateway, link, "order")[0], pile.key)
    assert (order["connector"], order["rate"]["rate_id"]) == (2, rate_id)
    order_id = order["order_id"]
    pile.order_status(order_id, "Accepted", connector=2)
    pile.settle(order, 2_500_000, connector=2)
    (start,) = central.wait_for("StartTransaction")
    assert (start["idTag"], start["connectorId"]) == ("CARD-1", 2)
    assert central.of("Authorize") == []  # the central system knows its own user
    central.wait_for("StopTransaction")
    with gateway.cloud.store.reading.connect() as conn:
        marked = conn.exec_driver_sql("SELECT order_id, actor_kind, reason FROM free_orders").all()
        state, due_minor = conn.exec_driver_sql("SELECT state, total_minor FROM orders").one()
    assert marked == ([(order_id, "ocpp", "paid by contract 17")] if is_free else [])
    assert state == "Settled" and due_minor > 0  # a job credits the bill of a free order
