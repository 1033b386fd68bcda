"""The provider `stripe`: a hold is a PaymentIntent with manual capture. Card data reaches Stripe only.

The driver's browser confirms the PaymentIntent with its client secret; the cloud sets the amount. The key of
a call is Stripe's idempotency key, and is in the metadata of the object that the call creates.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import stripe

from ..base.problems import Problem
from ..settings import Settings
from . import port
from .port import Call, Event, Outcome, ReportRow

logging.getLogger("stripe").addFilter(lambda _: False)  # the library logs client secrets

SIGNATURE_AGE_S = 300  # an older event is refused
EVENTS_KEPT_S = 30 * 86_400
# Currencies whose minor unit at Stripe differs from ISO 4217 (docs.stripe.com/currencies). ISK and UGX have
# two decimal places there; MGA has none.
_DIGITS = {"ISK": 2, "UGX": 2, "MGA": 0}
_HELD = "payment_intent.amount_capturable_updated"
_CAPTURED = "payment_intent.succeeded"
_RELEASED = "payment_intent.canceled"
_REFUNDS = ("refund.created", "refund.updated", "refund.failed")
_KINDS = {_HELD: port.AUTHORIZE, _CAPTURED: port.CAPTURE, _RELEASED: port.RELEASE}
_KINDS |= dict.fromkeys(_REFUNDS, port.REFUND)
_PER_MINOR = {"ISK": 100, "UGX": 100}  # Stripe's units per minor unit of ISO 4217, if not 1
_REFUND_STATES = {"succeeded": port.DONE, "failed": port.REFUSED, "canceled": port.REFUSED}


def stripe_amount(amount_minor: int, currency: str, minor_digits: int) -> int | None:
    """The amount in Stripe's units; None if Stripe cannot take every amount of the currency. Stripe takes
    currencies with three decimal places in multiples of ten only, and MGA without its minor unit.
    """
    digits = _DIGITS.get(currency, minor_digits)
    if minor_digits > 2 or digits < minor_digits:
        return None
    return amount_minor * 10 ** (digits - minor_digits)


class StripeAdapter:
    """An Adapter (port.py)."""

    name = "stripe"
    is_test = False
    report_kept_s: int | None = EVENTS_KEPT_S

    def __init__(self, settings: Settings):
        """settings: all keys of Stripe must be set."""
        self._publishable_key = settings.stripe_publishable_key
        self._webhook_secret = _secret_text(settings.stripe_webhook_secret)
        bases: Any = {"api": settings.stripe_api} if settings.stripe_api else None
        self._stripe = stripe.StripeClient(
            _secret_text(settings.stripe_secret_key),
            http_client=stripe.RequestsClient(timeout=settings.payment_call_s),
            max_network_retries=0,  # the cashier looks an open call up before it repeats it
            base_addresses=bases or {},
        )

    def authorize(self, call: Call) -> Outcome:
        amount = stripe_amount(call.amount_minor, call.currency, call.minor_digits)
        if amount is None:
            return Outcome(port.REFUSED, reason="currency_not_supported")
        params: Any = {
            "amount": amount,
            "currency": call.currency.lower(),
            "capture_method": "manual",
            "payment_method_types": ["card"],
            "metadata": {"authorize": call.key, "hold_id": call.hold_id},
        }
        made = self._ask(lambda: self._stripe.v1.payment_intents.create(params, _with_key(call)))
        # Stripe answers a repeated key with its first answer, so the current state is read.
        return made if isinstance(made, Outcome) else self._intent(call, made["id"])

    def capture(self, call: Call) -> Outcome:
        params: Any = {"amount_to_capture": _amount(call), "metadata": {"capture": call.key}}
        done = self._ask(lambda: self._stripe.v1.payment_intents.capture(_ref(call), params, _with_key(call)))
        return self._outcome_after(call, done)

    def release(self, call: Call) -> Outcome:
        done = self._ask(lambda: self._stripe.v1.payment_intents.cancel(_ref(call), {}, _with_key(call)))
        return self._outcome_after(call, done)

    def refund(self, call: Call) -> Outcome:
        params: Any = {
            "payment_intent": _ref(call),
            "amount": _amount(call),
            "metadata": {"refund": call.key},
        }
        done = self._ask(lambda: self._stripe.v1.refunds.create(params, _with_key(call)))
        return done if isinstance(done, Outcome) else _of_refund(call, done)

    def look_up(self, call: Call) -> Outcome | None:
        """None for a hold whose reference is not known here: authorize() with the same key finds it."""
        if call.hold_ref is None:
            return None
        if call.kind == port.REFUND:
            return self._find_refund(call)
        return self._intent(call, call.hold_ref)

    def webhook(self, headers: Mapping[str, str], body: bytes) -> list[Event]:
        """Raises Problem (EventRefused) if the signature is wrong, or the event is old or cannot be read."""
        try:
            signature = headers.get("stripe-signature", "")
            stripe.WebhookSignature.verify_header(
                body.decode(), signature, self._webhook_secret, SIGNATURE_AGE_S
            )
            found = json.loads(body)
            key = _key_of(found["type"], found["data"]["object"])
            return [] if key is None else [Event(str(found["id"]), str(key))]
        except (stripe.StripeError, ValueError, KeyError, TypeError, AttributeError):
            raise Problem(400, "EventRefused", "The event's signature, age or content is wrong") from None

    def report(self, from_at: int, until_at: int) -> Iterable[ReportRow]:
        """From Stripe's events, including those about objects that the cloud did not create: these have no
        key.
        """
        types = [_HELD, _CAPTURED, _RELEASED, *_REFUNDS]
        params: Any = {"types": types, "created": {"gte": from_at, "lt": until_at}, "limit": 100}

        newest_first = self._all(lambda: self._stripe.v1.events.list(params), _report_row)
        if isinstance(newest_first, Outcome):
            raise port.ProviderSilent(f"Stripe gives no report: {newest_first.reason}")
        rows = [each for each in reversed(newest_first) if each is not None]
        return {(row.kind, row.ref): row for row in rows}.values()  # the newest has a refund's outcome

    def _intent(self, call: Call, ref: str) -> Any:
        found = self._ask(lambda: self._stripe.v1.payment_intents.retrieve(ref))
        return found if isinstance(found, Outcome) else self._state(call, found)

    def _state(self, call: Call, intent: dict[str, Any]) -> Outcome | None:
        """The outcome of the call, from the intent's state; None: the call was not executed."""
        status, ref = intent["status"], intent["id"]
        is_of_hold = (intent.get("metadata") or {}).get("hold_id") == call.hold_id
        if call.kind == port.CAPTURE:
            if status == "succeeded":
                return _compared(call, intent, intent["amount_received"], is_of_hold)
            return Outcome(port.REFUSED, ref, "canceled") if status == "canceled" else None
        if call.kind == port.RELEASE:
            if status == "succeeded":
                return Outcome(port.REFUSED, ref, "captured")
            return Outcome(port.DONE, ref) if status == "canceled" else None
        if status == "canceled":
            return Outcome(port.REFUSED, ref, intent.get("cancellation_reason") or "canceled")
        held = _compared(call, intent, intent["amount"], is_of_hold)
        if held.state == port.DONE and status == "requires_capture":
            return _compared(call, intent, intent["amount_capturable"], is_of_hold)
        if held.state == port.REFUSED or status == "succeeded":
            return held
        if status == "processing":
            return Outcome(port.PENDING, ref)
        client = {"publishable_key": self._publishable_key, "client_secret": intent["client_secret"]}
        return Outcome(port.ACTION_NEEDED, ref, client=client)

    def _outcome_after(self, call: Call, done: Any) -> Outcome:
        """The outcome of a capture or a release. After a refusal the intent is read, because Stripe also
        refuses a call that was executed before.
        """
        if isinstance(done, Outcome):
            return self._intent(call, _ref(call)) or done
        return self._state(call, done) or Outcome(port.PENDING, call.hold_ref)

    def _find_refund(self, call: Call) -> Outcome | None:
        params: Any = {"payment_intent": _ref(call), "limit": 100}
        listed = self._all(lambda: self._stripe.v1.refunds.list(params), dict)
        if isinstance(listed, Outcome):
            return listed
        mine = [row for row in listed if (row.get("metadata") or {}).get("refund") == call.key]
        return _of_refund(call, mine[0]) if mine else None

    def _all(self, ask: Callable[[], Any], read: Callable[[dict[str, Any]], Any]) -> list[Any] | Outcome:
        """What `read` makes of each object of a list, all pages."""
        found = self._ask(lambda: {"rows": [read(_dict(each)) for each in ask().auto_paging_iter()]})
        return found if isinstance(found, Outcome) else found["rows"]

    def _ask(self, ask: Callable[[], Any]) -> Any:
        """Stripe's answer as a JSON object, or the Outcome of a refusal. Raises ProviderSilent, also if
        Stripe rejects every call of the account: the outcome of an earlier attempt is unknown then.
        """
        try:
            return _dict(ask())
        except stripe.CardError as error:
            return Outcome(port.REFUSED, reason=error.code or "card_declined")
        except (stripe.IdempotencyError, stripe.RateLimitError) as error:
            silent = type(error).__name__
        except stripe.InvalidRequestError as error:
            if error.http_status != 409:
                return Outcome(port.REFUSED, reason=error.code or "invalid_request")
            silent = "busy with the same key"
        except (stripe.StripeError, ValueError, KeyError, TypeError, AttributeError) as error:
            silent = type(error).__name__
        raise port.ProviderSilent(f"no answer from Stripe: {silent}")  # Stripe's own text may contain keys


