"""Every state of the phone's page: nothing serious for axe-core, nothing wider than the window, and small."""

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import DESKTOP, SMALL_PHONE, axe_problems, overflow
from tests.web.test_phone import CHARGING, address, flat, start, stop
from tools.system import DEMO_RATE

pytestmark = pytest.mark.system

PAGE_MAX_BYTES = 60_000  # everything that the page loads but the API's answers, before compression


def _half_hour(place: int) -> dict:
    """A period of a rate whose prices are as long as they get."""
    return {
        "start": f"{place // 2:02}:{place % 2 * 30:02}",
        "label": ("valley", "flat", "peak", "sharp")[place % 4],
        "electricity_price": 1_234_567 + 1_000_001 * place,
        "service_price": 333_333,
    }


LONG_RATE = {
    **DEMO_RATE,
    "currency": "KWD",
    "session_fee_minor": 123_456,
    "periods": [_half_hour(place) for place in range(48)],
}


def check(page: Page, state: str) -> None:
    assert overflow(page) <= 0, f"{state}: wider than the window"
    # At its end nothing lies under the button that stays in reach.
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert axe_problems(page) == [], state


@pytest.mark.parametrize(
    ("viewport", "scheme", "locale"),
    [(SMALL_PHONE, "light", "en-GB"), (SMALL_PHONE, "dark", "zh-CN"), (DESKTOP, "dark", "en-GB")],
    ids=["320 px", "320 px dark Chinese", "desktop dark"],
)
def test_every_state_is_accessible_and_fits(system, pile, open_page, watch, viewport, scheme, locale):
    watch.allow("Failed to load resource")
    p = pile(speed=60, connectors=2, rate=DEMO_RATE)
    page = open_page(address(system, p), viewport=viewport, color_scheme=scheme, locale=locale)
    expect(page.locator("#confirm")).to_be_enabled()
    check(page, "choose")
    page.locator("summary").click()
    page.locator("#limit-cost").fill("x")
    page.locator("#limit-energy").fill("123.456789")
    check(page, "limits")
    page.locator("#limit-cost").fill("5000")
    system.set_rate(p.device_id, flat(123_456_789, 987_654))
    expect(page.locator("#accept")).to_be_enabled()
    check(page, "price changed")
    page.locator("#accept").click()
    expect(page.locator(CHARGING)).to_be_visible()
    expect(page.locator("figure")).to_be_visible()
    check(page, "charging")
    page.context.set_offline(True)
    expect(page.locator(".banner")).to_be_visible()
    check(page, "connection lost")
    page.context.set_offline(False)
    expect(page.locator(".banner")).to_be_hidden()
    stop(page)
    check(page, "receipt")
    page.locator("#pay").click()
    expect(page.locator("#done")).to_be_visible()
    check(page, "paid")
    page.goto(f"{system.base_url}/p/" + "NO-SUCH-PILE-" * 3)
    expect(page.locator("#device")).to_be_visible()
    check(page, "unknown pile")
    page.goto(f"{system.base_url}/")
    expect(page.locator("#device")).to_be_visible()
    check(page, "which pile")


def test_the_longest_of_everything_fits_320_pixels(system, open_page):
    identity = system.add_pile("P" * 32, connectors=8, name="Extraordinarily-long-name-without-a-blank-" * 2)
    system.set_rate(identity.device_id, LONG_RATE)
    page = open_page(f"{system.base_url}/p/{identity.device_id}", viewport=SMALL_PHONE)
    expect(page.locator("#confirm")).to_be_visible()
    check(page, "long")


def test_a_refused_order_says_why_and_what_to_do(system, pile, open_page):
    """The pile's own refusal, which the cloud could not foresee: its meter gives no reading."""
    p = pile(speed=60)
    page = open_page(address(system, p), viewport=SMALL_PHONE)
    expect(page.locator("#confirm")).to_be_enabled()
    p.send(meter=False)
    p.wait_for(lambda line: line["event"] == "changed")
    page.locator("#confirm").click()
    expect(page.get_by_role("heading", name="The pile's meter does not answer")).to_be_visible()
    check(page, "refused")
    p.send(meter=True)
    p.wait_for(lambda line: line["event"] == "changed" and line["value"] is True)
    page.locator("#back").click()
    start(page)


def test_the_page_is_small_and_kept_by_the_browser(system, pile, open_page):
    p = pile(speed=60)
    page = open_page(address(system, p))
    expect(page.locator("#confirm")).to_be_visible()
    start(page)
    stop(page)
    loaded = page.evaluate(
        """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
            .filter((each) => !new URL(each.name).pathname.startsWith("/api/"))
            .map((each) => [each.name, each.decodedBodySize])"""
    )
    assert len(loaded) > 5
    assert sum(dict(loaded).values()) < PAGE_MAX_BYTES, sorted(loaded, key=lambda each: -each[1])
    page.reload()
    expect(page.locator("#total")).to_be_visible()
    sent = page.evaluate(
        """() => performance.getEntriesByType("resource")
            .filter((each) => new URL(each.name).pathname.startsWith("/static/") && each.transferSize > 0)
            .map((each) => each.name)"""
    )
    assert sent == []
