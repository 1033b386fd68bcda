"""Orders paid by Stripe, against a stateful mock of another make: from the driver's card to the refund."""

import json
import logging
import queue
import sqlite3
import threading
import time
from typing import Any

import pytest
import stripe as library
from fastapi.testclient import TestClient
from sqlalchemy import text

from cloud_stub.base.clock import now_s
from cloud_stub.base.problems import Problem
from cloud_stub.cloud import Cloud
from cloud_stub.payments import port, stripe_adapter
from cloud_stub.settings import Settings
from tests.cloud.conftest import Phone
from tests.cloud.fakes import WAIT_S, FakePile, new_key
from tests.cloud.stripe_mock import DECLINED, SECRET, VISA, WEBHOOK_SECRET, WITH_3D_SECURE, Stripe
from tests.cloud.test_adapters import of_stripe
from tests.cloud.test_holds import credit, run
from tests.cloud.test_operator import problem
from tests.servers import serving

EVENTS = "/api/payments/stripe/events"
HELD, CAPTURED = "payment_intent.amount_capturable_updated", "payment_intent.succeeded"


@pytest.fixture
def settings(settings: Settings, stripe: Stripe) -> Settings:
    more: dict[str, Any] = of_stripe(stripe) | {"payment_call_s": 5}
    return Settings(**(settings.model_dump() | more))


class Driver:
    """A driver with a card. `order` is the answer to the last confirmation."""

    def __init__(self, phone: Phone, stripe: Stripe):
        self.phone = phone
        self.stripe = stripe
        self.key = new_key()
        self.body = phone.body(cost_minor=1000)

    def ask(self) -> Any:
        made = self.phone.client.post("/api/orders", json=self.body, headers=self.key)
        if made.status_code in (200, 201):
            self.phone.order_id, self.phone.token = made.json()["order_id"], made.json().get("token", "")
        return made

    def enters(self, number: str = VISA) -> str:
        """Ask for a form and enter a card there; what Stripe says of it."""
        client = problem(self.ask(), 402, "PaymentNeeded")["client"]
        assert client["publishable_key"] == "pk_test_1"
        return self.stripe.pay(client["client_secret"], number)


@pytest.fixture
def driver(phone: Phone, pile: FakePile, stripe: Stripe) -> Driver:
    return Driver(phone, stripe)


def signed(body: bytes, at: int, secret: str = WEBHOOK_SECRET) -> dict[str, str]:
    mac = library.WebhookSignature._compute_signature(f"{at}.{body.decode()}", secret)
    return {"Stripe-Signature": f"t={at},v1={mac}"}


def tell(client: TestClient, event: dict[str, Any]) -> int:
    """Hand an event of Stripe's in, twice, as Stripe may; how many calls it was about."""
    body = json.dumps(event).encode()
    first, again = (client.post(EVENTS, content=body, headers=signed(body, now_s())) for _ in range(2))
    assert first.status_code == again.status_code == 200 and first.json() == again.json()
    return first.json()["events"]


def charged(phone: Phone, pile: FakePile) -> None:
    pile.order_status(phone.order_id, "Accepted")
    pile.settle(phone.message(pile), 2_500_000)


def differences(operator: Any) -> list[tuple[str, str]]:
    """Yesterday to tomorrow, because the test may run at midnight."""
    first, last = (time.strftime("%Y-%m-%d", time.gmtime(now_s() + day)) for day in (-86_400, 86_400))
    found = operator("GET", f"/api/reports/reconciliation?from={first}&to={last}")
    assert found.status_code == 200, found.text
    return [(each["what"], each["kind"]) for each in found.json()["differences"]]


@pytest.fixture
def by_hand(cloud: Cloud) -> None:
    """What is due is done by `run` alone."""
    cloud.context.hub.ended = lambda order_id: None


