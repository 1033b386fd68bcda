"""Bills of zero close themselves: there is nothing to pay, and no payment is made up."""

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from cloud_stub.cloud import Cloud
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FLAT_RATE, FakeLink, FakePile

FREE_RATE = FLAT_RATE | {
    "session_fee_minor": 0,
    "periods": [{"start": "00:00", "label": "flat", "electricity_price": 0, "service_price": 0}],
}
NO_FEE = FLAT_RATE | {"session_fee_minor": 0}


def payments(cloud: Cloud) -> int:
    with cloud.store.reading.connect() as conn:
        return conn.exec_driver_sql("SELECT count(*) FROM payments").scalar_one()


def closed(phone: Phone) -> tuple[str, int, Any]:
    order = phone.get()
    assert order["paid_at"] is not None
    return order["state"], order["total_minor"], order["payment"]


def test_an_order_at_a_free_rate_closes_itself(add_pile: Callable[..., FakePile], phone: Phone, cloud: Cloud):
    pile = add_pile(rate=FREE_RATE)
    phone.order()
    pile.settle(phone.message(pile))
    assert closed(phone) == ("Paid", 0, None)
    assert payments(cloud) == 0
    assert phone.get()["settlement"]["energy_mwh"] == 2_500_000


def test_a_charge_that_delivered_nothing_closes_itself(add_pile: Callable[..., FakePile], phone: Phone):
    pile = add_pile(rate=NO_FEE)
    phone.order()
    pile.settle(phone.message(pile), mwh=0)
    assert closed(phone) == ("Paid", 0, None)
    # A phone that has not heard of it may pay its nothing.
    assert (phone.pay(0).status_code, phone.get()["payment"]) == (200, None)


@pytest.mark.parametrize("stopped", [True, False])
def test_the_messages_of_an_order_that_closed_itself_are_not_sent_again(
    add_pile: Callable[..., FakePile], phone: Phone, link: FakeLink, stopped: bool
):
    """Its settlement is all that came: the pile's reports of its course were lost."""
    pile = add_pile(rate=FREE_RATE)
    phone.order()
    message = phone.message(pile)
    if stopped:
        phone.stop()
    pile.settle(message)
    assert closed(phone) == ("Paid", 0, None)
    before = list(link.published)
    pile.hello()
    again = {name for _, name, _, _ in link.published[len(before) :]}
    assert again == {"time", "rate"}


def test_a_flagged_bill_of_zero_waits_for_its_review(
    add_pile: Callable[..., FakePile], phone: Phone, operator: Any
):
    pile = add_pile(rate=FREE_RATE)
    phone.order()
    pile.settle(phone.message(pile), connector=2)
    assert phone.get()["state"] == "Settled"
    review = {"decision": "release", "note": "a wrong number"}
    assert operator("POST", "/api/settlements/1/review", review).status_code == 201
    assert closed(phone) == ("Paid", 0, None)


def test_a_bill_of_zero_whose_gap_is_filled_closes_itself(add_pile: Callable[..., FakePile], phone: Phone):
    pile = add_pile(rate=FREE_RATE)
    phone.order()
    first = pile.sealed(pile.settlement(phone.message(pile), 1_000))
    first_order, first_token = phone.order_id, phone.token
    phone.order(connector=2)
    pile.settle(phone.message(pile), 1_000, connector=2)
    assert (phone.get()["state"], phone.get()["settlement"]["flags"]) == ("Settled", ["SeqGap"])
    pile.say("settlement", first)
    assert closed(phone) == ("Paid", 0, None)
    phone.order_id, phone.token = first_order, first_token
    assert closed(phone) == ("Paid", 0, None)


def test_a_bill_of_zero_is_an_order_without_revenue(
    add_pile: Callable[..., FakePile], phone: Phone, operator: Any
):
    pile = add_pile(rate=FREE_RATE)
    phone.order()
    pile.settle(phone.message(pile))
    assert ",2.500000,0.00,CNY," in operator("GET", "/api/orders.csv").text
    today = datetime.now(timezone.utc).date().isoformat()
    report = operator("GET", f"/api/reports/daily?from={today}&to={today}&time_zone=UTC").json()
    (day,) = report["currencies"][0]["days"]
    assert (day["orders"], day["energy_mwh"], day["revenue_minor"]) == (1, 2_500_000, 0)
