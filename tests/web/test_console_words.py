"""The words of both pages in both languages, the switch between them, and the table of views."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from cloud_stub.http.languages import LANGUAGES
from cloud_stub.pages import assets
from tests.web import views
from tests.web.conftest import DESKTOP, NARROW
from tests.web.fleet import TOKEN, Fleet

# Of each subject, by language: every key with what it is. A list has its length, a function its arguments.
_SHAPES = """async ([folder, subjects, languages]) => {
    const shape = (value) =>
        typeof value === "function" ? `function of ${value.length}`
        : Array.isArray(value) ? value.map(shape)
        : value && typeof value === "object"
            ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shape(each)]))
            : typeof value;
    const found = {};
    for (const subject of subjects)
        for (const language of languages)
        {
            const { default: words } = await import(`${folder}/${subject}.${language}.js`);
            (found[subject] ??= []).push(shape(words));
        }
    return found;
}"""


def test_each_subject_has_the_same_words_in_every_language(fleet: Fleet, open_page: Callable[..., Page]):
    """A word missing in one would show as undefined; a function without an argument would drop a value."""
    names = {name for name in assets.assets() if name.count(".") == 2}
    subjects = sorted({name.partition(".")[0] for name in names})
    assert names == {f"{subject}.{tag}.js" for subject in subjects for tag in LANGUAGES}
    assert {"console-words", "phone-words"} <= set(subjects)
    page = open_page(fleet.url + "/console")
    shapes = page.evaluate(_SHAPES, [f"/static/{assets.version()}", subjects, LANGUAGES])
    for subject, (first, *others) in shapes.items():
        for other in others:
            assert other == first, subject


def test_every_view_is_walked_through(fleet: Fleet, open_page: Callable[..., Page]):
    page = open_page(fleet.url + "/console")
    script = "async (folder) => (await import(`${folder}/console-views.js`)).VIEWS.map((view) => view.path)"
    assert page.evaluate(script, f"/static/{assets.version()}") == list(views.EXAMPLES)


def test_the_console_speaks_the_browsers_language_and_remembers_the_other(
    fleet: Fleet, open_page: Callable[..., Page]
):
    fleet.charged(fleet.pile("PILE-1"), 1_000_000)
    page = open_page(fleet.url + "/console", locale="zh-CN", viewport=DESKTOP)
    page.get_by_role("button", name="使用运营方令牌").click()
    page.get_by_label("运营方令牌").fill(TOKEN)
    page.get_by_role("button", name="登录", exact=True).click()
    expect(page.get_by_role("link", name="订单", exact=True)).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("link", name="Orders", exact=True)).to_be_visible()  # and still logged in
    page.reload()
    page.get_by_role("link", name="Orders", exact=True).click()
    made = page.locator("tbody time").first
    expect(made).to_have_text(re.compile(r"^\d+ \w{3,4} \d{4}, \d\d:\d\d$"))
    page.get_by_role("button", name="中文").click()
    expect(made).to_have_text(re.compile(r"^\d{4}年\d+月\d+日 \d\d:\d\d$"))
    assert page.locator("html").get_attribute("lang") == "zh-CN"


def test_the_menu_of_a_phone_holds_the_navigation(fleet: Fleet, console: Callable[..., Page]):
    page = console("/piles", viewport=NARROW)
    menu = page.get_by_role("button", name="Menu")
    orders = page.get_by_role("link", name="Orders", exact=True)
    expect(orders).to_be_hidden()
    menu.click()
    expect(orders).to_be_visible()
    page.keyboard.press("Escape")
    expect(orders).to_be_hidden()
    expect(menu).to_be_focused()
    menu.press("Enter")
    orders.click()
    expect(page.get_by_role("heading", name="Orders", level=1)).to_be_visible()
    expect(orders).to_be_hidden()
    menu.click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Password")).to_be_visible()
