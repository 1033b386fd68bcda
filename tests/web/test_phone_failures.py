"""What the phone's page says when something fails, and that it says so no longer than it is so."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.cloud.fakes import FakePile
from tests.web.conftest import SMALL_PHONE, axe_problems
from tests.web.fleet import DAY_RATE, Fleet
from tests.web.test_phone_price import orders
from tools.harness.phone import PhoneOrder

READ_MS = 9_000  # as long as a failure that is over may stay
POLL_MS = 5_000  # until the page has asked again
PLUGGED = {1: {"status": "Preparing", "plugged": True}}


@pytest.fixture
def pile(fleet: Fleet) -> FakePile:
    made = fleet.pile("RIVER-1", "Riverside, bay 1", DAY_RATE, connectors=1)
    fleet.report(made, connectors=1, said=PLUGGED)
    return made


@pytest.fixture
def context(new_context: Callable[..., BrowserContext]) -> BrowserContext:
    made = new_context()
    made.clock.install()
    return made


def link(fleet: Fleet, order: PhoneOrder, at: str | None = None) -> str:
    return f"{fleet.url}/p/{at or order.placed['device_id']}?order={order.order_id}#{order.placed['token']}"


def problem(status: int, code: str) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=status, json={"code": code, "title": code})


def note(page: Page):
    return page.get_by_role("status").filter(has_text="This connector is in use")


def test_a_stop_that_did_not_go_out_is_said_until_the_network_is_back(
    fleet: Fleet, pile: FakePile, context: BrowserContext, open_page: Callable[..., Page], watch
):
    watch.allow("net::ERR_")
    order, message = fleet.order(pile)
    fleet.charge(pile, order)
    page = open_page(link(fleet, order), context)
    expect(page.locator("#stop")).to_be_enabled()
    context.set_offline(True)
    page.locator("#stop").click()
    banner = page.locator(".banner")
    expect(banner).to_contain_text(
        "Your stop did not go out. Press stop again, or the pile's stop button, if it has one."
    )
    expect(page.locator("#stop")).to_have_text("Stop charging")
    context.set_offline(False)
    page.clock.fast_forward(READ_MS)
    expect(banner).to_be_hidden()
    assert fleet.commands(pile) == []

    with page.expect_response("**/stop"):
        page.locator("#stop").click()
    expect(page.get_by_role("heading", name="Stopping")).to_be_visible()
    assert [each["action"] for each in fleet.commands(pile)] == ["stop"]
    fleet.settle(pile, order, message, 2_400_000, stop_reason="Remote")
    expect(page.locator("#pay")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_stop_that_failed_once_is_not_held_against_the_one_that_worked(
    fleet: Fleet, pile: FakePile, context: BrowserContext, open_page: Callable[..., Page], watch
):
    watch.allow("503 (Service Unavailable)")
    order, message = fleet.order(pile)
    fleet.charge(pile, order)
    page = open_page(link(fleet, order), context)
    page.route("**/stop", problem(503, "DatabaseUnavailable"))
    page.locator("#stop").click()
    expect(page.locator(".banner")).to_contain_text("Your stop did not go out")
    page.unroute_all()
    with page.expect_response("**/stop"):  # a settlement that says "Remote" before that is flagged
        page.locator("#stop").click()
    expect(page.get_by_role("heading", name="Stopping")).to_be_visible()
    expect(page.locator(".banner")).to_be_hidden()
    fleet.settle(pile, order, message, 2_400_000, stop_reason="Remote")
    expect(page.locator("#pay")).to_be_visible()
    expect(page.locator(".note.bad")).to_have_count(0)


def test_a_connector_that_is_free_again_is_not_called_in_use(
    fleet: Fleet, pile: FakePile, context: BrowserContext, open_page: Callable[..., Page], watch
):
    watch.allow("409 (Conflict)")
    page = open_page(f"{fleet.url}/p/RIVER-1", context)
    page.route("**/api/orders", problem(409, "ConnectorBusy"))
    page.locator("#confirm").click()
    expect(note(page)).to_be_visible()
    page.clock.fast_forward(READ_MS)
    expect(note(page)).to_have_count(0)
    expect(page.locator("#confirm")).to_be_enabled()


def test_a_payment_that_failed_is_told_until_the_cloud_is_back(
    fleet: Fleet, pile: FakePile, context: BrowserContext, open_page: Callable[..., Page], watch
):
    watch.allow("net::ERR_")
    order = fleet.charged(pile, 2_000_000, pay=False)
    page = open_page(link(fleet, order), context)
    expect(page.locator("#pay")).to_be_visible()
    page.route("**/api/**", lambda route: route.abort())
    page.locator("#pay").click()
    failed = page.locator(".note.bad")
    expect(failed).to_contain_text("It cannot start or pay twice")
    expect(page.locator(".banner")).to_contain_text("Connection lost")
    page.unroute_all()
    page.clock.fast_forward(READ_MS)
    expect(failed).to_have_count(0)
    expect(page.locator(".banner")).to_be_hidden()
    page.locator("#pay").click()
    expect(page.locator(".pill")).to_have_text("Paid")


def test_too_many_tries_are_told_to_wait(
    fleet: Fleet, pile: FakePile, context: BrowserContext, open_page: Callable[..., Page], watch
):
    watch.allow("429 (Too Many Requests)")
    page = open_page(f"{fleet.url}/p/RIVER-1", context)
    page.route("**/api/orders", problem(429, "TooManyRequests"))
    page.locator("#confirm").click()
    expect(page.get_by_role("status")).to_contain_text("Please wait a minute, then try again")
    context.route("**/api/piles/*", problem(429, "TooManyRequests"))
    again = open_page(f"{fleet.url}/p/RIVER-1", context)
    expect(again.get_by_role("heading", name="Too many tries at once")).to_be_visible()
    context.unroute_all()
    again.clock.fast_forward(READ_MS)
    expect(again.locator("#confirm")).to_be_enabled()


@pytest.mark.long
def test_a_pile_without_network_shows_of_when_its_values_are(
    fleet: Fleet, pile: FakePile, open_page: Callable[..., Page]
):
    order, _ = fleet.order(pile)
    fleet.charge(pile, order)
    page = open_page(link(fleet, order), viewport=SMALL_PHONE)
    expect(page.locator("main.old")).to_have_count(0)
    pile.offline()
    expect(page.locator(".banner")).to_contain_text("The pile has no network; the values are from ")
    expect(page.locator("main.old .value").first).to_be_visible()
    assert page.locator(".pulse").evaluate("e => getComputedStyle(e).animationName") == "none"
    assert axe_problems(page) == []
    page.locator("#stop").evaluate("e => e.click()")  # a click of Playwright's would scroll
    expect(page.locator(".banner")).to_contain_text("or at once with the pile's stop button, if it has one")
    covered = """() => {
        const { x, y, width, height } = document.querySelector(".cost .value").getBoundingClientRect();
        return document.elementFromPoint(x + width / 2, y + height / 2).className;
    }"""
    assert "value" in page.evaluate(covered)
    fleet.charge(pile, order)
    expect(page.locator("main.old")).to_have_count(0)


def test_a_receipt_is_opened_on_its_own_piles_page(
    fleet: Fleet, pile: FakePile, open_page: Callable[..., Page]
):
    fleet.pile("RIVER-2", "Riverside, bay 2", DAY_RATE)
    order = fleet.charged(pile, 2_000_000)
    page = open_page(link(fleet, order, at="RIVER-2"))
    expect(page.locator(".facts")).to_contain_text("Riverside, bay 1 (RIVER-1)")
    expect(page.locator("main")).not_to_contain_text("RIVER-2")
    assert "/p/RIVER-1?order=" in page.url
    page.locator("#done").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Riverside, bay 1")


def test_a_link_that_opens_nothing_any_more_says_so(
    fleet: Fleet, pile: FakePile, open_page: Callable[..., Page], watch
):
    watch.allow("404 (Not Found)")
    order = fleet.charged(pile, 2_000_000)
    page = open_page(link(fleet, order) + "-of-another-time")
    expect(page.get_by_role("heading", name="This link opens no receipt any more")).to_be_visible()
    page.get_by_role("link", name="Back to the price").click()
    expect(page.locator("#confirm")).to_be_visible()


def test_what_is_no_id_and_no_address_gets_the_page_that_takes_an_id(
    fleet: Fleet, pile: FakePile, open_page: Callable[..., Page], watch
):
    watch.allow("404 (Not Found)")
    page = open_page(f"{fleet.url}/nosuch")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    assert axe_problems(page) == []
    for typed in ("x%2F..%2F%3Cb%3E", "RIVER-1%2Frate", "RIVER-1/rate", "%00", "%E0%A4%A", "RIVER.1"):
        page.goto(f"{fleet.url}/p/{typed}")
        expect(page.get_by_role("heading", name="We know no pile with this id"), typed).to_be_visible()
    page.get_by_label("Pile id").fill("river-1/")
    page.get_by_role("button", name="Show the price").click()
    expect(page.locator("#confirm")).to_be_visible()
    assert page.url == f"{fleet.url}/p/RIVER-1"


def test_a_pile_that_was_removed_says_so_and_its_receipts_stay(
    fleet: Fleet, pile: FakePile, open_page: Callable[..., Page], watch
):
    watch.allow("410 (Gone)")
    order = fleet.charged(pile, 2_000_000)
    assert fleet.operator.request("DELETE", "/api/piles/RIVER-1").status < 300
    page = open_page(f"{fleet.url}/p/RIVER-1")
    expect(page.get_by_role("heading", name="This pile was removed")).to_be_visible()
    expect(page.get_by_label("Pile id")).to_be_visible()
    assert axe_problems(page) == []
    receipt = open_page(link(fleet, order))
    expect(receipt.locator("#total")).to_contain_text("¥")
    receipt.locator("#done").click()
    expect(receipt.get_by_role("heading", name="This pile was removed")).to_be_visible()


def test_which_pile_has_no_price_yet_is_told(fleet: Fleet, open_page: Callable[..., Page], watch):
    watch.allow("409 (Conflict)")
    fleet.pile("NEW-1", "Riverside, bay 9", rate=None)
    page = open_page(f"{fleet.url}/p/NEW-1")
    expect(page.get_by_role("heading", name="This pile has no price yet")).to_be_visible()
    expect(page.locator("main")).to_contain_text("Riverside, bay 9 · NEW-1")


def test_an_emergency_stop_is_a_reason_that_a_driver_reads(
    fleet: Fleet, pile: FakePile, open_page: Callable[..., Page]
):
    """A pile whose emergency stop is pressed says no more than that it is not available."""
    page = open_page(f"{fleet.url}/p/RIVER-1")
    expect(page.locator("#confirm")).to_be_enabled()
    fleet.report(pile, connectors=1, said={1: {"status": "Unavailable", "plugged": True}})
    expect(page.get_by_role("status")).to_contain_text("Its emergency stop or stop button may be pressed")
    expect(page.locator("#confirm")).to_be_disabled()
    assert orders(fleet) == []


def test_a_bill_that_somebody_looked_into_is_what_they_decided(
    fleet: Fleet, pile: FakePile, open_page: Callable[..., Page]
):
    decided = {"release": "it is computed with your locked price", "waive": "you need not pay it"}
    for decision, told in decided.items():
        order = fleet.charged(pile, 2_000_000, pay=False, total_minor=9_999)
        page = open_page(link(fleet, order))
        expect(page.locator(".pill")).to_have_text("Being checked")
        (found,) = fleet.operator.get("/api/settlements?flagged=true").json()["items"]
        body = {"decision": decision, "note": "the pile's clock was wrong"}
        assert fleet.operator.post(f"/api/settlements/{found['id']}/review", body).status == 201
        expect(page.locator("main")).to_contain_text(told)
        expect(page.locator("main")).not_to_contain_text("¥99.99")
        if decision == "release":
            page.locator("#pay").click()
            expect(page.locator(".pill")).to_have_text("Paid")
        else:
            expect(page.locator(".pill")).to_have_text("Nothing to pay")
            page.locator("#done").click()
            expect(page.locator("#confirm")).to_be_visible()


def test_an_order_given_up_that_runs_after_all_is_followed_again(
    fleet: Fleet, pile: FakePile, context: BrowserContext, open_page: Callable[..., Page]
):
    """Its stream had ended with it: the page showed one look at the charge, and no more."""
    fleet.report(pile, connectors=1, said=PLUGGED)
    order = fleet.phone.order(pile.device_id)
    page = open_page(link(fleet, order), context)
    expect(page.get_by_role("heading", name="Starting")).to_be_visible()
    fleet.give_up(order)
    expect(page.get_by_role("heading", name="The pile did not answer in time")).to_be_visible()
    pile.order_status(order.order_id, "Charging")  # in time, but only now on its way
    fleet.charge(pile, order)
    page.clock.fast_forward(POLL_MS)
    expect(page.locator(".energy .value")).to_have_text("2.35")
    fleet.charge(pile, order, energy_mwh=3_000_000)
    expect(page.locator(".energy .value")).to_have_text("3.00")


def test_a_message_gives_way_to_the_next_one(
    fleet: Fleet, context: BrowserContext, open_page: Callable[..., Page], watch
):
    """The page of the first failure stayed, whatever had become of it."""
    watch.allow("503 (Service Unavailable)")
    watch.allow("409 (Conflict)")
    fleet.pile("NEW-1", rate=None)
    context.route("**/api/piles/*", problem(503, "DatabaseUnavailable"))
    page = open_page(f"{fleet.url}/p/NEW-1", context)
    expect(page.get_by_role("heading", name="The service is busy")).to_be_visible()
    context.unroute_all()
    page.clock.fast_forward(POLL_MS)
    expect(page.get_by_role("heading", name="This pile has no price yet")).to_be_visible()
