"""Each kind of price as a driver sees it: before, while it runs, while the vehicle stays, on the receipt.

What the pile and the cloud say is real, but for `payment`, which the routes of these tests put in.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.cloud.fakes import BILLS_ALL, FLAT_RATE, FakePile
from tests.web.conftest import NARROW, axe_problems, overflow
from tests.web.fleet import Fleet
from tools.harness.phone import PhoneOrder

BIKES: dict[str, Any] = {
    "currency": "CNY",
    "time_zone": "Asia/Shanghai",
    "session_fee_minor": 0,
    "periods": [{"start": "00:00", "label": "flat", "electricity_price": 0, "service_price": 0}],
    "tiers": [
        {"up_to_w": 200, "price": 250_000},
        {"up_to_w": 400, "price": 500_000},
        {"up_to_w": 800, "price": 900_000},
    ],
    "minimum_minor": 50,
    "maximum_minor": 800,
    "tax_per_mille": 60,
    "offers": [
        {"kind": "money", "cost_minor": 100},
        {"kind": "money", "cost_minor": 200},
        {"kind": "money", "cost_minor": 500},
        {"kind": "time", "duration_s": 7200},
        {"kind": "energy", "energy_mwh": 5_000_000},
        {"kind": "full"},
    ],
}
# In the 30 s that a played charge takes, time is ¥1.00 and the tier ¥1.00; ten seconds of staying are ¥1.00.
EVERYTHING: dict[str, Any] = FLAT_RATE | {
    "periods": [FLAT_RATE["periods"][0] | {"time_price": 120_000_000}],
    "tiers": [{"up_to_w": 200, "price": 60_000_000}, {"up_to_w": 400, "price": 120_000_000}],
    "idle": {"price": 360_000_000, "after_s": 60, "max_minor": 3_000},
    "minimum_minor": 2_000,
    "maximum_minor": 50_000,
    "tax_per_mille": 130,
}
TEST_HOLD = {
    "adapter": "test",
    "is_test": True,
    "state": "Held",
    "held_minor": 6_000,
    "captured_minor": 0,
    "refunded_minor": 0,
}


@pytest.fixture
def bay(fleet: Fleet) -> Callable[[dict[str, Any]], FakePile]:
    """A pile with a vehicle, which can bill everything, and this rate."""

    def make(rate: dict[str, Any]) -> FakePile:
        pile = fleet.pile("BIKE-1", "E-bike socket 7", rate=None, connectors=1)
        pile.hello(**BILLS_ALL)
        answer = fleet.operator.put("/api/piles/BIKE-1/rate?allow_unusual=true", rate)
        assert answer.status == 201, answer.body
        fleet.report(pile, connectors=1, said={1: {"status": "Preparing", "plugged": True}})
        return pile

    return make


@pytest.fixture
def narrow(new_context: Callable[..., BrowserContext]) -> Callable[..., BrowserContext]:
    """A small phone; `payment` is what its cloud says of piles and orders."""

    def make(payment: dict[str, Any] | None = None, **look: Any) -> BrowserContext:
        context = new_context(viewport=NARROW, **look)

        def say(route: Route) -> None:
            route.fulfill(json=route.fetch().json() | {"payment": payment})

        if payment:
            context.route("**/api/piles/BIKE-1", say)
            context.route("**/api/orders/*", say)
            context.route("**/api/orders/*/events?*", lambda route: None)  # only what was asked for
        return context

    return make


def link(fleet: Fleet, order: PhoneOrder) -> str:
    return f"{fleet.url}/p/BIKE-1?order={order.order_id}#{order.placed['token']}"


def texts(page: Page, selector: str) -> list[str]:
    """The elements' texts, with one blank between words and between the parts of an element. Not as they are
    drawn: the style of parts that are loaded where they are needed may come a moment later.
    """
    parts = "all => all.map((each) => [...each.childNodes].map((part) => part.textContent).join(' '))"
    return [" ".join(each.split()) for each in page.locator(selector).evaluate_all(parts)]


def check(page: Page) -> None:
    assert overflow(page) <= 0
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert axe_problems(page) == []


def test_a_bike_sees_tiers_offers_and_what_holds_besides_and_starts_with_two_yuan(
    fleet: Fleet, bay, narrow, open_page
):
    bay(BIKES)
    page = open_page(f"{fleet.url}/p/BIKE-1", narrow())
    expect(page.locator("#confirm")).to_contain_text("Start at ¥0.25")
    assert texts(page, ".now-price ~ dl div") == [
        "up to 200 W ¥0.25/h",
        "up to 400 W ¥0.50/h",
        "over 400 W ¥0.90/h",
    ]
    assert texts(page, ".terms li") == [
        "At least ¥0.50 per charge",
        "At most ¥8 per charge",
        "6% tax included",
    ]
    assert texts(page, ".offer") == [
        "¥1 ≈ 4 h up to 200 W",
        "¥2 ≈ 8 h up to 200 W",
        "¥5 ≈ 20 h up to 200 W",
        "2 h",
        "5 kWh",
        "Until I stop or the battery is full",
    ]
    expect(page.locator(".day")).to_have_count(0)  # no price changes by the time of day
    check(page)
    page.get_by_label("¥2").check()
    expect(page.locator("#confirm")).to_contain_text("at most ¥2.00")
    page.locator("#confirm").click()
    expect(page.locator("#stop")).to_be_visible()
    (order,) = fleet.operator.get("/api/orders").json()["items"]
    shown = fleet.operator.get(f"/api/orders/{order['order_id']}").json()
    assert shown["limits"]["cost_minor"] == 200


def test_the_prices_of_a_kwh_and_an_hour_stand_together_and_what_staying_costs(
    fleet: Fleet, bay, narrow, open_page
):
    bay(EVERYTHING)
    page = open_page(f"{fleet.url}/p/BIKE-1", narrow(TEST_HOLD, locale="zh-CN", color_scheme="dark"))
    expect(page.locator("#confirm")).to_contain_text("¥1.20/度 + ¥120.00/小时")
    expect(page.locator("#confirm")).to_contain_text("测试 - 不会实际扣款")
    assert texts(page, ".terms li")[0].endswith("最多 ¥30")
    expect(page.locator(".hold")).to_contain_text("先预授权 ¥")
    check(page)


def test_a_sum_in_thousands_without_decimals_and_a_grace_time_in_seconds_are_exact(
    fleet: Fleet, bay, narrow, open_page
):
    """A maximum of ¥5,000 was shown as ¥5, and a grace time of 90 s as 2 min."""
    idle = {"price": 300_000_000, "after_s": 90, "max_minor": 2_000}
    bay(FLAT_RATE | {"currency": "JPY", "maximum_minor": 5_000, "minimum_minor": 100, "idle": idle})
    page = open_page(f"{fleet.url}/p/BIKE-1", narrow())
    expect(page.locator("#confirm")).to_contain_text("Start at")
    assert texts(page, ".terms li") == [
        "Staying plugged in: ¥300.00/h from 90 s after the charge, at most ¥2,000",
        "At least ¥100 per charge",
        "At most ¥5,000 per charge",
    ]


def test_while_charging_the_cost_stands_by_component_and_what_is_held(fleet: Fleet, bay, narrow, open_page):
    pile = bay(EVERYTHING)
    order, _ = fleet.order(pile)
    costs = {"energy_minor": 281, "time_minor": 203, "tiers_minor": 0, "idle_minor": 0, "fee_minor": 50}
    fleet.charge(pile, order, costs=costs)  # type: ignore[arg-type]
    page = open_page(link(fleet, order), narrow(TEST_HOLD))
    expect(page.locator("dl.facts").first).to_be_visible()
    assert texts(page, ".numbers ~ div .facts div") == [
        "Energy ¥2.81",
        "Charging time ¥2.03",
        "Fee per charge ¥0.50",
    ]
    expect(page.locator(".hold")).to_have_text(
        "¥60.00 is held. Only the bill is taken at the end. TEST - no money moves"
    )
    check(page)


@pytest.mark.parametrize(("left_s", "heading"), [(600, "Charging is over"), (-900, "Still plugged in")])
def test_a_vehicle_that_stays_sees_how_long_that_is_free_and_then_what_it_costs(
    fleet: Fleet, bay, narrow, open_page, left_s: int, heading: str
):
    pile, now = bay(EVERYTHING), int(time.time())
    order, _ = fleet.order(pile)
    pile.order_status(order.order_id, "Finishing", connector=1)
    idle = {"since_at": now - 900, "free_until_at": now + left_s, "time_ms": max(0, -left_s) * 1000}
    costs = {"energy_minor": 281, "idle_minor": 150 if left_s < 0 else 0, "fee_minor": 50}
    fleet.charge(pile, order, costs=costs, idle=idle)  # type: ignore[arg-type]
    page = open_page(link(fleet, order), narrow())
    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.locator(".hint")).to_contain_text("Unplug to end.")
    expect(page.locator(".hint")).to_contain_text("staying costs ¥360.00/h, at most ¥30", ignore_case=True)
    stayed = page.locator(".numbers").first
    if left_s > 0:
        expect(stayed).to_contain_text("Free to stay for")
        expect(stayed).not_to_have_text(stayed.inner_text())  # it counts
    else:
        expect(stayed).to_contain_text("¥1.50")
    expect(page.locator("#stop")).to_have_text("Unplug to end")
    expect(page.locator("#stop")).to_be_disabled()
    check(page)


def test_a_receipt_has_every_line_its_tax_and_what_became_of_the_hold(fleet: Fleet, bay, narrow, open_page):
    pile = bay(EVERYTHING | {"idle": EVERYTHING["idle"] | {"after_s": 10}})
    order, message = fleet.order(pile)
    fleet.settle(pile, order, message, 1_000_000, stay_s=20)
    assert order.pay(2_000).status == 200
    taken = TEST_HOLD | {"state": "Captured", "captured_minor": 2_000}
    page = open_page(link(fleet, order), narrow(taken))
    expect(page.locator("#total")).to_have_text("¥20.00")
    expect(page.locator(".pill").first).to_have_text("Paid")
    rows = [each.replace("\u00d7", "x") for each in texts(page, ".bill tr")]
    for line in (
        "Electricity ¥0.80/kWh ¥0.80",
        "Service ¥0.40/kWh ¥0.40",
        "0:30 x ¥120.00/h ¥1.00",
        "over 200 W 0:30 x ¥120.00/h ¥1.00",
        "after free time 0:10 x ¥360.00/h ¥1.00",
        "Fee per charge ¥0.50",
        "Up to the minimum of ¥20 ¥15.30",
        "Total ¥20.00",
        "Without tax ¥17.70",
        "13% tax included ¥2.30",
    ):
        assert line in rows, rows
    assert texts(page, "section:has(.test) dl div") == [
        "Held before the start ¥60.00",
        "Taken ¥20.00",
        "Released ¥40.00",
    ]
    expect(page.locator("section:has(.test)")).to_contain_text("TEST - no money moves")
    expect(page.locator("#pay")).to_have_count(0)
    check(page)
