"""A site in a central system: its charge points, and at which rate orders may be started remotely."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from cloud_stub.bridges.ocpp import progress
from tests.web.conftest import Watch
from tests.web.fleet import Fleet

pytestmark = pytest.mark.long


def test_the_remote_start_is_allowed_at_a_rate_and_each_charge_point_is_listed(
    console: Callable[..., Page], fleet: Fleet, watch: Watch
):
    watch.allow("409")
    fleet.pile("PILE-1")
    site = {"site_id": "SITE-1", "name": "Harbour", "address": "1", "time_zone": "UTC", "contact": ""}
    assert fleet.operator.post("/api/sites", site).status == 201
    move = {"selection": "pile:PILE-1", "site_id": "SITE-1"}
    assert fleet.operator.post("/api/pile-moves", move).status == 200
    rate_id = fleet.operator.get("/api/piles/PILE-1/rate").json()["rate_id"]
    with fleet.cloud.store.writing.begin() as conn:
        progress.add_missing(conn, ["PILE-1"], 1)
    page = console("/sites/SITE-1")
    found = page.locator("section", has_text="Central system (OCPP)")
    expect(found.get_by_role("link", name="PILE-1")).to_be_visible()
    expect(found).to_contain_text("Not allowed")
    found.get_by_role("button", name="Change").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Rate").fill(rate_id)
    form.get_by_role("button", name="Save").click()
    expect(form).to_contain_text("Enter who agreed")
    form.get_by_label("Agreement").fill("Contract 17")
    form.get_by_role("button", name="Save").click()
    expect(found).to_contain_text(rate_id)
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    found.get_by_role("button", name="Change").click()
    form.get_by_label("Rate").fill("")
    form.get_by_label("Agreement").fill("Contract ended")
    meanwhile = {"rate_id": None, "agreement": "Somebody else"}
    assert fleet.operator.put("/api/sites/SITE-1/remote-start", meanwhile).status == 200
    form.get_by_role("button", name="Save").click()
    expect(form).to_contain_text("Somebody else has changed this in the meantime: Not allowed")
    form.get_by_role("button", name="Save").click()
    expect(found).to_contain_text("Not allowed")
