"""`/docs` in a real browser: it works within its own content policy, and loads nothing from elsewhere."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import DESKTOP, axe_problems
from tests.web.fleet import Fleet


@pytest.mark.long
def test_the_api_is_described_and_can_be_tried(fleet: Fleet, open_page: Callable[..., Page]):
    page = open_page(f"{fleet.url}/docs", viewport=DESKTOP)
    expect(page.get_by_role("heading", name="RateLock")).to_be_visible()
    entry = page.locator(".opblock").filter(has_text="/healthz")
    entry.locator(".opblock-summary-control").click()
    entry.get_by_role("button", name="Try it out").click()
    entry.get_by_role("button", name="Execute").click()
    expect(entry.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    expect(entry.locator(".live-responses-table")).to_contain_text('"status": "ok"')
    orders = page.locator("#operations-phone-make_order_api_orders_post")
    orders.locator(".opblock-summary-control").click()
    expect(orders).to_contain_text("RateChanged")
    assert [each for each in axe_problems(page) if each.startswith("color-contrast")] == []


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
@pytest.mark.long
def test_the_description_can_be_read(fleet: Fleet, open_page: Callable[..., Page], scheme: str):
    page = open_page(f"{fleet.url}/docs", viewport=DESKTOP, color_scheme=scheme)
    expect(page.locator(".opblock").last).to_be_visible()
    assert [each for each in axe_problems(page) if each.startswith("color-contrast")] == []
