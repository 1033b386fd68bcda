"""The phone's page in a real browser, with the real broker, cloud and firmware behind it."""

import subprocess
import sys
from pathlib import Path

import pypdfium2
import pytest
import zxingcpp
from playwright.sync_api import Page, Route, expect

from tools import ROOT
from tools.harness.system import DEMO_RATE

pytestmark = pytest.mark.system

FAST = 600  # 7 kW give 1.2 kWh a second
CHARGING = '[data-state="Charging"]'


def flat(electricity_price: int, service_price: int = 400_000, fee: int = 50) -> dict:
    period = {
        "start": "00:00",
        "label": "flat",
        "electricity_price": electricity_price,
        "service_price": service_price,
    }
    return {**DEMO_RATE, "session_fee_minor": fee, "periods": [period]}


def address(system, pile) -> str:
    return f"{system.base_url}/p/{pile.device_id}"


def start(page: Page) -> None:
    page.locator("#confirm").click()
    expect(page.locator(CHARGING)).to_be_visible()


def draw(pile, power_w: int) -> None:
    """Let the car take so much from now on. A charge of nothing waits for a browser, however slow that is."""
    seen = pile.line_count
    pile.send(power_w=power_w)
    pile.wait_for(lambda line: line["event"] == "changed", after=seen)


def stop(page: Page) -> None:
    """Ends a charge of something: one of nothing would have nothing to pay."""
    expect(page.locator(".energy .value")).not_to_have_text("0.00")
    page.locator("#stop").click()
    expect(page.locator("#pay")).to_be_visible()


def orders_of(system, pile) -> list[dict]:
    return system.operator.get(f"/api/orders?device_id={pile.device_id}").json()["items"]


def minor(text: str) -> int:
    """ "¥1,234.56" as 123456."""
    return int("".join(c for c in text if c.isdigit()))


def test_from_the_printed_code_to_the_paid_receipt(system, pile, open_page, tmp_path: Path):
    p = pile(speed=FAST, rate=flat(800_000))
    sheet = tmp_path / "labels to print.pdf"
    subprocess.run(
        [sys.executable, "-m", "cloud_stub", "pile", "label", p.device_id, "--pdf", str(sheet)],
        env={**system.cloud_environment(), "RATELOCK_PUBLIC_URL": system.base_url},
        cwd=ROOT,
        check=True,
        timeout=60,
    )
    document = pypdfium2.PdfDocument(sheet)
    (code,) = zxingcpp.read_barcodes(document[0].render(scale=3).to_pil())
    assert p.device_id in document[0].get_textpage().get_text_range()
    document.close()

    page = open_page(code.text)
    expect(page.locator("#confirm")).to_contain_text("Start at ¥1.20/kWh")
    expect(page.locator("#confirm")).to_contain_text("+ ¥0.50 once")
    start(page)
    expect(page.locator(".energy .value")).not_to_have_text("0.00")
    expect(page.locator("figure svg")).to_be_visible()
    stop(page)
    (order,) = orders_of(system, p)
    total = order["total_minor"]
    expect(page.locator("#total")).to_have_text(f"¥{total // 100}.{total % 100:02}")
    amounts = page.locator(".bill tr:not(.period):not(.total) td").all_inner_texts()
    assert sum(map(minor, amounts)) == total > 50
    expect(page.locator(".facts")).to_contain_text("you stopped it on the phone")
    expect(page.locator(".facts")).to_contain_text(order["rate_id"])
    page.locator("#pay").click()
    expect(page.locator(".pill")).to_have_text("Paid")
    assert [(o["state"], o["rate_id"]) for o in orders_of(system, p)] == [("Paid", order["rate_id"])]
    with page.expect_download() as saved:
        page.locator("#save").click()
    kept = saved.value.path().read_text(encoding="utf-8-sig")
    assert page.locator("#total").inner_text() in kept and order["order_id"] in kept
    assert kept.startswith(f"RateLock · {system.base_url.partition('//')[2]}\n")
    assert "\nElectricity ¥0.80/kWh\t¥" in kept and "\nEnded because\tyou stopped it" in kept
    page.locator("#done").click()
    expect(page.locator("#confirm")).to_be_enabled()
    page.get_by_text("Your last charge here").click()
    expect(page.locator(".pill")).to_have_text("Paid")