def _dict(answer: Any) -> dict[str, Any]:
    found = answer if isinstance(answer, dict) else answer.to_dict()
    if "id" not in found and "rows" not in found:
        raise ValueError("not an object of Stripe")
    return found


def _secret_text(secret: Any) -> str:
    if secret is None:
        raise ValueError("a key of Stripe is not set")
    return secret.get_secret_value()


def _ref(call: Call) -> str:
    if call.hold_ref is None:
        raise port.ProviderSilent("the hold has no reference at Stripe")
    return call.hold_ref


def _amount(call: Call) -> int:
    """Raises ValueError for a currency that authorize() refuses."""
    amount = stripe_amount(call.amount_minor, call.currency, call.minor_digits)
    if amount is None:
        raise ValueError(f"Stripe cannot take every amount in {call.currency}")
    return amount


def _with_key(call: Call) -> Any:
    return {"idempotency_key": call.key}


def _compared(call: Call, made: dict[str, Any], amount: int, is_of_hold: bool) -> Outcome:
    """Done, if what Stripe made is what was asked for: amount, currency and hold."""
    if is_of_hold and (amount, made["currency"].upper()) == (_amount(call), call.currency):
        return Outcome(port.DONE, made["id"])
    return Outcome(port.REFUSED, made["id"], port.AMOUNT_DIFFERS)