@pytest.mark.parametrize("first", ["the answer", "the webhook", "no answer"])
def test_answers_and_webhooks_may_come_in_any_order_and_answers_not_at_all(
    cloud: Cloud,
    driver: Driver,
    phone: Phone,
    pile: FakePile,
    stripe: Stripe,
    operator: Any,
    by_hand: None,
    first: str,
):
    def happens(type_: str) -> dict[str, Any]:
        """What is due is done, and its event is told; the order's payment then."""
        if first == "no answer":
            stripe.hostile = "500"
        if first == "the webhook":
            stripe.hostile = "hang"
            stripe.released.clear()
            making = threading.Thread(target=run, args=(cloud,))
            making.start()
            assert tell(phone.client, stripe.told(type_)) == 1
            before = phone.get()["payment"]
            stripe.released.set()
            making.join(WAIT_S)
            assert phone.get()["payment"] == before
            return before
        run(cloud)
        before = phone.get()["payment"]
        assert tell(phone.client, stripe.told(type_)) == 1
        assert phone.get()["payment"] == before
        return before

    if first == "no answer":
        stripe.hostile = "500"
        problem(driver.ask(), 503, "PaymentUnavailable")
    assert driver.enters() == "requires_capture"
    if first == "the webhook":
        assert tell(phone.client, stripe.told(HELD)) == 1
    made = driver.ask()
    assert (made.status_code, made.json()["payment"]["state"]) == (201, "Held")
    assert tell(phone.client, stripe.told(HELD)) == 1
    assert phone.get()["payment"]["state"] == "Held"
    charged(phone, pile)
    payment = happens(CAPTURED)
    amounts = ("held_minor", "captured_minor", "released_minor", "refunded_minor")
    assert (payment["state"], [payment[name] for name in amounts]) == ("Captured", [1000, 350, 650, 0])
    credit(phone, 100)
    assert happens("refund.created")["refunded_minor"] == 100
    (intent,) = stripe.intents()
    assert (intent.status, intent.amount_received) == ("succeeded", 350)
    assert [event["type"] for event in stripe.events] == [HELD, CAPTURED, "refund.created"]
    assert differences(operator) == []


def test_cards_that_are_declined_or_ask_for_more_and_a_driver_who_gives_up(
    cloud: Cloud, driver: Driver, phone: Phone, stripe: Stripe, operator: Any, by_hand: None
):
    assert driver.enters(WITH_3D_SECURE) == "requires_capture"
    assert driver.ask().status_code == 201
    another = Driver(phone, stripe)
    another.body["connector"] = 2
    assert another.enters(DECLINED) == "card_declined"
    for after_s in (1000, 2000):
        run(cloud, after_s=after_s)
    states = [(each.status, each.amount_received) for each in stripe.intents()]
    assert states == [("requires_capture", 0), ("canceled", 0)]
    problem(another.ask(), 402, "PaymentRefused")
    assert differences(operator) == []


def test_what_was_done_by_hand_at_stripe_is_named(
    cloud: Cloud,
    driver: Driver,
    phone: Phone,
    pile: FakePile,
    stripe: Stripe,
    operator: Any,
    by_hand: None,
):
    driver.enters()
    driver.ask()
    charged(phone, pile)
    run(cloud)
    (intent,) = stripe.intents()
    stripe.by_hand("refunds", payment_intent=intent.id, amount="50")
    another = Driver(phone, stripe)
    another.enters()
    another.ask()
    stripe.by_hand(f"payment_intents/{stripe.intents()[1].id}/cancel")  # as Stripe does when a hold lapses
    charged(phone, pile)
    run(cloud)
    payment = phone.get()["payment"]
    assert (payment["state"], payment["reason"]) == ("CaptureRefused", "canceled")
    stripe.by_hand(
        "payment_intents", amount="700", currency="cny", capture_method="manual"
    )  # of another shop
    assert sorted(differences(operator)) == [("MissingHere", "refund"), ("MissingHere", "release")]


