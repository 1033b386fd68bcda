"""The operator's console in a real browser: login, the live table, a pile, orders, settlements, reports."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import AXE, DESKTOP, PHONE, Watch, axe_problems, overflow
from tests.web.fleet import DAY_RATE, TOKEN, Fleet, serving

TABLET = {"width": 768, "height": 1024}


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with serving(tmp_path / "a console") as running:
        yield running


@pytest.fixture
def console(fleet: Fleet, open_page: Callable[..., Page]) -> Callable[..., Page]:
    """`console("/orders")`: that view, logged in; options as those of open_page."""

    def open_view(view: str = "/piles", **options: Any) -> Page:
        page = open_page(f"{fleet.url}/console#{view}", **{"viewport": DESKTOP, **options})
        log_in(page)
        return page

    return open_view


def log_in(page: Page) -> None:
    page.get_by_label("Operator token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def choose(page: Page, action: str) -> None:
    """Answer the dialog that is open."""
    page.get_by_role("dialog").get_by_role("button", name=action).click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def row(page: Page, text: str) -> Any:
    return page.get_by_role("row").filter(has_text=text)


# -- login


def test_a_wrong_token_is_told_so_and_the_right_one_opens(
    fleet: Fleet, open_page: Callable[..., Page], watch: Watch
):
    watch.allow("401")
    fleet.pile("PILE-1")
    page = open_page(fleet.url + "/console", viewport=DESKTOP)
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
    expect(other.get_by_label("Operator token")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    page.reload()
    expect(page.get_by_label("Operator token")).to_be_visible()
    assert page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])") == "[{},{}]"


def test_a_token_that_no_longer_holds_leads_back_to_the_login(
    fleet: Fleet, console: Callable[..., Page], watch: Watch
):
    page = console()
    watch.allow("401")
    fleet.cloud.operator_token = "another token of another day"
    expect(page.get_by_label("Operator token")).to_be_visible()


# -- the live table


def test_a_thousand_piles_are_paged_searched_and_filtered(fleet: Fleet, console: Callable[..., Page]):
    fleet.many(1000)
    page = console()
    body = page.locator("table.piles tbody tr")
    expect(page.get_by_text("1 to 50 of 1,000")).to_be_visible()
    expect(body).to_have_count(50)
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("51 to 100 of 1,000")).to_be_visible()
    expect(body.first).to_contain_text("FLEET-0050")
    page.get_by_role("button", name="Previous").click()
    expect(body.first).to_contain_text("FLEET-0000")
    page.get_by_label("Search piles").fill("bay 77")
    expect(page.get_by_text("1 to 11 of 11")).to_be_visible()
    expect(body).to_have_count(11)
    page.get_by_role("button", name="Offline").click()
    expect(body).to_have_count(1)
    expect(body.first).to_contain_text("Bay 773")
    page.reload()  # the address keeps what was asked for
    expect(body).to_have_count(1)
    page.get_by_label("Search piles").fill("nothing is called like this")
    expect(page.get_by_text("No pile is like that.")).to_be_visible()
    page.get_by_label("Search piles").fill("")
    page.get_by_role("button", name="Faulted").click()
    expect(page.get_by_text("1 to 20 of 20")).to_be_visible()
    expect(body.first).to_contain_text("Ground failure")


def test_the_table_follows_what_the_piles_say(fleet: Fleet, console: Callable[..., Page]):
    pile = fleet.pile("PILE-1", "North gate")
    page = console()
    line = row(page, "North gate")
    expect(line).to_contain_text("Online")
    expect(line).to_contain_text("21 KB")
    link = line.get_by_role("link", name="North gate")
    link.focus()
    order, _ = fleet.order(pile)
    fleet.charge(pile, order)
    expect(line).to_contain_text("6.9 kW")
    expect(line).to_contain_text("2.35 kWh, ¥3.31")
    expect(page.get_by_role("button", name="Charging")).to_contain_text("1")
    expect(link).to_be_focused()  # only the cells that changed are drawn anew
    pile.offline()
    expect(line).to_contain_text("Offline")


def test_a_lost_connection_is_told_and_found_again(console: Callable[..., Page], watch: Watch):
    page = console()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    watch.allow("ERR_INTERNET_DISCONNECTED")
    page.context.set_offline(True)
    expect(page.get_by_text("Connection lost")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()


def test_a_pile_is_added_and_its_key_told_once(fleet: Fleet, console: Callable[..., Page], watch: Watch):
    page = console()
    expect(page.get_by_text("There are no piles yet")).to_be_visible()
    page.get_by_role("button", name="Add a pile").click()
    box = page.get_by_role("dialog")
    box.get_by_label("Device id").fill("no spaces here")
    box.get_by_role("button", name="Add", exact=True).click()
    expect(box.get_by_role("alert")).to_contain_text("letters, digits")
    box.get_by_label("Device id").fill("PILE-7")
    for wrong in ("9", "0", "1.5", ""):
        box.get_by_label("Connectors").fill(wrong)
        box.get_by_role("button", name="Add", exact=True).click()
        expect(box.get_by_role("alert")).to_have_text("A pile has 1 to 8 connectors.")
        expect(box.get_by_label("Connectors")).to_be_focused()
    box.get_by_label("Connectors").fill("1")
    box.get_by_label("Name").fill("Yard")
    box.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("PILE-7 is registered")
    key = page.locator("code.key").inner_text()
    assert fleet.row("PILE-7").key_hex == key
    choose(page, "I have it")
    expect(page.get_by_role("heading", name="Rate of Yard")).to_be_visible()
    assert key not in page.content()


# -- a pile


def test_a_fault_is_reset_only_after_asking(fleet: Fleet, console: Callable[..., Page]):
    pile = fleet.pile("PILE-1")
    fleet.report(pile, said={2: {"status": "Faulted", "fault": "GroundFailure"}})
    page = console("/piles/PILE-1")
    second = page.get_by_role("region", name="Connector 2")
    expect(second).to_contain_text("Ground failure")
    second.get_by_role("button", name="Reset fault").click()
    choose(page, "Cancel")
    assert not fleet.commands(pile)
    second.get_by_role("button", name="Reset fault").click()
    choose(page, "Reset fault")
    expect(page.get_by_text("has been asked to clear the fault")).to_be_visible()
    (command,) = fleet.commands(pile)
    assert (command["action"], command["connector"]) == ("reset", 2)
    expect(page.get_by_text("Reset was asked for: connector 2")).to_be_visible()
    fleet.report(pile)
    expect(second).to_contain_text("Available")
    expect(second.get_by_role("button")).to_have_count(0)
    expect(page.get_by_text("Fault cleared: connector 2: ground failure")).to_be_visible()


def test_a_pile_shows_todays_curve_its_order_and_stops_it(fleet: Fleet, console: Callable[..., Page]):
    pile = fleet.pile("PILE-1")
    order, _ = fleet.order(pile)
    fleet.charge(pile, order)
    page = console("/piles/PILE-1")
    expect(page.get_by_role("img", name="Power today; at most 6.9 kW in 1 orders")).to_be_visible()
    card = page.get_by_role("region", name="Connector 1")
    expect(card).to_contain_text("6.91 kW")
    stop = card.get_by_role("button", name="Stop")
    stop.focus()
    fleet.charge(pile, order, power_mw=3_000_000, register_mwh=6_000_000)
    expect(card).to_contain_text("3.00 kW")
    expect(stop).to_be_focused()
    stop.click()
    choose(page, "Stop order")
    expect(page.get_by_text("has been asked to stop")).to_be_visible()
    assert [each["action"] for each in fleet.commands(pile)] == ["stop"]
    card.get_by_role("link", name="Order charging").click()
    expect(page.get_by_role("heading", name="Order", level=1)).to_contain_text("Charging")


def test_what_is_drawn_again_and_again_keeps_the_focus(fleet: Fleet, console: Callable[..., Page]):
    """Every poll drew the latest orders and the events anew, and a keyboard was back at the page's top."""
    pile = fleet.pile("PILE-1")
    fleet.charged(pile, 1_000_000)
    fleet.charged(pile, 1_000_000, pay=False, total_minor=9_999)
    page = console("/piles/PILE-1")
    orders = page.get_by_role("table", name="Latest orders").get_by_role("row")
    expect(orders).to_have_count(3)
    held = orders.nth(2).get_by_role("link")
    held.focus()
    name = held.inner_text()
    marked = page.evaluate_handle("document.activeElement")
    polled_again(page, "/api/orders?")
    assert marked.evaluate("each => each === document.activeElement")  # nothing changed: nothing was drawn
    fleet.charged(pile, 2_000_000)
    expect(orders).to_have_count(4)
    focused = page.locator(":focus")
    expect(focused).to_have_text(name)
    event = page.locator(".events").get_by_role("link").first
    event.focus()
    name = event.inner_text()
    polled_again(page, "/api/events?")
    fleet.charged(pile, 1_000_000, pay=False, total_minor=9_999)
    expect(page.locator(".events").get_by_role("link")).to_have_count(2)
    expect(focused).to_have_text(name)
    fleet.order(pile)
    stop = page.get_by_role("region", name="Connector 1").get_by_role("button", name="Stop")
    stop.focus()
    fleet.report(pile, said={1: {"status": "SuspendedEV", "plugged": True}})
    expect(page.get_by_role("region", name="Connector 1")).to_contain_text("Paused by vehicle")
    expect(stop).to_be_focused()


