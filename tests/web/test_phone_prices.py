"""Each kind of price as a driver sees it: before the charge, while it runs, while the vehicle stays, on the receipt."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.cloud.fakes import FLAT_RATE
from tests.web.conftest import NARROW, axe_problems, overflow
from tests.web.fleet import Fleet

Open = Callable[..., Page]

BIKES: dict[str, Any] = {
    "tiers": [[200_000, 250_000], [400_000, 500_000], [800_000, 900_000]],
    "minimum_minor": 50,
    "maximum_minor": 800,
    "tax_per_mille": 60,
    "session_fee_minor": 0,
    "periods": [[0, 0, 0, "flat"]],
    "estimates": [{"duration_s": 3600, "total_minor": 90}, {"energy_mwh": 1_000_000, "total_minor": 113}],
    "offers": [
        {"kind": "money", "cost_minor": 100, "limits": {"cost_minor": 100}, "estimate_minor": 100},
        {"kind": "money", "cost_minor": 200, "limits": {"cost_minor": 200}, "estimate_minor": 200},
        {"kind": "money", "cost_minor": 500, "limits": {"cost_minor": 500}, "estimate_minor": 500},
        {"kind": "time", "duration_s": 7200, "limits": {"duration_s": 7200}, "estimate_minor": 180},
        {"kind": "energy", "energy_mwh": 5_000_000, "limits": {"energy_mwh": 5_000_000}, "estimate_minor": None},
        {"kind": "full", "limits": {}, "estimate_minor": None},
    ],
    "hold_minor": 2_000,
}
FREE = {"electricity_price": 0, "service_price": 0}
IDLE = {"price": 6_000_000, "after_s": 900, "max_minor": 3_000}


def told(found: dict[str, Any], parts: dict[str, Any], free: bool = False) -> dict[str, Any]:
    """The rate, with these members too."""
    rate = found | parts
    if free:
        rate["now"] = {**rate["now"], **FREE}
        rate["steps"] = [[at, 0, 0, label] for at, _, _, label in rate["steps"]]
    return rate


@pytest.fixture
def looking(fleet: Fleet, open_page: Open, new_context: Any) -> Callable[..., Page]:
    """Someone before a pile whose rate has these members."""

    def look(parts: dict[str, Any], free: bool = False, payment: dict | None = None, **look: Any) -> Page:
        pile = fleet.pile("BIKE-1", "E-bike socket 7", FLAT_RATE, connectors=1)
        fleet.report(pile, connectors=1, said={1: {"status": "Preparing", "plugged": True}})
        context = new_context(**look)

        def rate(route: Route) -> None:
            route.fulfill(json=told(route.fetch().json(), parts, free))

        def its_pile(route: Route) -> None:
            route.fulfill(json=route.fetch().json() | {"payment": payment})

        context.route("**/rate?connector=*", rate)
        context.route("**/api/piles/BIKE-1", its_pile)
        return open_page(f"{fleet.url}/p/BIKE-1", context)

    return look


def fits(page: Page) -> None:
    assert overflow(page) <= 0
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert axe_problems(page) == []


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_a_bike_sees_tiers_offers_and_what_holds_besides(looking, locale: str):
    page = looking(BIKES, free=True, locale=locale, viewport=NARROW)
    expect(page.locator("#confirm")).to_be_enabled()
    fits(page)
    if locale == "zh-CN":
        expect(page.locator("section", has_text="按功率分档")).to_contain_text("每次充电最高收 ¥8")
        return
    expect(page.locator("#confirm")).to_contain_text("Start at ¥0.25–¥0.90/h")
    rows = page.locator(".now-price ~ dl div").all_inner_texts()
    assert [" ".join(each.split()) for each in rows] == [
        "up to 200 W ¥0.25/h",
        "up to 400 W ¥0.50/h",
        "over 400 W ¥0.90/h",
    ]
    terms = page.locator(".terms li").all_inner_texts()
    assert terms == ["At least ¥0.50 per charge", "At most ¥8 per charge", "6% tax included"]
    offers = page.locator(".offer").all_inner_texts()
    assert [each.split("\n")[0] for each in offers] == ["¥1", "¥2", "¥5", "2 h", "5 kWh", "Until I stop"]
    assert offers[0] == "¥1\n≈ 4 h up to 200\u00a0W" and offers[3] == "2 h\n≈ ¥1.80"
    expect(page.locator(".day")).to_have_count(0)  # it has no prices of the day


@pytest.fixture
def riding(fleet: Fleet, open_page: Open, new_context: Any) -> Callable[..., Page]:
    """Someone whose order has these members; `change` may set them while the page is open."""

    def ride(parts: dict[str, Any], rate: dict[str, Any], mwh: int | None = None, **look: Any) -> Page:
        pile = fleet.pile("BIKE-1", "E-bike socket 7", FLAT_RATE, connectors=1)
        order, message = fleet.order(pile)
        if mwh is None:
            fleet.charge(pile, order)
        else:
            fleet.settle(pile, order, message, mwh)

        def told(found: dict[str, Any]) -> dict[str, Any]:
            settlement = parts.get("settlement") and found["settlement"] | parts["settlement"]
            return found | {"rate": found["rate"] | rate} | parts | {"settlement": settlement}

        def own(route: Route) -> None:
            route.fulfill(json=told(route.fetch().json()))

        context = new_context(**look)
        context.route("**/api/orders/*", own)
        context.route("**/api/orders/*/events?*", lambda route: None)  # what is shown stays
        return open_page(f"{fleet.url}/p/BIKE-1?order={order.order_id}#{order.placed['token']}", context)

    return ride


RATE = {
    "time_prices": [2_000_000],
    "idle": IDLE,
    "minimum_minor": 2_000,
    "maximum_minor": 5_000,
    "tax_per_mille": 130,
}
TEST_HOLD = {"adapter": "test", "is_test": True, "held_minor": 6_000, "captured_minor": 0, "refunded_minor": 0}


def meter(**more: Any) -> dict[str, Any]:
    said = {
        "at": int(time.time()),
        "register_mwh": 2_345_678,
        "energy_mwh": 2_345_678,
        "power_mw": 6_912_000,
        "cost_minor": 434,
        "elapsed_s": 3_661,
        "remaining": {"energy_mwh": None, "cost_minor": None, "duration_s": 100},
        "costs": {"energy_minor": 281, "time_minor": 203, "idle_minor": 0, "fee_minor": 50},
    }
    return said | more


def test_while_charging_the_cost_stands_by_component_and_what_is_held(riding):
    page = riding({"meter": meter(), "payment": TEST_HOLD | {"state": "Held"}}, RATE, viewport=NARROW)
    expect(page.locator("dl.facts").first).to_be_visible()
    rows = page.locator("section").first.locator("dl.facts div").all_inner_texts()
    assert [" ".join(each.split()) for each in rows] == [
        "Energy ¥2.81",
        "Charging time ¥2.03",
        "Fee per charge ¥0.50",
    ]
    expect(page.locator(".hold")).to_have_text("¥60.00 is held. Only the bill is taken at the end. TEST - no money moves")
    expect(page.locator("section").nth(1)).to_contain_text("¥1.20/kWh+ ¥2.00/h")
    fits(page)


@pytest.mark.parametrize(("left_s", "heading"), [(600, "Charging is over"), (-900, "Still plugged in")])
def test_a_vehicle_that_stays_sees_how_long_that_is_free_and_then_what_it_costs(
    riding, left_s: int, heading: str
):
    now = int(time.time())
    idle = {"since_at": now - 900, "free_until_at": now + left_s, "time_ms": max(0, -left_s) * 1000}
    costs = {"energy_minor": 281, "time_minor": 203, "idle_minor": 150 if left_s < 0 else 0, "fee_minor": 50}
    page = riding(
        {"state": "Finishing", "meter": meter(idle=idle, costs=costs), "staying": None}, RATE, viewport=NARROW
    )
    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.locator(".hint")).to_contain_text("Unplug to end.")
    expect(page.locator(".hint")).to_contain_text("staying costs ¥6.00/h, at most ¥30.00", ignore_case=True)
    stayed = page.locator(".numbers").first
    if left_s > 0:
        expect(stayed).to_contain_text("9:5")
        seen = stayed.inner_text()
        expect(stayed).not_to_have_text(seen)  # it counts
    else:
        expect(stayed).to_contain_text("¥1.50")
    expect(page.locator("#stop")).to_have_text("Unplug to end")
    expect(page.locator("#stop")).to_be_disabled()
    fits(page)


def test_a_receipt_has_every_line_tax_and_what_became_of_the_hold(riding):
    now = int(time.time())
    bill = {
        "times": [[now - 3_700, 2_000_000, 3_661_000, 203]],
        "idle": {"since_at": now - 1_800, "until_at": now, "time_ms": 900_000, "minor": 150},
        "top_up_minor": 1_116,
        "tax_minor": 230,
        "total_minor": 2_000,
    }
    payment = TEST_HOLD | {"state": "Captured", "captured_minor": 2_000}
    page = riding(
        {"state": "Paid", "settlement": bill, "payment": payment, "paid_at": now}, RATE, 2_345_678, viewport=NARROW
    )
    expect(page.locator("#total")).to_have_text("¥20.00")
    expect(page.locator(".pill").first).to_have_text("Paid")
    rows = [" ".join(each.split()) for each in page.locator(".bill tr").all_inner_texts()]
    for line in (
        "1:01:01 × ¥2.00/h ¥2.03",
        "after the free time 15:00 × ¥6.00/h ¥1.50",
        "Up to the minimum of ¥20 ¥11.16",
        "Total ¥20.00",
        "Without tax ¥17.70",
        "13% tax included ¥2.30",
    ):
        assert line in rows
    held = page.locator("section", has_text="Held before the start")
    expect(held).to_contain_text("TEST - no money moves")
    assert [" ".join(each.split()) for each in held.locator("dl div").all_inner_texts()] == [
        "Held before the start ¥60.00",
        "Taken ¥20.00",
        "Released ¥40.00",
    ]
    expect(page.locator("#pay")).to_have_count(0)
    fits(page)
