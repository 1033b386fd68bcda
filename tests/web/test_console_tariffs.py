"""Sites, tariffs and calendars in a real browser, from their making to a driver's price."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.web.conftest import NARROW, Watch, choose, overflow, row
from tests.web.fleet import DAY_RATE, Fleet


def fill(page: Page, **fields: str) -> None:
    dialog = page.get_by_role("dialog")
    for label, value in fields.items():
        dialog.get_by_label(label.replace("_", " "), exact=True).fill(value)


def rate(fleet: Fleet, connector: int = 1) -> Any:
    return fleet.operator.get(f"/api/piles/PILE-1/rate?connector={connector}").json()


def assign(fleet: Fleet, tariff_id: str, place: str) -> None:
    answer = fleet.operator.put("/api/assignments", {"tariff_id": tariff_id, "places": [place]})
    assert answer.status == 200


def tariff(fleet: Fleet, **rate: Any) -> None:
    """The tariff `city`, which holds at PILE-1."""
    fleet.operator.post("/api/tariffs", {"tariff_id": "city", "name": "City"})
    assert fleet.operator.post("/api/tariffs/city/versions", DAY_RATE | rate).status == 201
    assign(fleet, "city", "pile:PILE-1")


def test_a_site_gets_a_pile_and_a_tariff_of_its_own(fleet: Fleet, console: Callable[..., Page]):
    fleet.pile("PILE-1", rate=None)
    page = console("/sites")
    page.get_by_role("button", name="New site").click()
    fill(page, Name="Harbour", Id="HARBOUR", Time_zone="Asia/Tokyo")
    choose(page, "New site")
    page.get_by_role("button", name="Move piles here").click()
    fill(page, Piles="PILE-1")
    choose(page, "Move")
    expect(page.get_by_role("region", name="Piles").get_by_role("link", name="PILE-1")).to_be_visible()

    page.get_by_role("link", name="Tariffs").click()
    page.get_by_role("button", name="New tariff").click()
    fill(page, Name="City", Id="city")
    choose(page, "Add")
    page.get_by_label("Time zone").fill("")
    page.get_by_role("button", name="Publish…").click()
    expect(page.get_by_role("dialog")).to_contain_text("It applies to no pile")
    choose(page, "Publish")
    page.get_by_role("link", name="City").click()
    page.get_by_role("button", name="Assign…").click()
    fill(page, Id_or_tag="HARBOUR")
    choose(page, "Assign")
    expect(page.get_by_role("cell", name="PILE-1")).to_be_visible()
    assert (rate(fleet)["time_zone"], rate(fleet)["now"]["electricity_price"]) == ("Asia/Tokyo", 800_000)

    page.get_by_role("button", name="Unassign from Site HARBOUR").click()
    choose(page, "Unassign")
    expect(page.get_by_text("Not assigned.")).to_be_visible()
    assert rate(fleet)["code"] == "NoRate"


def test_a_form_whose_answer_is_awaited_cannot_be_dropped(fleet: Fleet, console: Callable[..., Page]):
    page = console("/tariffs")
    held: list[Route] = []
    page.route("**/api/tariffs", lambda route: held.append(route))
    page.get_by_role("button", name="New tariff").click()
    fill(page, Name="City", Id="city")
    page.keyboard.press("Escape")
    drop = page.get_by_role("button", name="Discard", exact=True)
    expect(drop).to_be_visible()
    with page.expect_request("**/api/tariffs"):
        page.get_by_role("dialog").get_by_role("button", name="Add").click()
    drop.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    held[0].continue_()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_label("Session fee")).to_be_visible()


def test_days_that_differ_are_written_and_a_slip_is_asked_about(
    fleet: Fleet, console: Callable[..., Page], watch: Watch
):
    watch.allow("422")
    fleet.pile("PILE-1", rate=None)
    tariff(fleet)
    page = console("/tariffs/city/prices", viewport=NARROW)
    page.get_by_role("button", name="Days that differ…").click()
    expect(page.locator(".wrongs li").first).to_have_text("1: needs a name.")
    page.get_by_label("Name").fill("weekend")
    for day in ("Sat", "Sun"):
        page.get_by_label(day).check()
    page.get_by_label("Electricity of period 2").fill("65")
    expect(page.locator(".wrongs li")).to_have_count(0)
    assert overflow(page) == 0
    page.get_by_role("button", name="Publish…").click()
    expect(page.get_by_role("dialog")).to_contain_text("PILE-1 (1, 2)")
    page.get_by_role("dialog").get_by_role("button", name="Publish").click()
    question = page.get_by_role("dialog", name="Is this price right?")
    expect(question).to_contain_text("Period 2, Electricity per kWh: 65.00, after 0.65")
    choose(page, "Publish these prices")
    expect(page.get_by_text("Days that differ: weekend")).to_be_visible()
    (day,) = fleet.operator.get("/api/tariffs/city").json()["rate"]["days"]
    assert (day["name"], day["weekdays"], day["periods"][1][1]) == ("weekend", [6, 7], 65_000_000)
    page.get_by_role("button", name="weekend").click()
    expect(page.get_by_label("Electricity of period 2")).to_have_value("65.00")


def test_a_version_for_later_is_shown_and_withdrawn(fleet: Fleet, console: Callable[..., Page]):
    fleet.pile("PILE-1", rate=None)
    tariff(fleet)
    before = rate(fleet)["rate_id"]
    page = console("/tariffs/city/prices")
    page.get_by_label("Session fee").fill("0.70")
    page.get_by_role("button", name="Publish…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Session fee: 0.50 → 0.70")
    dialog.get_by_label("Valid from").fill("2020-01-01T00:00")
    dialog.get_by_role("button", name="Publish").click()
    expect(dialog).to_contain_text("Must be in the future.")
    dialog.get_by_label("Valid from").fill(
        page.evaluate("new Date(Date.now() + 864e5).toISOString().slice(0, 16)")
    )
    choose(page, "Publish")
    expect(page.get_by_text("Scheduled")).to_be_visible()
    assert rate(fleet)["rate_id"] == before
    page.get_by_role("button", name="Withdraw").click()
    choose(page, "Withdraw")
    expect(page.get_by_text("Withdrawn")).to_be_visible()
    assert rate(fleet)["changes_at"] is None
    page.evaluate("location.hash = '/audit?tariff_id=city'")
    later = fleet.operator.get("/api/tariffs/city/versions").json()["items"][0]["rate_id"][-8:]
    said = row(page, f"…{later}, from ")
    expect(said).to_contain_text("Rate published")
    expect(row(page, f"…{later}").filter(has_text="Rate withdrawn")).to_be_visible()


def test_a_calendar_is_filled_in_and_edited(fleet: Fleet, console: Callable[..., Page]):
    page = console("/calendars")
    page.get_by_role("button", name="New calendar").click()
    fill(page, Name="China", Id="cn", Country="CN")
    choose(page, "New calendar")
    page.get_by_role("button", name="Edit days").click()
    days = page.get_by_role("dialog").get_by_label("Days")
    expect(days).to_have_value(re.compile("-10-01 "))
    days.fill("tomorrow")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_contain_text("Each line begins with a date")
    days.fill("2030-01-04 Ours\n\n2030-01-05")
    choose(page, "Save")
    expect(page.get_by_role("cell", name="2030-01-05")).to_be_visible()
    assert fleet.operator.get("/api/calendars/cn").json()["days"] == {"2030-01-04": "Ours", "2030-01-05": ""}


def test_a_pile_changes_its_site_and_tags_on_its_page(fleet: Fleet, console: Callable[..., Page]):
    fleet.pile("PILE-1")
    site = {"site_id": "HARBOUR", "name": "Harbour", "time_zone": "UTC"}
    assert fleet.operator.post("/api/sites", site).status == 201
    page = console("/piles/PILE-1")
    page.get_by_role("button", name="Change", exact=True).click()
    page.get_by_role("dialog").get_by_label("Site", exact=True).select_option("Harbour")
    fill(page, Tags="fast roof")
    choose(page, "Save")
    expect(page.get_by_text("fast roof")).to_be_visible()
    report = fleet.operator.get("/api/piles/PILE-1/report").json()
    assert (report["site_id"], report["tags"]) == ("HARBOUR", ["fast", "roof"])


def test_the_phone_shows_and_confirms_the_price_of_the_chosen_connector(
    fleet: Fleet, new_context: Callable[..., Any]
):
    pile = fleet.pile("PILE-1")
    fleet.report(pile, said={n: {"status": "Preparing", "plugged": True} for n in (1, 2)})
    tariff(fleet, session_fee_minor=0)
    dear = DAY_RATE | {
        "periods": [DAY_RATE["periods"][0] | {"electricity_price": 2_000_000, "service_price": 0}]
    }
    assert fleet.operator.post("/api/tariffs", {"tariff_id": "fast", "name": "Fast"}).status == 201
    assert fleet.operator.post("/api/tariffs/fast/versions?allow_unusual=true", dear).status == 201
    assign(fleet, "fast", "connector:PILE-1/2")
    page = new_context().new_page()
    page.goto(fleet.url + "/p/PILE-1")
    page.get_by_role("radio", name="Connector 2").check()
    expect(page.locator("#confirm")).to_contain_text("2.00")
    expect(page.get_by_role("dialog")).to_have_count(0)  # nothing has changed: it is another connector's
    page.locator("#confirm").click()
    expect(page.get_by_text("Starting…").first).to_be_visible()
    (order,) = fleet.operator.get("/api/orders").json()["items"]
    assert (order["connector"], order["rate_id"]) == (2, rate(fleet, 2)["rate_id"])
