"""What the console still has to do when its view is left, and when its day ends."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect

from tests.web.conftest import DESKTOP, log_in
from tests.web.fleet import Fleet

TYPED_MS = 1_000  # longer than a search waits for the next letter
DAY_S = 86_400


@pytest.fixture
def console(
    fleet: Fleet, open_page: Callable[..., Page], new_context: Callable[..., BrowserContext]
) -> Callable[[str], Page]:
    fleet.pile("PILE-1")

    def open_view(view: str) -> Page:
        context = new_context(viewport=DESKTOP, timezone_id="UTC")
        context.clock.install()
        page = open_page(f"{fleet.url}/console#{view}", context)
        log_in(page)
        return page

    return open_view


@pytest.mark.parametrize(
    ("view", "box"),
    [
        ("piles", "#search"),
        pytest.param("orders", "#filter-device_id", marks=pytest.mark.long),
        pytest.param("reports", "#report-pile", marks=pytest.mark.long),
    ],
)
def test_what_was_typed_last_does_not_follow_into_the_next_view(
    console: Callable[[str], Page], view: str, box: str
):
    """The search began after its view had been left: its address replaced the other's, its poll went on."""
    page = console(f"/{view}")
    expect(page.locator(box)).to_be_visible()
    page.clock.pause_at(page.evaluate("Date.now()") + TYPED_MS)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.locator(box).fill("PILE")
    page.get_by_role("link", name="Flagged").click()
    expect(page.get_by_role("heading", name="Flagged settlements")).to_be_visible()
    page.clock.run_for(TYPED_MS)
    assert page.url.endswith("#/flagged")
    assert not any("PILE" in url for url in asked), asked


def test_at_midnight_the_chart_of_today_becomes_the_next_days(console: Callable[[str], Page]):
    def of_power(request: Request) -> bool:
        return "/power?" in request.url

    def begin_at(request: Request) -> int:
        found = re.search(r"from_at=(\d+)", request.url)
        assert found, request.url
        return int(found.group(1))

    page = console("/orders")
    with page.expect_request(of_power) as today:
        page.evaluate("location.hash = '/piles/PILE-1'")
    with page.expect_request(lambda each: of_power(each) and each.url != today.value.url) as tomorrow:
        page.clock.fast_forward(DAY_S * 1000)
    assert begin_at(tomorrow.value) == begin_at(today.value) + DAY_S
