"""Drivers, operators, a pile and two workers of the cloud at the same time: no money is lost or doubled."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from cloud_stub.app import create_app
from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from cloud_stub.settings import Settings
from tests.cloud.conftest import AS_OPERATOR, Phone, settled
from tests.cloud.fakes import FakeLink, FakePile, new_key
from tests.cloud.test_holds import balanced, behave, books, by_hand, settings  # noqa: F401

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
on_postgresql = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
ROUNDS = 20


@pytest.fixture
def other(cloud: Cloud, client: TestClient, settings: Settings) -> Iterator[TestClient]:  # noqa: F811
    """A second worker on the same database, with the same provider."""
    link = FakeLink()
    link.connected = True
    second = Cloud(settings.model_copy(update={"mqtt_share": "workers"}), link)  # type: ignore[arg-type]
    second.context.hub.ended = lambda order_id: None
    with TestClient(create_app(second)) as running:
        yield running


def at_once(*actions: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(len(actions)) as pool:
        return [each.result() for each in [pool.submit(action) for action in actions]]


@on_postgresql
def test_fifty_drivers_with_one_code(
    client: TestClient, other: TestClient, phone: Phone, add_pile: Any, operator: Any
):
    bodies = []
    grant = operator("POST", "/api/free-vend", {"reason": "Guests", "uses_max": 3}).json()
    for number in range(25):
        add_pile(f"PILE-{number}")
        bodies += [phone.body(f"PILE-{number}", each) | {"code": grant["code"]} for each in (1, 2)]
    asks = [
        partial(at.post, "/api/orders", json=body, headers=new_key())
        for at, body in zip([client, other] * 25, bodies, strict=True)
    ]
    answers = [each.json() for each in at_once(*asks)]
    assert sum(each.get("free", False) for each in answers) == 3
    assert sum(each.get("reason") == "UsedUp" for each in answers) == 47, answers
    assert operator("GET", "/api/free-vend").json()["items"][0]["uses"] == 3


def due(*at: TestClient) -> list[Callable[[], None]]:
    """What is due is done, by each of these workers."""
    return [lambda each=each: cloud_of(each).cashier.run_once(now_s()) for each in at]


def cloud_of(client: TestClient) -> Cloud:
    return client.app.state.cloud  # type: ignore[attr-defined]


@on_postgresql
def test_credit_notes_while_two_workers_capture_and_refund(
    cloud: Cloud,
    client: TestClient,
    other: TestClient,
    phone: Phone,
    pile: FakePile,
    books: Any,  # noqa: F811
):
    def credited(at: TestClient, minor: int) -> int:
        path, body = f"/api/orders/{phone.order_id}/credits", {"amount_minor": minor, "reason": "a test"}
        return at.post(path, json=body, headers=new_key() | AS_OPERATOR).status_code

    for number in range(ROUNDS):
        settled(phone, pile, 2_500_000)
        if number % 2:
            at_once(*due(client))
        notes = [partial(credited, at, minor) for at, minor in ((client, 100), (other, 150), (client, 200))]
        made = at_once(*notes, *due(client, other))
        assert 409 in made  # together they are more than the bill
        at_once(*due(client, other))
        order = phone.get()
        left = 350 - sum(each["amount_minor"] for each in order["credits"])
        assert order["payment"]["captured_minor"] - order["payment"]["refunded_minor"] == left
        assert order["state"] == "Paid"
    balanced(cloud, books)


@on_postgresql
def test_a_settlement_while_the_hold_is_given_up(
    cloud: Cloud,
    client: TestClient,
    other: TestClient,
    phone: Phone,
    pile: FakePile,
    books: Any,  # noqa: F811
):
    ends = Counter()
    give_up = partial(cloud_of(other).cashier.run_once, now_s() + 3 * 86_400)
    for _ in range(ROUNDS):
        phone.order(cost_minor=1000)
        settle = partial(pile.settle, phone.message(pile), 2_500_000)
        cloud.jobs.run_once(now_s() + 1000)
        at_once(give_up, settle, *due(client))
        at_once(*due(client, other))
        order = phone.get()
        ends[order["state"], order["payment"]["state"]] += 1
        if order["state"] == "Settled":
            assert phone.pay(350).status_code == 200
    captured, released = ends["Paid", "Captured"], ends["Settled", "Released"]
    assert captured + released == ROUNDS, ends
    assert sorted(books("SELECT state, count(*), sum(captured_minor) FROM holds GROUP BY state")) == [
        row for row in (("Captured", captured, 350 * captured), ("Released", released, 0)) if row[1]
    ]


@on_postgresql
def test_one_confirmation_at_two_workers_holds_once(
    cloud: Cloud,
    client: TestClient,
    other: TestClient,
    phone: Phone,
    pile: FakePile,
    books: Any,  # noqa: F811
):
    for number in range(1, ROUNDS):
        body = phone.body(cost_minor=1000)
        confirmed = partial(TestClient.post, url="/api/orders", json=body, headers=new_key())
        ask = [partial(confirmed, at) for at in (client, other)]
        answers = at_once(*ask * 3)
        made = {each.json().get("order_id") for each in answers if each.status_code in (200, 201)}
        assert len(made) == 1, [each.text for each in answers]
        phone.order_id = made.pop()
        pile.order_status(phone.order_id, "Rejected", reason="ConnectorBusy")
        at_once(*due(client, other))
        assert books("SELECT count(*) FROM holds") == [(number,)]
    assert books("SELECT DISTINCT state FROM holds") == [("Released",)]
    with cloud.store.reading.connect() as conn:
        assert conn.execute(text("SELECT count(*) FROM orders")).scalar_one() == ROUNDS - 1