def polled_again(page: Page, path: str) -> None:
    """Wait for two whole answers: the first may have been on its way before."""
    for _ in range(2):
        with page.expect_response(lambda answer: path in answer.url) as found:
            pass
        found.value.finished()


def test_a_label_is_looked_at_and_taken_along(fleet: Fleet, console: Callable[..., Page]):
    fleet.pile("PILE-1")
    page = console("/piles/PILE-1")
    page.get_by_role("button", name="Label…").click()
    picture = page.get_by_role("img", name="QR code that opens the phone page of PILE-1")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    with page.expect_download() as started:
        page.get_by_role("button", name="PDF").click()
    assert Path(started.value.path()).read_bytes().startswith(b"%PDF-")
    assert started.value.suggested_filename == "label-PILE-1.pdf"
    choose(page, "Done")


def test_a_pile_is_removed_only_after_asking_and_its_orders_stay(
    fleet: Fleet, console: Callable[..., Page], open_page: Callable[..., Page], watch: Watch
):
    pile = fleet.pile("PILE-1", "North gate")
    receipt = fleet.charged(pile, 1_000_000)
    running, message = fleet.order(pile)
    watch.allow("409")
    watch.allow("410")
    page = console("/piles/PILE-1")
    remove = page.get_by_role("button", name="Remove…")
    remove.click()
    choose(page, "Cancel")
    remove.click()
    choose(page, "Remove pile")
    expect(page.get_by_text("An order holds this pile.")).to_be_visible()
    fleet.settle(pile, running, message, 1_000_000)
    fleet.report(pile, outbox=1)
    remove.click()
    page.get_by_role("button", name="Remove pile").click()
    box = page.get_by_role("dialog", name="Give up settlements?")
    expect(box).to_contain_text("still has 1 settlement")
    box.get_by_role("button", name="Cancel").click()
    assert fleet.row("PILE-1").removed_at is None
    fleet.report(pile)
    remove.click()
    choose(page, "Remove pile")
    expect(page.get_by_text("PILE-1 has been removed.")).to_be_visible()
    expect(page.get_by_text("There are no piles yet")).to_be_visible()
    page.get_by_role("button", name="Removed").click()
    row(page, "North gate").get_by_role("link").click()
    expect(page.get_by_text("It was removed on")).to_be_visible()
    expect(page.get_by_role("table", name="Latest orders").get_by_role("row")).to_have_count(3)
    expect(page.get_by_text("Pile removed", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Remove…")).to_have_count(0)
    for language, words in (("en-GB", "This pile was removed"), ("zh-CN", "该充电桩已拆除")):
        phone = open_page(f"{fleet.url}/p/PILE-1", locale=language)
        expect(phone.get_by_role("heading", level=1)).to_have_text(words)
        phone.goto(f"{fleet.url}/p/PILE-1?order={receipt.order_id}#{receipt.placed['token']}")
        expect(phone.locator("#total")).to_have_text("¥1.70")


def test_what_is_not_there_gets_its_own_words(fleet: Fleet, console: Callable[..., Page], watch: Watch):
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


# -- orders


def test_orders_are_filtered_opened_and_exported(fleet: Fleet, console: Callable[..., Page]):
    first, second = fleet.pile("PILE-1", "=HYPERLINK(1)"), fleet.pile("PILE-2")
    paid = fleet.charged(first, 2_500_000)
    fleet.charged(second, 1_000_000, pay=False)
    page = console("/orders")
    lines = page.locator("tbody tr")
    expect(lines).to_have_count(2)
    page.get_by_label("State").select_option("Paid")
    expect(lines).to_have_count(1)
    expect(lines).to_contain_text("2.500 kWh")
    with page.expect_download() as started:
        page.get_by_role("button", name="Export CSV").click()
    text = Path(started.value.path()).read_text(encoding="utf-8-sig")
    (line,) = csv.DictReader(io.StringIO(text))
    assert (line["order_id"], line["total"], line["pile_name"]) == (paid.order_id, "3.50", "'=HYPERLINK(1)")
    page.get_by_label("State").select_option("")
    page.get_by_label("Pile id").fill("PILE-2")
    expect(lines).to_have_count(1)
    expect(lines).to_contain_text("Settled")
    page.get_by_label("To", exact=True).fill("2020-01-01")
    expect(page.get_by_text("There are no such orders.")).to_be_visible()
    page.get_by_label("From", exact=True).fill("2020-02-01")
    expect(page.get_by_role("alert")).to_have_text("The last day is before the first one.")
    expect(page.get_by_label("To", exact=True)).to_have_attribute("aria-invalid", "true")
    page.get_by_label("To", exact=True).fill("")
    expect(lines).to_have_count(1)
    page.get_by_label("From", exact=True).fill("")
    page.get_by_label("Pile id").fill("pile")
    expect(page.get_by_text("No pile has the id pile.")).to_be_visible()
    page.get_by_role("button", name="PILE-2").click()
    expect(lines).to_have_count(1)
    lines.get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="Order", level=1)).to_contain_text("Settled")
    expect(row(page, "Session fee")).to_contain_text("¥0.50")
    header = page.get_by_role("table", name="Lines of the settlement").get_by_role("columnheader")
    expect(header.last).to_have_text("Together")
    expect(row(page, "Total").get_by_role("cell").last).to_have_text("¥1.70")


