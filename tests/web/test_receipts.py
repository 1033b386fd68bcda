"""Receipts out of the ordinary: one that the cloud has flagged, and one with nothing to pay."""

import pytest
from playwright.sync_api import Page, expect

from pile_protocol import topics
from tests.cloud.fakes import FakePile
from tests.web.conftest import SMALL_PHONE
from tests.web.test_look import check
from tests.web.test_phone import address, flat, orders_of, start

pytestmark = pytest.mark.system

LOOKS = pytest.mark.parametrize(
    "look",
    [{"locale": "en-GB"}, {"locale": "zh-CN", "viewport": SMALL_PHONE, "color_scheme": "dark"}],
    ids=["English", "Chinese, dark, 320 px"],
)


def said(page: Page, english: str, chinese: str) -> str:
    return chinese if page.locator("html").get_attribute("lang") == "zh-CN" else english


@LOOKS
def test_a_flagged_bill_is_told_and_not_to_be_paid_yet(system, pile, tap, open_page, look):
    """The pile seals a total that its locked rate does not give."""
    p = pile(speed=60, rate=flat(800_000))
    page = open_page(address(system, p), **look)
    start(page)
    order = tap.wait_for(p.device_id, topics.ORDER)
    p.kill()
    liar = FakePile(p.device_id, p.key, lambda name, data: tap.publish(p.device_id, name, data))
    liar.settle(order, 2_500_000, total_minor=9_999)

    note = page.get_by_role("alert")
    expect(note).to_contain_text(said(page, "This bill is being checked", "账单正在核对"))
    expect(note).to_contain_text(said(page, "You need not pay until", "核对完成之前无需支付"))
    expect(page.locator("#total")).to_have_text("¥99.99")
    expect(page.locator(".pill")).to_have_text(said(page, "Being checked", "正在核对"))
    for place in (".now-price", ".bill .total"):  # a sum that is not ours is called so
        expect(page.locator(place)).to_contain_text(said(page, "The pile's total", "充电桩的金额"))
    expect(page.locator("#pay")).to_have_count(0)
    check(page, "flagged")
    page.reload()
    expect(note).to_be_visible()
    expect(page.locator("#pay")).to_have_count(0)
    page.locator("#done").click()
    expect(page.locator("#confirm")).to_be_visible()
    assert [(o["state"], o["total_minor"]) for o in orders_of(system, p)] == [("Settled", 9_999)]


@LOOKS
def test_a_charge_of_nothing_costs_nothing_and_closes_itself(system, pile, open_page, look):
    """A car that is full takes nothing: no energy, and no session fee either."""
    p = pile(speed=60, power_w=0, rate=flat(800_000, fee=50))
    page = open_page(address(system, p), **look)
    start(page)
    page.locator("#stop").click()
    expect(page.locator("#total")).to_have_text("¥0.00")
    expect(page.locator("main")).to_contain_text(said(page, "nothing is to be paid", "无需支付"))
    expect(page.locator(".pill")).to_have_text(said(page, "Nothing to pay", "无需支付"))
    expect(page.locator(".bill tr:not(.total)")).to_have_count(0)
    expect(page.locator("#pay")).to_have_count(0)
    check(page, "nothing to pay")
    assert [(o["state"], o["energy_mwh"], o["total_minor"]) for o in orders_of(system, p)] == [("Paid", 0, 0)]
    page.locator("#done").click()
    expect(page.locator("#confirm")).to_be_visible()
    page.get_by_text(said(page, "Your last charge here", "上次在此充电")).click()
    expect(page.locator(".pill")).to_have_text(said(page, "Nothing to pay", "无需支付"))
    expect(page.locator("main")).not_to_contain_text(said(page, "Paid on", "支付时间"))
