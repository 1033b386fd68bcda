"""Updates over the air in the console: a release added, a rollout started, watched, halted, gone on with."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pile_protocol import topics
from tests.cloud.releases import UpdatingPile, archive
from tests.web.conftest import Watch, choose, overflow
from tests.web.fleet import Fleet


def updating(fleet: Fleet, count: int) -> list[UpdatingPile]:
    piles = []
    for number in range(1, count + 1):
        piles.append(UpdatingPile(fleet.pile(f"PILE-{number}", rate=None, online=False), fleet.link))
        piles[-1].come()
    return piles


def step(fleet: Fleet) -> None:
    fleet.cloud.jobs.run_once(int(time.time()))


@pytest.mark.long
def test_a_release_is_added_and_rolled_out_to_all(
    fleet: Fleet, console: Callable[..., Page], watch: Watch, tmp_path: Path
):
    watch.allow("422")
    fleet.cloud.settings.updates_at_once = 3
    piles = updating(fleet, 3)
    fleet.pile("PILE-OLD", rate=None)
    page = console("/updates")
    expect(page.get_by_text("There are no releases yet.")).to_be_visible()
    page.get_by_role("button", name="Add a release").click()
    dialog = page.get_by_role("dialog")
    broken, good = tmp_path / "broken.release", tmp_path / "ratelock-12.release"
    broken.write_bytes(b"no archive")
    good.write_bytes(archive(12))
    dialog.get_by_label("Release archive").set_input_files(broken)
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog.get_by_text("no release archive, or it is damaged")).to_be_visible()
    dialog.get_by_label("Release archive").set_input_files(good)
    choose(page, "Add")
    expect(page.get_by_text("Release 12 was added.")).to_be_visible()

    page.get_by_role("button", name="Update piles").click()
    dialog.get_by_label("Waves").fill("1, 50%")
    dialog.get_by_role("button", name="Show which piles take part").click()
    plan = page.get_by_role("dialog", name="3 piles take part")
    expect(plan.get_by_text("Waves: 1, 2")).to_be_visible()
    expect(plan.get_by_text("1: its firmware cannot be updated over the air")).to_be_visible()
    plan.get_by_role("button", name="Start").click()
    expect(page.get_by_role("heading", name="Rollout 1")).to_be_visible()

    step(fleet)
    piles[0].say_update("Downloading", done_bytes=30, total_bytes=100)
    expect(page.get_by_text("Downloading, 30 %")).to_be_visible()
    piles[0].say_update("Trial")
    piles[0].say_update("FellBack", reason="NoCloud")
    step(fleet)
    expect(page.get_by_text("Wave 1 has lost 1.")).to_be_visible()
    expect(page.get_by_text("Went back: it did not reach the cloud")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    step(fleet)
    for pile in piles[1:]:
        pile.update()
    step(fleet)
    expect(page.get_by_text("Finished")).to_be_visible()
    page.get_by_role("link", name="Updates").first.click()
    expect(page.get_by_role("link", name="Release 12")).to_be_visible()


def test_a_configuration_for_one_pile(fleet: Fleet, console: Callable[..., Page]):
    (pile,) = updating(fleet, 1)
    page = console("/updates", viewport={"width": 360, "height": 740})
    page.get_by_role("button", name="Send a configuration").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Show which piles take part").click()
    expect(dialog.get_by_text("Enter at least one value.")).to_be_visible()
    dialog.get_by_label("Second Wi-Fi: name").fill("Yard")
    dialog.get_by_label("Second Wi-Fi: password").fill("a secret")
    dialog.get_by_label("To which piles").select_option("One pile")
    dialog.get_by_label("Its id or tag").fill("PILE-1")
    assert overflow(page) == 0
    dialog.get_by_role("button", name="Show which piles take part").click()
    page.get_by_role("dialog", name="1 pile takes part").get_by_role("button", name="Start").click()
    expect(page.get_by_text("wifi2: Yard ***")).to_be_visible()
    step(fleet)
    (message,) = pile.updates(topics.CONFIG)
    assert message["values"] == {"wifi2": {"ssid": "Yard", "password": "a secret"}}
    page.evaluate("() => (location.hash = '#/piles/PILE-1')")
    expect(page.get_by_role("link", name="Configuration 1")).to_be_visible()
