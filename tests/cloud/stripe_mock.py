"""Stripe as localstripe makes it up: a stateful mock of another make, on a thread of this process.

Its own are HTTP, forms and keys, payment intents with manual capture, test cards, charges, refunds, the list
of events, and webhooks with their signature. What the cloud uses and localstripe does not have is added here:

- idempotency keys
- metadata at a capture, `amount_received` and `amount_capturable`; a capture of what is not held is refused
  as Stripe does
- no refund of more than was captured
- events besides payment_intent.succeeded and payment_failed; their list by several types, newest first
- answers that get lost (HOSTILE)
"""

import asyncio
import json
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import requests
from aiohttp import web
from localstripe import resources as its_resources
from localstripe import webhooks as its_webhooks
from localstripe.errors import UserError

HOSTILE = ("500", "hang", "not json", "another object")
SECRET, WEBHOOK_SECRET = "sk_test_never_to_be_told", "whsec_never_to_be_told"
VISA, DECLINED, WITH_3D_SECURE = "4242424242424242", "4000000000000341", "4000002500003155"
STEP_S = 20  # far beyond what anything here takes

resources: Any = its_resources
webhooks: Any = its_webhooks
Event, PaymentIntent, Refund = resources.Event, resources.PaymentIntent, resources.Refund


class Stripe:
    """hostile: what the next call of the cloud's gets instead of its answer; it is done all the same.

    short: by how much a refund is less than was asked for.

    events: what Stripe tells, oldest first. Their webhooks are sent where `subscribe` was called.
    """

    def __init__(self, url: str):
        self.url = url
        self.hostile: str | None = None
        self.released = threading.Event()
        self.events: list[dict[str, Any]] = []
        self.has_told = threading.Condition()
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.is_subscribed = False
        self.short = 0

    def intents(self) -> list[Any]:
        return [each for each in resources.store.values() if isinstance(each, PaymentIntent)]

    def refunds(self) -> list[Any]:
        """Those of the cloud's calls."""
        found = [each for each in resources.store.values() if isinstance(each, Refund)]
        return [each for each in found if "refund" in each.metadata]

    def pay(self, client_secret: str, number: str = VISA) -> str:
        """As the driver's browser does with the client secret: the status of the intent then."""
        ref = client_secret.partition("_secret_")[0]
        card = {"number": number, "exp_month": "12", "exp_year": "2040", "cvc": "123"}
        made = self.by_hand("payment_methods", type="card", **{f"card[{k}]": v for k, v in card.items()})
        self.by_hand(f"payment_intents/{ref}", payment_method=made["id"])
        paid = self.by_hand(f"payment_intents/{ref}/confirm")
        if paid.get("status") == "requires_action":
            step = f"payment_intents/{ref}/_authenticate"
            paid = self.by_hand(step, client_secret=client_secret, success="true")
        return paid.get("status") or paid["error"]["code"]

    def subscribe(self, address: str) -> None:
        """Have events sent there, signed."""
        body = {"url": address, "secret": WEBHOOK_SECRET}
        answer = requests.post(f"{self.url}/_config/webhooks/here", json=body, timeout=STEP_S)
        assert answer.ok
        self.is_subscribed = True

    def told(self, type_: str) -> dict[str, Any]:
        """The newest event of the type, once there is one."""
        with self.has_told:
            of_type = lambda: [each for each in self.events if each["type"] == type_]  # noqa: E731
            assert self.has_told.wait_for(of_type, STEP_S), type_
            return of_type()[-1]

    def by_hand(self, path: str, **data: str) -> dict[str, Any]:
        """What somebody else does at Stripe, such as in its dashboard."""
        answer = requests.post(f"{self.url}/v1/{path}", data, auth=(SECRET, ""), timeout=STEP_S)
        return answer.json()


_mock: Stripe | None = None
_send = resources.schedule_webhook
_create_charge, _cancel = PaymentIntent._create_charge, PaymentIntent._api_cancel
_capture, _refund, _list = PaymentIntent._api_capture, Refund._api_create, Event._api_list_all


def _tell(event: Any) -> None:
    if _mock is None:
        return
    if _mock.is_subscribed:
        _send(event)
    with _mock.has_told:
        _mock.events.append(json.loads(json.dumps(event._export())))
        _mock.has_told.notify_all()