def test_ten_thousand_orders_come_a_page_at_a_time(fleet: Fleet, console: Callable[..., Page]):
    fleet.copies(fleet.charged(fleet.pile("PILE-1"), 1_000_000), 10_000)
    page = console("/orders")
    lines = page.locator("tbody tr")
    expect(page.get_by_text("1 to 100, newest first")).to_be_visible()
    expect(lines).to_have_count(100)
    newest = lines.first.inner_text()
    page.get_by_role("button", name="Older").click()
    expect(page.get_by_text("101 to 200, newest first")).to_be_visible()
    assert lines.first.inner_text() != newest
    page.get_by_role("button", name="Newer").click()
    expect(page.get_by_text("1 to 100, newest first")).to_be_visible()
    assert lines.first.inner_text() == newest


# -- flagged settlements


def test_a_flagged_settlement_shows_both_computations(fleet: Fleet, console: Callable[..., Page]):
    pile = fleet.pile("PILE-1")
    fleet.charged(pile, 2_500_000)
    fleet.charged(pile, 2_500_000, pay=False, total_minor=9_999)
    page = console("/flagged")
    expect(page.get_by_role("link", name="Flagged 1")).to_be_visible()
    line = row(page, "The total is not what the locked rate gives.")
    expect(line).to_contain_text("¥99.99")
    line.get_by_role("link", name="no. 2").click()
    table = page.get_by_role("table", name="Both computations")
    total = table.get_by_role("row").filter(has_text="Total")
    expect(total.get_by_role("cell")).to_have_text(["Total", "¥99.99", "¥3.50", "+¥96.49"])
    expect(table.get_by_role("row").filter(has_text="Session fee")).to_contain_text("the same")
    page.get_by_role("link", name="Its order").click()
    expect(page.get_by_text("It was flagged.")).to_be_visible()


