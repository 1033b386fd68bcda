"""Payments in the console: holds, what the provider did by day, and free charging."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from tests.web.conftest import DESKTOP, Watch, choose, row
from tests.web.fleet import Fleet

TEST = "TEST - no money moves"


def go(page: Page, address: str) -> None:
    page.evaluate("to => (location.hash = to)", address)


def test_holds_are_listed_explained_and_a_refused_call_is_made_again_by_who_may(
    fleet: Fleet, console: Callable[..., Page], open_page: Callable[..., Page]
):
    order = fleet.charged(fleet.pile("PILE-1"), 1_000_000, pay=False)
    refused = fleet.hold(
        *("PILE-1", order.order_id, "CaptureRefused", ("capture", 170, "Refused")), reason="charge_expired"
    )
    fleet.hold("PILE-1", None, "Refused", reason="card_declined")
    account = {"name": "vera", "role": "viewer", "password": "correct horse battery"}
    assert fleet.operator.post("/api/users", account).status == 201

    page = console("/payments")
    expect(page.get_by_role("row")).to_have_count(3)
    expect(row(page, "Hold refused")).to_contain_text("The card was declined")
    page.get_by_label("State").select_option("Capture refused")
    expect(page.get_by_role("row")).to_have_count(2)
    expect(row(page, "Capture refused")).to_contain_text(TEST)
    page.get_by_role("row").last.get_by_role("link").first.click()
    for text in (TEST, "Test provider", "test-" + refused, order.order_id):
        expect(page.locator(".facts, .pill", has_text=text).first).to_be_visible()
    expect(row(page, "Capture")).to_contain_text("charge_expired")

    go(page, "/orders/" + order.order_id)
    payment = page.locator("section", has=page.get_by_role("heading", name="Payment", exact=True))
    expect(payment).to_contain_text(TEST)
    expect(payment.locator(".facts")).to_contain_text("¥20.00")

    viewer = open_page(fleet.url + "/console#/orders/" + order.order_id, viewport=DESKTOP)
    viewer.get_by_label("Name").fill("vera")
    viewer.get_by_label("Password").fill(account["password"])
    viewer.keyboard.press("Enter")
    expect(viewer.get_by_text(TEST)).to_be_visible()
    expect(viewer.get_by_role("button", name="Try again")).to_have_count(0)
    go(viewer, "/payments")
    expect(viewer.get_by_role("row")).to_have_count(3)
    expect(viewer.get_by_role("link", name="Free charging")).to_have_count(0)
    go(viewer, "/free-vend")
    expect(viewer.get_by_text("Your role does not allow this.")).to_be_visible()

    payment.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("The provider is asked again.")).to_be_visible()
    expect(payment.locator(".pill").first).to_have_text("Held")
    expect(row(page, "Payment tried again")).to_contain_text("Capture refused")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_text("测试 - 不会实际扣款")).to_be_visible()


def test_days_are_reported_exported_and_compared_with_the_provider(
    fleet: Fleet, console: Callable[..., Page], watch: Watch
):
    order = fleet.charged(fleet.pile("PILE-1"), 1_000_000)
    calls = (("capture", 170, "Done"), ("refund", 20, "Done"))
    sums = {"captured_minor": 170, "released_minor": 1_830, "refunded_minor": 20}
    hold = fleet.hold("PILE-1", order.order_id, "Captured", *calls, **sums)
    difference = {"hold_id": None, "order_id": None, "key": None, "ref": "re_1", "at": 1}
    difference |= {"currency": "CNY", "theirs_currency": "CNY", "minor_digits": 2}
    found: dict[str, Any] = {"adapter": "test", "is_test": True, "rows_ours": 3, "rows_theirs": 3}
    found["differences"] = []
    page = console("/payment-days")
    for first in ("Test provider", "Total"):
        line = page.get_by_role("row").filter(has_text=first).last
        expect(line).to_contain_text(TEST)
        for amount in ("¥20.00", "¥1.70", "¥18.30", "¥0.20"):
            expect(line.get_by_role("cell", name=amount, exact=True)).to_be_visible()
    page.get_by_role("button", name="7 days").click()
    expect(page.get_by_role("row")).to_have_count(3)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export CSV").click()
    text = download.value.path().read_text(encoding="utf-8-sig")
    (line,) = csv.DictReader(io.StringIO(text))
    assert (line["captured"], line["notice"]) == ("1.70", TEST)

    compare = page.get_by_role("button", name="Compare")
    watch.allow("409 (Conflict)")
    compare.click()
    expect(page.get_by_text("No payment provider is set")).to_be_visible()
    page.route("**/api/reports/reconciliation?*", lambda route: route.fulfill(json=found))
    compare.click()
    expect(page.get_by_text("No difference")).to_be_visible()
    found["differences"] = [
        difference
        | {
            "what": "MissingHere",
            "kind": "refund",
            "ours_minor": None,
            "theirs_minor": 50,
            "theirs_state": "Done",
        },
        difference
        | {
            "what": "AmountDiffers",
            "kind": "capture",
            "hold_id": hold,
            "ours_minor": 170,
            "theirs_minor": 17,
            "theirs_currency": "JPY",
        },
        difference | {"what": "OfAnotherRelease", "kind": "hold", "ours_minor": 1, "theirs_minor": 1},
    ]
    compare.click()
    expect(page.get_by_text("3 differences")).to_be_visible()
    expect(row(page, "Not here")).to_contain_text(re.compile("¥0.50\\s*Done"))
    expect(row(page, "Another amount")).to_contain_text("¥1.70¥17 JPY")
    expect(row(page, "OfAnotherRelease")).to_be_visible()
    row(page, "Another amount").get_by_role("link").click()
    expect(page.get_by_role("heading", name="A hold")).to_be_visible()


def test_a_code_and_a_site_are_made_free_by_keyboard_and_revoked(fleet: Fleet, console: Callable[..., Page]):
    site = {"site_id": "SITE-1", "name": "Harbour", "address": "1", "time_zone": "UTC", "contact": ""}
    assert fleet.operator.post("/api/sites", site).status == 201
    page = console("/free-vend")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(page.get_by_text("There are no codes and no free sites.")).to_be_visible()
    page.get_by_role("button", name="New code or free site").press("Enter")
    box = page.get_by_role("dialog", name="New code or free site")
    box.get_by_label("How many orders").fill("many")
    box.get_by_label("Last day").fill("2020-01-01")
    page.keyboard.press("Enter")
    for wrong in ("Enter a reason.", "A whole number from 1, or nothing.", "Must be today or later."):
        expect(box.get_by_text(wrong)).to_be_visible()
    box.get_by_label("How many orders").fill("3")
    box.get_by_label("Last day").fill("2099-01-31")
    box.get_by_label("Reason").fill("<b>Guests</b>")
    page.keyboard.press("Enter")
    shown = page.get_by_role("dialog", name="The code is made")
    code = shown.locator(".key").inner_text()
    (made,) = fleet.operator.get("/api/free-vend").json()["items"]
    assert (made["code"], made["uses_max"], made["reason"]) == (code, 3, "<b>Guests</b>")
    shown.get_by_role("button", name="Copy").click()
    expect(shown.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == code
    choose(page, "I have it")
    expect(row(page, code)).to_contain_text("0 of 3")

    page.get_by_role("button", name="New code or free site").click()
    box.get_by_label("Who charges for free").select_option("Everybody at a site")
    box.get_by_label("Reason").fill("Opening week")
    page.keyboard.press("Enter")
    expect(box.get_by_text("Choose the site.")).to_be_visible()
    box.get_by_label("Site", exact=True).select_option("Harbour")
    box.get_by_role("button", name="Add").click()
    expect(row(page, "Opening week")).to_contain_text("Everybody there")
    row(page, code).get_by_role("button", name="Revoke").click()
    choose(page, "Revoke")
    expect(row(page, code)).to_contain_text("Revoked")
    go(page, "/audit")
    expect(row(page, "Free charging granted").last).to_contain_text("Code: <b>Guests</b>")
    expect(row(page, "Free charging revoked")).to_be_visible()
