"""What an address opens on the phone: a pile's page, another one's order, nothing at all."""

import pytest
from playwright.sync_api import expect

from tests.web.conftest import DESKTOP
from tests.web.test_phone import FAST, address, flat
from tools.harness.system import DEMO_RATE

pytestmark = pytest.mark.system


def test_a_mistyped_id_gets_a_page_that_takes_the_right_one(system, pile, open_page, watch):
    watch.allow("404 (Not Found)")
    p = pile(speed=FAST)
    page = open_page(f"{system.base_url}/p/%3Cb%3ENOPE")
    expect(page.get_by_role("heading", name="We know no pile with this id")).to_be_visible()
    expect(page.locator("main")).to_contain_text("<b>NOPE")
    page.get_by_label("Pile id").fill(f" {p.device_id} ")
    page.get_by_role("button", name="Show the price").click()
    expect(page.locator("#confirm")).to_be_visible()


def test_an_order_link_of_another_phone_opens_nothing(system, pile, open_page, phone):
    p = pile(speed=FAST)
    order = phone.order(p.device_id)
    page = open_page(f"{address(system, p)}?order={order.order_id}")
    expect(page.get_by_role("heading", name="This receipt cannot be opened here")).to_be_visible()
    page.get_by_role("link", name="Back to the price").click()
    expect(page.locator("#confirm")).to_be_visible()


def test_an_order_link_with_its_token_opens_the_receipt_anywhere(system, pile, open_page, phone, watch):
    watch.allow("404 (Not Found)")
    p = pile(speed=FAST)
    order = phone.order(p.device_id, limits={"energy_mwh": 1_000_000})
    order.wait_for_state("Settled")
    page = open_page(f"{address(system, p)}?order={order.order_id}#{order.placed['token']}")
    expect(page.locator("#pay")).to_be_visible()
    wrong = open_page(f"{address(system, p)}?order={order.order_id}#not-its-token")
    expect(wrong.get_by_role("heading", name="This link opens no receipt any more")).to_be_visible()


def test_a_name_with_markup_in_it_stays_a_name(system, open_page):
    name = "<img src=x onerror=document.title='pwned'><b>Pile</b>"
    identity = system.add_pile(name=name)
    system.set_rate(identity.device_id, DEMO_RATE)
    page = open_page(f"{system.base_url}/p/{identity.device_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    assert page.title() == f"{name} · RateLock"
    assert page.locator("main img, main b").count() == 0


def test_a_pile_without_a_rate_says_so_until_it_has_one(system, open_page, watch):
    watch.allow("409 (Conflict)")
    identity = system.add_pile()
    page = open_page(f"{system.base_url}/p/{identity.device_id}")
    expect(page.get_by_role("heading", name="This pile has no price yet")).to_be_visible()
    system.set_rate(identity.device_id, flat(800_000))
    expect(page.locator("#confirm")).to_contain_text("¥1.20")


def test_each_price_of_the_day_is_named_beside_its_colour(system, open_page):
    rate = DEMO_RATE
    identity = system.add_pile()
    system.set_rate(identity.device_id, rate)
    page = open_page(f"{system.base_url}/p/{identity.device_id}", viewport=DESKTOP)
    names = {"flat": "Flat", "peak": "Peak", "valley": "Off-peak"}
    labels = {period["label"] for period in rate["periods"]}
    prices = page.get_by_role("list", name="Prices of the day")
    expect(prices).to_contain_text("¥0.80")
    assert sorted(prices.locator(".chip").all_inner_texts()) == sorted(names[label] for label in labels)
    assert page.locator(".stretch").count() == len(rate["periods"])
    expect(page.locator(".plot .now")).to_be_visible()