def test_a_flagged_settlement_is_released_and_then_paid(
    fleet: Fleet, console: Callable[..., Page], open_page: Callable[..., Page]
):
    pile = fleet.pile("PILE-1")
    order = fleet.charged(pile, 2_500_000, pay=False, total_minor=9_999)
    phone = open_page(f"{fleet.url}/p/PILE-1?order={order.order_id}#{order.placed['token']}")
    expect(phone.get_by_role("alert")).to_contain_text("This bill is being checked")
    page = console("/flagged/1")
    page.get_by_role("button", name="Release at ¥3.50").click()
    box = page.get_by_role("dialog", name="Release at ¥3.50?")
    box.get_by_role("button", name="Release").click()
    expect(box.get_by_role("alert")).to_have_text("Write down why.")
    assert order.view()["settlement"]["flagged"]
    box.get_by_label("Why").fill("<b>Read</b> on site")
    box.get_by_role("button", name="Release").click()
    panel = page.get_by_role("heading", name="What became of it").locator("..")
    expect(panel).to_contain_text("Released at what the locked rate gives")
    expect(panel).to_contain_text("<b>Read</b> on site")
    expect(page.get_by_role("heading", level=1)).to_be_focused()  # the button is gone
    expect(page.get_by_role("button", name="Waive")).to_have_count(0)
    expect(page.locator('[data-tab="flagged"]')).to_have_text("Flagged")  # nothing waits any more
    expect(phone.locator("#pay")).to_contain_text("¥3.50")  # told at once, without a reload
    phone.locator("#pay").click()
    expect(phone.get_by_text("Paid on")).to_be_visible()
    page.get_by_role("link", name="Its order").click()
    expect(page.get_by_text("these lines are what the locked rate gives")).to_be_visible()
    cells = page.get_by_role("row").filter(has_text="Total").get_by_role("cell")
    expect(cells.last).to_have_text("¥3.50")
    page.locator('[data-tab="flagged"]').click()
    page.get_by_role("link", name="Those decided about").click()
    expect(row(page, "¥99.99")).to_contain_text("Released")


