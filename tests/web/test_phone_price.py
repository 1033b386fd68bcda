"""The price on the button is the price that holds: at a period's end, after a sleep, and without an answer.

The cloud believes a clock of the test's, and so does the browser: nothing waits for a period to end.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, expect

from tests.web.fleet import Fleet, serving

CHEAP, DEAR = 200_000, 6_000_000
CHEAP_FOR_S = 600
READ_S = 1  # longer than a new price must have been on the screen


class Clock:
    """The cloud's clock: the machine's, `ahead_s` later."""

    ahead_s = 0

    def now_s(self) -> int:
        return int(time.time()) + self.ahead_s


def rate_of_today() -> dict:
    """¥0.20 for another ten minutes, then ¥6.00, where it is about noon now."""
    now = time.gmtime()
    hours = now.tm_hour - 12  # Etc/GMT+5 is five hours behind
    end = 12 * 60 + now.tm_min + CHEAP_FOR_S // 60
    periods = [
        {"start": "00:00", "label": "valley", "electricity_price": 120_000, "service_price": 80_000},
        {
            "start": f"{end // 60:02}:{end % 60:02}",
            "label": "sharp",
            "electricity_price": 5_200_000,
            "service_price": 800_000,
        },
    ]
    return {
        "currency": "CNY",
        "time_zone": f"Etc/GMT{hours:+}" if hours else "UTC",
        "session_fee_minor": 50,
        "periods": periods,
    }


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for room in ("http.driver", "payments.confirmation"):
        monkeypatch.setattr(f"cloud_stub.{room}.now_s", made.now_s)
    return made


@pytest.fixture
def fleet(tmp_path: Path, migrated: Path, clock: Clock) -> Iterator[Fleet]:
    with serving(tmp_path / "prices", migrated) as made:
        pile = made.pile("RIVER-1", rate=rate_of_today(), connectors=1)
        made.report(pile, connectors=1, said={1: {"status": "Preparing", "plugged": True}})
        yield made


@pytest.fixture
def page(fleet: Fleet, open_page: Callable[..., Page], new_context: Callable[..., object], watch) -> Page:
    """Someone looks at the cheap price; no rate will be answered any more."""
    watch.allow("409 (Conflict)")
    watch.allow("net::ERR_")
    context = new_context()
    context.clock.install()  # type: ignore[attr-defined]
    made = open_page(f"{fleet.url}/p/RIVER-1", context)
    expect(made.locator("#confirm")).to_contain_text("Start at ¥0.20/kWh")
    made.route("**/api/piles/*/rate?*", lambda route: None)
    return made


def orders(fleet: Fleet) -> list[dict]:
    return fleet.operator.get("/api/orders").json()["items"]


def confirmations(page: Page) -> list[dict]:
    """The bodies of those that the page sends from now on."""
    sent: list[dict] = []

    def on_request(request: Request) -> None:
        if request.method == "POST":
            sent.append(request.post_data_json or {})

    page.on("request", on_request)
    return sent


def expect_question(page: Page) -> None:
    """Both prices side by side; nothing has been ordered by the button behind them."""
    dialog = page.get_by_role("dialog", name="The price has changed")
    expect(dialog.locator(".side").first).to_contain_text("¥0.20")
    expect(dialog.locator(".side").last).to_contain_text("¥6.00")
    expect(page.locator("#confirm")).to_contain_text("Start at ¥6.00/kWh")
    expect(page.locator("#confirm")).not_to_contain_text("0.20")


def accept(page: Page, fleet: Fleet) -> None:
    page.clock.fast_forward(READ_S * 1000)
    page.get_by_role("dialog").get_by_role("button", name="Start at ¥6.00/kWh").click()
    expect(page.get_by_role("heading", name="Starting")).to_be_visible()
    (order,) = orders(fleet)
    message = fleet.link.sent("RIVER-1", "order")[-1]
    assert json.loads(message)["rate"]["steps"][0][1:] == [5_200_000, 800_000, "sharp"]
    assert order["state"] == "Pending"


def test_at_a_periods_end_the_next_price_is_asked_again_without_any_answer(
    fleet: Fleet, page: Page, clock: Clock
):
    clock.ahead_s = CHEAP_FOR_S
    page.clock.fast_forward(CHEAP_FOR_S * 1000)
    expect_question(page)
    expect(page.locator(".offers")).to_contain_text("≈ …")  # only the cloud's own code computes these
    expect(page.locator(".offers")).not_to_contain_text("¥")
    assert orders(fleet) == []
    accept(page, fleet)


def test_a_phone_that_slept_asks_again_as_soon_as_it_is_looked_at(fleet: Fleet, page: Page, clock: Clock):
    hide = "hidden => Object.defineProperty(document, 'hidden', {value: hidden, configurable: true})"
    page.evaluate(hide, True)
    clock.ahead_s = CHEAP_FOR_S
    page.clock.pause_at(int(time.time()) + CHEAP_FOR_S + 60)  # no timer runs any more
    expect(page.locator("#confirm")).to_contain_text("¥0.20")
    page.evaluate(hide, False)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect_question(page)
    accept(page, fleet)


def test_the_button_itself_looks_at_the_clock(fleet: Fleet, page: Page, clock: Clock):
    """The tap comes before any timer or event of a phone that has just woken up."""
    clock.ahead_s = CHEAP_FOR_S
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true})")
    page.clock.pause_at(int(time.time()) + CHEAP_FOR_S + 60)
    sent = confirmations(page)
    page.locator("#confirm").click()
    expect_question(page)
    assert sent == []


def test_the_cloud_refuses_a_price_that_holds_no_more_and_brings_the_new_one(
    fleet: Fleet, page: Page, clock: Clock
):
    """The phone's clock stood still, so the page could not know."""
    sent = confirmations(page)
    clock.ahead_s = CHEAP_FOR_S
    page.locator("#confirm").click()
    expect_question(page)
    expect(page.get_by_role("dialog")).to_contain_text("10 kWh ≈ ¥60.50")
    expect(page.locator(".note.bad")).to_have_count(0)
    assert orders(fleet) == []
    accept(page, fleet)
    assert [each["price"] for each in sent] == [CHEAP, DEAR]


