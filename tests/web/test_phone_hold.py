"""A charge with a hold, by the provider `test`: before, during, its receipt; a code in place of a hold."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from cloud_stub.base.clock import now_s
from tests.cloud.fakes import FLAT_RATE, FakePile, open_sealed
from tests.cloud.test_mail import Inbox, serving_mail
from tests.web.conftest import NARROW, Watch, axe_problems, overflow, row
from tests.web.fleet import Fleet, serving
from tests.web.test_phone import CHARGING
from tools.harness.system import System

TEST = "TEST - no money moves"


@pytest.fixture
def fleet(tmp_path: Path, migrated: Path) -> Iterator[Fleet]:
    with serving(tmp_path / "holds", migrated, payment="test", payment_call_s=1) as running:
        yield running


@pytest.fixture
def pile(fleet: Fleet) -> FakePile:
    made = fleet.pile("PILE-1", connectors=1)
    fleet.report(made, 1, said={1: {"status": "Preparing", "plugged": True}})
    return made


def behave(fleet: Fleet, **behaviour: Any) -> None:
    """Tell the provider how to behave from here on."""
    (fleet.cloud.settings.data / "test_provider.db.behaviour").write_text(json.dumps(behaviour))


def answer(fleet: Fleet) -> None:
    """The provider answers again, and what it was silent about is asked once more."""
    behave(fleet)
    fleet.cloud.cashier.run_once(now_s() + 60)


def orders(fleet: Fleet) -> list[dict[str, Any]]:
    return fleet.operator.get("/api/orders").json()["items"]


def play(fleet: Fleet, pile: FakePile, mwh: int) -> Any:
    """The pile takes the latest order, charges, and settles it."""
    message = open_sealed("order", fleet.link.sent(pile.device_id, "order")[-1], pile.key)
    order: Any = SimpleNamespace(order_id=message["order_id"])
    for state in ("Accepted", "Charging"):
        pile.order_status(order.order_id, state)
    fleet.charge(pile, order)
    fleet.settle(pile, order, message, mwh)
    return order


@pytest.fixture
def inbox(fleet: Fleet) -> Iterator[Inbox]:
    """A mail server that the cloud does not know yet."""
    inbox = Inbox()
    with serving_mail(inbox) as port:
        fleet.cloud.settings.mail_port = port
        fleet.cloud.settings.mail_security, fleet.cloud.settings.mail_from = "none", "receipts@example.com"
        yield inbox


def ask_now(page: Page) -> None:
    """Let the page ask the cloud at once for what it asks every few seconds."""
    page.evaluate("dispatchEvent(new Event('online'))")


def facts(page: Page) -> list[str]:
    """The rows of the receipt's payment."""
    rows = page.locator("section:has(.test) dl div").all_inner_texts()
    return [" ".join(each.split()) for each in rows]