def test_a_flagged_settlement_is_waived(
    fleet: Fleet, console: Callable[..., Page], open_page: Callable[..., Page]
):
    pile = fleet.pile("PILE-1")
    order = fleet.charged(
        pile, 2_500_000, pay=False, periods=[[1_700_000_000, 1, 1, "flat", 2_500_000, 0, 0]]
    )
    page = console("/flagged/1")
    expect(page.get_by_text("it can only be waived")).to_be_visible()
    expect(page.get_by_role("button", name="Release")).to_have_count(0)
    page.get_by_role("button", name="Waive…").click()
    page.get_by_label("Why").fill("No way to tell")
    choose(page, "Waive")
    expect(page.get_by_text("Waived: nothing is to be paid")).to_be_visible()
    phone = open_page(f"{fleet.url}/p/PILE-1?order={order.order_id}#{order.placed['token']}")
    expect(phone.locator("#total")).to_have_text("¥0.00")
    expect(phone.get_by_text("being checked")).to_have_count(0)


def test_without_an_order_there_is_nothing_to_compare_with(fleet: Fleet, console: Callable[..., Page]):
    pile = fleet.pile("PILE-1")
    _, message = fleet.order(pile)
    pile.settle(message | {"order_id": "nobody-s-order"}, 1_000_000)
    page = console("/flagged")
    line = row(page, "There is no such order here.")
    expect(line).to_contain_text("nothing")
    line.get_by_role("link", name="no. 1").click()
    expect(page.get_by_text("it knows no such order")).to_be_visible()
    page.get_by_role("button", name="Close…").click()
    page.get_by_label("Why").fill("A test of the pile's maker")
    choose(page, "Close it")
    expect(page.get_by_text("Closed: it bills nobody")).to_be_visible()


