"""Confirming a rate over HTTP: what goes out to the pile, every refusal, and whose the order is."""

import json
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloud_stub.base.problems import Problem
from cloud_stub.cloud import Cloud
from cloud_stub.people.roles import ROLES
from cloud_stub.rates import schedule
from pile_protocol import pricing
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FLAT_RATE, FakeLink, FakePile, new_key
from tests.cloud.operators import member


def refused(client: TestClient, body: Any, status: int, code: str) -> dict[str, Any]:
    answer = client.post("/api/orders", json=body, headers=new_key())
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["title"]
    return problem


def test_a_confirmed_rate_becomes_a_sealed_order(phone: Phone, pile: FakePile, link: FakeLink):
    before = int(time.time())
    made = phone.order(energy_mwh=5_000_000, cost_minor=900)
    message = phone.message(pile)
    assert made["state"] == "Pending"
    assert message["order_id"] == made["order_id"]
    assert (
        message["limits"]
        == made["limits"]
        == {"energy_mwh": 5_000_000, "cost_minor": 900, "duration_s": 43_200}
    )
    assert message["rate"] == made["rate"]
    assert before <= message["issued_at"] <= time.time()
    assert message["expires_at"] == message["issued_at"] + 60 == made["expires_at"]
    assert message["rate"]["steps"] == [[message["issued_at"], 800_000, 400_000, "flat"]]
    assert message["rate"]["until_at"] == message["expires_at"] + 43_200
    assert len(link.sent("PILE-1", "order")) == 1


def test_the_digest_kept_is_that_of_the_rate_sent(phone: Phone, pile: FakePile, cloud: Cloud):
    phone.order()
    with cloud.store.reading.connect() as conn:
        kept = conn.exec_driver_sql("SELECT rate_digest FROM orders").scalar_one()
    assert kept == pricing.digest(phone.message(pile)["rate"])


def test_unknown_pile(client: TestClient, phone: Phone, pile: FakePile):
    refused(client, phone.body() | {"device_id": "PILE-9"}, 404, "UnknownPile")


def test_unknown_connector(client: TestClient, phone: Phone, pile: FakePile):
    refused(client, phone.body(connector=3), 404, "UnknownConnector")


def test_pile_without_a_rate(client: TestClient, phone: Phone, add_pile: Any):
    add_pile(rate=None)
    refused(client, phone.body() | {"rate_id": "any"}, 409, "NoRate")


def test_stale_rate_is_refused_with_the_new_one(
    client: TestClient, phone: Phone, pile: FakePile, operator: Any
):
    stale = phone.body()
    new = operator("PUT", "/api/piles/PILE-1/rate", FLAT_RATE).json()
    problem = refused(client, stale, 409, "RateChanged")
    assert problem["rate"]["rate_id"] == new["rate_id"] != stale["rate_id"]
    assert problem["rate"].keys() == client.get("/api/piles/PILE-1/rate").json().keys()


DAY_AND_NIGHT = FLAT_RATE | {
    "periods": [
        {"start": "00:00", "label": "valley", "electricity_price": 120_000, "service_price": 80_000},
        {"start": "08:00", "label": "sharp", "electricity_price": 5_200_000, "service_price": 800_000},
    ]
}
EIGHT_IN_SHANGHAI = 1_767_225_600  # 2026-01-01 08:00


@pytest.fixture
def as_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets the phone's part of the API believe that it is another time."""

    def go(at: int) -> None:
        for room in ("http.driver", "payments.confirmation"):
            monkeypatch.setattr(f"cloud_stub.{room}.now_s", lambda: at)

    return go


def test_a_price_that_holds_no_more_is_refused_with_the_one_that_does(
    client: TestClient, phone: Phone, pile: FakePile, link: FakeLink, operator: Any, as_of: Any
):
    """The rate is the same, but the period in which its price was shown has passed."""
    operator("PUT", "/api/piles/PILE-1/rate", DAY_AND_NIGHT)
    seen = phone.body() | {"price": 200_000}
    as_of(EIGHT_IN_SHANGHAI)
    problem = refused(client, seen, 409, "RateChanged")
    assert problem["rate"]["rate_id"] == seen["rate_id"]
    assert problem["rate"]["now"]["electricity_price"] == 5_200_000
    assert problem["rate"] == client.get("/api/piles/PILE-1/rate").json()
    assert not link.sent("PILE-1", "order")
    assert client.post("/api/orders", json=seen | {"price": 6_000_000}, headers=new_key()).status_code == 201


def test_a_price_holds_until_the_last_second_of_its_period(
    client: TestClient, phone: Phone, pile: FakePile, operator: Any, as_of: Any
):
    operator("PUT", "/api/piles/PILE-1/rate", DAY_AND_NIGHT)
    as_of(EIGHT_IN_SHANGHAI - 1)
    refused(client, phone.body() | {"price": 6_000_000}, 409, "RateChanged")
    made = client.post("/api/orders", json=phone.body() | {"price": 200_000}, headers=new_key())
    assert made.status_code == 201
    assert [step[1:] for step in made.json()["rate"]["steps"][:2]] == [
        [120_000, 80_000, "valley"],
        [5_200_000, 800_000, "sharp"],
    ]