def test_a_hold_is_told_refused_taken_in_part_and_given_back(
    fleet: Fleet, pile: FakePile, open_page: Callable[..., Page], watch: Watch
):
    watch.allow("402 (Payment Required)")
    page = open_page(f"{fleet.url}/p/PILE-1", viewport=NARROW)
    page.locator("summary").first.click()
    usual = fleet.operator.get("/api/piles/PILE-1/rate").json()
    for name, value, most, said in (
        ("cost", "9999999", "hold_minor", ""),
        ("time", "20", "hold_minor", "At most "),
        ("time", "1000", "longest_hold_minor", "At most "),  # its limit is 720 without one
    ):
        page.locator(f"#limit-{name}").fill(value)
        held = f"{said}¥{usual[most] // 100:,}.{usual[most] % 100:02} is held first."
        expect(page.locator(".hold")).to_have_text(re.compile("^" + re.escape(held)))
        page.locator(f"#limit-{name}").fill("")
    page.get_by_text("5 kWh").last.click()
    expect(page.locator("#confirm")).to_contain_text(TEST)
    expect(page.locator(".hold")).to_have_text(re.compile(r"^¥6\.\d0 is held first\. Only the bill is taken"))
    behave(fleet, refuse={"authorize": "card_declined"})
    page.locator("#confirm").click()
    expect(page.get_by_role("status")).to_contain_text("The hold was refused")
    assert orders(fleet) == []

    behave(fleet, action=True)
    page.locator("#confirm").click()
    step = page.get_by_role("dialog", name="Before the start")
    expect(step).to_contain_text(TEST)
    assert axe_problems(page) == [] and overflow(page) <= 0
    behave(fleet)
    step.get_by_role("button", name=re.compile("^Hold ¥")).click()
    expect(page.locator("#stop")).to_be_visible()
    expect(page.locator(".hold")).to_contain_text(TEST)
    behave(fleet, silent=["capture"])
    order = play(fleet, pile, 2_500_000)
    expect(page.locator(".pill").first).to_have_text("Being paid")
    answer(fleet)
    expect(page.locator(".pill").first).to_have_text("Paid")
    held = fleet.operator.get("/api/payments").json()["items"][0]["held_minor"]
    assert facts(page) == [
        f"Held before the start ¥{held // 100}.{held % 100:02}",
        "Taken ¥3.50",
        f"Released ¥{(held - 350) // 100}.{(held - 350) % 100:02}",
    ]
    behave(fleet, refuse={"refund": "no"})
    fleet.credit(order, 100)
    fleet.cloud.cashier.run_once(now_s())
    ask_now(page)
    expect(page.locator("section:has(.test)")).to_contain_text("could not be given back yet")
    assert facts(page)[1] == "Taken ¥3.50"
    behave(fleet)
    hold_id = fleet.operator.get("/api/payments").json()["items"][0]["hold_id"]
    assert fleet.operator.post(f"/api/payments/{hold_id}/retry", {}).status == 200
    fleet.cloud.cashier.run_once(now_s())
    ask_now(page)
    expect(page.locator("section:has(.test)")).to_contain_text("Given back")  # on the page that is open
    assert facts(page)[-1] == "Given back ¥1.00"
    expect(page.locator("#total")).to_have_text("¥2.50")
    assert axe_problems(page) == [] and overflow(page) <= 0

    page.locator("#done").click()
    fleet.report(pile, 1, said={1: {"status": "Preparing", "plugged": True}})
    page.locator("#confirm").click()
    expect(page.locator("#stop")).to_be_visible()
    placed: Any = open_sealed("order", fleet.link.sent(pile.device_id, "order")[-1], pile.key)
    fleet.give_up(SimpleNamespace(placed=placed))  # type: ignore[arg-type]
    expect(page.locator("main")).to_contain_text("is still held, because a bill of the pile may still come")
    fleet.cloud.cashier.run_once(now_s() + 3 * 86_400)
    late: Any = SimpleNamespace(order_id=placed["order_id"])
    fleet.settle(pile, late, placed, 1_000_000)
    ask_now(page)
    expect(page.locator(".pill").first).to_have_text("Not paid")


REASONS = {
    "Unknown": "There is no such code",
    "UsedUp": "This code has been used up",
    "Expired": "This code has expired",
    "of another release": "This code cannot be used",
}


def test_a_code_makes_the_charge_free_and_one_that_does_not_says_why(
    fleet: Fleet, pile: FakePile, open_page: Callable[..., Page], watch: Watch
):
    watch.allow("409 (Conflict)")
    code = fleet.operator.post("/api/free-vend", {"reason": "Guests"}).json()["code"]
    page = open_page(f"{fleet.url}/p/PILE-1", viewport=NARROW)
    wrong = {"code": "FreeCodeInvalid"}
    page.route("**/api/orders", lambda route: route.fulfill(status=409, json=wrong))
    page.locator("#have-code").click()
    field = page.get_by_label("Code for a free charge")
    expect(field).to_be_focused()
    for reason, sentence in REASONS.items():
        field.fill("NOT A CODE")
        expect(page.locator(".hold")).to_contain_text("If the code is valid, nothing is held")
        wrong["reason"] = reason
        page.locator("#confirm").click()
        expect(page.locator(".note")).to_contain_text(sentence)
        expect(field).to_have_attribute("aria-invalid", "")
        expect(page.locator(".hold")).to_contain_text("is held first")
    assert orders(fleet) == [] and axe_problems(page) == []

    page.unroute("**/api/orders")
    field.fill(f"{code[:4]}-{code[4:8]} {code[8:]}".lower())
    page.locator("#confirm").click()
    expect(page.locator(".hold")).to_have_text("This charge is free: nothing is to be paid.")
    assert fleet.operator.get("/api/payments").json()["items"] == []
    play(fleet, pile, 2_500_000)
    expect(page.locator(".pill").first).to_have_text("Nothing to pay")
    fleet.cloud.cashier.run_once(now_s())
    expect(row(page, "Total less credits")).to_contain_text("¥0.00")

    site = {"site_id": "SITE-1", "name": "Harbour", "address": "", "time_zone": "UTC", "contact": ""}
    everybody = {"reason": "Opening", "site_id": "SITE-1", "with_code": False}
    for path, body in (
        ("/api/sites", site),
        ("/api/pile-moves", {"selection": "pile:PILE-1", "site_id": "SITE-1"}),
        ("/api/free-vend", everybody),
    ):
        assert fleet.operator.post(path, body).status < 300, path
    page.locator("#done").click()
    expect(page.locator(".hold")).to_have_text(re.compile("^Charging is free here"))