# -- energy and revenue


def test_energy_and_revenue_are_drawn_and_told(fleet: Fleet, console: Callable[..., Page], watch: Watch):
    pile = fleet.pile("PILE-1", rate=DAY_RATE)
    orders = [fleet.charged(pile, mwh) for mwh in (1_000_000, 2_000_000)]
    fleet.charged(pile, 3_000_000, pay=False, total_minor=1)
    fleet.counted_today()
    revenue = sum(order.view()["total_minor"] for order in orders)
    page = console("/reports")
    expect(page.get_by_text("3.0 kWh", exact=True).first).to_be_visible()
    expect(
        page.get_by_role("img", name=f"Revenue by day, ¥{revenue // 100}.{revenue % 100:02} in all")
    ).to_be_visible()
    expect(page.get_by_role("img", name="Energy by day, 3.0 kWh in all")).to_be_visible()
    expect(page.get_by_text("1 flagged settlement is not counted.")).to_be_visible()
    expect(row(page, "Session fees")).to_contain_text("¥1.00")
    watch.allow("404")
    page.get_by_label("Pile id").fill("PILE-9")
    expect(page.get_by_text("There is no pile with that id.")).to_be_visible()
    page.get_by_label("Pile id").fill("")
    page.get_by_role("button", name="7 days").click()
    page.get_by_text("The days as a table").click()
    expect(page.get_by_role("table", name="Energy and revenue by day").get_by_role("row")).to_have_count(8)


def test_two_currencies_are_told_apart(fleet: Fleet, console: Callable[..., Page]):
    """Both yuan and yen are written with the same sign."""
    fleet.charged(fleet.pile("PILE-1"), 1_000_000)
    yen = DAY_RATE | {"currency": "JPY", "time_zone": "Asia/Tokyo"}
    fleet.charged(fleet.pile("PILE-2", rate=yen), 50_000_000)
    fleet.counted_today()
    page = console("/reports")
    expect(page.get_by_text("¥1.70 CNY", exact=True).first).to_be_visible()
    for name in ("By period, CNY", "By period, JPY", "Revenue by day, CNY", "Revenue by day, JPY"):
        expect(page.get_by_role("heading", name=name)).to_be_visible()
    page.evaluate(AXE)
    rules = page.evaluate(
        "axe.run(document, {runOnly: ['landmark-unique']}).then((found) => found.violations)"
    )
    assert rules == []


