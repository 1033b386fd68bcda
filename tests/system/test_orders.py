"""Whole orders, from the confirmation to the paid receipt: real broker, real cloud, real firmware."""

import pytest

from pile_protocol import pricing
from tools.harness.system import DEMO_RATE

pytestmark = pytest.mark.system

FAST = 600  # the register runs this many times faster: 7 kW gives 1.2 kWh a second


def priced(rate, factor):
    """`rate` with every price multiplied."""
    periods = [
        {
            **p,
            "electricity_price": p["electricity_price"] * factor,
            "service_price": p["service_price"] * factor,
        }
        for p in rate["periods"]
    ]
    return {**rate, "periods": periods}


def closed(line):
    return line["event"] == "relay closed"


def opened(line):
    return line["event"] == "relay opened"


def test_a_whole_order_is_settled_at_the_locked_rate_and_paid(pile, phone, tap):
    p = pile(speed=FAST)
    order = phone.order(p.device_id)
    p.wait_for(closed)
    order.wait_for_event(lambda e: e.name == "meter" and e.data["energy_mwh"] > 1_000_000)
    assert order.stop().status == 202
    p.wait_for(opened)
    view = order.wait_for_state("Settled")
    settlement = view["settlement"]
    assert settlement["stop_reason"] == "Remote"
    assert not settlement["flagged"], settlement["flags"]
    lines = sum(row[5] + row[6] for row in settlement["periods"]) + settlement["session_fee_minor"]
    assert lines == settlement["total_minor"] == view["total_minor"] > 0
    assert settlement["rate_digest"] == pricing.digest(view["rate"])
    assert order.pay(view["total_minor"]).status == 200
    assert order.view()["state"] == "Paid"
    tap.wait_for(p.device_id, "order/status", lambda m: m["state"] == "Settled")
    states = [m.json()["state"] for m in tap.of(p.device_id, "order/status")]
    assert states == ["Accepted", "Charging", "Finishing", "Settled"]


def test_a_rate_published_in_the_middle_changes_nothing_in_the_running_order(pile, phone, system):
    p = pile(speed=FAST)
    order = phone.order(p.device_id)
    order.wait_for_state("Charging")
    new_rate_id = system.set_rate(p.device_id, priced(DEMO_RATE, 3))
    order.wait_for_event(lambda e: e.name == "meter" and e.data["energy_mwh"] > 1_000_000)
    order.stop()
    view = order.wait_for_state("Settled")
    assert phone.rate(p.device_id)["rate_id"] == new_rate_id
    assert (
        view["settlement"]["rate_id"]
        == view["rate"]["rate_id"]
        == order.placed["rate"]["rate_id"]
        != new_rate_id
    )
    prices = {(row[1], row[2]) for row in view["settlement"]["periods"]}
    assert prices <= {(p["electricity_price"], p["service_price"]) for p in DEMO_RATE["periods"]}
    assert not view["settlement"]["flagged"]


def test_a_stale_confirmation_is_refused_with_the_new_rate_and_nothing_starts(pile, phone, system, tap):
    p = pile()
    seen = phone.rate(p.device_id)
    new_rate_id = system.set_rate(p.device_id, priced(DEMO_RATE, 2))
    answer = phone.confirm(p.device_id, seen["rate_id"])
    assert (answer.status, answer.code) == (409, "RateChanged")
    assert answer.json()["rate"]["rate_id"] == new_rate_id
    assert not tap.of(p.device_id, "order")
    order = phone.placed(phone.confirm(p.device_id, answer.json()["rate"]["rate_id"]))
    order.wait_for_state("Charging")


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"energy_mwh": 1_500_000}, "EnergyLimitReached"),
        ({"cost_minor": 250}, "CostLimitReached"),
        ({"duration_s": 2}, "TimeLimitReached"),
    ],
)
def test_the_pile_stops_by_itself_at_each_limit(pile, phone, limits, reason):
    p = pile(speed=FAST)
    order = phone.order(p.device_id, limits=limits)
    p.wait_for(opened)
    view = order.wait_for_state("Settled")
    settlement = view["settlement"]
    assert settlement["stop_reason"] == view["reason"] == reason
    if "energy_mwh" in limits:
        assert settlement["energy_mwh"] >= limits["energy_mwh"]
    if "cost_minor" in limits:
        assert settlement["total_minor"] == limits["cost_minor"]
    if "duration_s" in limits:
        assert 2 <= settlement["ended_at"] - settlement["started_at"] <= 4


def test_unplugging_ends_the_order(pile, phone):
    p = pile(speed=FAST)
    order = phone.order(p.device_id)
    order.wait_for_state("Charging")
    p.send(plug=False)
    assert order.wait_for_state("Settled")["reason"] == "EVDisconnected"


def test_two_connectors_charge_two_orders_at_once(pile, phone):
    p = pile(connectors=2, speed=FAST)
    first = phone.order(p.device_id, connector=1, limits={"energy_mwh": 3_000_000})
    second = phone.order(p.device_id, connector=2, limits={"energy_mwh": 1_000_000})
    p.wait_for(lambda line: closed(line) and line["connector"] == 1)
    p.wait_for(lambda line: closed(line) and line["connector"] == 2)
    views = [order.wait_for_state("Settled") for order in (second, first)]
    assert [v["settlement"]["connector"] for v in views] == [2, 1]
    assert {v["settlement"]["seq"] for v in views} == {1, 2}
    assert views[1]["settlement"]["prev_mac"] == views[0]["settlement"]["mac"]
    assert not any(v["settlement"]["flagged"] for v in views)


def test_the_next_order_begins_at_the_register_where_the_last_one_ended(pile, phone):
    p = pile(speed=FAST)
    views = []
    for _ in range(2):
        order = phone.order(p.device_id, limits={"energy_mwh": 1_000_000})
        views.append(order.wait_for_state("Settled"))
        p.wait_until(lambda view: not view["connectors"][0]["busy"])
    first, second = (v["settlement"] for v in views)
    assert second["start_register_mwh"] == first["end_register_mwh"]
    assert second["prev_mac"] == first["mac"]