def test_the_same_confirmation_again_is_its_order_also_after_the_price_has_changed(
    client: TestClient, phone: Phone, pile: FakePile, operator: Any, as_of: Any
):
    operator("PUT", "/api/piles/PILE-1/rate", DAY_AND_NIGHT)
    as_of(EIGHT_IN_SHANGHAI - 1)
    body, key = phone.body() | {"price": 200_000}, new_key()
    made = client.post("/api/orders", json=body, headers=key)
    as_of(EIGHT_IN_SHANGHAI)
    again = client.post("/api/orders", json=body, headers=key)
    assert (made.status_code, again.status_code) == (201, 200)
    assert again.json()["order_id"] == made.json()["order_id"]


@pytest.mark.parametrize("price", [-1, 1.2, "1200000", True, 2 * 10**12 + 1])
def test_a_price_that_is_none_is_named(client: TestClient, phone: Phone, pile: FakePile, price: Any):
    problem = refused(client, phone.body() | {"price": price}, 422, "InvalidRequest")
    assert [each["field"] for each in problem["errors"]] == ["price"]


def test_a_confirmation_without_a_price_goes_by_its_rate_alone(phone: Phone, pile: FakePile):
    assert "price" not in phone.body()
    phone.order()


def test_the_description_of_the_api_tells_of_the_price(client: TestClient):
    told = client.get("/openapi.json").json()["components"]["schemas"]["OrderBody"]
    assert "RateChanged" in told["properties"]["price"]["description"]
    assert "price" not in told["required"]


def test_offline_pile(client: TestClient, phone: Phone, pile: FakePile):
    pile.offline()
    refused(client, phone.body(), 503, "PileOffline")


def test_a_cloud_without_its_broker_takes_no_order(
    client: TestClient, phone: Phone, pile: FakePile, link: FakeLink
):
    link.connected = False
    refused(client, phone.body(), 503, "PileOffline")


def test_faulted_connector(client: TestClient, phone: Phone, pile: FakePile):
    pile.online(status="Faulted", fault="PowerSwitchFailure")
    assert refused(client, phone.body(), 409, "PileFaulted")["fault"] == "PowerSwitchFailure"


def test_connector_out_of_service(client: TestClient, phone: Phone, pile: FakePile):
    pile.online(status="Unavailable")
    refused(client, phone.body(), 409, "ConnectorUnavailable")


@pytest.mark.parametrize("clock", ["Unset", "Ntp"])
def test_a_pile_that_does_not_know_the_time_gets_no_order(
    client: TestClient, phone: Phone, pile: FakePile, link: FakeLink, clock: str
):
    """It would refuse every one of them, and each would use up one of the ids that it can remember."""
    said = {"connector": 1, "status": "Preparing", "fault": None, "plugged": True, "order_id": None}

    def report(clock: str) -> None:
        status = {"online": True, "connectors": [said], "clock": clock}
        link.deliver("pile/v1/PILE-1/status", json.dumps(status).encode())

    report(clock)
    assert client.get("/api/piles/PILE-1").json()["clock_set"] is False
    refused(client, phone.body(), 503, "PileHasNoClock")
    assert link.sent("PILE-1", "order") == []
    report("Cloud")
    assert client.get("/api/piles/PILE-1").json()["clock_set"] is True
    phone.order()


@pytest.mark.parametrize("cost_minor", [1, 49, 50])
def test_a_cost_limit_that_the_session_fee_reaches_is_refused_with_the_least_useful_one(
    client: TestClient, phone: Phone, pile: FakePile, cost_minor: int
):
    """The pile would begin the order and end it at once, and the driver would pay the fee for nothing."""
    problem = refused(client, phone.body(cost_minor=cost_minor), 422, "LimitTooLow")
    assert (problem["limit"], problem["least"]) == ("cost_minor", 51)
    phone.order(cost_minor=problem["least"])


def test_nothing_plugged_in(client: TestClient, phone: Phone, pile: FakePile, link: FakeLink):
    pile.online(status="Available", plugged=False)
    refused(client, phone.body(), 409, "NotPlugged")
    assert not link.sent("PILE-1", "order")
    pile.online(status="Preparing")
    phone.order()


def test_connector_with_an_open_order_is_busy_and_the_other_is_not(
    client: TestClient, phone: Phone, pile: FakePile
):
    phone.order()
    refused(client, phone.body(), 409, "ConnectorBusy")
    phone.order(connector=2)


def test_connector_that_the_pile_says_is_in_use_is_busy(client: TestClient, phone: Phone, pile: FakePile):
    pile.online(status="Charging", order_id="of-another-cloud")
    refused(client, phone.body(), 409, "ConnectorBusy")