def test_a_rate_whose_later_price_is_another_says_which(fleet: Fleet, page: Page):
    """Both sides showed the same price of the moment, and nothing that had changed."""
    rate = {**rate_of_today(), "session_fee_minor": 0}
    rate["periods"][1]["service_price"] = 1_800_000
    assert fleet.operator.put("/api/piles/RIVER-1/rate?allow_unusual=true", rate).status == 201
    page.locator("#confirm").click()
    sides = page.get_by_role("dialog", name="The price has changed").locator(".side")
    for side, later, fee in ((sides.first, "¥6.00", "¥0.50"), (sides.last, "¥7.00", "¥0.00")):
        expect(side).to_contain_text("¥0.20")
        expect(side).to_contain_text(f"{later}/kWh (Sharp peak)")
        expect(side).to_contain_text(f"plus {fee} once")
    assert orders(fleet) == []


def test_a_confirmation_refused_after_a_reload_says_that_nothing_started(
    fleet: Fleet, page: Page, clock: Clock, watch
):
    """The answer was lost, the page opened again, and by then the price it confirmed is no more."""
    page.route("**/api/orders", lambda route: route.abort())
    page.locator("#confirm").click()
    expect(page.get_by_role("status")).to_contain_text("No answer from the network")
    address = page.url
    clock.ahead_s = CHEAP_FOR_S  # before anything gets through again: the page sends it by itself
    page.goto("about:blank")
    page.unroute_all()
    page.goto(address)
    expect(page.get_by_role("status")).to_contain_text("The price has changed")
    expect(page.get_by_role("status")).to_contain_text("Nothing has started")
    expect(page.locator("#confirm")).to_contain_text("Start at ¥6.00/kWh")
    assert orders(fleet) == []


def test_a_day_without_an_answer_leaves_no_price_to_confirm(fleet: Fleet, page: Page):
    page.clock.fast_forward(24 * 3600 * 1000)
    expect(page.get_by_text("Asking the pile")).to_be_visible()
    expect(page.locator("#confirm")).to_have_count(0)


def test_the_focus_is_on_the_button_after_the_question_and_a_typed_limit_stays(
    fleet: Fleet, page: Page, clock: Clock
):
    page.locator("summary").click()
    field = page.get_by_label("At most, in CNY")
    field.press_sequentially("12")
    clock.ahead_s = CHEAP_FOR_S
    page.clock.fast_forward(CHEAP_FOR_S * 1000)
    expect_question(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(field).to_be_focused()
    page.keyboard.type(".50")
    expect(page.locator("#confirm")).to_contain_text(re.compile("at most ¥12.50"))


def test_after_a_question_asked_of_nobody_in_particular_the_button_has_the_focus(
    fleet: Fleet, page: Page, clock: Clock
):
    clock.ahead_s = CHEAP_FOR_S
    page.clock.fast_forward(CHEAP_FOR_S * 1000)
    expect_question(page)
    page.keyboard.press("Escape")
    expect(page.locator("#confirm")).to_be_focused()
