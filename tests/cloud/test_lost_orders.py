"""Orders whose settlement is not expected any more: each way to get there; a settlement still wins."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloud_stub.cloud import Cloud
from cloud_stub.intake.handlers import HELLO_LAG_S
from cloud_stub.jobs.expiry import SETTLING_S
from cloud_stub.orders import lookup
from cloud_stub.orders.transitions import lose_with_pile
from cloud_stub.piles import removal
from tests.cloud.conftest import Phone
from tests.cloud.fakes import ACTOR, WAIT_S, FakeLink, FakePile
from tests.cloud.test_operator import problem

GRACE_S = 86_400  # Settings.order_lost_after_s


@pytest.fixture
def end_at(phone: Phone, pile: FakePile, cloud: Cloud) -> int:
    """The latest end of an order that charges."""
    phone.order()
    pile.order_status(phone.order_id, "Charging")
    with cloud.store.reading.connect() as conn:
        return lookup.get(conn, phone.order_id).window_end_at


def listen(cloud: Cloud, at: int) -> None:
    """The jobs run as of `at`, by a cloud that has been listening to piles for long enough."""
    cloud.jobs.run_once(at - cloud.settings.pile_silent_s)
    cloud.jobs.run_once(at, sweep=True)


def events(operator: Any) -> list[tuple[str, str]]:
    return [(each["kind"], each["detail"]) for each in operator("GET", "/api/events").json()["items"]]


def test_an_order_whose_pile_died_for_good_is_lost_and_frees_its_connector(
    phone: Phone, pile: FakePile, cloud: Cloud, operator: Any, end_at: int
):
    listen(cloud, end_at + GRACE_S)
    assert phone.get()["state"] == "Charging"
    listen(cloud, end_at + GRACE_S + 1)
    order = phone.get()
    assert (order["state"], order["reason"], order["settlement"]) == ("Lost", "PileSilent", None)
    assert ("OrderLost", "PileSilent, was Charging") in events(operator)
    (listed,) = operator("GET", "/api/orders?state=Lost").json()["items"]
    assert listed["order_id"] == phone.order_id
    assert f"{phone.order_id},PILE-1,PILE-1,1,Lost,PileSilent," in operator("GET", "/api/orders.csv").text
    pile.online()
    phone.order()


def test_a_cloud_that_was_itself_away_waits_for_its_piles_before_it_loses_orders(
    phone: Phone, cloud: Cloud, end_at: int
):
    cloud.jobs.run_once(end_at + 2 * GRACE_S, sweep=True)
    assert phone.get()["state"] == "Charging"


def test_an_order_that_its_pile_does_not_report_after_its_end_is_lost(
    phone: Phone, pile: FakePile, link: FakeLink, cloud: Cloud, end_at: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cloud_stub.intake.receiver.now_s", lambda: end_at + 2 * SETTLING_S)

    def report(at: int, outbox: int) -> None:
        idle = {"connector": 1, "status": "Available", "fault": None, "plugged": False, "order_id": None}
        status = {"online": True, "connectors": [idle], "outbox": outbox, "at": at}
        link.deliver("pile/v1/PILE-1/status", json.dumps(status).encode())
        listen(cloud, end_at + 2 * SETTLING_S)

    report(end_at + SETTLING_S, outbox=0)  # perhaps of the moment before the settlement was made
    assert phone.get()["state"] == "Charging"
    report(end_at + SETTLING_S + 1, outbox=1)
    assert phone.get()["state"] == "Charging"
    report(end_at + SETTLING_S + 2, outbox=0)
    assert (phone.get()["state"], phone.get()["reason"]) == ("Lost", "NotAtPile")


def test_an_order_that_a_greeting_pile_does_not_hold_is_lost(
    phone: Phone, pile: FakePile, operator: Any, monkeypatch: pytest.MonkeyPatch, cloud: Cloud
):
    phone.order()
    lost = phone.order_id
    pile.order_status(lost, "Charging")
    at = phone.get()["charging_at"]
    monkeypatch.setattr("cloud_stub.intake.receiver.now_s", lambda: at + HELLO_LAG_S)
    pile.hello()  # perhaps it was on its way before the pile got the order
    assert phone.get()["state"] == "Charging"
    monkeypatch.setattr("cloud_stub.intake.receiver.now_s", lambda: at + HELLO_LAG_S + 1)
    pile.hello(outbox=1)  # perhaps its settlement is on the way
    assert phone.get()["state"] == "Charging"
    pile.hello()
    assert (phone.get()["state"], phone.get()["reason"]) == ("Lost", "NotAtPile")
    assert ("OrderLost", "NotAtPile, was Charging") in events(operator)
    phone.order()


def test_a_settlement_that_comes_late_still_settles_a_lost_order(
    phone: Phone, pile: FakePile, cloud: Cloud, end_at: int
):
    message = phone.message(pile)
    listen(cloud, end_at + GRACE_S + 1)
    for state in ("Charging", "Finishing", "Settled"):
        pile.order_status(phone.order_id, state)
        assert phone.get()["state"] == "Lost"
    pile.settle(message)
    order = phone.get()
    assert (order["state"], order["reason"], order["total_minor"]) == ("Settled", "Local", 350)
    assert phone.pay(350).json()["state"] == "Paid"


def test_the_orders_of_a_pile_removed_by_force_are_lost(
    phone: Phone, pile: FakePile, cloud: Cloud, operator: Any, end_at: int
):
    unit = lambda tx: removal.remove(  # noqa: E731
        tx, ACTOR, cloud.dispatch, lose_with_pile(cloud.context), "PILE-1", True, end_at
    )
    cloud.writer.submit(unit).result(WAIT_S)
    assert (phone.get()["state"], phone.get()["reason"]) == ("Lost", "PileRemoved")
    assert ("OrderLost", "PileRemoved, was Charging") in events(operator)


def test_a_malformed_settlement_with_a_right_seal_loses_its_order(
    phone: Phone, pile: FakePile, operator: Any, end_at: int
):
    """It was acknowledged, so its pile will never send another one."""
    message = phone.message(pile)
    pile.settle(message, total_minor=-1)
    assert (phone.get()["state"], phone.get()["reason"]) == ("Lost", "SettlementMalformed")
    assert ("OrderLost", "SettlementMalformed, was Charging") in events(operator)
    phone.order()


def test_a_malformed_settlement_of_a_settled_order_changes_nothing(phone: Phone, pile: FakePile, end_at: int):
    message = phone.message(pile)
    pile.settle(message)
    pile.settle(message, total_minor=-1)
    assert phone.get()["state"] == "Settled"


def test_an_operator_closes_an_order_whose_pile_is_gone_with_a_reason(
    phone: Phone, pile: FakePile, link: FakeLink, operator: Any, end_at: int
):
    close = f"/api/orders/{phone.order_id}/close"
    why = {"reason": "the pile was stolen"}
    problem(operator("POST", close, why), 409, "OrderRunning")
    pile.offline()
    closed = operator("POST", close, why)
    assert closed.status_code == 200
    assert (closed.json()["state"], closed.json()["reason"]) == ("Lost", "ClosedByOperator")
    assert ("OrderClosed", "the pile was stolen") in events(operator)
    assert operator("POST", close, why).json() == closed.json()
    assert phone.get()["state"] == "Lost"
    # Should it be found: it ends the order, whose settlement is billed.
    link.published.clear()
    pile.online()
    pile.hello(orders=[[phone.order_id, "Charging"]])
    assert len(link.sent("PILE-1", "command")) == 1
    order_id = phone.order_id
    phone.order()
    problem(operator("POST", f"/api/orders/{order_id}/close", {"reason": " "}), 422, "InvalidRequest")


def test_only_an_operator_closes_an_order_and_only_one_that_has_not_ended(
    client: TestClient, phone: Phone, pile: FakePile, operator: Any, end_at: int
):
    why = {"reason": "a test"}
    answer = client.post(
        f"/api/orders/{phone.order_id}/close", json=why, headers={"Authorization": "Bearer " + phone.token}
    )
    problem(answer, 401, "Unauthorized")
    problem(operator("POST", "/api/orders/none/close", why), 404, "UnknownOrder")
    pile.settle(phone.message(pile))
    ended = problem(operator("POST", f"/api/orders/{phone.order_id}/close", why), 409, "OrderEnded")
    assert ended["state"] == "Settled"
