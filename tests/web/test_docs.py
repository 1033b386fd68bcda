"""`/docs` in a real browser: it works within its own content policy, and loads nothing from elsewhere."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import DESKTOP, axe_problems
from tests.web.fleet import serving


@pytest.mark.long
def test_the_api_is_described_and_can_be_tried(tmp_path: Path, open_page: Callable[..., Page]):
    with serving(tmp_path) as fleet:
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_description_can_be_read(tmp_path: Path, open_page: Callable[..., Page], scheme: str):
    with serving(tmp_path) as fleet:
        page = open_page(f"{fleet.url}/docs", viewport=DESKTOP, color_scheme=scheme)
        expect(page.locator(".opblock").last).to_be_visible()
        assert [each for each in axe_problems(page) if each.startswith("color-contrast")] == []
