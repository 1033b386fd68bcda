"""The provider's step before the start: its form, played by a script, and the same confirmation again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from cloud_stub.pages import assets
from tests.cloud.fakes import FLAT_RATE
from tests.web.conftest import NARROW, Watch, axe_problems, overflow
from tests.web.fleet import Fleet

SCRIPT = "https://js.stripe.com/v3/"
SECRET = "pi_1_secret_2"
# As much of Stripe.js as the page uses: the card 4000 is declined.
SCRIPTED_STRIPE = """
window.Stripe = (key, { locale }) => ({
  elements: ({ clientSecret }) => ({
    key, locale, clientSecret,
    create: (kind) => ({
      mount: (place) => {
        const input = document.createElement("input");
        input.setAttribute("aria-label", "Card of " + key);
        place.append(input);
      }
    })
  }),
  confirmPayment: async ({ elements, redirect, confirmParams }) => {
    if (elements.clientSecret !== "SECRET" || redirect !== "if_required") throw new Error("not as asked");
    if (!confirmParams.return_url.startsWith(location.origin)) throw new Error("comes back to nowhere");
    const isDeclined = document.querySelector(".provider input").value === "4000";
    return isDeclined ? { error: { message: "Your card was declined." } } : { paymentIntent: {} };
  }
});
""".replace("SECRET", SECRET)
NEEDED = {
    "code": "PaymentNeeded",
    "title": "Payment needed",
    "hold_id": "h1",
    "amount_minor": 2_000,
    "currency": "CNY",
    "adapter": "stripe",
    "client": {"publishable_key": "pk_test_1", "client_secret": SECRET},
}


@pytest.fixture
def asked() -> list[tuple[str, Any]]:
    """(Idempotency-Key, body) of each confirmation."""
    return []


@pytest.fixture
def page(
    fleet: Fleet, open_page: Callable[..., Page], new_context: Any, watch: Watch, asked, monkeypatch
) -> Page:
    """A phone whose first confirmation needs the provider's step; the next one goes through to the cloud."""
    monkeypatch.setattr("cloud_stub.pages.phone._payment_of", lambda cloud: "stripe")
    watch.allow("402 (Payment Required)")
    watch.allow("asked " + SCRIPT)
    pile = fleet.pile("RIVER-1", rate=FLAT_RATE, connectors=1)
    fleet.report(pile, connectors=1, said={1: {"status": "Preparing", "plugged": True}})
    context = new_context(viewport=NARROW)

    def confirm(route: Route) -> None:
        if route.request.method != "POST":
            return route.continue_()
        asked.append((route.request.headers["idempotency-key"], route.request.post_data_json))
        if len(asked) < 2:
            return route.fulfill(status=402, json=NEEDED)
        return route.continue_()

    context.route("**/api/orders", confirm)
    context.route(SCRIPT, lambda route: route.fulfill(content_type="text/javascript", body=SCRIPTED_STRIPE))
    made = open_page(f"{fleet.url}/p/RIVER-1", context)
    expect(made.locator("#confirm")).to_be_enabled()
    return made


def orders(fleet: Fleet) -> list[dict[str, Any]]:
    return fleet.operator.get("/api/orders").json()["items"]


def test_a_declined_card_starts_nothing_and_another_one_starts_the_same_order(
    page: Page, fleet: Fleet, asked
):
    page.locator("#confirm").click()
    dialog = page.get_by_role("dialog", name="Before the start")
    expect(dialog).to_contain_text("¥20.00 is held first. Only the bill is taken")
    card = dialog.get_by_label("Card of pk_test_1")
    card.fill("4000")
    assert overflow(page) <= 0 and axe_problems(page) == []
    page.locator("#hold").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Your card was declined.")
    assert orders(fleet) == []
    card.fill("4242")
    page.locator("#hold").click()
    expect(page.get_by_role("heading", name="Starting")).to_be_visible()
    assert len(orders(fleet)) == 1 and len(asked) == 2
    assert asked[0] == asked[1]  # the same key and body


def test_who_gives_the_step_up_starts_nothing_and_the_next_press_is_another_confirmation(
    page: Page, fleet: Fleet, asked
):
    page.locator("#confirm").click()
    page.locator("#give-up").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("#confirm")).to_be_enabled()
    page.reload()
    expect(page.locator("#confirm")).to_be_enabled()
    assert orders(fleet) == [] and len(asked) == 1
    page.locator("#confirm").click()
    expect(page.get_by_role("heading", name="Starting")).to_be_visible()
    assert asked[0][0] != asked[1][0]


def test_who_comes_back_from_the_providers_own_page_starts_by_it(page: Page, fleet: Fleet, asked):
    page.locator("#confirm").click()
    expect(page.locator("#hold")).to_be_enabled()
    page.goto("about:blank")
    page.goto(f"{fleet.url}/p/RIVER-1?payment_intent=pi_1&redirect_status=succeeded")
    expect(page.get_by_role("heading", name="Starting")).to_be_visible()
    assert asked[0] == asked[1]


def test_a_provider_that_cannot_be_reached_is_told_and_starts_nothing(page: Page, fleet: Fleet, watch: Watch):
    watch.allow("net::ERR_")
    page.context.route(SCRIPT, lambda route: route.abort())
    page.locator("#confirm").click()
    expect(page.get_by_role("status")).to_contain_text("The payment step could not be shown")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert orders(fleet) == []


def test_only_the_page_of_that_adapter_may_load_from_the_provider_and_only_from_it(
    page: Page, fleet: Fleet, monkeypatch
):
    def policy() -> str:
        return page.request.get(f"{fleet.url}/p/RIVER-1").headers["content-security-policy"]

    assert "script-src 'self' https://js.stripe.com; " in policy()
    assert "connect-src 'self' https://api.stripe.com; " in policy()
    assert "unsafe" not in policy()
    monkeypatch.undo()
    assert policy() == assets.CONTENT_SECURITY_POLICY
