"""A hold before the order, its capture at the settlement, its release, its refund: by the provider `test`."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from cloud_stub.payments import calls, due, port
from cloud_stub.settings import Settings
from tests.cloud.conftest import AS_OPERATOR, Phone, settled, until_it_waits
from tests.cloud.fakes import FLAT_RATE, FakePile, new_key
from tests.cloud.test_operator import problem

PAID_BY = {"adapter": "test", "is_test": True, "notice": "TEST - no money moves"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"payment": "test", "payment_call_s": 1})


@pytest.fixture
def behave(settings: Settings) -> Callable[..., None]:
    """Tell the provider how to behave from here on."""

    def tell(**behaviour: Any) -> None:
        (settings.data / "test_provider.db.behaviour").write_text(json.dumps(behaviour))

    return tell


@pytest.fixture
def books(settings: Settings) -> Iterator[Callable[[str], list[Any]]]:
    """The provider's own books."""
    conn = sqlite3.connect(settings.data / "test_provider.db")
    yield lambda query: conn.execute(query).fetchall()
    conn.close()


@pytest.fixture(autouse=True)
def by_hand(cloud: Cloud) -> None:
    """What is due is done by `run` alone, at a time of the test's choice."""
    cloud.context.hub.ended = lambda order_id: None


def run(cloud: Cloud, after_s: int = 0) -> None:
    """Everything that is due."""
    cloud.cashier.run_once(now_s() + after_s)


def confirm(phone: Phone, headers: dict[str, str], **limits: int) -> Any:
    body = phone.body() | {"limits": limits}
    return phone.client.post("/api/orders", json=body, headers=headers)


def balanced(cloud: Cloud, books: Callable[[str], list[Any]]) -> None:
    """captured - refunded = billed - credited, here and at the provider; no call was made twice."""
    with cloud.store.reading.connect() as conn:
        ours = conn.execute(text("SELECT sum(captured_minor), sum(refunded_minor) FROM payment_holds")).one()
        billed = conn.execute(text("SELECT sum(total_minor) FROM orders WHERE state = 'Paid'")).scalar() or 0
        credited = conn.execute(text("SELECT sum(amount_minor) FROM credits")).scalar() or 0
    (theirs,) = books("SELECT sum(captured_minor), sum(refunded_minor) FROM holds")
    assert tuple(map(int, ours)) == theirs
    assert theirs[0] - theirs[1] == billed - credited
    assert all(times == 1 for (times,) in books("SELECT times FROM calls"))


def test_the_total_is_captured_and_the_rest_released(cloud: Cloud, phone: Phone, pile: FakePile, books: Any):
    made = phone.order(cost_minor=1000)
    assert made["payment"] == made["payment"] | PAID_BY | {"state": "Held", "held_minor": 1000}
    assert made["free"] is False
    assert made["limits"]["cost_minor"] == 1000
    pile.order_status(phone.order_id, "Accepted")
    pile.settle(phone.message(pile), 2_500_000)
    run(cloud)
    order = phone.get()
    paid = {"state": "Captured", "captured_minor": 350, "released_minor": 650, "amount_minor": 350}
    assert (order["state"], order["payment"]) == ("Paid", order["payment"] | PAID_BY | paid)
    assert order["due_minor"] == 0
    balanced(cloud, books)


def test_without_a_limit_the_most_that_it_can_cost_is_held(phone: Phone, pile: FakePile):
    order = phone.order(energy_mwh=10_000_000)
    assert order["payment"]["held_minor"] == order["limits"]["cost_minor"] > 1000


def test_no_more_is_held_than_the_order_can_cost(phone: Phone, add_pile: Any):
    """The limit that was typed was held, whatever the order could cost; and a pile that is given the session
    fee as its limit stops at once.
    """
    for device_id, price, limits, held, limit in (
        ("PILE-1", 1_200_000, {"cost_minor": 10**9, "energy_mwh": 1_000_000}, 170, 170),
        ("PILE-2", 0, {}, 50, None),
        ("PILE-3", 0, {"cost_minor": 51}, 50, 51),
    ):
        period = {"start": "00:00", "label": "flat", "electricity_price": price, "service_price": 0}
        pile = add_pile(device_id, FLAT_RATE | {"session_fee_minor": 50, "periods": [period]})
        made = phone.order(device_id, **limits)
        assert (made["payment"]["held_minor"], made["limits"].get("cost_minor")) == (held, limit)
        assert phone.message(pile)["limits"] == made["limits"]


