"""The books in a real browser: bills credited, revenue told apart, what is flagged struck out, exports."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.web.conftest import choose, row
from tests.web.fleet import Fleet


def test_a_bill_is_credited_in_the_console_and_the_driver_pays_the_rest(
    fleet: Fleet, console: Callable[..., Page], open_page: Callable[..., Page]
):
    order = fleet.charged(fleet.pile("PILE-1"), 2_500_000, pay=False)
    phone = open_page(f"{fleet.url}/p/PILE-1?order={order.order_id}#{order.placed['token']}")
    expect(phone.locator("#pay")).to_contain_text("¥3.50")
    page = console("/orders/" + order.order_id)
    expect(page.get_by_text("There are no credit notes.")).to_be_visible()
    page.get_by_role("button", name="Credit…").click()
    box = page.get_by_role("dialog", name="Credit this bill?")
    expect(box).to_contain_text("Up to ¥3.50")
    for wrong in ("", "0", "3.51", "1.005", "-1"):
        box.get_by_label("Amount in CNY").fill(wrong)
        page.keyboard.press("Enter")
        expect(box.get_by_role("alert").first).to_have_text("An amount above zero, ¥3.50 at most.")
    box.get_by_label("Amount in CNY").fill("1,25")
    box.get_by_label("Reason").fill("<b>The cable</b> did not lock")
    page.keyboard.press("Enter")
    expect(page.get_by_text("¥1.25 was credited.")).to_be_visible()
    notes = page.get_by_role("table", name="Credit notes")
    expect(row(notes, "<b>The cable</b> did not lock")).to_contain_text("¥1.25")
    expect(phone.locator("#pay")).to_contain_text("¥2.25")  # told at once, without a reload
    expect(row(phone, "Credit of")).to_contain_text("-¥1.25")
    phone.locator("#pay").click()
    expect(phone.get_by_text("Paid on")).to_be_visible()
    assert order.view()["payment"]["amount_minor"] == 225
    expect(page.get_by_role("heading", name="Order", level=1)).to_contain_text("Paid")
    page.get_by_role("button", name="Credit…").click()
    expect(box).to_contain_text("Up to ¥2.25. The bill is paid, so you must pay the amount back")


def test_a_payment_is_entered_by_hand_with_its_audit_line(fleet: Fleet, console: Callable[..., Page]):
    order = fleet.charged(fleet.pile("PILE-1"), 2_500_000, pay=False)
    page = console("/orders/" + order.order_id)
    page.get_by_role("button", name="Enter a payment…").click()
    expect(page.get_by_role("dialog")).to_contain_text("Enter ¥3.50 as paid?")
    choose(page, "Enter the payment")
    expect(page.get_by_text("¥3.50 is entered as paid.")).to_be_visible()
    expect(page.get_by_role("heading", name="Order", level=1)).to_contain_text("Paid")
    expect(page.get_by_role("button", name="Enter a payment…")).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_be_focused()  # what had the focus is gone
    lines = fleet.operator.get(f"/api/audit?order_id={order.order_id}").json()["items"]
    assert [each["action"] for each in lines] == ["PaymentEntered"]


def test_a_bill_credited_in_whole_leaves_nothing_to_pay(fleet: Fleet, open_page: Callable[..., Page]):
    order = fleet.charged(fleet.pile("PILE-1"), 2_500_000, pay=False)
    fleet.credit(order, 350)
    for locale, words in (("en-GB", "Nothing to pay"), ("zh-CN", "无需支付")):
        link = f"{fleet.url}/p/PILE-1?order={order.order_id}#{order.placed['token']}"
        phone = open_page(link, locale=locale)
        expect(phone.locator("#total")).to_have_text("¥0.00")
        expect(phone.locator(".pill")).to_have_text(words)
        expect(phone.get_by_text("Nothing was charged")).to_have_count(0)


def test_revenue_is_told_apart_and_exported(fleet: Fleet, console: Callable[..., Page]):
    pile = fleet.pile("PILE-1")
    fleet.charged(pile, 1_000_000)
    fleet.credit(fleet.charged(pile, 2_500_000, pay=False), 100)
    fleet.charged(pile, 2_000_000, pay=False, total_minor=9_999)
    fleet.counted_today()
    page = console("/reports")
    table = page.get_by_role("table", name="Revenue by state")
    expect(table.get_by_role("row")).to_have_count(6)
    for name, amount in (
        ("Billed", "¥5.20"),
        ("Paid", "¥1.70"),
        ("Unpaid", "¥2.50"),
        ("Credited", "¥1.00"),
        ("Flagged (totals of the piles)", "¥99.99"),
    ):
        expect(table.get_by_role("row").filter(has_text=name).first).to_contain_text(amount)
    expect(page.locator(".tile").filter(has_text="Billed less credited")).to_contain_text("¥4.20")
    with page.expect_download() as started:
        page.get_by_role("button", name="Settlements as CSV").click()
    text = Path(started.value.path()).read_text(encoding="utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [(line["counts_as"], line["total"]) for line in lines] == [
        ("Billed", "1.70"),
        ("Billed", "3.50"),
        ("Flagged", ""),
    ]
    page.get_by_label("Tag").fill("fast")
    expect(page.get_by_text("Nothing was settled in these days.")).to_be_visible()
    page.evaluate("location.hash = '/orders'")
    expect(row(page, "¥99.99").locator("s")).to_have_text("¥99.99")
    expect(row(page, "¥99.99")).to_contain_text("Flagged")
    expect(row(page, "¥3.50")).to_contain_text("¥1.00 credited")
