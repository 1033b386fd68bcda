"""The rate editor in a real browser: checks as one types, the bar, a sample session, publishing, history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.web.conftest import Watch
from tests.web.fleet import DAY_RATE, Fleet


@pytest.fixture
def editor(console: Callable[..., Page]) -> Callable[..., Page]:
    """`editor()`: the rate of PILE-1, as it is published, in the editor."""

    def open_editor(device_id: str = "PILE-1") -> Page:
        page = console(f"/piles/{device_id}/rate")
        expect(page.get_by_role("heading", name="The day")).to_be_visible()
        return page

    return open_editor


def field(page: Page, name: str, period: int) -> Locator:
    return page.get_by_label(f"{name} of period {period}")


def publish(page: Page) -> None:
    page.get_by_role("button", name="Publish…").click()
    page.get_by_role("dialog").get_by_role("button", name="Publish").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def rate(fleet: Fleet, device_id: str = "PILE-1") -> Any:
    return fleet.operator.get(f"/api/piles/{device_id}/rate").json()


def test_gaps_and_overlaps_are_told_as_one_types(fleet: Fleet, editor: Callable[..., Page]):
    fleet.pile("PILE-1", rate=DAY_RATE)
    page = editor()
    wrongs = page.locator(".wrongs li")
    ready = page.get_by_role("button", name="Publish…")
    expect(page.get_by_text("No changes: these are the current prices.")).to_be_visible()
    expect(wrongs).to_have_count(0)
    field(page, "Start", 2).fill("08:30")
    expect(wrongs).to_have_text(["Gap: no price from 07:00 to 08:30."])
    expect(page.locator(".hole.gap")).to_be_visible()
    expect(ready).to_be_disabled()
    field(page, "End", 1).fill("09:00")
    expect(wrongs).to_have_text(["Overlap: periods 1 and 2 both apply from 08:30 to 09:00."])
    expect(page.locator(".hole.overlap")).to_be_visible()
    field(page, "End", 1).fill("08:3")
    expect(wrongs.last).to_have_text("Period 1: end must be a time from 00:01 to 24:00.")
    expect(field(page, "End", 1)).to_have_attribute("aria-invalid", "true")
    field(page, "End", 1).fill("08:30")
    expect(wrongs).to_have_count(0)
    expect(ready).to_be_enabled()
    field(page, "End", 5).fill("23:00")
    expect(wrongs).to_have_text(["Gap: no price from 23:00 to 24:00."])
    field(page, "End", 5).fill("21:00")
    expect(wrongs.first).to_have_text("Gap: no price from 22:00 to 24:00.")
    page.get_by_role("button", name="Discard changes").click()
    expect(page.get_by_text("No changes: these are the current prices.")).to_be_visible()
    assert rate(fleet)["periods"][1][0] == 420


def test_a_wrong_price_is_told_at_once(fleet: Fleet, editor: Callable[..., Page]):
    fleet.pile("PILE-1", rate=DAY_RATE)
    page = editor()
    wrongs = page.locator(".wrongs li")
    for price in ("", "abc", "-1", "0.1234567", "1e3", "0,5,5", "1000000.1"):
        field(page, "Service", 3).fill(price)
        expect(wrongs).to_have_text(["Period 3: service must be a price like 0.80, with up to 6 decimals."])
        expect(page.get_by_role("button", name="Publish…")).to_be_disabled()
        field(page, "Service", 3).fill("0.45")
        expect(wrongs).to_have_count(0)


def test_what_holds_for_the_whole_day_is_checked_too(fleet: Fleet, editor: Callable[..., Page]):
    fleet.pile("PILE-1", rate=DAY_RATE)
    page = editor()
    for label, wrong, right, words in (
        ("Currency", "yuan", "CNY", "Currency: must be three capital letters"),
        ("Time zone", "Mars/Olympus", "Asia/Shanghai", "Time zone: must be one of the IANA database"),
        ("Session fee", "0.505", "0.5", "Session fee: must be an amount with at most 2 decimals."),
    ):
        page.get_by_label(label).fill(wrong)
        expect(page.locator(".wrongs li")).to_contain_text([words])
        page.get_by_label(label).fill(right)
        expect(page.locator(".wrongs li")).to_have_count(0)


def test_a_published_rate_is_a_new_version_and_the_old_one_stays_known(
    fleet: Fleet, editor: Callable[..., Page]
):
    pile = fleet.pile("PILE-1", rate=DAY_RATE)
    order, _ = fleet.order(pile)
    old = rate(fleet)
    page = editor()
    versions = page.locator(".versions > li")
    expect(versions).to_have_count(1)
    field(page, "Electricity", 3).fill("1,1")
    field(page, "Service", 3).fill("0.123456")
    page.get_by_label("Session fee").fill("1")
    page.get_by_role("button", name="Publish…").click()
    box = page.get_by_role("dialog")
    expect(box).to_contain_text("No longer: Peak from 17:00: ¥1.05 + ¥0.45")
    expect(box).to_contain_text("New: Peak from 17:00: ¥1.10 + ¥0.123456")
    expect(box).to_contain_text("Session fee: 0.50 → 1.00")
    box.get_by_role("button", name="Cancel").click()
    assert rate(fleet)["rate_id"] == old["rate_id"]
    publish(page)
    expect(page.get_by_text("applies now")).to_be_visible()
    new = rate(fleet)
    assert new["rate_id"] != old["rate_id"]
    assert new["periods"][2] == [1020, 1_100_000, 123_456, "peak"]
    assert new["session_fee_minor"] == 100
    expect(versions).to_have_count(2)
    expect(versions.first).to_contain_text("Current")
    expect(versions.first).to_contain_text("Nobody has confirmed it.")
    expect(versions.last).to_contain_text("Confirmed by 1 order, 1 running")
    assert order.view()["rate"]["rate_id"] == old["rate_id"]
    versions.last.get_by_role("button", name="Edit from this version").click()
    expect(field(page, "Electricity", 3)).to_have_value("1.05")
    expect(page.get_by_text("Ready to be published.")).to_be_visible()
    versions.last.get_by_role("link", name="1 order").click()
    page.get_by_role("dialog").get_by_role("button", name="Leave").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("Charging")


def test_periods_are_split_joined_and_added(fleet: Fleet, editor: Callable[..., Page]):
    fleet.pile("PILE-1", rate=DAY_RATE)
    page = editor()
    rows = page.locator("table.periods tbody tr")
    page.get_by_role("button", name="Split period 2").click()
    expect(rows).to_have_count(6)
    expect(field(page, "Start", 2)).to_have_value("07:00")
    expect(field(page, "Start", 3)).to_have_value("12:00")
    page.get_by_label("Period 3 is").select_option("valley")
    page.get_by_role("button", name="Remove period 4").click()  # its time goes to the one before
    expect(field(page, "End", 3)).to_have_value("19:00")
    page.get_by_role("button", name="Remove period 1").click()  # the first: to the one after
    expect(field(page, "Start", 1)).to_have_value("00:00")
    field(page, "Start", 2).fill("13:30")
    page.get_by_role("button", name="Add a period").click()  # into the gap
    expect(page.locator(".wrongs li")).to_have_count(0)
    publish(page)
    expect(page.get_by_text("applies now")).to_be_visible()
    assert [(row[0], row[3]) for row in rate(fleet)["periods"]] == [
        (0, "flat"),
        (720, "flat"),
        (810, "valley"),
        (1140, "sharp"),
        (1320, "flat"),
    ]


def test_a_boundary_of_the_bar_moves_both_periods(fleet: Fleet, editor: Callable[..., Page]):
    fleet.pile("PILE-1", rate=DAY_RATE)
    page = editor()
    handle = page.get_by_role("slider", name="Boundary of periods 1 and 2")
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("PageUp")
    expect(handle).to_be_focused()
    expect(handle).to_have_attribute("aria-valuetext", "08:15")
    expect(field(page, "End", 1)).to_have_value("08:15")
    expect(field(page, "Start", 2)).to_have_value("08:15")
    page.keyboard.press("End")  # it never passes the next boundary
    expect(field(page, "Start", 2)).to_have_value("16:55")
    page.keyboard.press("Home")
    expect(field(page, "Start", 2)).to_have_value("00:05")
    bar, place = page.locator(".daybar-bar").bounding_box(), handle.bounding_box()
    assert bar and place
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    page.mouse.down()
    page.mouse.move(bar["x"] + bar["width"] * 6 / 24, place["y"], steps=8)
    page.mouse.up()
    expect(field(page, "End", 1)).to_have_value("06:00")
    expect(field(page, "Start", 2)).to_have_value("06:00")
    expect(page.locator(".wrongs li")).to_have_count(0)


def test_the_sample_session_costs_what_the_engine_says(fleet: Fleet, editor: Callable[..., Page]):
    fleet.pile("PILE-1", rate=DAY_RATE)
    page = editor()
    result = page.locator(".sample-result")
    expect(result).to_contain_text("¥15.50")
    page.locator("#sample-start").fill("18:00")
    page.locator("#sample-energy").fill("4")
    expect(result).to_contain_text("¥7.06")  # 2 kWh at 1.50, 2 at 1.78, and the fee
    expect(result.get_by_role("row")).to_have_count(3)
    field(page, "Service", 4).fill("0.60")
    expect(result).to_contain_text("¥7.26")
    field(page, "Service", 4).fill("")
    expect(result).to_contain_text("Shown when the rate is complete.")


def test_the_first_rate_of_a_pile_starts_from_a_flat_day(fleet: Fleet, editor: Callable[..., Page]):
    fleet.pile("PILE-1", rate=None)
    page = editor()
    expect(page.get_by_text("Nothing has been published yet.")).to_be_visible()
    page.get_by_label("Currency").fill("JPY")
    page.get_by_label("Time zone").fill("Asia/Tokyo")
    page.get_by_label("Session fee").fill("30")
    field(page, "Electricity", 1).fill("45.5")
    publish(page)
    expect(page.get_by_text("Current", exact=True)).to_be_visible()
    made = rate(fleet)
    assert (made["currency"], made["minor_digits"], made["session_fee_minor"]) == ("JPY", 0, 30)
    assert made["periods"] == [[0, 45_500_000, 400_000, "flat"]]


def test_a_fee_is_counted_in_the_decimals_of_its_own_currency(fleet: Fleet, editor: Callable[..., Page]):
    fleet.pile("PILE-1", rate=DAY_RATE | {"currency": "IDR", "session_fee_minor": 50_000})
    page = editor()
    expect(page.get_by_label("Session fee")).to_have_value("500.00")
    expect(page.get_by_text("No changes: these are the current prices.")).to_be_visible()
    page.get_by_label("Currency").fill("JPY")
    page.get_by_label("Session fee").fill("50")
    page.get_by_role("button", name="Publish…").click()
    expect(page.get_by_role("dialog")).to_contain_text("Session fee: 500.00 → 50")


def test_a_currency_that_browsers_do_not_know_can_be_published(fleet: Fleet, editor: Callable[..., Page]):
    fleet.pile("PILE-1", rate=DAY_RATE)
    page = editor()
    known = [("VED", "1.25", 125), ("CLF", "0.1234", 1234), ("UYW", "1.2345", 12345)]
    for versions, (currency, typed, fee_minor) in enumerate(known, 2):
        page.get_by_label("Currency").fill(currency)
        page.get_by_label("Session fee").fill(typed)
        publish(page)
        expect(page.locator(".versions > li")).to_have_count(versions)
        made = rate(fleet)
        assert (made["currency"], made["session_fee_minor"]) == (currency, fee_minor)


def test_what_the_cloud_refuses_is_told_too(fleet: Fleet, editor: Callable[..., Page], watch: Watch):
    fleet.pile("PILE-1", rate=DAY_RATE)
    page = editor()
    watch.allow("422")
    refusal = '{"code":"InvalidRequest","errors":[{"field":"periods[0].label","reason":"is out of fashion"}]}'
    page.route("**/api/piles/PILE-1/rate?*", lambda route: route.fulfill(status=422, body=refusal))
    page.get_by_label("Session fee").fill("0.60")
    page.get_by_role("button", name="Publish…").click()
    box = page.get_by_role("dialog")
    box.get_by_role("button", name="Publish").click()
    expect(box.get_by_text("periods[0].label: is out of fashion")).to_be_visible()
    box.get_by_role("button", name="Cancel").click()
    expect(page.get_by_label("Session fee")).to_have_value("0.60")


def test_the_dialog_cannot_be_left_before_the_cloud_has_answered(fleet: Fleet, editor: Callable[..., Page]):
    """It closed at once, and who went on was asked whether the prices were to be dropped."""
    fleet.pile("PILE-1", rate=DAY_RATE)
    page = editor()
    held: list[Route] = []
    page.route("**/api/piles/PILE-1/rate?*", lambda route: held.append(route))
    page.get_by_label("Session fee").fill("0.60")
    page.get_by_role("button", name="Publish…").click()
    box = page.get_by_role("dialog")
    with page.expect_request("**/api/piles/PILE-1/rate?*"):
        box.get_by_role("button", name="Publish").click()
    expect(box.get_by_role("button", name="Cancel")).to_be_disabled()
    page.keyboard.press("Escape")
    page.evaluate("location.hash = '/orders'")
    expect(box).to_be_visible()
    held[0].continue_()
    expect(box).to_have_count(0)
    page.get_by_role("link", name="Orders").click()
    expect(page.get_by_role("heading", name="Orders", level=1)).to_be_visible()
    assert rate(fleet)["session_fee_minor"] == 60


def test_somebody_elses_version_is_not_overwritten_unseen(
    fleet: Fleet, editor: Callable[..., Page], watch: Watch
):
    """The dialog compared with the version that had been opened, and undid the other without a word."""
    fleet.pile("PILE-1", rate=DAY_RATE)
    page = editor()
    watch.allow("409")
    field(page, "Service", 3).fill("0.50")
    other = fleet.operator.put("/api/piles/PILE-1/rate", DAY_RATE | {"session_fee_minor": 90}).json()
    page.get_by_role("button", name="Publish…").click()
    page.get_by_role("dialog").get_by_role("button", name="Publish").click()
    box = page.get_by_role("dialog", name="Somebody else has published")
    expect(box).to_contain_text(other["rate_id"][-8:])
    changed = box.get_by_role("listitem")
    expect(changed).to_have_text(
        [
            "Session fee: 0.50 → 0.90",
            "Session fee: 0.90 → 0.50",
            "No longer: Peak from 17:00: ¥1.05 + ¥0.45",
            "New: Peak from 17:00: ¥1.05 + ¥0.50",
        ]
    )
    box.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Publish…")).to_be_focused()
    assert rate(fleet)["rate_id"] == other["rate_id"]
    expect(field(page, "Service", 3)).to_have_value("0.50")
    expect(page.locator(".versions > li").first).to_contain_text(other["rate_id"][-8:])
    page.get_by_label("Session fee").fill("0.90")  # theirs, and mine
    third = fleet.operator.put("/api/piles/PILE-1/rate", DAY_RATE).json()
    publish_over(page, third["rate_id"])
    expect(page.get_by_text("applies now")).to_be_visible()
    made = rate(fleet)
    assert (made["session_fee_minor"], made["periods"][2][2]) == (90, 500_000)


def publish_over(page: Page, rate_id: str) -> None:
    page.get_by_role("button", name="Publish…").click()
    page.get_by_role("dialog").get_by_role("button", name="Publish").click()
    box = page.get_by_role("dialog", name="Somebody else has published")
    expect(box).to_contain_text(rate_id[-8:])
    box.get_by_role("button", name="Publish mine instead").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_what_is_not_published_is_not_lost_without_a_question(fleet: Fleet, editor: Callable[..., Page]):
    fleet.pile("PILE-1", rate=DAY_RATE)
    fleet.pile("PILE-2", rate=None)
    page = editor()
    leave = page.get_by_role("link", name="Orders")
    field(page, "Service", 3).fill("0.77")
    leave.click()
    box = page.get_by_role("dialog", name="Leave without saving?")
    box.get_by_role("button", name="Cancel").click()
    expect(field(page, "Service", 3)).to_have_value("0.77")
    assert page.url.endswith("#/piles/PILE-1/rate")
    page.get_by_role("button", name="Log out").click()
    box.get_by_role("button", name="Cancel").click()
    expect(field(page, "Service", 3)).to_have_value("0.77")
    with page.expect_event("dialog") as asked:
        page.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()
    expect(field(page, "Service", 3)).to_have_value("0.77")
    leave.click()
    page.get_by_role("dialog").get_by_role("button", name="Leave").click()
    expect(page.get_by_role("heading", name="Orders", level=1)).to_be_visible()
    page.evaluate("location.hash = '/piles/PILE-2/rate'")  # nothing written, nothing to lose
    expect(page.get_by_role("heading", name="The day")).to_be_visible()
    leave.click()
    expect(page.get_by_role("heading", name="Orders", level=1)).to_be_visible()


def test_a_wrong_end_and_a_currency_of_nowhere_are_marked_where_they_are(
    fleet: Fleet, editor: Callable[..., Page]
):
    fleet.pile("PILE-1", rate=DAY_RATE)
    page = editor()
    field(page, "End", 1).fill("09:00")
    wrong = page.locator('[aria-invalid="true"]')
    expect(wrong).to_have_count(2)
    expect(field(page, "End", 1)).to_have_attribute("aria-invalid", "true")
    expect(field(page, "Start", 2)).to_have_attribute("aria-invalid", "true")
    field(page, "End", 1).fill("07:00")
    page.get_by_label("Currency").fill("XYZ")
    expect(page.locator(".wrongs li")).to_have_text(["Currency: there is none called XYZ."])
    expect(page.get_by_role("button", name="Publish…")).to_be_disabled()


def test_the_bar_of_many_periods_has_no_cut_names(fleet: Fleet, editor: Callable[..., Page]):
    period = {"label": "flat", "service_price": 1}
    half_hours = [
        period | {"start": f"{n // 2:02}:{n % 2 * 30:02}", "electricity_price": 1_000_000 + n}
        for n in range(48)
    ]
    fleet.pile("PILE-1", rate=DAY_RATE | {"periods": half_hours})
    page = editor()
    expect(page.locator(".stretch")).to_have_count(48)
    cut = """() => [...document.querySelectorAll(".stretch span")]
        .filter((each) => each.checkVisibility() && each.scrollWidth > each.parentNode.clientWidth).length"""
    assert page.evaluate(cut) == 0
    expect(page.locator(".stretch").first).to_have_attribute(
        "title", "Period 1: Flat, 00:00 to 00:30, electricity 1.00, service 0.000001"
    )
    empty = (
        page.locator("th")
        .filter(has_text="")
        .evaluate_all("all => all.filter((each) => !each.textContent).length")
    )
    assert empty == 0


def test_a_rate_has_more_than_prices_of_energy(fleet: Fleet, editor: Callable[..., Page]):
    """A time price, tiers, staying on, minimum, maximum, tax and offers."""
    fleet.pile("PILE-1", rate=DAY_RATE)
    page = editor()
    wrongs = page.locator(".wrongs li")
    field(page, "Time price", 1).fill("0.3")
    page.get_by_text("More than energy").click()
    page.get_by_label("Minimum of an order").fill("2")
    page.get_by_label("Maximum of an order").fill("1.5")
    expect(wrongs).to_have_text(["The minimum must not be above the maximum."])
    page.get_by_label("Maximum of an order").fill("30")
    page.get_by_label("Tax in the prices, %").fill("13")
    page.get_by_label("Price per hour", exact=True).fill("6")
    page.get_by_label("Free minutes").fill("15")
    page.get_by_label("At most", exact=True).fill("20")
    for up_to, price in (("200", "0.2"), ("150", "0.3")):
        page.get_by_role("button", name="Add a tier").click()
        page.keyboard.type(up_to)  # the fresh tier has the focus
        page.keyboard.press("Tab")
        page.keyboard.type(price)
    expect(wrongs).to_have_text(["Tier 2: up to W: must be above the tier before, and its price not below."])
    page.get_by_label("Tier 2: up to W").fill("500")
    page.get_by_role("button", name="Add an offer").click()
    page.get_by_label("Amount of offer 1").fill("5")
    page.get_by_role("button", name="Add an offer").click()
    page.get_by_label("Offer 2 is").select_option("full")
    expect(wrongs).to_have_count(0)
    expect(page.locator(".sample-result")).to_contain_text("Net ")
    page.get_by_role("button", name="Publish…").click()
    box = page.get_by_role("dialog")
    for words in ("New: Up to 500 W: ¥0.30 per hour", "at most ¥20.00", "New: Offer 1: Money ¥5.00"):
        expect(box).to_contain_text(words)
    box.get_by_role("button", name="Publish").click()
    expect(box).to_have_count(0)
    expect(page.get_by_text("No changes: these are the current prices.")).to_be_visible()
    held = rate(fleet)
    assert (held["minimum_minor"], held["maximum_minor"], held["tax_per_mille"]) == (200, 3000, 130)
    assert held["tiers"] == [[200_000, 200_000], [500_000, 300_000]]
    assert held["idle"] == {"price": 6_000_000, "after_s": 900, "max_minor": 2000}
    assert [each["kind"] for each in held["offers"]] == ["money", "full"]
    page.reload()
    expect(page.get_by_text("No changes: these are the current prices.")).to_be_visible()
    expect(page.get_by_label("Tier 2: price per hour")).to_have_value("0.30")
