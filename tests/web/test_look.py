"""Every state of the phone's page: nothing serious for axe-core, nothing wider than the window, and small."""

import io
import secrets

import pypdfium2
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.web.conftest import DESKTOP, SMALL_PHONE, axe_problems, overflow
from tests.web.test_phone import CHARGING, address, flat, start, stop
from tools.harness.system import DEMO_RATE

pytestmark = pytest.mark.system

# All that the page loads for a plain rate, the API's answers of the first look too: sent, and uncompressed.
# What a bad network feels is what is sent. Components, holds and a provider's step are loaded where needed.
PAGE_MAX_SENT_BYTES = 36_000
PAGE_MAX_BYTES = 72_000


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
    [
        pytest.param(SMALL_PHONE, "light", "en-GB", marks=pytest.mark.long),
        (SMALL_PHONE, "dark", "zh-CN"),
        pytest.param(DESKTOP, "dark", "en-GB", marks=pytest.mark.long),
    ],
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


def broken_numbers(page: Page) -> list[str]:
    """The numbers of the page that stand in more than one line, or out of their box."""
    return page.evaluate(
        """() => [...document.querySelectorAll(".number")].filter((each) => {
            const range = document.createRange();
            range.selectNodeContents(each);
            const boxes = [...range.getClientRects()].filter((box) => box.width);
            const frame = each.closest(".offer, .side, .card").getBoundingClientRect();
            return new Set(boxes.map((box) => Math.round(box.bottom))).size > 1
                || boxes.some((box) => box.right > frame.right || box.left < frame.left);
        }).map((each) => each.textContent)"""
    )


DEAR_RATE = {
    **DEMO_RATE,
    "periods": [
        {**each, "electricity_price": 999_999_123_456, "service_price": 403_690}
        for each in DEMO_RATE["periods"]
    ],
}


@pytest.mark.parametrize(
    "rate",
    [pytest.param(DEMO_RATE, marks=pytest.mark.long), LONG_RATE, DEAR_RATE],
    ids=["usual", "48 prices", "dear"],
)
def test_the_longest_of_everything_fits_320_pixels(system, open_page, rate):
    name = "Extraordinarily-long-name-without-a-blank-" * 2
    identity = system.add_pile("P" * 24 + secrets.token_hex(4), connectors=8, name=name)
    system.set_rate(identity.device_id, rate)
    page = open_page(f"{system.base_url}/p/{identity.device_id}", viewport=SMALL_PHONE)
    expect(page.locator("#confirm")).to_be_visible()
    check(page, "long")
    assert page.locator(".prices .number").count() > 3
    assert broken_numbers(page) == []


TWICE_AS_LARGE = """() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("html { font-size: 200% !important }");
    document.adoptedStyleSheets = [sheet];
}"""


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_text_of_twice_the_size_fits_320_pixels(system, pile, open_page, locale):
    p = pile(speed=60, rate=DEMO_RATE)
    page = open_page(address(system, p), viewport=SMALL_PHONE, locale=locale)
    expect(page.locator("#confirm")).to_be_enabled()
    page.evaluate(TWICE_AS_LARGE)
    language = page.locator(".language")
    assert language.evaluate("e => e.getBoundingClientRect().height") < 100  # in one line
    for state, go_on in (("choose", start), ("charging", stop), ("receipt", None)):
        assert overflow(page) <= 0, state
        assert broken_numbers(page) == [], state
        if go_on:
            go_on(page)


def colours(picture: bytes) -> int:
    """How many colours take at least a hundredth of the picture each."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    counted = image.getcolors(image.width * image.height) or []
    return sum(count * 100 > image.width * image.height for count, _ in counted)


def test_the_days_bar_keeps_its_colours_where_all_others_are_the_systems(system, open_page):
    identity = system.add_pile()
    system.set_rate(identity.device_id, DEMO_RATE)
    page = open_page(f"{system.base_url}/p/{identity.device_id}", forced_colors="active")
    expect(page.locator(".columns")).to_be_visible()
    assert colours(page.locator(".columns").screenshot()) > len(DEMO_RATE["periods"])


def test_a_printed_receipt_names_who_made_it_and_its_periods(system, pile, open_page):
    p = pile(speed=60, rate=DEMO_RATE)
    page = open_page(address(system, p), color_scheme="dark")
    start(page)
    stop(page)
    document = pypdfium2.PdfDocument(page.pdf())
    text = document[0].get_textpage().get_text_range()
    picture = document[0].render(scale=2).to_pil().convert("L")
    document.close()
    assert "RateLock" in text and system.base_url.partition("//")[2] in text
    assert p.device_id in text and "Print" not in text and "中文" not in text
    assert picture.getextrema()[0] < 60
    page.emulate_media(media="print")
    chip = page.locator(".chip").first
    look = chip.evaluate("e => [getComputedStyle(e).color, getComputedStyle(e.parentElement).color]")
    assert look[0] == look[1]  # ink, not the white that stands on a coloured ground


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


LOADED = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .map((each) => [each.name, [each.encodedBodySize, each.decodedBodySize]])"""


@pytest.mark.parametrize("locale", ["en-GB", pytest.param("zh-CN", marks=pytest.mark.long)])
def test_the_page_is_small_and_kept_by_the_browser(system, pile, open_page, locale):
    p = pile(speed=60)
    page = open_page(address(system, p), locale=locale)
    expect(page.locator("#confirm")).to_be_enabled()
    loaded = dict(page.evaluate(LOADED))
    asked = [name for name in loaded if "/api/" in name]
    assert len(asked) >= 2 and all(loaded[name][1] > 100 for name in asked)
    start(page)
    stop(page)
    loaded |= {name: size for name, size in page.evaluate(LOADED) if "/api/" not in name}
    assert len(loaded) > 15
    largest = sorted(loaded.items(), key=lambda each: -each[1][1])
    assert sum(sent for sent, _ in loaded.values()) < PAGE_MAX_SENT_BYTES, largest
    assert sum(unpacked for _, unpacked in loaded.values()) < PAGE_MAX_BYTES, largest
    page.reload()
    expect(page.locator("#total")).to_be_visible()
    sent = page.evaluate(
        """() => performance.getEntriesByType("resource")
            .filter((each) => new URL(each.name).pathname.startsWith("/static/") && each.transferSize > 0)
            .map((each) => each.name)"""
    )
    assert sent == []
