"""What every adapter of a payment provider does, and what is Stripe's alone."""

import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from cloud_stub.base.clock import now_s
from cloud_stub.base.problems import Problem
from cloud_stub.cloud import Cloud
from cloud_stub.payments import adapters, port
from cloud_stub.payments.port import Adapter, Call, Outcome
from cloud_stub.payments.stripe_adapter import stripe_amount
from cloud_stub.settings import Settings
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FakePile, new_key
from tests.cloud.stripe_server import HOSTILE, Stripe, serving
from tests.cloud.test_operator import problem

SECRET, WEBHOOK_SECRET = "sk_test_never_to_be_told", "whsec_never_to_be_told"


@pytest.fixture
def stripe() -> Iterator[Stripe]:
    with serving() as found:
        yield found


def of_stripe(stripe: Stripe) -> dict[str, Any]:
    keys = {"stripe_secret_key": SECRET, "stripe_publishable_key": "pk_test_1"}
    return keys | {"payment": "stripe", "stripe_webhook_secret": WEBHOOK_SECRET, "stripe_api": stripe.url}


class Provider(NamedTuple):
    adapter: Adapter
    allow: Callable[[Outcome], None]  # what the driver does at the provider's step


@pytest.fixture(params=["test", "stripe"])
def provider(request: pytest.FixtureRequest, tmp_path: Path, stripe: Stripe) -> Iterator[Provider]:
    more: dict[str, Any] = of_stripe(stripe) if request.param == "stripe" else {"payment": "test"}
    adapter = adapters.make(Settings(data=tmp_path, payment_call_s=1, **more))
    assert adapter is not None
    yield Provider(
        adapter, (lambda made: stripe.confirm(made.ref or "")) if more != {"payment": "test"} else _
    )
    if hasattr(adapter, "close"):
        adapter.close()  # pyright: ignore


def _(_: Outcome) -> None:
    pass


def call(kind: str, minor: int, ref: str | None = None, key: str | None = None) -> Call:
    return Call(kind, key or f"k-{kind}-{minor}", "h-1", "o-1", minor, "CNY", 2, ref)


def held(provider: Provider, minor: int = 1000) -> str:
    """The provider's name of a hold that the driver has allowed."""
    asked = call(port.AUTHORIZE, minor)
    made = provider.adapter.authorize(asked)
    provider.allow(made)
    found = provider.adapter.look_up(asked._replace(hold_ref=made.ref))
    assert found is not None and found.state == port.DONE and found.ref
    return found.ref


def test_less_than_the_hold_is_captured_once(provider: Provider):
    ref = held(provider)
    asked = call(port.CAPTURE, 350, ref)
    assert provider.adapter.look_up(asked) is None
    assert provider.adapter.capture(asked).state == port.DONE
    assert provider.adapter.capture(asked).state == port.DONE
    found = provider.adapter.look_up(asked)
    assert found is not None and found.state == port.DONE
    assert provider.adapter.release(call(port.RELEASE, 1000, ref)).state == port.REFUSED


def test_no_more_than_the_hold_is_captured(provider: Provider):
    assert provider.adapter.capture(call(port.CAPTURE, 1001, held(provider))).state == port.REFUSED


def test_a_released_hold_is_not_captured(provider: Provider):
    ref = held(provider)
    asked = call(port.RELEASE, 1000, ref)
    assert provider.adapter.look_up(asked) is None
    assert [provider.adapter.release(asked).state for _ in range(2)] == [port.DONE, port.DONE]
    assert provider.adapter.capture(call(port.CAPTURE, 350, ref)).state == port.REFUSED


