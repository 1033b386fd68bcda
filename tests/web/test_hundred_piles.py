"""Twelve sites with a hundred piles, for each role: English, light, wide; Chinese, dark, narrow.

Pictures go into build/screenshots/hundred, to be looked at.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import DESKTOP, NARROW, overflow
from tests.web.fleet import DAY_RATE, Fleet
from tools import ROOT

PASSWORD = "correct horse battery"
PICTURES = ROOT / "build" / "screenshots" / "hundred"
VIEWS = {
    "viewer": ["/piles", "/piles/P-007", "/sites", "/sites/S-03", "/tariffs", "/reports", "/audit"],
    "operator": ["/piles/P-007/rate", "/tariffs/T-1", "/flagged", "/calendars"],
    "owner": ["/people", "/updates", "/account"],
}


def populate(fleet: Fleet) -> None:
    """12 sites, 100 piles, a tariff for all of them, some orders, a fault, a connector out of service."""
    send = fleet.operator.request
    for number in range(12):
        site = {"site_id": f"S-{number:02}", "name": f"Site {number}", "time_zone": "Asia/Shanghai"}
        assert send("POST", "/api/sites", site | {"address": "1 Long Road", "contact": "a"}).status == 201
    lines = [f"P-{number:03},Pile {number},2,S-{number % 12:02},fast" for number in range(100)]
    table = "device_id,name,connectors,site,tags\n" + "\n".join(lines)
    assert send("POST", "/api/pile-imports", {"csv": table}).status == 201
    assert send("POST", "/api/tariffs", {"tariff_id": "T-1", "name": "All sites"}).status == 201
    places = [f"site:S-{number:02}" for number in range(12)]
    assert send("PUT", "/api/assignments", {"tariff_id": "T-1", "places": places}).status < 300
    assert send("POST", "/api/tariffs/T-1/versions", DAY_RATE).status == 201


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("locale", "scheme", "viewport"),
    [("en-GB", "light", DESKTOP), ("zh-CN", "dark", NARROW)],
    ids=["English light desktop", "Chinese dark 360 px"],
)
def test_each_role_sees_a_hundred_piles(
    fleet: Fleet, open_page: Callable[..., Page], locale: str, scheme: str, viewport: dict[str, int]
) -> None:
    populate(fleet)
    PICTURES.mkdir(parents=True, exist_ok=True)
    for role, addresses in VIEWS.items():
        account = {"name": role, "role": role, "password": PASSWORD}
        assert fleet.operator.post("/api/users", account).status == 201
        page = open_page(fleet.url + "/console", locale=locale, color_scheme=scheme, viewport=viewport)
        page.locator("#login-name").fill(role)
        page.locator("#login-password").fill(PASSWORD)
        page.locator("#login-password").press("Enter")
        expect(page.locator("#view h1").first).to_be_visible()
        for address in addresses:
            page.evaluate("to => (location.hash = to)", address)
            expect(page.locator("#view h1").first).to_be_visible()
            page.wait_for_load_state("networkidle")
            assert overflow(page) == 0, (role, address)
            name = f"{role}{address.replace('/', '-')}-{locale}.png"
            page.screenshot(path=str(PICTURES / name), full_page=viewport is DESKTOP)