def test_a_rate_that_changed_meanwhile_is_shown_beside_the_old_one(system, pile, open_page, watch):
    watch.allow("409 (Conflict)")
    p = pile(speed=FAST, rate=flat(800_000))
    page = open_page(address(system, p))
    expect(page.locator("#confirm")).to_contain_text("¥1.20")
    # The pile's own news must not come first: this is the click at the very moment.
    page.route(f"**/api/piles/{p.device_id}", lambda route: route.abort())
    watch.allow("net::ERR_FAILED")
    rate_id = system.set_rate(p.device_id, flat(1_100_000))
    page.locator("#confirm").click()
    dialog = page.get_by_role("dialog", name="The price has changed")
    expect(dialog).to_contain_text("You saw")
    expect(dialog.locator(".side").first).to_contain_text("¥1.20")
    expect(dialog.locator(".side").last).to_contain_text("¥1.50")
    expect(page.locator(CHARGING)).to_have_count(0)
    assert orders_of(system, p) == []
    page.unroute_all()
    dialog.get_by_role("button", name="Start at ¥1.50/kWh").click()
    expect(page.locator(CHARGING)).to_be_visible()
    assert [o["rate_id"] for o in orders_of(system, p)] == [rate_id]


def test_a_new_price_is_also_told_to_who_only_looks_and_can_be_looked_at_first(system, pile, open_page):
    p = pile(speed=FAST, rate=flat(800_000))
    page = open_page(address(system, p))
    expect(page.locator("#confirm")).to_contain_text("¥1.20")
    system.set_rate(p.device_id, flat(1_100_000))
    page.get_by_role("button", name="Look at it first").click()
    expect(page.locator("#confirm")).to_contain_text("¥1.50")
    assert orders_of(system, p) == []


def test_a_price_published_while_charging_changes_nothing(system, pile, open_page):
    p = pile(speed=FAST, rate=flat(800_000))
    page = open_page(address(system, p))
    start(page)
    system.set_rate(p.device_id, flat(9_000_000))
    expect(page.locator(".energy .value")).not_to_have_text("0.00")
    expect(page.locator(".limit-bar")).to_have_count(0)  # nobody has set one
    expect(page.get_by_role("dialog")).to_have_count(0)
    stop(page)
    expect(page.locator(".bill")).to_contain_text("Electricity ¥0.80/kWh")


def test_the_running_order_is_found_again_after_a_reload_and_after_a_closed_browser(
    system, pile, open_page, new_context
):
    p = pile(speed=60)
    page = open_page(address(system, p))
    start(page)
    page.reload()
    expect(page.locator(CHARGING)).to_be_visible()
    expect(page.locator(".energy .value")).not_to_have_text("0.00")
    kept = page.context.storage_state()
    page.context.close()
    again = open_page(address(system, p), new_context(storage_state=kept))
    expect(again.locator(CHARGING)).to_be_visible()
    stop(again)
    assert len(orders_of(system, p)) == 1
    stranger = open_page(address(system, p))
    expect(stranger.locator("#confirm")).to_be_visible()


def test_a_lost_connection_is_said_and_the_values_go_on_after_it(system, pile, open_page, watch):
    watch.allow("net::ERR_INTERNET_DISCONNECTED")
    p = pile(speed=60)
    page = open_page(address(system, p))
    start(page)
    banner = page.get_by_role("alert").filter(has_text="Connection lost")
    page.context.set_offline(True)
    expect(banner).to_contain_text("The pile goes on charging")
    before = page.locator(".energy .value").inner_text()
    page.context.set_offline(False)
    expect(banner).to_be_hidden()
    expect(page.locator(".energy .value")).not_to_have_text(before)
    stop(page)


def test_a_restarted_cloud_is_waited_for(own_system, sim_pile, open_page, watch):
    watch.allow("net::ERR_")
    p = sim_pile(own_system, speed=60)
    page = open_page(address(own_system, p))
    start(page)
    own_system.kill_cloud()
    banner = page.get_by_role("alert").filter(has_text="Connection lost")
    expect(banner).to_be_visible()
    own_system.start_cloud()
    expect(banner).to_be_hidden()
    stop(page)


def test_a_confirmation_whose_answer_is_lost_starts_once_and_is_found(system, pile, open_page, watch):
    watch.allow("net::ERR_FAILED")
    p = pile(speed=60)
    page = open_page(address(system, p))
    expect(page.locator("#confirm")).to_be_enabled()
    lost = []

    def lose_the_answer(route: Route) -> None:
        if not lost:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    page.route("**/api/orders", lose_the_answer)
    page.locator("#confirm").click()
    expect(page.locator(CHARGING)).to_be_visible()
    assert lost == [201]
    assert len(orders_of(system, p)) == 1


def test_a_pile_that_loses_its_network_is_said_and_goes_on_after_it(system, pile, open_page):
    p = pile(speed=60)
    page = open_page(address(system, p))
    start(page)
    p.kill()
    banner = page.get_by_role("alert").filter(has_text="The pile has no network")
    expect(banner).to_be_visible()
    page.locator("#stop").click()
    expect(banner).to_contain_text("It stops as soon as it is back")
    p.start()
    expect(page.locator("#total")).to_be_visible()
    expect(page.locator("main")).to_contain_text("There was a power cut during this charge")


