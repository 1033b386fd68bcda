"""Free vend: an order that nobody pays, by a code, at a site or by an operator."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from cloud_stub.payments import free
from tests.cloud.conftest import AS_OPERATOR, Phone
from tests.cloud.fakes import FakePile, new_key
from tests.cloud.test_holds import by_hand, run, settings  # noqa: F401
from tests.cloud.test_operator import problem


def test_a_code_makes_an_order_free(cloud: Cloud, phone: Phone, pile: FakePile, operator: Any):
    grant = operator("POST", "/api/free-vend", {"reason": "Guests", "uses_max": 1}).json()
    for wrong in ("\0", "ß", f"{grant['code']}A"):  # PostgreSQL refuses a NUL in a text
        refused = phone.client.post("/api/orders", json=phone.body() | {"code": wrong}, headers=new_key())
        problem(refused, 409, "FreeCodeInvalid")
    typed = f" {grant['code'][:4]}-{grant['code'][4:]}".lower()
    body = phone.body() | {"code": typed}
    made = phone.client.post("/api/orders", json=body, headers=new_key())
    assert (made.status_code, made.json()["payment"], made.json()["free"]) == (201, None, True)
    phone.order_id, phone.token = made.json()["order_id"], made.json()["token"]
    pile.order_status(phone.order_id, "Accepted")
    pile.settle(phone.message(pile), 2_500_000)
    run(cloud)
    assert (phone.get()["state"], phone.get()["credits"][0]["amount_minor"]) == ("Paid", 350)
    body["connector"] = 2
    problem(phone.client.post("/api/orders", json=body, headers=new_key()), 409, "FreeCodeInvalid")
    assert operator("DELETE", f"/api/free-vend/{grant['grant_id']}").status_code == 200
    assert operator("GET", "/api/free-vend").json()["items"][0]["revoked_at"] is not None


def is_open(cloud: Cloud, order_id: str) -> bool:
    with cloud.store.reading.connect() as conn:
        found = free._OF_ORDER.first(conn, {"order_id": order_id})
    return found is not None and found.open


@pytest.mark.parametrize("end", ["rejected", "expired"])
def test_an_order_that_never_charged_gives_the_use_of_its_code_back(
    cloud: Cloud, phone: Phone, pile: FakePile, operator: Any, end: str
):
    grant = operator("POST", "/api/free-vend", {"reason": "Guests", "uses_max": 1}).json()
    body = phone.body() | {"code": grant["code"]}
    made = phone.client.post("/api/orders", json=body, headers=new_key()).json()
    phone.order_id, phone.token, message = made["order_id"], made["token"], phone.message(pile)
    if end == "rejected":
        pile.order_status(phone.order_id, "Rejected", reason="NotPlugged")
    else:
        cloud.jobs.run_once(now_s() + 1000)
    run(cloud)
    run(cloud)
    assert operator("GET", "/api/free-vend").json()["items"][0]["uses"] == 0
    assert not is_open(cloud, phone.order_id)
    again = phone.client.post("/api/orders", json=body, headers=new_key())
    assert (again.status_code, again.json()["free"]) == (201, True)
    if end == "expired":  # the pile had it all the same
        pile.settle(message, 2_500_000)
        run(cloud)
        assert phone.get()["credits"][0]["amount_minor"] == 350


def test_a_pile_says_that_everybody_charges_for_free_at_its_site(phone: Phone, pile: FakePile, operator: Any):
    site = {"site_id": "S-1", "name": "Harbour", "address": "", "time_zone": "UTC", "contact": ""}
    assert operator("POST", "/api/sites", site).status_code == 201
    move = {"selection": f"pile:{pile.device_id}", "site_id": "S-1"}
    assert operator("POST", "/api/pile-moves", move).status_code == 200
    path = f"/api/piles/{pile.device_id}"
    operator("POST", "/api/free-vend", {"reason": "Guests", "site_id": "S-1"})  # a code is not everybody
    assert phone.client.get(path).json()["free"] is False
    everybody = {"reason": "Opening", "site_id": "S-1", "with_code": False}
    grant = operator("POST", "/api/free-vend", everybody).json()
    assert phone.client.get(path).json()["free"] is True
    assert phone.order()["free"] is True
    operator("DELETE", f"/api/free-vend/{grant['grant_id']}")
    assert phone.client.get(path).json()["free"] is False


def test_an_operator_gives_an_order_away_and_nobody_else(client: TestClient, phone: Phone, pile: FakePile):
    body = phone.body() | {"free_reason": "Apology"}
    problem(client.post("/api/orders", json=body, headers=new_key()), 401, "Unauthorized")
    made = client.post("/api/orders", json=body, headers=new_key() | AS_OPERATOR)
    assert (made.status_code, made.json()["payment"]) == (201, None)


def given_away(phone: Phone, connector: int) -> None:
    body = phone.body() | {"connector": connector, "free_reason": "Apology"}
    made = phone.client.post("/api/orders", json=body, headers=new_key() | AS_OPERATOR)
    phone.order_id, phone.token = made.json()["order_id"], made.json()["token"]


def test_flagged_bills_keep_no_other_free_order_waiting(
    cloud: Cloud, phone: Phone, pile: FakePile, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(free, "AT_ONCE", 1)
    for connector, lies in ((1, {"total_minor": 1}), (2, {})):
        given_away(phone, connector)
        pile.order_status(phone.order_id, "Accepted", connector=connector)
        pile.settle(phone.message(pile), 2_500_000, **lies)
    run(cloud)
    assert phone.get()["credits"][0]["amount_minor"] == 350


def test_a_credit_with_the_key_of_a_free_order_does_not_end_all_payments(
    cloud: Cloud, phone: Phone, pile: FakePile
):
    """The key could be sent by an operator; then nothing was credited, captured or released any more."""
    given_away(phone, 1)
    pile.order_status(phone.order_id, "Accepted")
    pile.settle(phone.message(pile), 2_500_000)
    headers = AS_OPERATOR | {"Idempotency-Key": "free-vend-" + phone.order_id}
    body = {"amount_minor": 1, "reason": "a test"}
    path = f"/api/orders/{phone.order_id}/credits"
    assert phone.client.post(path, json=body, headers=headers).status_code == 201
    run(cloud)
    assert [each["amount_minor"] for each in phone.get()["credits"]] == [1, 349]
    headers = AS_OPERATOR | {"Idempotency-Key": free._CREDIT_KEY}
    problem(phone.client.post(path, json=body, headers=headers), 422, "InvalidRequest")


@pytest.mark.parametrize("end", ["rejected", "expired", "lost"])
def test_an_order_given_away_is_closed_at_its_end_and_credited_if_its_pile_had_it(
    cloud: Cloud, phone: Phone, pile: FakePile, operator: Any, end: str
):
    given_away(phone, 1)
    message = phone.message(pile)
    if end == "rejected":
        pile.order_status(phone.order_id, "Rejected", reason="NotPlugged")
    elif end == "expired":
        cloud.jobs.run_once(now_s() + 1000)
    else:
        pile.order_status(phone.order_id, "Accepted")
        pile.offline()
        assert operator("POST", f"/api/orders/{phone.order_id}/close", {"reason": "gone"}).status_code == 200
    run(cloud)
    assert not is_open(cloud, phone.order_id)
    pile.settle(message, 2_500_000)
    run(cloud)
    assert phone.get()["credits"][0]["amount_minor"] == 350
    assert not is_open(cloud, phone.order_id)
