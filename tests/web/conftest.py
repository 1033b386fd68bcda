"""Fixtures of the browser tests: a real Chromium before the real system.

A page that logs an error, throws, loads from elsewhere or breaks its own content policy fails its test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    ViewportSize,
    expect,
)

from tests.web.fleet import TOKEN, Fleet, serving
from tools.harness import browser as chromium

HERE = Path(__file__).parent
TIMEOUT_MS = 60_000
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
NARROW: ViewportSize = {"width": 360, "height": 740}
SMALL_PHONE: ViewportSize = {"width": 320, "height": 568}

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class KeptBrowser:
    """The browser of this worker: launched for the first test that wants one, kept for those that follow, and
    closed before a test of another folder. While it is open, its event loop is this thread's, and those tests
    want one of their own.
    """

    def __init__(self) -> None:
        self._open = ExitStack()
        self._browser: Browser | None = None

    def get(self) -> Browser:
        """Raises NoBrowser."""
        if self._browser is None or not self._browser.is_connected():
            self.close()
            self._browser = self._open.enter_context(chromium.launched())
            expect.set_options(timeout=TIMEOUT_MS)
        return self._browser

    def close(self) -> None:
        self._browser = None
        self._open.close()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if HERE not in item.path.parents:
            self.close()

    def pytest_sessionfinish(self) -> None:
        self.close()


@pytest.fixture(scope="session")
def kept_browser(request: pytest.FixtureRequest) -> KeptBrowser:
    kept = KeptBrowser()
    request.config.pluginmanager.register(kept)
    return kept


@pytest.fixture
def chromium_browser(kept_browser: KeptBrowser) -> Browser:
    try:
        return kept_browser.get()
    except chromium.NoBrowser as error:
        pytest.skip(str(error))


class Watch:
    """Keeps what goes wrong in the pages of a test; `allow` text of what it makes go wrong on purpose."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._allowed: list[str] = []

    def allow(self, text: str) -> None:
        self._allowed.append(text)

    def on(self, page: Page, origin: str) -> None:
        def on_console(message: ConsoleMessage) -> None:
            if message.type == "error":
                self.problems.append(f"{message.text} {message.location['url']}")

        def on_request(request: Request) -> None:
            if not request.url.startswith((origin + "/", "data:", "blob:")):
                self.problems.append(f"asked {request.url}")

        page.on("pageerror", lambda error: self.problems.append(f"thrown: {error}"))
        page.on("console", on_console)
        page.on("request", on_request)

    def unexpected(self) -> list[str]:
        return [each for each in self.problems if not any(text in each for text in self._allowed)]


@pytest.fixture
def watch() -> Iterator[Watch]:
    found = Watch()
    yield found
    assert not found.unexpected(), "\n".join(found.unexpected()[:20])


@pytest.fixture
def new_context(chromium_browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Makes browsers of their own: of an English phone, unless the options (Browser.new_context) differ."""
    contexts: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        context = chromium_browser.new_context(**{"viewport": PHONE, "locale": "en-GB", **options})
        context.set_default_timeout(TIMEOUT_MS)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def open_page(new_context: Callable[..., BrowserContext], watch: Watch) -> Callable[..., Page]:
    """Opens an address, in a given context or a new one: `open_page(url, viewport=SMALL_PHONE)`."""

    def open_one(url: str, context: BrowserContext | None = None, **options: Any) -> Page:
        page = (context or new_context(**options)).new_page()
        watch.on(page, "/".join(url.split("/")[:3]))
        page.goto(url)
        return page

    return open_one


@pytest.fixture
def fleet(tmp_path: Path, migrated: Path) -> Iterator[Fleet]:
    """A cloud of the test's own, without any pile yet."""
    with serving(tmp_path / "a console", migrated) as running:
        yield running


@pytest.fixture
def console(fleet: Fleet, open_page: Callable[..., Page]) -> Callable[..., Page]:
    """`console("/orders")`: that view, logged in; options as those of open_page."""

    def open_view(view: str = "/piles", **options: Any) -> Page:
        page = open_page(f"{fleet.url}/console#{view}", **{"viewport": DESKTOP, **options})
        log_in(page)
        return page

    return open_view


def log_in(page: Page, token: str = TOKEN) -> None:
    expect(page.locator("#login-other")).to_be_visible()
    if not page.locator("#login-token").is_visible():
        page.locator("#login-other").click()
    page.locator("#login-token").fill(token)
    page.locator("#login-token").press("Enter")
    expect(page.locator("#view h1")).to_be_visible()


def choose(page: Page, action: str) -> None:
    """Answer the dialog that is open."""
    page.get_by_role("dialog").get_by_role("button", name=action).click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def row(within: Page | Locator, text: str) -> Locator:
    return within.get_by_role("row").filter(has_text=text)


def axe_problems(page: Page) -> list[str]:
    """What axe-core has against the page as it stands, serious or critical; [] where nothing."""
    page.evaluate(AXE)
    found = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", AXE_RULES
    )
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:200]} {node['failureSummary']}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
