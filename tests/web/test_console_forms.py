"""Forms and dialogs of the console: Enter, Escape, the way back, the cloud's errors, a session that ends."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web.conftest import Watch
from tests.web.fleet import Fleet


@pytest.fixture
def adding(console: Callable[..., Page]) -> tuple[Page, Locator]:
    """The list of piles, with the form to add one open."""
    page = console()
    page.get_by_role("button", name="Add a pile").click()
    return page, page.get_by_role("dialog", name="Add a pile")


def test_enter_submits_from_every_field(fleet: Fleet, adding: tuple[Page, Locator]):
    page, box = adding
    box.get_by_label("Device id").fill("PILE-7")
    box.get_by_label("Connectors").press("Enter")
    expect(page.get_by_role("dialog", name="PILE-7 is registered")).to_be_visible()
    assert fleet.row("PILE-7").connectors == 1


def test_a_dialog_is_left_at_once_only_while_nothing_is_typed(adding: tuple[Page, Locator]):
    page, box = adding
    page.keyboard.press("Escape")
    expect(box).to_have_count(0)
    expect(page.get_by_role("button", name="Add a pile")).to_be_focused()
    page.keyboard.press("Enter")
    name = box.get_by_label("Name")
    name.fill("North gate")
    for _ in range(3):  # a browser does not let a page hold a dialog for ever
        page.keyboard.press("Escape")
        expect(box.get_by_text("Discard what was typed?")).to_be_visible()
        page.keyboard.press("Escape")
        expect(box.get_by_text("Discard what was typed?")).to_be_hidden()
    box.get_by_role("button", name="Cancel").click()
    box.get_by_role("button", name="Keep editing").click()
    expect(name).to_have_value("North gate")
    box.get_by_role("button", name="Cancel").click()
    box.get_by_role("button", name="Discard", exact=True).click()
    expect(box).to_have_count(0)


def test_the_way_back_leaves_a_dialog_and_asks_where_something_is_typed(adding: tuple[Page, Locator]):
    page, box = adding
    box.get_by_label("Name").fill("North gate")
    page.evaluate("location.hash = '/orders'")
    expect(box.get_by_text("Discard what was typed?")).to_be_visible()
    assert page.url.endswith("#/piles")
    with page.expect_event("dialog") as asked:
        page.close(run_before_unload=True)
    asked.value.dismiss()
    box.get_by_role("button", name="Discard", exact=True).click()
    page.evaluate("location.hash = '/orders'")
    expect(page.get_by_role("heading", name="Orders", level=1)).to_be_visible()


def test_what_the_cloud_refuses_stands_at_its_field(adding: tuple[Page, Locator], watch: Watch):
    page, box = adding
    watch.allow("422")
    errors = [
        {"field": "name", "reason": "must not look like this"},
        {"field": "device_id", "reason": "must not be taken"},
        {"field": "weather", "reason": "must be fine"},
    ]
    body = json.dumps({"code": "InvalidRequest", "errors": errors})
    page.route("**/api/piles", lambda route: route.fulfill(status=422, body=body))
    box.get_by_label("Device id").fill("PILE-7")
    box.get_by_label("Name").fill("North gate")
    page.keyboard.press("Enter")
    told = box.get_by_role("alert")
    expect(told).to_have_text(["must not be taken", "must not look like this", "weather: must be fine"])
    expect(box.get_by_label("Device id")).to_be_focused()
    expect(box.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
    expect(box.get_by_label("Name")).to_have_value("North gate")
    page.unroute("**/api/piles")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="PILE-7 is registered")).to_be_visible()


def test_a_session_that_ends_keeps_what_was_typed(fleet: Fleet, adding: tuple[Page, Locator], watch: Watch):
    page, box = adding
    watch.allow("401")
    box.get_by_label("Device id").fill("PILE-7")
    fleet.cloud.operator_token = "another-token-of-another-day"
    page.keyboard.press("Enter")
    again = page.get_by_role("dialog", name="Log in again")
    expect(again).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(again).to_be_visible()
    again.get_by_label("Operator token").fill("another-token-of-another-day")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="PILE-7 is registered")).to_be_visible()
