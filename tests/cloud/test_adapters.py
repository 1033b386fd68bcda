"""What every adapter of a payment provider does, and what is Stripe's alone."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import ValidationError

from cloud_stub.payments import adapters, port
from cloud_stub.payments.port import Adapter, Call, Outcome
from cloud_stub.payments.stripe_adapter import stripe_amount
from cloud_stub.settings import Settings
from tests.cloud.stripe_mock import HOSTILE, SECRET, WEBHOOK_SECRET, Stripe


def of_stripe(stripe: Stripe) -> dict[str, Any]:
    keys = {"stripe_secret_key": SECRET, "stripe_publishable_key": "pk_test_1"}
    return keys | {"payment": "stripe", "stripe_webhook_secret": WEBHOOK_SECRET, "stripe_api": stripe.url}


class Provider(NamedTuple):
    adapter: Adapter
    allow: Callable[[Outcome], None]  # what the driver does at the provider's step


def paying(stripe: Stripe) -> Callable[[Outcome], None]:
    """The driver enters a card that is good."""

    def pay(made: Outcome) -> None:
        assert made.client is not None
        assert stripe.pay(made.client["client_secret"]) == "requires_capture"

    return pay


@pytest.fixture(params=["test", "stripe"])
def provider(request: pytest.FixtureRequest, tmp_path: Path, stripe: Stripe) -> Iterator[Provider]:
    more: dict[str, Any] = of_stripe(stripe) if request.param == "stripe" else {"payment": "test"}
    adapter = adapters.make(Settings(data=tmp_path, payment_call_s=1, **more))
    assert adapter is not None
    yield Provider(adapter, paying(stripe) if request.param == "stripe" else _)
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
    ref = held(Provider(adapter, paying(stripe)))
    stripe.hostile = hostile
    asked = call(port.CAPTURE, 350, ref)
    with pytest.raises(port.ProviderSilent) as silent:
        adapter.capture(asked)
    assert adapter.look_up(asked) == Outcome(port.DONE, ref)
    assert [each.amount_received for each in stripe.intents()] == [350]
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
    (intent,) = stripe.intents()
    client = {"publishable_key": "pk_test_1", "client_secret": intent.client_secret}
    assert made == Outcome(port.ACTION_NEEDED, intent.id, client=client)


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


def test_stripe_needs_all_its_keys_and_shows_none(
    stripe: Stripe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    some = of_stripe(stripe)
    some.pop("stripe_webhook_secret")
    with pytest.raises(ValidationError, match="RATELOCK_STRIPE_WEBHOOK_SECRET"):
        Settings(data=tmp_path, **some)
    settings = Settings(data=tmp_path, **of_stripe(stripe))
    assert "never_to_be_told" not in repr(settings)
    monkeypatch.setenv("STRIPE_LOG", "debug")
    adapters.make(settings)
    assert "STRIPE_LOG" not in os.environ
