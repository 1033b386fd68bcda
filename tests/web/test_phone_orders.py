"""Several connectors, orders and phones: what the page opens on, and how it gets from one to another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from tests.web.conftest import PHONE, axe_problems
from tests.web.fleet import Fleet

Open = Callable[..., Page]
READY: dict[str, Any] = {"status": "Preparing", "plugged": True}
IN_USE: dict[str, Any] = {"status": "Charging", "plugged": True, "order_id": "another-order"}
BROKEN: dict[str, Any] = {"status": "Faulted", "fault": "GroundFailure"}


def chosen(page: Page) -> Any:
    return page.locator(".connector", has=page.locator(":checked"))


OPENS_ON: list[tuple[dict[int, Any], str, int]] = [
    ({}, "PILE-1", 1),
    ({1: IN_USE}, "PILE-1", 2),
    ({1: BROKEN}, "PILE-1", 2),
    ({2: READY}, "PILE-1", 2),  # where a vehicle waits
    ({}, "PILE-1/2", 2),
    ({2: IN_USE}, "PILE-1/2", 2),  # the label stands at this connector
    ({}, "pile-1/2", 2),
    ({}, "PILE-1/2/", 2),
    ({}, "PILE-1/7", 1),  # a connector that the pile has not
]


def test_the_page_opens_on_the_connector_of_the_label_or_on_one_that_can_be_used(
    fleet: Fleet, open_page: Open
):
    pile = fleet.pile("PILE-1")
    page = open_page(f"{fleet.url}/p/")
    for said, path, expected in OPENS_ON:
        fleet.report(pile, said=said)
        page.goto(f"{fleet.url}/p/{path}")
        expect(chosen(page), f"{said} {path}").to_contain_text(f"Connector {expected}")


def start(page: Page, fleet: Fleet, pile: Any, connector: int) -> str:
    page.locator("#confirm").click()
    expect(page.locator("#stop")).to_be_visible()
    order = fleet.operator.get(f"/api/orders?device_id={pile.device_id}").json()["items"][0]
    assert order["connector"] == connector
    pile.order_status(order["order_id"], "Charging", connector=connector)
    return order["order_id"]


def test_one_phone_runs_orders_at_two_connectors_and_at_another_pile(fleet: Fleet, open_page: Open):
    one, two = fleet.pile("PILE-1"), fleet.pile("PILE-2")
    fleet.report(one, said={1: READY, 2: READY})
    fleet.report(two, said={1: READY})
    page = open_page(f"{fleet.url}/p/PILE-1/1")
    first = start(page, fleet, one, 1)
    fleet.report(one, said={1: {**IN_USE, "order_id": first}, 2: READY})
    page.get_by_role("link", name="Charge at another connector, too").click()
    expect(chosen(page)).to_contain_text("Connector 2")
    expect(page.get_by_role("link", name="PILE-1 · connector 1")).to_be_visible()
    second = start(page, fleet, one, 2)
    assert second != first
    page.goto(f"{fleet.url}/p/PILE-2")
    start(page, fleet, two, 1)
    expect(page.locator(".others a").nth(0)).to_have_text("PILE-1 · connector 2")
    expect(page.locator(".others a").nth(1)).to_have_text("PILE-1 · connector 1")
    page.get_by_role("link", name="PILE-1 · connector 1").click()
    expect(page.locator("main")).to_contain_text("PILE-1 · connector 1")
    expect(page.locator(".others a").first).to_have_text("PILE-2 · connector 1")
    for path, text in (("PILE-1/2", "PILE-1 · connector 2"), ("PILE-2", "PILE-2 · connector 1")):
        page.goto(f"{fleet.url}/p/{path}")
        expect(page.locator("#stop")).to_be_visible()
        expect(page.locator("main")).to_contain_text(text)
    assert axe_problems(page) == []


def test_a_running_order_is_handed_to_another_phone_by_its_code(fleet: Fleet, open_page: Open, tmp_path: Any):
    pile = fleet.pile("PILE-1")
    fleet.report(pile, said={1: READY})
    page = open_page(f"{fleet.url}/p/PILE-1")
    order_id = start(page, fleet, pile, 1)
    page.get_by_role("button", name="Hand over to another phone").click()
    expect(page.locator(".handover .code")).to_be_visible()
    assert axe_problems(page) == []
    page.screenshot(path=tmp_path / "code.png")
    (code,) = zxingcpp.read_barcodes(Image.open(tmp_path / "code.png"))
    assert code.text.startswith(f"{fleet.url}/p/PILE-1?order={order_id}#")

    other = open_page(code.text)
    expect(other.locator("#stop")).to_be_visible()
    other.goto(f"{fleet.url}/p/PILE-1")  # it is one of this phone's orders from here on
    other.locator("#stop").click()
    expect(page.locator("#stop")).to_be_disabled()


@pytest.mark.parametrize(
    ("locale", "waits", "free"),
    [("en-GB", "plugged in since", "free in about 10 min"), ("zh-CN", "仍插着枪", "约 10 分钟后空闲")],
)
def test_a_connector_says_since_when_it_is_occupied_and_when_it_may_be_free(
    fleet: Fleet, open_page: Open, locale: str, waits: str, free: str
):
    pile = fleet.pile("PILE-1")
    running, _ = fleet.order(pile, connector=2, energy_mwh=3_000_000)
    left = {"energy_mwh": 1_152_000, "cost_minor": None, "duration_s": 80_000}
    fleet.charge(pile, running, 2, remaining=left)  # type: ignore[arg-type]
    charging = {**IN_USE, "order_id": running.order_id}
    fleet.report(pile, said={1: IN_USE, 2: charging})
    fleet.report(pile, said={1: READY, 2: charging})
    page = open_page(f"{fleet.url}/p/PILE-1", viewport=PHONE, locale=locale)
    expect(page.locator(".connector").nth(0)).to_contain_text(waits)
    expect(page.locator(".connector").nth(1)).to_contain_text(free)