def test_a_pressed_emergency_stop_is_told_as_what_it_is(fleet: Fleet, console: Callable[..., Page]):
    pile = fleet.pile("PILE-1", "North gate")
    fleet.report(pile, said={2: {"status": "Unavailable"}})
    page = console()
    expect(row(page, "North gate")).to_contain_text("Emergency stop")
    row(page, "North gate").get_by_role("link").click()
    expect(page.get_by_role("region", name="Connector 2")).to_contain_text("It is released at the pile")
    expect(page.get_by_text("Emergency stop pressed: connector 2")).to_be_visible()
    fleet.report(pile)
    expect(page.get_by_text("Emergency stop released: connector 2")).to_be_visible()
    expect(page.get_by_role("region", name="Connector 2")).to_contain_text("Available")


# -- for everyone


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, TABLET], ids=["desktop", "tablet"])
def test_every_view_can_be_used_by_everyone(
    fleet: Fleet,
    console: Callable[..., Page],
    open_page: Callable[..., Page],
    scheme: str,
    viewport: dict[str, int],
):
    pile = fleet.pile("PILE-1", "North gate", rate=DAY_RATE)
    fleet.charged(pile, 1_000_000)
    fleet.charged(pile, 2_000_000, pay=False, total_minor=5)
    fleet.counted_today()
    other = fleet.pile("PILE-2", "South gate")
    order, _ = fleet.order(other)
    fleet.charge(other, order)
    fleet.report(pile, said={2: {"status": "Faulted", "fault": "GroundFailure"}}, clock="Unset")
    fleet.pile("PILE-3", rate=None, online=False)
    old = fleet.pile("PILE-4", "Old yard")
    fleet.charged(old, 2_000_000, pay=False, total_minor=5)
    decision = {"decision": "release", "note": "The meter was read on site."}
    assert fleet.operator.post("/api/settlements/3/review", decision).status == 201
    assert fleet.operator.request("DELETE", "/api/piles/PILE-4").status == 200
    login = open_page(fleet.url + "/console", viewport=viewport, color_scheme=scheme)
    expect(login.get_by_label("Operator token")).to_be_visible()
    assert axe_problems(login) == []
    page = console("/piles", viewport=viewport, color_scheme=scheme)
    views = {
        "/piles": "South gate",
        "/piles/PILE-1": "Ground failure",
        "/piles/PILE-2": "6.91 kW",
        "/piles/PILE-1/rate": "Holds now",
        "/orders": "PILE-2 · 1",
        f"/orders/{order.order_id}": "Locked rate",
        "/flagged": "The total is not what",
        "/flagged/2": "As the pile sealed it",
        "/flagged/3": "What became of it",
        "/flagged?reviewed=true": "The meter was read on site.",
        "/piles/PILE-4": "It was removed on",
        "/reports": "Revenue by day",
    }
    for view, words in views.items():
        page.evaluate("to => (location.hash = to)", view)
        expect(page.get_by_text(words).first).to_be_visible()
        assert axe_problems(page) == [], view
        assert overflow(page) == 0, view


def test_the_hours_of_a_chart_do_not_overlap_on_a_phone(fleet: Fleet, console: Callable[..., Page]):
    fleet.pile("PILE-1")
    page = console("/piles/PILE-1", viewport=PHONE)
    ticks = page.get_by_role("img", name="Power today").locator("text", has_text=":00")
    expect(ticks).to_have_text(["00:00", "06:00", "12:00", "18:00", "24:00"])
    boxes = [box for box in (tick.bounding_box() for tick in ticks.all()) if box]
    for one, two in itertools.pairwise(boxes):
        assert one["x"] + one["width"] < two["x"]
    expect(page.get_by_text("The day as it is in")).to_be_visible()
    expect(page.get_by_role("contentinfo")).to_contain_text("All times are in")


def test_the_console_can_be_worked_with_the_keyboard_alone(fleet: Fleet, open_page: Callable[..., Page]):
    pile = fleet.pile("PILE-1", "North gate")
    fleet.report(pile, said={1: {"status": "Faulted", "fault": "HighTemperature"}})
    page = open_page(fleet.url + "/console", viewport=DESKTOP)
    expect(page.get_by_label("Operator token")).to_be_focused()
    page.keyboard.type(TOKEN)
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