def test_a_refused_hold_makes_no_order(cloud: Cloud, phone: Phone, pile: FakePile, behave: Any, books: Any):
    behave(refuse={"authorize": "card_declined"})
    key = new_key()
    refused = problem(confirm(phone, key, cost_minor=1000), 402, "PaymentRefused")
    assert (refused["reason"], refused["amount_minor"], refused["is_test"]) == ("card_declined", 1000, True)
    problem(confirm(phone, key, cost_minor=1000), 402, "PaymentRefused")
    assert phone.client.get("/api/orders", headers=AS_OPERATOR).json()["items"] == []
    behave()
    assert confirm(phone, new_key(), cost_minor=1000).status_code == 201
    run(cloud)
    assert len(books("SELECT * FROM calls")) == 2


def test_a_step_of_the_driver_comes_first(phone: Phone, pile: FakePile, behave: Any):
    behave(action=True)
    key = new_key()
    needed = problem(confirm(phone, key, cost_minor=1000), 402, "PaymentNeeded")
    assert (needed["adapter"], needed["client"], needed["amount_minor"]) == ("test", {"test": True}, 1000)
    assert problem(confirm(phone, key, cost_minor=1000), 402, "PaymentNeeded")["hold_id"] == needed["hold_id"]
    behave()
    made = confirm(phone, key, cost_minor=1000)
    assert (made.status_code, made.json()["payment"]["state"]) == (201, "Held")
    assert confirm(phone, key, cost_minor=1000).status_code == 200


@pytest.mark.long
@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_no_order_is_made_with_a_hold_whose_release_another_worker_begins(
    cloud: Cloud, phone: Phone, pile: FakePile, behave: Any
):
    """The hold was looked at, then locked, and its state was that of before."""
    behave(silent=["authorize"])
    key = new_key()
    assert confirm(phone, key, cost_minor=1000).status_code == 503
    behave()
    run(cloud, after_s=10)
    with ThreadPoolExecutor() as pool:
        with cloud.store.writing.begin() as other:
            other.execute(text("UPDATE payment_holds SET state = 'Releasing'"))
            asked = pool.submit(confirm, phone, key, cost_minor=1000)
            until_it_waits(cloud, asked)
        problem(asked.result(), 402, "PaymentRefused")


def test_a_driver_who_gives_up_leaves_no_hold(
    cloud: Cloud, phone: Phone, pile: FakePile, behave: Any, books: Any
):
    behave(action=True)
    problem(confirm(phone, new_key(), cost_minor=1000), 402, "PaymentNeeded")
    run(cloud, after_s=1000)
    run(cloud, after_s=2000)
    assert books("SELECT state FROM holds") == [("Released",)]


def test_an_order_that_cannot_be_made_after_the_hold_releases_it(
    cloud: Cloud, phone: Phone, pile: FakePile, behave: Any, books: Any
):
    behave(action=True)
    key = new_key()
    problem(confirm(phone, key, cost_minor=1000), 402, "PaymentNeeded")
    behave()
    pile.offline()
    problem(confirm(phone, key, cost_minor=1000), 503, "PileOffline")
    run(cloud, after_s=1000)  # the step was done, so the money was held
    run(cloud, after_s=2000)
    assert books("SELECT state FROM holds") == [("Released",)]


@pytest.mark.parametrize(
    "how, kind",
    [
        ("late", "capture"),
        ("silent", "capture"),
        ("late", "refund"),
        ("silent", "release"),
        pytest.param("silent", "refund", marks=pytest.mark.long),
        pytest.param("late", "release", marks=pytest.mark.long),
    ],
)
def test_a_call_without_an_answer_is_looked_up_and_done_once(
    cloud: Cloud, phone: Phone, pile: FakePile, behave: Any, books: Any, kind: str, how: str
):
    behave(**{how: [kind]})
    phone.order(cost_minor=1000)
    pile.order_status(phone.order_id, "Accepted")
    pile.settle(phone.message(pile), 0 if kind == "release" else 2_500_000)
    run(cloud)
    if kind == "refund":
        credit(phone, 100)
        run(cloud)
    behave()
    run(cloud, after_s=10)
    assert phone.get()["state"] == "Paid"
    state = "Released" if kind == "release" else "Captured"
    assert phone.get()["payment"]["state"] == state
    balanced(cloud, books)


@pytest.mark.parametrize("how", ["late", "silent"])
def test_a_hold_without_an_answer_ends_as_an_order_or_is_released(
    cloud: Cloud, phone: Phone, pile: FakePile, behave: Any, books: Any, how: str
):
    behave(**{how: ["authorize"]})
    key = new_key()
    answer = confirm(phone, key, cost_minor=1000)
    assert answer.status_code == (201 if how == "late" else 503)
    behave()
    assert confirm(phone, key, cost_minor=1000).status_code == (200 if how == "late" else 201)
    assert books("SELECT count(*), sum(times) FROM calls") == [(1, 1)]


