"""Two people at one form, and a console that is used by its keys alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import Watch
from tests.web.fleet import Fleet

SITE = {"site_id": "S-1", "name": "Harbour", "address": "1 Quay Street", "time_zone": "Asia/Shanghai"}
OVERWRITES = "Saving again overwrites that."


def test_the_second_editor_is_told_at_the_field_and_loses_nothing(
    fleet: Fleet, console: Callable[..., Page], watch: Watch
):
    watch.allow("409")
    send = fleet.operator.request
    assert send("POST", "/api/sites", SITE).status == 201
    page = console("/sites/S-1")
    page.get_by_role("button", name="Change", exact=True).click()
    box = page.get_by_role("dialog")
    box.get_by_label("Name").fill("Port")
    assert send("PATCH", "/api/sites/S-1", {"name": "Marina", "contact": "+49"}).status == 200
    box.get_by_label("Name").press("Enter")
    expect(box.get_by_role("alert")).to_have_text(
        [f"Somebody else has changed this in the meantime: Marina. {OVERWRITES}"]
    )
    expect(box.get_by_label("Name")).to_have_value("Port")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Port")
    assert send("GET", "/api/sites/S-1").json()["contact"] == "+49", "a field that nobody touched was sent"

    pile = fleet.pile("PILE-1", "North gate")
    assert send("POST", "/api/tariffs", {"tariff_id": "city", "name": "City"}).status == 201
    page.evaluate("location.hash = '/tariffs/city'")
    page.get_by_role("button", name="Assign…").click()
    box.get_by_label("To").select_option(label="Pile")
    box.get_by_label("Id or tag").fill(pile.device_id)
    box.get_by_label("Id or tag").press("Enter")
    expect(box.get_by_role("alert").filter(has_text="PILE-1")).to_have_text(
        "Assigned there so far: Pile North gate (PILE-1): North gate (pile:PILE-1)."
        " Assigning again replaces it."
    )
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Unassign from Pile PILE-1")).to_be_visible()
    expect(page.get_by_role("button", name="Assign…")).to_be_focused()

    page.evaluate("location.hash = '/piles/PILE-1'")
    page.get_by_role("button", name="Most power…").click()
    box.get_by_label("Watts").fill("7.4")
    page.keyboard.press("Enter")
    expect(box.get_by_role("alert").first).to_have_text("A whole number of watts, such as 7400.")
    power = {"power_w": 22_000}
    assert send("PUT", "/api/piles/PILE-1/connector-power", power).status == 200
    box.get_by_label("Watts").fill("7400")
    page.keyboard.press("Enter")
    expect(box.get_by_role("alert").first).to_contain_text("in the meantime: 22000 W.")
    page.keyboard.press("Enter")
    expect(box).to_have_count(0)
    assert send("GET", "/api/piles/PILE-1/report").json()["connector_power_w"] == 7400

    body = {"name": "Days", "days": {"2030-10-01": "National day"}}
    assert send("PUT", "/api/calendars/C-1", body).status == 200
    page.evaluate("location.hash = '/calendars'")
    page.get_by_role("button", name="Edit").click()
    days = box.get_by_role("textbox")
    days.press("Control+End")
    days.press_sequentially("\n2030-12-24 Eve")
    body["days"]["2030-05-01"] = "Labour day"
    assert send("PUT", "/api/calendars/C-1", body | {"replaces": 1}).status == 200
    box.get_by_role("button", name="Save").click()
    expect(box.get_by_role("alert")).to_contain_text("+ 2030-05-01 Labour day")
    box.get_by_role("button", name="Save").click()
    expect(box).to_have_count(0)
    found = send("GET", "/api/calendars/C-1").json()["days"]
    assert found == {"2030-10-01": "National day", "2030-12-24": "Eve"}


def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has the focus has that text or label."""
    for _ in range(60):
        page.keyboard.press("Tab")
        text = page.evaluate("""() => {
            const at = document.activeElement;
            return at.getAttribute("aria-label") ?? at.labels?.[0]?.textContent ?? at.textContent;
        }""")
        if text.strip() == name:
            assert page.evaluate("document.activeElement.matches(':focus-visible')"), "the focus is not seen"
            return
    raise AssertionError(f"no Tab leads to {name}")


@pytest.mark.long
def test_a_pile_is_found_moved_and_taken_out_of_service_by_keys_alone(
    fleet: Fleet, console: Callable[..., Page]
):
    fleet.pile("PILE-1", "North gate")
    fleet.pile("PILE-2", "South gate")
    assert fleet.operator.post("/api/sites", SITE).status == 201
    move = {"selection": "pile:PILE-2", "site_id": "S-1"}
    assert fleet.operator.post("/api/pile-moves", move).status == 200
    page = console("/piles")
    expect(page.locator("#view tbody tr")).to_have_count(2)
    tab_to(page, "Site")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#view tbody tr")).to_have_count(1)
    expect(page.get_by_role("button", name="1 All")).to_be_visible()
    tab_to(page, "South gate")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("South gate")
    expect(page.get_by_role("link", name="Harbour").first).to_be_visible()

    tab_to(page, "Out of service…")
    page.keyboard.press("Enter")
    tab_to(page, "Note")
    page.keyboard.type("cable cut")
    page.keyboard.press("Escape")
    expect(page.get_by_text("Discard what was typed?")).to_be_visible()
    page.keyboard.press("Enter")  # keep writing
    expect(page.get_by_label("Note")).to_have_value("cable cut")
    tab_to(page, "Note")
    page.keyboard.press("Enter")
    expect(page.locator(".hint.warn")).to_contain_text("cable cut")
    tab_to(page, "Put back into service")
    page.keyboard.press("Enter")
    expect(page.locator(".hint.warn")).to_have_count(0)

    tab_to(page, "Remove…")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # the focus is on Cancel, so this removes nothing
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert fleet.row("PILE-2").removed_at is None
    tab_to(page, "Change…")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+A")
    page.keyboard.type("Gate 2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Gate 2")
