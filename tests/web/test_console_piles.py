"""The operator's console in a real browser: the live table of piles, and one pile."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.web.conftest import DESKTOP, PHONE, Watch, choose, row
from tests.web.fleet import Fleet

POLL_MS = 10_000  # longer than the page waits between any two of its questions

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
    expect(page.get_by_text("No piles match.")).to_be_visible()
    page.get_by_label("Search piles").fill("")
    page.get_by_role("button", name="Faulted").click()
    expect(page.get_by_text("1 to 20 of 20")).to_be_visible()
    expect(body.first).to_contain_text("Ground fault")


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


def test_a_pile_is_added_and_its_key_told_once(fleet: Fleet, console: Callable[..., Page]):
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
    expect(second).to_contain_text("Ground fault")
    second.get_by_role("button", name="Reset fault").click()
    choose(page, "Cancel")
    assert not fleet.commands(pile)
    second.get_by_role("button", name="Reset fault").click()
    choose(page, "Reset fault")
    expect(page.get_by_text("has been asked to clear the fault")).to_be_visible()
    (command,) = fleet.commands(pile)
    assert (command["action"], command["connector"]) == ("reset", 2)
    expect(page.get_by_text("Reset requested: connector 2")).to_be_visible()
    fleet.report(pile)
    expect(second).to_contain_text("Available")
    expect(second.get_by_role("button")).to_have_count(0)
    expect(page.get_by_text("Fault cleared: connector 2: ground fault")).to_be_visible()


def test_a_pressed_emergency_stop_is_told_as_what_it_is(fleet: Fleet, console: Callable[..., Page]):
    pile = fleet.pile("PILE-1", "North gate")
    fleet.report(pile, said={2: {"status": "Unavailable"}})
    page = console()
    expect(row(page, "North gate")).to_contain_text("Stop pressed")
    row(page, "North gate").get_by_role("link").click()
    second = page.get_by_role("region", name="Connector 2")
    expect(second).to_contain_text("It can only be released at the pile")
    expect(page.get_by_text("Emergency stop or stop button pressed: connector 2")).to_be_visible()
    fleet.report(pile)
    expect(page.get_by_text("Emergency stop or stop button released: connector 2")).to_be_visible()
    expect(page.get_by_role("region", name="Connector 2")).to_contain_text("Available")


def test_a_pile_shows_todays_curve_also_on_a_phone_its_order_and_stops_it(
    fleet: Fleet, console: Callable[..., Page]
):
    pile = fleet.pile("PILE-1")
    order, _ = fleet.order(pile)
    fleet.charge(pile, order)
    page = console("/piles/PILE-1")
    curve = page.get_by_role("img", name="Power today; at most 6.9 kW in 1 orders")
    expect(curve).to_be_visible()
    page.set_viewport_size(PHONE)
    ticks = curve.locator("text", has_text=":00")
    expect(ticks).to_have_text(["00:00", "06:00", "12:00", "18:00", "24:00"])
    boxes = [box for box in (tick.bounding_box() for tick in ticks.all()) if box]
    for one, two in itertools.pairwise(boxes):
        assert one["x"] + one["width"] < two["x"]
    expect(page.get_by_text("The day in")).to_be_visible()
    expect(page.get_by_role("contentinfo")).to_contain_text("All times are in")
    page.set_viewport_size(DESKTOP)
    card = page.get_by_role("region", name="Connector 1")
    expect(card).to_contain_text("6.91 kW")
    stop = card.get_by_role("button", name="Stop")
    stop.focus()
    fleet.charge(pile, order, power_mw=3_000_000, energy_mwh=2_400_000)
    expect(card).to_contain_text("3.00 kW")
    expect(stop).to_be_focused()
    stop.click()
    choose(page, "Stop order")
    expect(page.get_by_text("has been asked to stop")).to_be_visible()
    assert [each["action"] for each in fleet.commands(pile)] == ["stop"]
    card.get_by_role("link", name="Order charging").click()
    expect(page.get_by_role("heading", name="Order", level=1)).to_contain_text("Charging")


@pytest.mark.long
def test_what_is_drawn_again_and_again_keeps_the_focus(
    fleet: Fleet, console: Callable[..., Page], new_context: Callable[..., BrowserContext]
):
    """Every poll drew the latest orders and the events anew, and a keyboard was back at the page's top."""
    pile = fleet.pile("PILE-1")
    fleet.charged(pile, 1_000_000)
    fleet.charged(pile, 1_000_000, pay=False, total_minor=9_999)
    context = new_context(viewport=DESKTOP)
    context.clock.install()
    page = console("/piles/PILE-1", context=context)
    orders = page.get_by_role("table", name="Latest orders").get_by_role("row")
    expect(orders).to_have_count(3)
    held = orders.nth(2).get_by_role("link")
    held.focus()
    name = held.inner_text()
    marked = page.evaluate_handle("document.activeElement")
    polled_again(page, "/api/orders?")
    assert marked.evaluate("each => each === document.activeElement")  # nothing changed: nothing was drawn
    fleet.charged(pile, 2_000_000)
    page.clock.fast_forward(POLL_MS)
    expect(orders).to_have_count(4)
    focused = page.locator(":focus")
    expect(focused).to_have_text(name)
    event = page.locator(".events").get_by_role("link").first
    event.focus()
    name = event.inner_text()
    polled_again(page, "/api/events?")
    fleet.charged(pile, 1_000_000, pay=False, total_minor=9_999)
    page.clock.fast_forward(POLL_MS)
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
            page.clock.fast_forward(POLL_MS)
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
    page.get_by_role("button", name="Remove pile").click()
    expect(page.get_by_role("dialog")).to_contain_text("An order holds this pile.")
    choose(page, "Cancel")
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
    expect(page.get_by_role("list").get_by_text("Pile removed", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Remove…")).to_have_count(0)
    for language, words in (("en-GB", "This pile was removed"), ("zh-CN", "该充电桩已拆除")):
        phone = open_page(f"{fleet.url}/p/PILE-1", locale=language)
        expect(phone.get_by_role("heading", level=1)).to_have_text(words)
        phone.goto(f"{fleet.url}/p/PILE-1?order={receipt.order_id}#{receipt.placed['token']}")
        expect(phone.locator("#total")).to_have_text("¥1.70")


def test_a_pile_shows_what_its_chip_reports(fleet: Fleet, console: Callable[..., Page]):
    pile = fleet.pile("PILE-1")
    told = {
        "uptime_s": 3_725,
        "reset_cause": "Watchdog",
        "boots": 7,
        "recoveries": 2,
        "wifi_rssi_dbm": -85,
        "ram_free_bytes": 61_440,
        "ram_min_free_bytes": 40_960,
    }
    fleet.reported(pile, told)
    reported = console("/piles/PILE-1").get_by_role("main")
    for name, value in (
        ("Running for", "1:02:05"),
        ("Last reset by", "Watchdog"),
        ("Restarts", "7"),
        ("Orders recovered", "2"),
        ("Wi-Fi signal", "-85 dBm"),
        ("Chip memory free", "60 KB"),
        ("Least chip memory free", "40 KB"),
    ):
        fact = reported.locator("dl.facts div").filter(has=reported.page.get_by_text(name, exact=True))
        expect(fact.locator("dd")).to_have_text(value)


def test_a_connector_with_a_vehicle_is_occupied(fleet: Fleet, console: Callable[..., Page]):
    pile = fleet.pile("PILE-1", name="North gate")
    fleet.report(pile, said={2: {"plugged": True}})
    page = console()
    expect(row(page, "North gate").locator(".connectors li")).to_have_text(["Available", "Occupied"])
    page.get_by_role("link", name="North gate").click()
    expect(page.get_by_role("region", name="Connector 2")).to_contain_text("Occupied")
