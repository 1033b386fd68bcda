"""What a phone is told beforehand and after a reload: estimates against an oracle, and the power's curve."""

from fractions import Fraction
from typing import Any

import pytest

from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from cloud_stub.db.writer import Transaction
from cloud_stub.messaging.outbox import Outbox
from cloud_stub.orders import power_curve
from cloud_stub.rates import estimates, highest_cost, model, schedule, versions
from tests.cloud.fakes import ACTOR, FLAT_RATE, FakePile


def with_prices(electricity: int, service: int, fee_minor: int, currency: str) -> dict[str, Any]:
    period = {"start": "00:00", "label": "flat", "electricity_price": electricity, "service_price": service}
    return FLAT_RATE | {"currency": currency, "session_fee_minor": fee_minor, "periods": [period]}


@pytest.mark.parametrize(
    ("electricity", "service", "fee_minor", "currency", "digits"),
    [
        (800_000, 400_000, 50, "CNY", 2),
        (0, 0, 0, "CNY", 2),
        (1_234_565, 0, 1, "CNY", 2),
        (33_333_333, 1, 7, "JPY", 0),
        (123_456, 654_321, 0, "KWD", 3),
    ],
)
def test_estimates_are_the_exact_cost_rounded_half_up(
    client, add_pile, electricity: int, service: int, fee_minor: int, currency: str, digits: int
):
    add_pile(rate=with_prices(electricity, service, fee_minor, currency))
    rate = client.get("/api/piles/PILE-1/rate").json()
    assert [each["energy_mwh"] for each in rate["estimates"]] == [1_000_000, 5_000_000, 10_000_000]
    for each in rate["estimates"]:
        kwh = Fraction(each["energy_mwh"], 1_000_000)
        cost = kwh * Fraction(electricity + service, 1_000_000) * 10**digits + fee_minor
        assert each["total_minor"] == int(cost + Fraction(1, 2))


def test_a_new_rate_is_shown_at_once_whoever_published_it(client, add_pile, cloud: Cloud):
    """Also where another worker did: nothing of a rate is kept here that the next one would have to clear."""
    add_pile(rate=with_prices(1_000_000, 0, 0, "CNY"))
    before = client.get("/api/piles/PILE-1/rate").json()
    body = model.parse(with_prices(2_000_000, 0, 5, "CNY"))
    with cloud.store.writing.begin() as conn:
        published = versions.publish_for_pile(Transaction(conn), ACTOR, Outbox(), "PILE-1", body, now_s())
    after = client.get("/api/piles/PILE-1/rate").json()
    assert before["rate_id"] != after["rate_id"] == published["rate_id"]
    assert after["now"]["electricity_price"] == 2_000_000
    assert [each["total_minor"] for each in before["estimates"]] == [100, 500, 1000]
    assert [each["total_minor"] for each in after["estimates"]] == [205, 1005, 2005]


@pytest.mark.parametrize("now", [1_795_860_000, 1_795_881_570, 1_795_910_400])
def test_the_hold_that_is_shown_is_that_of_the_order(now: int):
    """An hour was shown with the hold of the day's dearest price. 1,795,881,570 is 30 s before a step."""
    offers = [{"kind": "time", "duration_s": each} for each in (3600, 8 * 3600, 86_400)]
    rate = {
        "rate_id": "r-of-steps",
        "currency": "CNY",
        "minor_digits": 2,
        "session_fee_minor": 50,
        "time_zone": "UTC",
        "changes_at": None,
        "periods": [[0, 300_000, 0, "valley"], [420, 900_000, 0, "flat"], [960, 2_000_000, 0, "peak"]],
        "time_prices": [0, 600_000, 300_000],
        "offers": [*offers, {"kind": "energy", "energy_mwh": 5_000_000}, {"kind": "full"}],
    }
    view = estimates.offered(rate, now, 6 * 3600, 60, 7_000)
    shown = [(each["limits"], each["hold_minor"]) for each in view["offers"]]
    for limits, hold_minor in [*shown, ({}, view["hold_minor"]), (offers[-1], view["longest_hold_minor"])]:
        limits = {"duration_s": 6 * 3600, **limits}
        locked = schedule.lock_rate(rate, now, now + 60 + limits["duration_s"])
        assert hold_minor == highest_cost.highest_minor(locked, limits, 7_000)
    assert len({hold_minor for _, hold_minor in shown}) > 3


@pytest.mark.parametrize(
    ("price", "shown"), [(0, [("full", None)]), (9_000, [("money", 50), ("full", None)])]
)
def test_an_offer_by_money_that_no_order_reaches_is_left_out(price: int, shown: list[Any]):
    """At a rate without prices, a button of 1.00 said that this much is charged for."""
    rate = {
        "rate_id": f"r-at-{price}",
        "currency": "CNY",
        "minor_digits": 2,
        "session_fee_minor": 0,
        "time_zone": "UTC",
        "changes_at": None,
        "periods": [[0, price, 0, "flat"]],
        "offers": [{"kind": "money", "cost_minor": each} for each in (50, 100)] + [{"kind": "full"}],
    }
    view = estimates.offered(rate, 1_795_860_000, 12 * 3600, 60, 7_000)
    assert [(each["kind"], each.get("cost_minor")) for each in view["offers"]] == shown


def test_the_rates_address_is_described_and_is_only_read_and_put(client):
    described = client.get("/openapi.json").json()["paths"]["/api/piles/{device_id}/rate"]
    assert set(described) == {"get", "put"}
    named = {each["name"]: (each["in"], each.get("required")) for each in described["get"]["parameters"]}
    assert named == {"device_id": ("path", True), "connector": ("query", None)}
    refused = client.delete("/api/piles/PILE-1/rate")
    assert (refused.status_code, refused.json()["code"]) == (405, "MethodNotAllowed")


def test_the_curve_of_an_order_is_its_power_over_time(client, phone, pile: FakePile, cloud: Cloud):
    order = phone.order()
    pile.order_status(order["order_id"], "Accepted")
    pile.order_status(order["order_id"], "Charging")
    start = order["created_at"]
    for minute in range(5):
        pile.meter(order["order_id"], 1_000_000 + 100_000 * minute, at=start + 60 * minute)
    headers = {"Authorization": "Bearer " + phone.token}
    curve = client.get(f"/api/orders/{order['order_id']}/curve", headers=headers).json()
    assert [at - start for at, _ in curve] == [0, 60, 120, 180, 240]
    assert {power for _, power in curve} == {7_000_000}
    assert client.get(f"/api/orders/{order['order_id']}/curve").status_code == 404


def test_a_long_curve_is_thinned_to_a_phones_width(client, phone, pile: FakePile, monkeypatch):
    monkeypatch.setattr(power_curve, "POINTS_MAX", 3)
    order = phone.order()
    pile.order_status(order["order_id"], "Charging")
    for minute in range(10):
        pile.meter(order["order_id"], 1_000_000 + minute, at=order["created_at"] + 60 * minute)
    headers = {"Authorization": "Bearer " + phone.token}
    curve = client.get(f"/api/orders/{order['order_id']}/curve", headers=headers).json()
    assert 1 < len(curve) <= 3