def test_refunds_are_made_once_each_and_never_more_than_was_captured(provider: Provider):
    ref = held(provider)
    provider.adapter.capture(call(port.CAPTURE, 350, ref))
    asked = call(port.REFUND, 100, ref, "k-1")
    assert provider.adapter.look_up(asked) is None
    assert [provider.adapter.refund(asked).state for _ in range(2)] == [port.DONE, port.DONE]
    found = provider.adapter.look_up(asked)
    assert found is not None and found.state == port.DONE
    assert provider.adapter.refund(asked._replace(key="k-2", amount_minor=251)).state == port.REFUSED
    assert provider.adapter.refund(asked._replace(key="k-3", amount_minor=250)).state == port.DONE


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_capture_without_a_usable_answer_is_found_again(
    stripe: Stripe, tmp_path: Path, hostile: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    adapter = adapters.make(Settings(data=tmp_path, payment_call_s=1, **of_stripe(stripe)))
    assert adapter is not None
    ref = held(Provider(adapter, lambda made: stripe.confirm(made.ref or "")))
    stripe.hostile = hostile
    asked = call(port.CAPTURE, 350, ref)
    with pytest.raises(port.ProviderSilent) as silent:
        adapter.capture(asked)
    assert adapter.look_up(asked) == Outcome(port.DONE, ref)
    assert stripe.intents[ref]["amount_received"] == 350
    assert "never_to_be_told" not in str(silent.value) + caplog.text


def test_a_hold_without_an_answer_is_made_once(stripe: Stripe, tmp_path: Path):
    adapter = adapters.make(Settings(data=tmp_path, payment_call_s=1, **of_stripe(stripe)))
    assert adapter is not None
    asked = call(port.AUTHORIZE, 1000)
    stripe.hostile = "500"
    with pytest.raises(port.ProviderSilent):
        adapter.authorize(asked)
    assert adapter.look_up(asked) is None
    made = adapter.authorize(asked)
    client = {"publishable_key": "pk_test_1", "client_secret": "pi_1_secret"}
    assert (made, len(stripe.intents)) == (Outcome(port.ACTION_NEEDED, "pi_1", client=client), 1)


@pytest.mark.parametrize(
    ("currency", "digits", "amount"),
    [
        ("CNY", 2, 350),
        ("JPY", 0, 350),
        ("ISK", 0, 35000),
        ("UGX", 0, 35000),
        ("KWD", 3, None),
        ("MGA", 2, None),
    ],
)
def test_amounts_are_in_the_units_of_stripe(currency: str, digits: int, amount: int | None):
    assert stripe_amount(350, currency, digits) == amount


def test_stripe_needs_all_its_keys_and_shows_none(stripe: Stripe, tmp_path: Path):
    some = of_stripe(stripe)
    some.pop("stripe_webhook_secret")
    with pytest.raises(ValidationError, match="RATELOCK_STRIPE_WEBHOOK_SECRET"):
        Settings(data=tmp_path, **some)
    assert "never_to_be_told" not in repr(Settings(data=tmp_path, **of_stripe(stripe)))


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    if "stripe" not in request.fixturenames:
        return settings
    return Settings(**(settings.model_dump() | of_stripe(request.getfixturevalue("stripe"))))


def signed(body: bytes, at: int) -> dict[str, str]:
    mac = hmac.new(WEBHOOK_SECRET.encode(), b"%d.%s" % (at, body), hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={at},v1={mac}"}


def told(stripe: Stripe, type_: str) -> bytes:
    return json.dumps({"id": "evt_1", "type": type_, "data": {"object": stripe.intents["pi_1"]}}).encode()


def test_an_order_is_held_by_the_driver_and_captured(
    stripe: Stripe, cloud: Cloud, phone: Phone, pile: FakePile
):
    key = new_key()
    send = lambda: phone.client.post("/api/orders", json=phone.body(cost_minor=1000), headers=key)  # noqa: E731
    needed = problem(send(), 402, "PaymentNeeded")
    assert needed["client"] == {"publishable_key": "pk_test_1", "client_secret": "pi_1_secret"}
    stripe.confirm("pi_1")
    held_event = told(stripe, "payment_intent.amount_capturable_updated")
    for _ in range(2):
        answer = phone.client.post(
            "/api/payments/stripe/events", content=held_event, headers=signed(held_event, now_s())
        )
        assert answer.json() == {"events": 1}
    made = send()
    assert (made.status_code, made.json()["payment"]["state"]) == (201, "Held")


def test_events_that_stripe_has_not_signed_just_now_are_refused(
    stripe: Stripe, cloud: Cloud, client: TestClient
):
    body = b'{"id": "evt_1"}'
    address = "/api/payments/stripe/events"
    for headers in ({}, signed(b"other", now_s()), signed(body, now_s() - 400), signed(body, now_s())):
        problem(client.post(address, content=body, headers=headers), 400, "EventRefused")
    problem(client.post("/api/payments/test/events", content=body), 404, "UnknownAdapter")
    with pytest.raises(Problem):
        cloud.cashier.adapter.webhook({}, b"\xff")  # pyright: ignore