def test_a_pile_that_is_offline_cannot_be_started_until_it_is_back(system, pile, open_page):
    p = pile(speed=FAST)
    p.kill()
    p.wait_until(lambda view: view["online"] is False)
    page = open_page(address(system, p))
    expect(page.get_by_role("status").filter(has_text="The pile is offline")).to_be_visible()
    expect(page.locator("#confirm")).to_be_disabled()
    p.start()
    expect(page.locator("#confirm")).to_be_enabled()


def test_what_has_to_be_plugged_in_is_said(system, pile, open_page):
    p = pile(speed=FAST)
    p.send(plug=False)
    p.wait_until(lambda view: not view["connectors"][0]["plugged"])
    page = open_page(address(system, p))
    expect(page.get_by_text("Plug in your vehicle")).to_be_visible()
    expect(page.locator("#confirm")).to_be_disabled()
    p.send(plug=True)
    expect(page.locator("#confirm")).to_be_enabled()


def test_a_connector_in_use_leaves_the_other_one(system, pile, open_page, phone):
    p = pile(speed=60, connectors=2)
    phone.order(p.device_id, connector=1).wait_for_state("Charging")
    page = open_page(address(system, p))
    connectors = page.get_by_role("radio", name="Connector")
    first, second = connectors.nth(0), connectors.nth(1)
    expect(second).to_be_checked()
    first.check()
    expect(page.get_by_role("status").filter(has_text="This connector is in use")).to_be_visible()
    expect(page.locator("#confirm")).to_be_disabled()
    second.check()
    start(page)
    assert sorted(o["connector"] for o in orders_of(system, p)) == [1, 2]


def test_the_estimates_are_offers_and_a_limit_ends_the_charge(system, pile, open_page):
    p = pile(speed=FAST, rate=flat(800_000))
    page = open_page(address(system, p))
    page.get_by_text("5 kWh≈ ¥6.50").click()
    expect(page.locator("#confirm")).to_contain_text("at most 5 kWh")
    draw(p, 0)
    start(page)
    expect(page.get_by_role("progressbar", name="Energy")).to_be_visible()
    draw(p, 7000)
    expect(page.locator("#total")).to_be_visible()
    (order,) = orders_of(system, p)
    assert order["energy_mwh"] >= 5_000_000
    assert minor(page.locator("#total").inner_text()) == order["total_minor"]
    expect(page.locator(".facts")).to_contain_text("your energy limit was reached")


def test_limits_of_ones_own_are_checked_as_they_are_typed(system, pile, open_page):
    p = pile(speed=FAST)
    page = open_page(address(system, p))
    page.get_by_text("Limits of your own").click()
    cost = page.get_by_label("At most, in CNY")
    cost.fill("2,5x")
    expect(page.get_by_text("An amount above zero, please")).to_be_visible()
    page.locator("#confirm").click()
    expect(cost).to_be_focused()
    assert orders_of(system, p) == []
    cost.fill("2,50")
    page.get_by_label("At most, in minutes").fill("30")
    expect(page.locator("#confirm")).to_contain_text("at most ¥2.50 · at most 30 min")
    draw(p, 0)
    start(page)
    expect(page.get_by_role("progressbar", name="Time")).to_have_attribute(
        "aria-valuetext", "0 min of 30 min"
    )
    draw(p, 7000)
    expect(page.locator("#total")).to_have_text("¥2.50")
    expect(page.locator(".facts")).to_contain_text("your money limit was reached")


def test_the_language_is_the_browsers_until_it_is_switched(system, pile, open_page):
    p = pile(speed=FAST, rate=flat(800_000))
    page = open_page(address(system, p), locale="zh-CN")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator("#confirm")).to_contain_text("以 ¥1.20/度 开始充电")
    page.get_by_role("button", name="English").click()
    expect(page.locator("#confirm")).to_contain_text("Start at ¥1.20/kWh")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_role("button", name="中文").click()
    start(page)
    expect(page.get_by_role("heading", name="充电中")).to_be_visible()
    stop(page)
    expect(page.locator("#pay")).to_have_text(f"支付 {page.locator('#total').inner_text()}")
    expect(page.locator(".facts")).to_contain_text("您在手机上停止了充电")


def test_the_keyboard_is_enough(system, pile, open_page):
    p = pile(speed=60, rate=flat(800_000))
    page = open_page(address(system, p))
    expect(page.locator("#confirm")).to_be_enabled()

    def tab_to(selector: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"{selector} cannot be reached with the keyboard")

    tab_to("[name=amount]")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#confirm")).to_contain_text("at most 1 kWh")
    tab_to("#confirm")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Charging")).to_be_focused()
    tab_to("#stop")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Receipt")).to_be_focused()