def _refund_state(refund: dict[str, Any]) -> str:
    return _REFUND_STATES.get(refund.get("status") or "", port.PENDING)


def _of_refund(call: Call, refund: dict[str, Any]) -> Outcome:
    state = _refund_state(refund)
    if state == port.DONE:
        return _compared(call, refund, refund["amount"], refund["payment_intent"] == call.hold_ref)
    return Outcome(state, refund["id"], refund.get("failure_reason"))


def _key_of(event_type: str, about: dict[str, Any]) -> str | None:
    """The key of the call that an event is about; None if the cloud made no such call."""
    return (about.get("metadata") or {}).get(_KINDS.get(event_type, ""))


def _report_row(event: dict[str, Any]) -> ReportRow | None:
    """The event as a row of the report; None for a refund that is still pending."""
    about = event["data"]["object"]
    kind = _KINDS[event["type"]]
    state = _refund_state(about) if kind == port.REFUND else port.DONE
    if state == port.PENDING:
        return None
    amount = about["amount_received"] if kind == port.CAPTURE else about["amount"]
    currency = about["currency"].upper()
    hold_ref = about.get("payment_intent") or "" if kind == port.REFUND else about["id"]
    minor = amount // _PER_MINOR.get(currency, 1)
    return ReportRow(
        kind, _key_of(event["type"], about), about["id"], hold_ref, minor, currency, event["created"], state
    )