def credit(phone: Phone, amount_minor: int) -> None:
    body = {"amount_minor": amount_minor, "reason": "a test"}
    made = phone.client.post(
        f"/api/orders/{phone.order_id}/credits", json=body, headers=new_key() | AS_OPERATOR
    )
    assert made.status_code == 201, made.text


def test_credits_are_refunded_in_parts_and_in_whole(cloud: Cloud, phone: Phone, pile: FakePile, books: Any):
    settled(phone, pile, 2_500_000)
    run(cloud)
    for part, refunded in ((100, 100), (250, 350)):
        credit(phone, part)
        run(cloud)
        assert phone.get()["payment"]["refunded_minor"] == refunded
    balanced(cloud, books)


def test_a_refund_that_fails_after_it_was_done_is_to_be_made_again(
    cloud: Cloud, phone: Phone, pile: FakePile, operator: Any
):
    """A bank may send it back days later. The provider's event was ignored, and the driver had nothing."""
    settled(phone, pile, 2_500_000)
    run(cloud)
    credit(phone, 100)
    run(cloud)
    hold = operator("GET", "/api/payments").json()["items"][0]
    key = operator("GET", f"/api/payments/{hold['hold_id']}").json()["calls"][-1]["key"]
    failed = port.Outcome(port.REFUSED, reason="lost_or_stolen_card")
    for _ in range(2):
        cloud.writer.submit(lambda tx: calls.resolve(tx, cloud.context, key, failed, now_s())).result()
    paid = phone.get()["payment"]
    assert (paid["state"], paid["refunded_minor"], paid["reason"]) == (
        "RefundRefused",
        0,
        "lost_or_stolen_card",
    )
    assert operator("POST", f"/api/payments/{hold['hold_id']}/retry").status_code == 200
    run(cloud)
    assert (phone.get()["payment"]["state"], phone.get()["payment"]["refunded_minor"]) == ("Captured", 100)


def test_a_credit_before_the_capture_is_not_captured(cloud: Cloud, phone: Phone, pile: FakePile, books: Any):
    settled(phone, pile, 2_500_000)
    credit(phone, 100)
    run(cloud)
    assert phone.get()["payment"]["captured_minor"] == 250
    balanced(cloud, books)


def test_a_flagged_bill_keeps_its_hold_until_it_is_decided(
    cloud: Cloud, phone: Phone, pile: FakePile, books: Any, operator: Any
):
    settled(phone, pile, 2_500_000, total_minor=1)
    run(cloud, after_s=10_000_000)
    assert phone.get()["payment"]["state"] == "Held"
    (flagged,) = operator("GET", "/api/settlements?flagged=true").json()["items"]
    review = {"decision": "release", "note": "a test"}
    assert operator("POST", f"/api/settlements/{flagged['id']}/review", review).status_code == 201
    run(cloud)
    assert phone.get()["payment"]["captured_minor"] == 350
    balanced(cloud, books)


def test_a_refused_capture_leaves_the_bill_unpaid_until_a_retry(
    cloud: Cloud, phone: Phone, pile: FakePile, behave: Any, books: Any, operator: Any
):
    behave(refuse={"capture": "expired"})
    settled(phone, pile, 2_500_000)
    run(cloud)
    order = phone.get()
    assert (order["state"], order["due_minor"]) == ("Settled", 350)
    assert (order["payment"]["state"], order["payment"]["reason"]) == ("CaptureRefused", "expired")
    behave()
    (hold,) = operator("GET", "/api/payments?state=CaptureRefused").json()["items"]
    assert operator("POST", f"/api/payments/{hold['hold_id']}/retry").status_code == 200
    run(cloud)
    assert phone.get()["payment"]["state"] == "Captured"
    problem(operator("POST", f"/api/payments/{hold['hold_id']}/retry"), 409, "NothingToRetry")
    shown = operator("GET", f"/api/payments/{hold['hold_id']}").json()
    assert [(call["kind"], call["state"]) for call in shown["calls"]] == [
        ("authorize", "Done"),
        ("capture", "Refused"),
        ("capture", "Done"),
    ]