def test_events_that_are_not_stripe_s_or_not_of_now_are_refused_and_counted(
    cloud: Cloud, driver: Driver, phone: Phone, stripe: Stripe
):
    driver.enters()
    event = stripe.told(HELD)
    body = json.dumps(event).encode()
    now = now_s()
    wrong = [
        (body, {}),
        (body, signed(b"other", now)),
        (body, signed(body, now, "whsec_of_another")),
        (body, signed(body, now - 400)),
        (body.replace(b"1000", b"9999"), signed(body, now)),
        (b'{"id": "evt_1"}', signed(b'{"id": "evt_1"}', now)),
        (b"[]", signed(b"[]", now)),
    ]
    for content, headers in wrong:
        problem(phone.client.post(EVENTS, content=content, headers=headers), 400, "EventRefused")
    with pytest.raises(Problem):
        cloud.cashier.adapter.webhook({}, b"\xff")  # pyright: ignore
    problem(phone.client.post("/api/payments/test/events", content=body), 404, "UnknownAdapter")
    event["data"]["object"]["metadata"] = {"authorize": "k-none"}
    assert tell(phone.client, event) == 1
    assert tell(phone.client, event | {"type": "customer.created"}) == 0
    event["data"]["object"]["metadata"] = {}
    assert tell(phone.client, event) == 0
    counted = cloud.metrics.payment_events
    assert [counted.labels(each)._value.get() for each in ("refused", "unknown", "known")] == [
        len(wrong),
        2,
        0,
    ]


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_from_the_card_to_the_refund_with_stripe_s_own_webhooks_and_nothing_secret_is_kept(
    cloud: Cloud,
    driver: Driver,
    phone: Phone,
    pile: FakePile,
    stripe: Stripe,
    operator: Any,
    by_hand: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "stripe")
    arrived: queue.SimpleQueue[str] = queue.SimpleQueue()
    hear = cloud.cashier.hear

    def noted(key: str) -> Any:
        heard = hear(key)
        heard.add_done_callback(lambda _: arrived.put(key))
        return heard

    monkeypatch.setattr(cloud.cashier, "hear", noted)
    with serving(cloud, lifespan="off") as address:
        stripe.subscribe(address + EVENTS)
        driver.enters()
        arrived.get(timeout=WAIT_S)
        assert operator("GET", "/api/payments").json()["items"][0]["state"] == "Held"
        assert driver.ask().status_code == 201
        charged(phone, pile)
        run(cloud)
        credit(phone, 100)
        run(cloud)
        for _ in range(2):  # of the capture and the refund, which are done
            arrived.get(timeout=WAIT_S)
    order = phone.get()
    assert (order["state"], order["payment"]["refunded_minor"]) == ("Paid", 100)
    lines = operator("GET", f"/api/audit?order_id={phone.order_id}").json()["items"]
    told = {line["action"]: line["detail"] for line in lines}
    made = operator("GET", "/api/audit?action=HoldMade").json()["items"]  # before there was an order
    assert [line["detail"] for line in made] == ["10.00 CNY"]
    assert (told["HoldCaptured"], told["PaymentRefunded"]) == ("3.50 CNY", "1.00 CNY")
    kept = sqlite3.connect(cloud.settings.data / "cloud.db")
    texts = {"the database": "\n".join(kept.iterdump())}
    kept.close()
    texts["the log"] = caplog.text + "".join(capsys.readouterr())
    texts["the audit and the lists"] = str(lines) + operator("GET", "/api/payments").text
    (intent,) = stripe.intents()
    for name, kept_text in texts.items():
        assert phone.order_id in kept_text, name
        for secret in (VISA, SECRET, WEBHOOK_SECRET, intent.client_secret):
            assert secret not in kept_text, name


@pytest.fixture
def paid(cloud: Cloud, driver: Driver, phone: Phone, pile: FakePile, by_hand: None) -> None:
    """An order of which 3.50 was captured, and 1.00 refunded."""
    driver.enters()
    driver.ask()
    charged(phone, pile)
    run(cloud)
    credit(phone, 100)
    run(cloud)


