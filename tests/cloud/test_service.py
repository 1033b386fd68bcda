"""Out of service, restart and report: refused at the cloud, told to the pile, and again until it agrees."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from cloud_stub.orders import pile_commands
from cloud_stub.piles import registry
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FakeLink, FakePile, new_key, open_sealed
from tests.cloud.test_operator import problem

KNOWN = ["restart", "service"]
OUT = "/api/piles/PILE-1/out-of-service"


def commands(link: FakeLink, pile: FakePile) -> list[tuple[Any, ...]]:
    """(action, what is out or the order to stop) of each command so far."""
    opened = [open_sealed("command", data, pile.key) for data in link.sent(pile.device_id, "command")]
    return [(each["action"], each.get("out", each.get("order_id"))) for each in opened]


def connectors(operator: Any) -> list[dict[str, Any]]:
    return operator("GET", "/api/piles/PILE-1/report").json()["connectors"]


def lines(operator: Any) -> list[tuple[str, str]]:
    """(action, detail) of the audit trail, newest first."""
    return [(each["action"], each["detail"]) for each in operator("GET", "/api/audit").json()["items"]]


@pytest.fixture
def modern(pile: FakePile) -> FakePile:
    """A pile whose firmware knows the later commands."""
    pile.hello(commands=KNOWN, chip="aa")
    return pile


def test_a_connector_out_of_service_is_refused_with_its_reason(
    operator: Any, client: TestClient, phone: Phone, modern: FakePile, link: FakeLink, cloud: Cloud
):
    body = {"connector": 1, "reason": "Damaged", "note": "cable cut"}
    assert operator("PUT", OUT, body).status_code == 200
    assert commands(link, modern) == [("service", [[1, "Damaged"]])]
    shown = client.get("/api/piles/PILE-1").json()["connectors"]
    assert [(each["status"], each["out_of_service"]) for each in shown] == [
        ("Unavailable", "Damaged"),
        ("Preparing", None),
    ]
    refused = client.post("/api/orders", json=phone.body(), headers=new_key())
    assert problem(refused, 409, "ConnectorUnavailable")["reason"] == "Damaged"
    assert phone.order(connector=2)["state"] == "Pending"
    first = connectors(operator)[0]["service"]
    assert (first["reason"], first["note"], first["by"]) == ("Damaged", "cable cut", "operator token")
    assert not connectors(operator)[0]["emergency_stop"]
    assert lines(operator)[0] == ("TakenOutOfService", "connector 1: Damaged, cable cut")
    assert operator("DELETE", OUT + "?connector=1").status_code == 200
    assert commands(link, modern)[-1] == ("service", [])
    assert phone.order()["state"] == "Pending"


def test_the_whole_pile_counts_for_each_connector(operator: Any, modern: FakePile, link: FakeLink):
    operator("PUT", OUT, {"connector": 2, "reason": "Damaged"})
    operator("PUT", OUT, {"reason": "Maintenance"})
    assert commands(link, modern)[-1] == ("service", [[1, "Maintenance"], [2, "Damaged"]])
    problem(operator("DELETE", OUT + "?connector=2"), 409, "PileOutOfService")
    operator("DELETE", OUT)
    assert commands(link, modern)[-1] == ("service", [])
    assert [each["out_of_service"] for each in connectors(operator)] == [None, None]


def test_a_running_order_ends_only_where_asked(operator: Any, phone: Phone, modern: FakePile, link: FakeLink):
    order_id = phone.order()["order_id"]
    modern.order_status(order_id, "Charging")
    operator("PUT", OUT, {"connector": 1, "reason": "Other"})
    assert phone.get()["stop_requested_at"] is None
    operator("PUT", OUT, {"connector": 2, "reason": "Other", "ends_order": True})
    assert phone.get()["stop_requested_at"] is None
    operator("PUT", OUT, {"reason": "Other", "ends_order": True})
    assert phone.get()["stop_requested_at"] is not None
    assert commands(link, modern)[-1] == ("stop", order_id)


def test_the_list_is_sent_again_until_the_status_agrees(
    operator: Any, modern: FakePile, link: FakeLink, cloud: Cloud
):
    operator("PUT", OUT, {"connector": 1, "reason": "Damaged"})
    modern.online()  # the command is on its way: nothing is sent again yet
    assert len(commands(link, modern)) == 1
    modern.hello(commands=KNOWN)
    assert len(commands(link, modern)) >= 2
    before = len(commands(link, modern))
    later = now_s() + cloud.settings.command_life_s

    def reconcile(tx: Any) -> None:
        pile_commands.reconcile_service(tx, cloud.context, [registry.get(tx.conn, "PILE-1")], later)

    cloud.writer.submit(reconcile).result(60)
    assert len(commands(link, modern)) == before + 1
    modern.online(status="Unavailable", out_of_service="Damaged")
    before = len(commands(link, modern))
    cloud.writer.submit(reconcile).result(60)
    modern.hello(commands=KNOWN)
    assert {each for each, _ in commands(link, modern)[before:]} <= {"service"}  # what expired by hello only


def test_older_firmware_is_not_asked_and_refused_at_the_cloud_all_the_same(
    operator: Any, client: TestClient, phone: Phone, pile: FakePile, link: FakeLink
):
    pile.hello()
    operator("PUT", OUT, {"connector": 1, "reason": "Damaged"})
    pile.hello()
    assert commands(link, pile) == []
    refused = client.post("/api/orders", json=phone.body(), headers=new_key())
    problem(refused, 409, "ConnectorUnavailable")
    problem(operator("POST", "/api/piles/PILE-1/restart"), 409, "FirmwareTooOld")


def test_out_of_service_that_cannot_be(operator: Any, modern: FakePile):
    problem(operator("PUT", OUT, {"connector": 3, "reason": "Other"}), 404, "UnknownConnector")
    problem(operator("DELETE", OUT + "?connector=3"), 404, "UnknownConnector")
    for body in (
        {"reason": "Because"},
        {"connector": 9, "reason": "Other"},
        {"reason": "Other", "note": "\n"},
    ):
        problem(operator("PUT", OUT, body), 422, "InvalidRequest")
    problem(operator("PUT", "/api/piles/PILE-9/out-of-service", {"reason": "Other"}), 404, "UnknownPile")


def test_a_restart_is_asked_for_where_no_order_runs(
    operator: Any, phone: Phone, modern: FakePile, link: FakeLink, cloud: Cloud
):
    assert operator("POST", "/api/piles/PILE-1/restart").status_code == 202
    assert operator("POST", "/api/piles/PILE-1/report").status_code == 202
    assert commands(link, modern) == [("restart", None), ("report", None)]
    assert [each for each, _ in lines(operator)[:2]] == ["ReportRequested", "RestartRequested"]
    phone.order()
    problem(operator("POST", "/api/piles/PILE-1/restart"), 409, "PileInUse")


def test_a_vehicle_that_stays_after_its_order_is_shown_with_since_when(
    operator: Any, phone: Phone, modern: FakePile
):
    order_id = phone.order()["order_id"]
    modern.online(status="Charging", order_id=order_id)
    assert connectors(operator)[0]["occupied_since"] is None
    modern.online(status="Finishing", order_id=order_id)  # the order bills the stay
    staying = connectors(operator)[0]
    assert staying["busy"] and staying["occupied_since"] == pytest.approx(now_s(), abs=20)
    modern.settle(phone.message(modern))
    modern.online(status="Available")
    assert connectors(operator)[0]["occupied_since"] == staying["occupied_since"]
    since = connectors(operator)[0]["occupied_since"]
    assert since == pytest.approx(now_s(), abs=20)
    modern.online(status="Available")
    assert connectors(operator)[0]["occupied_since"] == since
    modern.online(status="Available", plugged=False)
    modern.online(status="Available")  # another vehicle, which has not ordered yet
    assert connectors(operator)[0]["occupied_since"] is None
