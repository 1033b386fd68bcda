"""The console before the real thing: a real broker, and the real firmware behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import DESKTOP, log_in

pytestmark = pytest.mark.system


@pytest.fixture
def console(system: Any, open_page: Callable[..., Page]) -> Callable[..., Page]:
    def open_view(view: str) -> Page:
        page = open_page(f"{system.base_url}/console#{view}", viewport=DESKTOP)
        log_in(page, system.operator_token)
        return page

    return open_view


@pytest.mark.long
def test_a_welded_relay_is_seen_and_reset_in_the_console(pile: Any, phone: Any, console: Any):
    p = pile(speed=600)
    page = console(f"/piles/{p.device_id}")
    card = page.get_by_role("region", name="Connector 1")
    expect(card).to_contain_text("Occupied")
    order = phone.order(p.device_id)
    expect(card).to_contain_text("7.00 kW")
    p.send(weld=True)
    p.wait_for(lambda line: line["event"] == "changed")
    card.get_by_role("button", name="Stop").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop order").click()
    order.wait_for_state("Settled")
    expect(card).to_contain_text("Contactor welded")
    p.send(weld=False)
    card.get_by_role("button", name="Reset fault").click()
    page.get_by_role("dialog").get_by_role("button", name="Reset fault").click()
    expect(card).to_contain_text("Occupied")
    expect(card).not_to_contain_text("Contactor welded")
    expect(page.get_by_text("Fault cleared: connector 1: contactor welded")).to_be_visible()


def test_a_rate_published_in_the_editor_is_the_next_ones_and_not_the_running_ones(
    pile: Any, phone: Any, console: Any
):
    p = pile(speed=600)
    order = phone.order(p.device_id)
    order.wait_for_state("Charging")
    page = console(f"/piles/{p.device_id}/rate")
    page.get_by_label("Session fee").fill("0.60")
    page.get_by_role("button", name="Publish…").click()
    page.get_by_role("dialog").get_by_role("button", name="Publish").click()
    expect(page.locator(".versions > li")).to_have_count(2)
    expect(page.locator(".versions > li").last).to_contain_text("Confirmed by 1 order, 1 running")
    latest = phone.rate(p.device_id)
    assert latest["session_fee_minor"] == 60
    assert order.stop().status == 202
    settlement = order.wait_for_state("Settled")["settlement"]
    assert settlement["rate_id"] == order.placed["rate"]["rate_id"] != latest["rate_id"]
    assert settlement["session_fee_minor"] <= 50
    assert not settlement["flagged"]