def test_an_event_is_not_believed_but_looked_up(
    cloud: Cloud, driver: Driver, phone: Phone, stripe: Stripe, paid: None
):
    """Signed events that are not true, that come late, and that are about calls of nobody here."""
    before = phone.get()["payment"]
    refund, held = stripe.told("refund.created"), stripe.told(HELD)
    refund["data"]["object"]["status"] = "failed"
    assert tell(phone.client, refund | {"type": "refund.failed"}) == 1
    assert tell(phone.client, held) == 1  # of before
    assert phone.get()["payment"] == before
    another = Driver(phone, stripe)
    problem(another.ask(), 402, "PaymentNeeded")
    (_, intent) = stripe.intents()
    held["data"]["object"]["metadata"] = intent.metadata
    assert tell(phone.client, held) == 1  # the driver has entered no card
    problem(another.ask(), 402, "PaymentNeeded")
    with cloud.store.writing.begin() as conn:
        conn.execute(text("UPDATE payment_holds SET adapter = 'test'"))
    assert cloud.cashier.hear(intent.metadata["authorize"]).result() is False


def test_an_event_while_stripe_does_not_answer_has_to_come_again(
    driver: Driver, phone: Phone, stripe: Stripe
):
    driver.enters()
    body = json.dumps(stripe.told(HELD)).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stripe_adapter.StripeAdapter, "_ask", silent)
        problem(
            phone.client.post(EVENTS, content=body, headers=signed(body, now_s())), 503, "PaymentUnavailable"
        )
    assert phone.client.post(EVENTS, content=body, headers=signed(body, now_s())).status_code == 200


def silent(*_: Any) -> None:
    raise port.ProviderSilent("no answer")


@pytest.mark.parametrize(
    "what, by", [("amount", "event"), ("part", "answer"), ("currency", "answer"), ("hold", "event")]
)
def test_no_order_is_made_on_less_than_what_was_to_be_held(
    cloud: Cloud,
    driver: Driver,
    phone: Phone,
    stripe: Stripe,
    operator: Any,
    by_hand: None,
    what: str,
    by: str,
):
    driver.enters()
    (intent,) = stripe.intents()
    if what == "part":
        intent._capturable = 999
    elif what == "hold":
        intent.metadata["hold_id"] = "h-other"
    else:
        setattr(intent, what, {"amount": 999, "currency": "jpy"}[what])
    if by == "event":
        tell(phone.client, stripe.told(HELD))
    assert problem(driver.ask(), 402, "PaymentRefused")["reason"] == "amount_differs"
    assert operator("GET", "/api/orders").json()["items"] == []
    assert [each["kind"] for each in operator("GET", "/api/events").json()["items"]][:1] == ["HoldRefused"]
    run(cloud)
    assert intent.status == "canceled"


def test_a_capture_and_a_refund_of_another_amount_are_told_and_not_made_again(
    cloud: Cloud, driver: Driver, phone: Phone, pile: FakePile, stripe: Stripe, operator: Any, by_hand: None
):
    def found() -> tuple[str, str, int]:
        payment = phone.get()["payment"]
        tried = operator("POST", f"/api/payments/{payment['hold_id']}/retry")
        return payment["state"], payment["reason"], tried.status_code

    driver.enters()
    driver.ask()
    charged(phone, pile)
    stripe.by_hand(f"payment_intents/{stripe.intents()[0].id}/capture", amount_to_capture="200")
    run(cloud)
    assert found() == ("CaptureRefused", "amount_differs", 409)
    driver = Driver(phone, stripe)
    driver.enters()
    driver.ask()
    charged(phone, pile)
    run(cloud)
    credit(phone, 100)
    stripe.short = 10
    run(cloud)
    assert found() == ("RefundRefused", "amount_differs", 409)


def test_a_refund_that_fails_after_it_was_done_is_looked_up(phone: Phone, stripe: Stripe, paid: None):
    (refund,) = stripe.refunds()
    for status, state in (("pending", "Captured"), ("canceled", "RefundRefused")):
        refund.status = status
        tell(phone.client, stripe.told("refund.created") | {"type": "refund.updated"})
        assert phone.get()["payment"]["state"] == state