def _hold(intent: Any, on_failure_now: Any) -> None:
    _create_charge(intent, on_failure_now)
    if intent.status == "requires_capture":
        _tell(Event("payment_intent.amount_capturable_updated", intent))


def _take(id: str, amount_to_capture: str, metadata: dict[str, str] | None = None) -> Any:
    intent = PaymentIntent._api_retrieve(id)
    if intent.status != "requires_capture" or int(amount_to_capture) > intent.amount:
        raise UserError(400, "no", {"code": "payment_intent_unexpected_state"})
    intent.metadata |= metadata or {}
    intent._received = int(amount_to_capture)
    return _capture(id, amount_to_capture)


def _let_go(id: str) -> Any:
    intent = _cancel(id)
    _tell(Event("payment_intent.canceled", intent))
    return intent


def _give_back(**data: Any) -> Any:
    intent = PaymentIntent._api_retrieve(data["payment_intent"])
    refunds = [each for each in resources.store.values() if isinstance(each, Refund)]
    given = sum(each.amount for each in refunds if each.payment_intent == intent.id)
    if given + int(data["amount"]) > intent.amount_received:
        raise UserError(400, "no", {"code": "charge_already_refunded"})
    made = _refund(**data)
    made.amount -= _mock.short if _mock else 0
    _tell(Event("refund.created", made))
    return made


def _list_events(url: str, types: list[str], **asked: Any) -> Any:
    found = _list(url, **asked)
    found._list = [each for each in reversed(found._list) if each.type in types]
    return found


@web.middleware
async def _once(request: web.Request, handler: Any) -> web.StreamResponse:
    """Idempotency keys, and answers that get lost."""
    stripe, key = _mock, request.headers.get("Idempotency-Key")
    if stripe is None or key is None:
        return await handler(request)
    if key not in stripe.answers:
        made = await handler(request)
        stripe.answers[key] = made.status, made.body
    status, body = stripe.answers[key]
    hostile, stripe.hostile = stripe.hostile, None
    if hostile == "hang":
        await asyncio.to_thread(stripe.released.wait, STEP_S)
    if hostile == "500":
        status, body = 500, b'{"error": {"type": "api_error", "message": "no"}}'
    if hostile == "not json":
        body = b"<html>"
    if hostile == "another object":
        body = b'{"object": "nothing"}'
    return web.Response(status=status, body=body, content_type="application/json")


def _application() -> web.Application:
    """localstripe's, with all that; made once in a process."""
    resources.Store.dump_to_disk = lambda self: None
    sends_at_once = SimpleNamespace(sleep=lambda _: asyncio.sleep(0), ensure_future=asyncio.ensure_future)
    webhooks.asyncio = sends_at_once  # instead of a second later
    resources.schedule_webhook = _tell
    PaymentIntent.amount_received = property(lambda self: getattr(self, "_received", 0))
    PaymentIntent.amount_capturable = property(
        lambda self: getattr(self, "_capturable", self.amount) if self.status == "requires_capture" else 0
    )
    PaymentIntent._create_charge = _hold
    Refund._api_create = _give_back
    Event._api_list_all = _list_events
    changed = {"capture": _take, "cancel": _let_go}
    for place, (verb, path, _) in enumerate(resources.extra_apis):
        last = path.rpartition("/")[2]
        if path.startswith("/v1/payment_intents/") and last in changed:
            resources.extra_apis[place] = verb, path, changed[last]
    with warnings.catch_warnings():  # aiohttp's, about how the routes of localstripe are written
        warnings.simplefilter("ignore", DeprecationWarning)
        from localstripe import server  # its routes are made of the calls as they are then

    server.app.middlewares.insert(0, _once)
    return server.app


@contextmanager
def serving() -> Iterator[str]:
    """The mock's address. One for a process: localstripe's state is global."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> web.AppRunner:
        runner = web.AppRunner(_application(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner

    runner = asyncio.run_coroutine_threadsafe(start(), loop).result(STEP_S)
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(STEP_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def emptied(url: str) -> Iterator[Stripe]:
    """The mock at the address with nothing in it, for one test."""
    global _mock
    resources.store.clear()
    webhooks._webhooks.clear()
    _mock = Stripe(url)
    try:
        yield _mock
    finally:
        _mock.released.set()
        _mock = None
