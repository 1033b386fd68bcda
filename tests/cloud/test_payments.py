"""Paying an order: its exact amount, once."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloud_stub.cloud import Cloud
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FakePile


def test_payment(phone: Phone, pile: FakePile):
    phone.order()
    assert phone.pay(0).json()["code"] == "NotSettled"
    pile.order_status(phone.order_id, "Charging")
    assert phone.pay(350).json()["code"] == "NotSettled"
    pile.settle(phone.message(pile))
    wrong = phone.pay(349)
    assert (wrong.status_code, wrong.json()["code"], wrong.json()["total_minor"]) == (
        409,
        "AmountMismatch",
        350,
    )
    first, again = phone.pay(350), phone.pay(350)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert first.json()["state"] == "Paid"
    assert first.json()["payment"]["amount_minor"] == 350
    assert phone.pay(351).json()["code"] == "AmountMismatch"


def test_with_a_real_provider_no_driver_pays_by_saying_so(
    cloud: Cloud, phone: Phone, pile: FakePile, monkeypatch: pytest.MonkeyPatch
):
    phone.order()
    pile.settle(phone.message(pile))
    monkeypatch.setattr(cloud.context.settings, "payment", "stripe")
    assert (phone.pay(350).status_code, phone.pay(350).json()["code"]) == (409, "HoldOpen")


@pytest.mark.parametrize(
    "body",
    [{"amount_minor": 1}, {"amount_minor": -1, "method": "test"}, {"amount_minor": 1, "method": "card"}],
)
def test_a_payment_must_be_one(client: TestClient, phone: Phone, pile: FakePile, body: dict[str, Any]):
    phone.order()
    answer = client.post(f"/api/orders/{phone.order_id}/payment", params={"token": phone.token}, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "InvalidRequest")
