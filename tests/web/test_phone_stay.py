"""A charge by the hour at the real firmware, and a vehicle that stays plugged in after it."""

import pytest
from playwright.sync_api import expect

from tests.web.conftest import NARROW
from tests.web.test_phone import address, orders_of
from tools.harness.system import DEMO_RATE

pytestmark = pytest.mark.system

BY_THE_HOUR = {
    **DEMO_RATE,
    "session_fee_minor": 0,
    "periods": [
        {
            "start": "00:00",
            "label": "flat",
            "electricity_price": 0,
            "service_price": 0,
            "time_price": 36_000_000,
        }
    ],
    "idle": {"price": 360_000_000, "after_s": 0, "max_minor": 500_000},
}


def test_a_vehicle_that_stays_is_billed_until_it_is_unplugged(system, pile, open_page):
    p = pile(speed=60)
    system.set_rate(p.device_id, BY_THE_HOUR)
    page = open_page(address(system, p), viewport=NARROW)
    expect(page.locator("#confirm")).to_contain_text("Start at ¥36.00/h")
    page.locator("#confirm").click()
    expect(page.locator(".energy .value")).not_to_have_text("0.00")
    page.locator("#stop").click()
    expect(page.get_by_role("heading", name="Still plugged in")).to_be_visible()
    expect(page.locator("#stop")).to_have_text("Unplug to end")
    stayed = page.locator(".numbers").first
    expect(stayed).not_to_contain_text("¥0.00")
    p.send(plug=False)
    expect(page.locator("#total")).to_be_visible()
    (order,) = orders_of(system, p)
    bill = page.locator(".bill")
    expect(bill).to_contain_text("Charging time")
    expect(bill).to_contain_text("Staying")
    expect(page.locator("#total")).to_have_text(
        f"¥{order['total_minor'] // 100}.{order['total_minor'] % 100:02}"
    )