@pytest.mark.parametrize("by", ["credit", "payment"])
def test_a_refused_capture_is_released_once_the_bill_is_closed_otherwise(
    cloud: Cloud, phone: Phone, pile: FakePile, behave: Any, books: Any, by: str
):
    behave(refuse={"capture": "processing_error"})
    settled(phone, pile, 2_500_000)
    run(cloud)
    assert phone.get()["payment"]["state"] == "CaptureRefused"
    if by == "credit":
        credit(phone, 350)
    else:
        assert phone.pay(350).status_code == 200
    run(cloud)
    assert (phone.get()["state"], phone.get()["payment"]["state"]) == ("Paid", "Released")
    assert books("SELECT state FROM holds") == [("Released",)]


def report_nothing(pile: FakePile, at: int) -> None:
    """The pile says as of `at` that it has neither an order nor a settlement."""
    idle = {"connector": 1, "status": "Available", "fault": None, "plugged": False, "order_id": None}
    pile._say("status", {"online": True, "connectors": [idle], "outbox": 0, "at": at})


@pytest.mark.parametrize("end", ["rejected", "zero", "expired"])
def test_an_end_without_a_bill_releases_at_once(
    cloud: Cloud, phone: Phone, pile: FakePile, books: Any, end: str
):
    phone.order(cost_minor=1000)
    if end == "rejected":
        pile.order_status(phone.order_id, "Rejected", reason="ConnectorBusy")
    elif end == "zero":
        pile.order_status(phone.order_id, "Accepted")
        pile.settle(phone.message(pile), 0)
    else:
        cloud.jobs.run_once(now_s() + 1000)
        report_nothing(pile, now_s() + 1000)
    run(cloud)
    assert phone.get()["payment"]["state"] == "Released"
    assert books("SELECT state FROM holds") == [("Released",)]


def test_an_expired_order_that_its_pile_had_all_the_same_is_paid(
    cloud: Cloud, phone: Phone, pile: FakePile, books: Any
):
    """Its pile was without network when it accepted it. The hold was released as soon as it expired."""
    phone.order(cost_minor=1000)
    cloud.jobs.run_once(now_s() + 1000)
    run(cloud, after_s=1000)
    assert (phone.get()["state"], phone.get()["payment"]["state"]) == ("Expired", "Held")
    pile.settle(phone.message(pile), 2_500_000)
    run(cloud)
    assert (phone.get()["state"], phone.get()["payment"]["captured_minor"]) == ("Paid", 350)
    balanced(cloud, books)


def test_the_hold_of_an_expired_order_whose_pile_stays_away_is_released_later(
    cloud: Cloud, phone: Phone, pile: FakePile
):
    phone.order(cost_minor=1000)
    cloud.jobs.run_once(now_s() + 1000)
    run(cloud, after_s=2 * 86_400 + 100)
    assert phone.get()["payment"]["state"] == "Released"


def test_the_hold_of_a_lost_order_is_released_later(
    cloud: Cloud, phone: Phone, pile: FakePile, operator: Any
):
    phone.order(cost_minor=1000)
    pile.order_status(phone.order_id, "Accepted")
    pile.offline()
    assert operator("POST", f"/api/orders/{phone.order_id}/close", {"reason": "gone"}).status_code == 200
    run(cloud, after_s=1)
    assert phone.get()["payment"]["state"] == "Held"
    run(cloud, after_s=2 * 86_400 + 10)
    assert phone.get()["payment"]["state"] == "Released"


def test_holds_that_wait_for_a_decision_keep_no_other_waiting(
    cloud: Cloud, phone: Phone, pile: FakePile, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(due, "_WAITING", due._WAITING.limit(1))
    monkeypatch.setattr(due, "AT_ONCE", 1)
    settled(phone, pile, 2_500_000, total_minor=1)
    settled(phone, pile, 2_500_000)
    run(cloud)
    assert phone.get()["payment"]["state"] == "Captured"


def test_while_money_is_held_nobody_else_pays(cloud: Cloud, phone: Phone, pile: FakePile, behave: Any):
    behave(silent=["capture"])
    settled(phone, pile, 2_500_000)
    run(cloud)
    problem(phone.pay(350), 409, "HoldOpen")


def test_everything_is_in_the_audit_trail(cloud: Cloud, phone: Phone, pile: FakePile, books: Any):
    settled(phone, pile, 2_500_000)
    run(cloud)
    credit(phone, 350)
    run(cloud)
    with cloud.store.reading.connect() as conn:
        lines = conn.execute(text("SELECT action, detail FROM audit ORDER BY id")).all()
    found = {line.action: line.detail for line in lines}
    assert {"HoldMade", "HoldCaptured", "PaymentRefunded"} <= set(found)
    assert found["HoldCaptured"] == "TEST - no money moves: 3.50 CNY"
