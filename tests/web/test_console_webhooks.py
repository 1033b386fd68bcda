"""Webhooks in the console: added with the secret shown once, tried, removed."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.web.conftest import Watch


def test_a_webhook_is_added_tried_and_removed(console: Callable[..., Page], watch: Watch):
    watch.allow("422")
    page = console("/people")
    page.get_by_role("link", name="Webhooks").click()
    page.get_by_role("button", name="Add a webhook").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill("books")
    form.get_by_label("Address").fill("https://127.0.0.1/x")
    form.get_by_label("faults").check()
    form.get_by_role("button", name="Add a webhook").click()
    expect(form).to_contain_text("no public address")
    form.get_by_label("Address").fill("https://localhost:9/x")
    form.get_by_role("button", name="Add a webhook").click()
    expect(page.get_by_role("dialog").locator("code")).to_contain_text("whsec_")
    page.get_by_role("button", name="I have it").click()
    expect(page.locator("tbody tr")).to_contain_text("faults, orders")
    page.get_by_role("button", name="Test: books").click()
    expect(page.get_by_text("is no public address")).to_be_visible()
    page.set_viewport_size({"width": 360, "height": 740})
    page.get_by_role("button", name="Remove: books").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove…").click()
    expect(page.get_by_text("There are no webhooks.")).to_be_visible()
