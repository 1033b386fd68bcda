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
    assert offers[0] == "¥1\n≈ 4 h up to 200 W" and offers[3] == "2 h\n≈ ¥1.80"
    expect(page.locator(".day")).to_have_count(0)  # it has no prices of the day
