"""A pile taken care of in the console: out of service, restart, name, new key; many piles at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pile_protocol import seal
from tests.cloud.fakes import open_sealed
from tests.cloud.test_import import printed
from tests.web.conftest import NARROW, Watch, axe_problems, choose
from tests.web.fleet import Fleet

Console = Callable[..., Page]
KNOWN = ["restart", "service"]


@pytest.mark.long
def test_out_of_service_and_back_restart_name_and_key(fleet: Fleet, console: Console):
    pile = fleet.pile("PILE-1")
    pile.hello(commands=KNOWN, chip="aa", connectors=2)
    page = console("/piles/PILE-1")
    page.get_by_role("button", name="Out of service…").click()
    page.get_by_label("Part", exact=True).select_option(label="Connector 2")
    page.get_by_label("Reason").select_option(label="Damaged")
    page.get_by_label("Note").fill("cable cut")
    page.get_by_label("Note").press("Enter")
    expect(page.locator(".hint")).to_contain_text("Connector 2 is out of service: Damaged")
    expect(page.get_by_role("region", name="Connector 2")).to_contain_text("Out of service")
    assert axe_problems(page) == []
    page.get_by_role("button", name="Put back into service").click()
    expect(page.locator(".hint.warn")).to_have_count(0)

    page.get_by_role("button", name="Restart…").click()
    choose(page, "Restart")
    expect(page.get_by_text("The pile has been asked to restart.")).to_be_visible()
    sent = [open_sealed("command", data, pile.key) for data in fleet.link.sent("PILE-1", "command")]
    assert [each["action"] for each in sent] == ["service", "service", "restart"]

    page.get_by_role("button", name="Change…").click()
    page.get_by_label("Name").fill("Gate 2")
    page.get_by_label("Name").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Gate 2")

    page.get_by_role("button", name="New key…").click()
    page.get_by_role("dialog").get_by_role("button", name="Make a new key").click()
    key = page.locator("code.key").inner_text()
    assert len(key) == 64 and bytes.fromhex(key) != pile.key
    choose(page, "I have it")
    actions = [each["action"] for each in fleet.operator.get("/api/audit?device_id=PILE-1").json()["items"]]
    assert actions[:5] == [
        "KeyRotated",
        "PileRenamed",
        "RestartRequested",
        "PutBackIntoService",
        "TakenOutOfService",
    ]


def test_what_a_pile_reports_is_held_against_what_is_registered(fleet: Fleet, console: Console):
    pile = fleet.pile("PILE-1")
    for chip in ("aa", "bb", "aa"):
        pile.hello(chip=chip, connectors=4)
    page = console("/piles/PILE-1", viewport=NARROW)
    expect(page.locator(".hint.bad")).to_contain_text("Two boards use this pile's id")
    page.get_by_role("button", name="Set to 4").click()
    expect(page.get_by_role("region", name="Connector 4")).to_be_visible()
    expect(page.get_by_role("button", name="Restart…")).to_have_count(0)  # its firmware does not know it


def test_a_table_of_piles_is_imported_and_its_wrong_rows_are_named(
    fleet: Fleet, console: Console, watch: Watch, tmp_path: Path
):
    watch.allow("422 (Unprocessable Entity)")
    fleet.pile("PILE-1")
    page = console("/piles", viewport=NARROW)
    page.get_by_role("button", name="Import…").click()
    table = page.get_by_label("Table, as CSV")
    table.fill("device_id,connectors\nP-100,2\nPILE-1,1\nP-101,nine\n")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text(
        "line 3: device_id: there is a pile with the id PILE-1"
    )
    expect(page.get_by_role("dialog")).to_contain_text("line 4: connectors: must be a whole number")
    assert axe_problems(page) == []
    table.fill("device_id,connectors\nP-100,2\nP-101,1\n")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("2 piles are registered")
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Save the keys").click()
    downloading.value.save_as(tmp_path / "keys.csv")
    rows = (tmp_path / "keys.csv").read_text().split()
    assert [row.split(",")[0] for row in rows] == ["device_id", "P-100", "P-101"]
    assert all(seal.parse_key(row.split(",")[1]) for row in rows[1:])
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Labels of these piles").click()
    downloading.value.save_as(tmp_path / "labels.pdf")
    assert printed((tmp_path / "labels.pdf").read_bytes()) == ["P-100/1", "P-100/2", "P-101"], (
        "not PILE-1, which was there before"
    )
    choose(page, "Done")
    assert "P-101" in json.dumps(fleet.operator.get("/api/piles").json())