def test_a_receipt_goes_by_mail_and_is_found_again_among_the_phones_own(
    fleet: Fleet, pile: FakePile, inbox: Inbox, open_page: Callable[..., Page], watch: Watch
):
    watch.allow("Failed to load resource")
    page = open_page(f"{fleet.url}/p/PILE-1", viewport=NARROW)
    answers = [(409, {"code": "MailNotSet"}), (422, {"code": "InvalidRequest"})]

    def mail(route: Route) -> None:
        if not answers:
            return route.fallback()
        status, body = answers.pop(0)
        return route.fulfill(status=status, json=body)

    page.route("**/api/orders/*/receipt", mail)
    page.locator("#confirm").click()
    expect(page.locator("#stop")).to_be_visible()
    behave(fleet, silent=["capture"])
    play(fleet, pile, 2_500_000)
    expect(page.locator("#print")).to_be_visible()
    expect(page.get_by_label("Receipt by e-mail")).to_have_count(0)  # this cloud sends none
    fleet.cloud.settings.mail_host = "localhost"
    ask_now(page)
    field = page.get_by_label("Receipt by e-mail")
    field.fill("anna@example")
    field.press("Enter")
    said = page.locator("#mail-said")
    expect(said).to_contain_text("An e-mail address, please")
    field.fill("anna@example.org")
    answer(fleet)
    expect(page.locator(".pill").first).to_have_text("Paid")  # drawn anew meanwhile
    expect(field).to_have_value("anna@example.org")
    for words in ("cannot send e-mail", "An e-mail address, please", "on its way to anna@example.org"):
        page.locator("#send-mail").click()
        expect(said).to_contain_text(words)
    fleet.cloud.courier.run_once(now_s())
    assert [each["to"] for each in inbox.messages] == ["anna@example.org"]
    assert axe_problems(page) == [] and overflow(page) <= 0

    page.locator("#done").click()
    expect(page.locator("#confirm")).to_be_visible()
    page.get_by_text("Your earlier charges and receipts").click()
    link = page.locator(".others").get_by_role("link", name="PILE-1 · connector 1")
    link.focus()
    with page.expect_response("**/api/piles/PILE-1"):
        ask_now(page)
    expect(link).to_be_focused()
    assert axe_problems(page) == [] and overflow(page) <= 0
    link.press("Enter")
    expect(page.locator("#total")).to_have_text("¥3.50")
    page.goto(f"{fleet.url}/p/")  # also where no pile is chosen
    page.get_by_text("Your earlier charges and receipts").click()
    expect(page.get_by_role("link", name="PILE-1 · connector 1")).to_be_visible()


@pytest.mark.system
@pytest.mark.long  # the tests above have the pages, those of the demo have the real pile
def test_the_whole_way_with_a_simulated_pile_and_the_provider_test(
    tmp_path: Path, sim_pile: Callable[..., Any], open_page: Callable[..., Page], open_tap: Any
):
    """Price, hold, charge, capture of less than the hold, refund."""
    with System(tmp_path / "with holds", env={"RATELOCK_PAYMENT": "test"}) as system:
        open_tap(system.broker)
        pile = sim_pile(system, rate=FLAT_RATE, speed=600)
        page = open_page(f"{system.base_url}/p/{pile.device_id}", viewport=NARROW)
        expect(page.locator("#confirm")).to_contain_text(TEST)
        page.locator("summary").first.click()
        page.locator("#limit-cost").fill("20")
        expect(page.locator(".hold")).to_contain_text("¥20.00 is held first.")
        page.locator("#confirm").click()
        expect(page.locator(CHARGING)).to_be_visible()
        expect(page.locator(".hold")).to_contain_text("¥20.00 is held.")
        expect(page.locator(".energy .value")).not_to_have_text("0.00")
        page.locator("#stop").click()
        expect(page.locator(".pill").first).to_have_text("Paid")
        total = page.locator("#total").inner_text()
        minor = int("".join(filter(str.isdigit, total)))
        assert 0 < minor < 2_000
        rest = f"¥{(2_000 - minor) // 100}.{(2_000 - minor) % 100:02}"
        assert facts(page) == ["Held before the start ¥20.00", f"Taken {total}", f"Released {rest}"]
        order_id = system.operator.get("/api/orders").json()["items"][0]["order_id"]
        body = {"amount_minor": 1, "reason": "A trial"}
        credit = system.operator.request(
            "POST",
            f"/api/orders/{order_id}/credits",
            body,
            headers={"Idempotency-Key": "a-trial-of-a-credit"},
        )
        assert credit.status == 201
        expect(row(page, "Credit of")).to_contain_text("-¥0.01")
        expect(page.locator("section:has(.test)")).to_contain_text("Given back")