@pytest.mark.parametrize(
    "limits, field",
    [
        ({"energy_mwh": 0}, "limits.energy_mwh"),
        ({"energy_mwh": -1}, "limits.energy_mwh"),
        ({"energy_mwh": 10**9 + 1}, "limits.energy_mwh"),
        ({"energy_mwh": 1.5}, "limits.energy_mwh"),
        ({"energy_mwh": 2.0}, "limits.energy_mwh"),
        ({"energy_mwh": "5"}, "limits.energy_mwh"),
        ({"energy_mwh": True}, "limits.energy_mwh"),
        ({"cost_minor": 0}, "limits.cost_minor"),
        ({"cost_minor": 10**12 + 1}, "limits.cost_minor"),
        ({"duration_s": 86_401}, "limits.duration_s"),
        ({"duration_s": -5}, "limits.duration_s"),
        ({"watts": 5}, "limits.watts"),
    ],
)
def test_a_wrong_limit_is_named(
    client: TestClient, phone: Phone, pile: FakePile, limits: dict[str, Any], field: str
):
    problem = refused(client, phone.body() | {"limits": limits}, 422, "InvalidRequest")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert problem["errors"][0]["reason"]


def test_a_missing_member_is_named(client: TestClient, phone: Phone, pile: FakePile):
    body = phone.body()
    del body["rate_id"]
    problem = refused(client, body, 422, "InvalidRequest")
    assert [error["field"] for error in problem["errors"]] == ["rate_id"]


def test_a_rate_that_changes_too_often_for_the_duration_is_refused():
    # 96 periods of a minute each, from midnight: an order from 00:30 holds 66, and 35 of the next day.
    rate = {
        "rate_id": "r",
        "currency": "CNY",
        "minor_digits": 2,
        "session_fee_minor": 0,
        "time_zone": "UTC",
        "periods": [[minute, minute, 0, "flat"] for minute in range(96)],
    }
    half_past_midnight = 1_800_000_000 // 86_400 * 86_400 + 1800
    with pytest.raises(Problem) as caught:
        schedule.lock_rate(rate, half_past_midnight, half_past_midnight + 86_400 + 300)
    assert caught.value.members["errors"][0]["field"] == "limits.duration_s"
    assert len(schedule.lock_rate(rate, half_past_midnight, half_past_midnight + 3600)["steps"]) == 60


def test_an_order_is_its_owners(
    client: TestClient, phone: Phone, pile: FakePile, as_operator: dict[str, str]
):
    phone.order()
    path = f"/api/orders/{phone.order_id}"
    wrong = {"Authorization": "Bearer " + "x" * 43}
    calls: list[tuple[str, str, Any]] = [("GET", "", None), ("GET", "/events", None), ("POST", "/stop", None)]
    calls.append(("POST", "/payment", {"amount_minor": 1, "method": "test"}))
    for method, more, body in calls:
        for headers in ({}, wrong, {"Authorization": "Basic " + phone.token}):
            answer = client.request(method, path + more, headers=headers, json=body)
            assert (answer.status_code, answer.json()["code"]) == (404, "UnknownOrder"), (method, more)
    assert client.get(path, params={"token": phone.token}).status_code == 200
    assert client.get(path, headers=as_operator).status_code == 200
    missing = client.get("/api/orders/nothing", params={"token": phone.token}).json()
    assert missing == client.get(path).json()


def test_a_rate_published_while_an_order_runs_changes_nothing_in_it(
    phone: Phone, pile: FakePile, operator: Any
):
    locked = phone.order()["rate"]
    dear = FLAT_RATE["periods"][0] | {"electricity_price": 9_000_000}
    path = "/api/piles/PILE-1/rate?allow_unusual=true"
    assert operator("PUT", path, FLAT_RATE | {"periods": [dear]}).status_code == 201
    pile.order_status(phone.order_id, "Charging")
    pile.settle(phone.message(pile))
    settled = phone.get()
    assert settled["rate"] == locked
    assert settled["total_minor"] == 350  # 2.5 kWh at 1.20, and the fee of 0.50


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_the_code_that_hands_an_order_over_is_for_its_driver_alone(
    client: TestClient, cloud: Cloud, phone: Phone, pile: FakePile, as_operator: dict[str, str]
):
    """It holds the order's token: an operator with it could stop and pay as the driver, unaudited."""
    path = f"/api/orders/{phone.order()['order_id']}/code.svg"
    driver = {"Authorization": "Bearer " + phone.token}
    answer = client.get(path, headers=driver)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert client.get(path, params={"token": phone.token}).content == answer.content
    statuses = {role: client.get(path, headers=member(cloud, role)).status_code for role in ROLES}
    assert statuses == {"viewer": 403, "operator": 404, "owner": 404}
    for headers in ({}, {"Authorization": "Bearer " + "0" * len(phone.token)}, as_operator):
        assert client.get(path, headers=headers).status_code == 404
    for shown in ("/api/orders", f"/api/orders/{phone.order_id}", "/api/orders.csv"):
        answer = client.get(shown, headers=as_operator)
        assert answer.status_code == 200 and phone.token not in answer.text
