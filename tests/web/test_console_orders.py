"""The operator's console in a real browser: orders, and settlements that were flagged."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.web.conftest import choose, row
from tests.web.fleet import Fleet

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
    expect(lines).to_have_count(2)
    page.get_by_label("Pile id").fill("PILE-2")
    expect(lines).to_have_count(1)
    expect(lines).to_contain_text("Settled")
    page.get_by_label("To", exact=True).fill("2020-01-01")
    expect(page.get_by_text("No orders match.")).to_be_visible()
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
    expect(lines.first).not_to_have_text(newest, use_inner_text=True)
    page.get_by_role("button", name="Newer").click()
    expect(page.get_by_text("1 to 100, newest first")).to_be_visible()
    expect(lines.first).to_have_text(newest, use_inner_text=True)


# -- flagged settlements


def test_an_order_whose_pile_is_gone_is_closed_with_a_reason(
    fleet: Fleet, console: Callable[..., Page], open_page: Callable[..., Page], watch
):
    watch.allow("409")
    pile = fleet.pile("PILE-1")
    order, _ = fleet.order(pile)
    phone = open_page(f"{fleet.url}/p/PILE-1?order={order.order_id}#{order.placed['token']}")
    page = console("/orders/" + order.order_id)
    close = page.get_by_role("button", name="Close…")
    close.click()
    box = page.get_by_role("dialog", name="Close this order?")
    box.get_by_label("Reason").fill("the pile was stolen")
    box.get_by_role("button", name="Close it").click()
    expect(box.get_by_role("alert")).to_contain_text("The pile is online. Stop the order instead")
    pile.offline()
    box.get_by_role("button", name="Close it").click()  # what was written is still there
    expect(page.get_by_role("heading", name="Order", level=1)).to_contain_text("Lost")
    expect(page.get_by_text("Closed by an operator")).to_be_visible()
    expect(close).to_have_count(0)
    expect(phone.get_by_role("heading", name="This charge has no bill")).to_be_visible()
    expect(phone.get_by_text("Nothing was started")).to_have_count(0)


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
    expect(box.get_by_role("alert")).to_have_text("Enter a reason.")
    assert order.view()["settlement"]["flagged"]
    box.get_by_label("Reason").fill("<b>Read</b> on site")
    box.get_by_role("button", name="Release").click()
    panel = page.get_by_role("heading", name="Review").locator("..")
    expect(panel).to_contain_text("Released: billed with the locked rate")
    expect(panel).to_contain_text("<b>Read</b> on site")
    expect(page.get_by_role("heading", level=1)).to_be_focused()  # the button is gone
    expect(page.get_by_role("button", name="Waive")).to_have_count(0)
    expect(page.locator('[data-tab="flagged"]')).to_have_text("Flagged")  # nothing waits any more
    expect(phone.locator("#pay")).to_contain_text("¥3.50")  # told at once, without a reload
    phone.locator("#pay").click()
    expect(phone.get_by_text("Paid on")).to_be_visible()
    page.get_by_role("link", name="Its order").click()
    expect(page.get_by_text("these lines are computed with the locked rate")).to_be_visible()
    cells = page.get_by_role("row").filter(has_text="Total").get_by_role("cell")
    expect(cells.last).to_have_text("¥3.50")
    page.locator('[data-tab="flagged"]').click()
    page.get_by_role("link", name="Show decided ones").click()
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
    page.get_by_label("Reason").fill("No way to tell")
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
    page.get_by_label("Reason").fill("A test of the pile's maker")
    choose(page, "Close it")
    expect(page.get_by_text("Closed: nobody is billed")).to_be_visible()
