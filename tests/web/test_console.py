"""The operator's console in a real browser: login, what goes wrong, and that everyone can use it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.web import views
from tests.web.conftest import DESKTOP, NARROW, Watch, log_in, row
from tests.web.fleet import Fleet

PASSWORD = "correct horse battery"
TABLET = {"width": 768, "height": 1024}

# -- login


def test_a_wrong_token_is_told_so_and_the_right_one_opens(
    fleet: Fleet, open_page: Callable[..., Page], watch: Watch
):
    watch.allow("401")
    fleet.pile("PILE-1")
    page = open_page(fleet.url + "/console", viewport=DESKTOP)
    page.get_by_role("button", name="Use the operator token").click()
    for wrong in ("wrong", "a token with spaces", "令牌"):
        page.get_by_label("Operator token").fill(wrong)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_have_text("That is not the operator token.")
        expect(page.get_by_label("Operator token")).to_be_focused()
    assert "PILE-1" not in page.content()
    log_in(page)
    expect(row(page, "PILE-1")).to_be_visible()


def test_the_token_lives_as_long_as_the_tab_and_no_longer(fleet: Fleet, console: Callable[..., Page]):
    page = console()
    page.reload()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    other = page.context.new_page()
    other.goto(fleet.url + "/console")
    expect(other.get_by_label("Password")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    page.reload()
    expect(page.get_by_label("Password")).to_be_visible()
    assert page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])") == "[{},{}]"


def test_a_token_that_no_longer_holds_leads_back_to_the_login(
    fleet: Fleet, console: Callable[..., Page], watch: Watch
):
    page = console()
    watch.allow("401")
    fleet.cloud.operator_token = "another token of another day"
    expect(page.get_by_label("Operator token")).to_be_visible()


# -- what goes wrong


def test_a_lost_connection_is_told_and_found_again(console: Callable[..., Page], watch: Watch):
    page = console()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    watch.allow("ERR_INTERNET_DISCONNECTED")
    page.context.set_offline(True)
    expect(page.get_by_text("Connection lost")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()


def test_what_is_not_there_gets_its_own_words(console: Callable[..., Page], watch: Watch):
    watch.allow("404")
    page = console("/piles/NO-SUCH-PILE")
    expect(page.get_by_role("alert")).to_contain_text("There is no pile with that id")
    for address, words in (
        ("/orders/nothing", "There is no order with that id"),
        ("/flagged/99", "There is no settlement with that id"),
        ("/nowhere", "There is no such page"),
        ("/piles/%E0%A4%A", "There is no pile with that id"),
    ):
        page.evaluate("to => (location.hash = to)", address)
        expect(page.get_by_text(words)).to_be_visible()


def test_names_with_markup_stay_names(fleet: Fleet, console: Callable[..., Page]):
    name = "<img src=x onerror=\"document.title='broken in'\"><script>alert(1)</script> & gate"
    pile = fleet.pile("PILE-1", name)
    fleet.charged(pile, 1_000_000)
    page = console()
    expect(page.get_by_role("link", name=name)).to_be_visible()
    for view in ("/piles/PILE-1", "/piles/PILE-1/rate"):
        page.evaluate("to => (location.hash = to)", view)
        expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    assert page.locator("img, main script").count() == 0
    assert "broken in" not in page.title()


# -- for everyone


@pytest.mark.parametrize(
    ("viewport", "scheme", "locale"),
    [
        pytest.param(DESKTOP, "light", "en-GB", marks=pytest.mark.long),
        pytest.param(TABLET, "dark", "en-GB", marks=pytest.mark.long),
        (NARROW, "dark", "zh-CN"),
    ],
    ids=["desktop", "tablet dark", "360 px dark Chinese"],
)
def test_every_view_can_be_used_by_everyone(
    fleet: Fleet,
    console: Callable[..., Page],
    open_page: Callable[..., Page],
    viewport: dict[str, int],
    scheme: str,
    locale: str,
):
    known = views.populate(fleet)
    look = {"viewport": viewport, "color_scheme": scheme, "locale": locale}
    login = open_page(fleet.url + "/console", **look)
    expect(login.locator("#login-password")).to_be_visible()
    views.check_view(login, "login")
    page = console("/piles", **look)
    for address in views.walk(page, known):
        views.check_view(page, address)
        if locale == "zh-CN":
            assert english(page) == [], address


SAID = """() => {
    const said = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) said.push(walker.currentNode.textContent);
    for (const name of ["aria-label", "title", "placeholder", "alt", "aria-valuetext"])
        for (const each of document.querySelectorAll(`[${name}]`)) said.push(each.getAttribute(name));
    return [document.title, ...said];
}"""
# Names, units and codes that are the same in every language.
SAME = {"RateLock", "English", "kWh", "kW", "KB", "ms", "CSV", "CNY", "UTC", "Asia", "Shanghai", "PILE"}
SAME |= {"Webhook", "https", "org"}
SAME |= {"IANA", "API", "MQTT", "PDF", "sim", "none"}  # the last: the firmware of the played piles


def english(page: Page) -> list[str]:
    """Words in Latin letters that the page shows or tells a screen reader, besides SAME and ids."""
    found = set()
    for text in page.evaluate(SAID):
        bare = re.sub(r"…[0-9a-z]{8}|[\w:-]*\d[\w-]*|\b[A-Z]{12}\b", " ", text)  # the last: a free code
        found |= set(re.findall(r"[A-Za-z]{2,}", bare)) - SAME
    return sorted(found)


def test_the_console_can_be_worked_with_the_keyboard_alone(fleet: Fleet, open_page: Callable[..., Page]):
    pile = fleet.pile("PILE-1", "North gate")
    fleet.report(pile, said={1: {"status": "Faulted", "fault": "HighTemperature"}})
    page = open_page(fleet.url + "/console", viewport=DESKTOP)
    account = {"name": "anna", "role": "operator", "password": PASSWORD}
    assert fleet.operator.post("/api/users", account).status == 201
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("anna")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="North gate")).to_be_visible()
    tab_to(page, "North gate")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Reset fault")).to_be_visible()
    tab_to(page, "Reset fault…")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert not fleet.commands(pile)
    expect(page.get_by_role("button", name="Reset fault")).to_be_focused()


def tab_to(page: Page, text: str) -> None:
    """Press Tab until what has the focus says `text`."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == text:
            return
    raise AssertionError(f"Tab never came to {text}")
