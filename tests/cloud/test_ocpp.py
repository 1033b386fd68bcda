"""The OCPP gateway in process: real cloud, database and WebSockets; a pile and a central system of the tests."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloud_stub.base.ids import new_id
from cloud_stub.bridges.ocpp import mapping
from cloud_stub.cloud import Cloud
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FakeLink, FakePile
from tests.cloud.ocpp_central import Central, Running, running


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
    assert start == {"connectorId": 1, "idTag": tag, "meterStart": 1000, "timestamp": mapping.timestamp(at)}
    assert central.of("Authorize") == [{"idTag": tag}]
    central.wait(lambda: central.transfers("Rate"), "rate")
    assert central.transfers("Rate")[0]["rate"] == phone.get()["rate"]

    pile.meter(order_id, 1_700_600, at=at + 61, energy_mwh=700_600, elapsed_s=61, power_mw=7_123_456)
    (values,) = central.wait_for("MeterValues")
    register, power = values["meterValue"][0]["sampledValue"]
    assert values["transactionId"] == 100
    assert (register["value"], register["context"], register["unit"]) == ("1701", "Sample.Periodic", "Wh")
    assert (power["value"], power["measurand"], power["unit"]) == ("7123.456", "Power.Active.Import", "W")
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
    assert [each for _, each, _ in central.calls if each in ("StartTransaction", "StopTransaction")] == [
        "StartTransaction",
        "StopTransaction",
    ]
    central.wait(lambda: gateway.points()["PILE-1"]["unsent"] == 0, "end of the queue")
