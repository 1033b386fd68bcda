"""Credit notes of settled bills: in whole or part, once for each key, never more than the bill."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from cloud_stub.cloud import Cloud
from cloud_stub.db.tables import settlements
from tests.cloud.conftest import AS_OPERATOR, Phone, settled
from tests.cloud.fakes import FakePile, new_key
from tests.cloud.operators import member
from tests.cloud.test_operator import problem

WHY = "The cable did not lock."


def credit(phone: Phone, amount_minor: int, reason: str = WHY, headers: dict[str, str] | None = None) -> Any:
    body = {"amount_minor": amount_minor, "reason": reason}
    sent = new_key() | AS_OPERATOR | (headers or {})
    return phone.client.post(f"/api/orders/{phone.order_id}/credits", json=body, headers=sent)


@pytest.fixture
def bill(phone: Phone, pile: FakePile) -> dict[str, Any]:
    """A settled order of 3.50, not paid."""
    settled(phone, pile, 2_500_000)
    return phone.get()


def test_an_unpaid_bill_is_less_by_what_is_credited(phone: Phone, bill: dict[str, Any], cloud: Cloud):
    made = credit(phone, 100)
    assert made.status_code == 201, made.text
    note = made.json()
    assert (note["amount_minor"], note["currency"], note["minor_digits"]) == (100, "CNY", 2)
    assert (note["reason"], note["actor_kind"]) == (WHY, "script")
    order = phone.get()
    assert order["version"] > bill["version"]  # whoever watches is told
    assert order["settlement"] == bill["settlement"]
    assert (order["total_minor"], order["due_minor"], order["state"]) == (350, 250, "Settled")
    shown = {name: note[name] for name in ("credit_id", "amount_minor", "created_at")}
    assert order["credits"] == [shown]  # the operator's reason is not for the driver
    assert problem(phone.pay(350), 409, "AmountMismatch")["total_minor"] == 250
    assert phone.pay(250).json()["payment"]["amount_minor"] == 250
    assert phone.pay(250).status_code == 200  # again changes nothing
    assert phone.get()["due_minor"] == 0
    with cloud.store.reading.connect() as conn:
        (line,) = conn.execute(text("SELECT * FROM audit WHERE action = 'BillCredited'")).all()
    assert (line.order_id, line.detail) == (phone.order_id, f"100 minor units of CNY: {WHY}")


def test_a_bill_credited_in_whole_is_closed_without_a_payment(phone: Phone, bill: dict[str, Any]):
    assert credit(phone, 350).status_code == 201
    order = phone.get()
    assert (order["state"], order["payment"], order["due_minor"]) == ("Paid", None, 0)
    assert phone.pay(0).status_code == 200
    problem(credit(phone, 1), 409, "CreditTooHigh")


def test_a_paid_bill_is_credited_and_its_payment_stays(phone: Phone, bill: dict[str, Any]):
    payment = phone.pay(350).json()["payment"]
    assert credit(phone, 350).status_code == 201
    order = phone.get()
    assert (order["state"], order["payment"], order["total_minor"]) == ("Paid", payment, 350)
    assert phone.pay(350).status_code == 200  # what was paid stays what was paid


def test_no_more_than_the_bill_is_credited_in_all(phone: Phone, bill: dict[str, Any]):
    assert credit(phone, 200).status_code == 201
    told = problem(credit(phone, 151), 409, "CreditTooHigh")
    assert (told["left_minor"], told["total_minor"]) == (150, 350)
    assert credit(phone, 150).status_code == 201


def test_many_at_once_credit_no_more_than_the_bill(phone: Phone, bill: dict[str, Any]):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: credit(phone, 100).status_code, range(8)))
    assert sorted(found) == [201] * 3 + [409] * 5
    assert phone.get()["due_minor"] == 50


def test_the_same_key_credits_once(phone: Phone, bill: dict[str, Any]):
    key = new_key()
    first = credit(phone, 100, headers=key)
    again = credit(phone, 100, headers=key)
    assert (again.status_code, again.json()) == (200, first.json())
    problem(credit(phone, 101, headers=key), 422, "IdempotencyKeyReused")
    problem(credit(phone, 100, "another", headers=key), 422, "IdempotencyKeyReused")
    assert phone.get()["due_minor"] == 250
    listed = phone.client.get("/api/credits", headers=AS_OPERATOR).json()
    assert listed == {"items": [first.json()], "next": None}
    of_another = phone.client.get("/api/credits?order_id=other", headers=AS_OPERATOR).json()
    assert of_another["items"] == []


def test_without_a_bill_that_counts_nothing_is_credited(phone: Phone, pile: FakePile, operator: Any):
    phone.order()
    problem(credit(phone, 1), 409, "NotSettled")
    pile.settle(phone.message(pile), total_minor=9_999)
    problem(credit(phone, 1), 409, "SettlementFlagged")
    decision = {"decision": "release", "note": "read on site"}
    assert operator("POST", "/api/settlements/1/review", decision).status_code == 201
    problem(credit(phone, 351), 409, "CreditTooHigh")
    assert credit(phone, 350).status_code == 201
    phone.order_id = "nobody-s"
    problem(credit(phone, 1), 404, "UnknownOrder")


def test_a_credited_bill_that_is_flagged_later_is_not_waived_too(
    phone: Phone, pile: FakePile, operator: Any, cloud: Cloud
):
    """A settlement that arrives late can flag the one after it; waived too, its sum would be below zero."""
    settled(phone, pile, 2_500_000)
    assert credit(phone, 100).status_code == 201
    with cloud.store.writing.begin() as conn:
        conn.execute(settlements.update().values(flagged=True, flags_json='["ChainBroken"]'))
    told = operator("POST", "/api/settlements/1/review", {"decision": "waive", "note": "x"})
    assert problem(told, 409, "AlreadyCredited")["credited_minor"] == 100
    done = operator("POST", "/api/settlements/1/review", {"decision": "release", "note": "x"})
    assert done.status_code == 201
    assert phone.get()["due_minor"] == 250
    assert credit(phone, 250).status_code == 201
    assert phone.get()["state"] == "Paid"


@pytest.mark.parametrize(
    "body",
    [
        {"amount_minor": 0, "reason": WHY},
        {"amount_minor": -1, "reason": WHY},
        {"amount_minor": 1.5, "reason": WHY},
        {"amount_minor": 10**20, "reason": WHY},
        {"amount_minor": 1, "reason": " "},
        {"amount_minor": 1, "reason": "x" * 501},
        {"amount_minor": 1, "reason": "two\nlines"},
        {"amount_minor": 1},
    ],
)
def test_wrong_credits_are_refused(phone: Phone, bill: dict[str, Any], body: dict[str, Any], cloud: Cloud):
    path = f"/api/orders/{phone.order_id}/credits"
    answer = phone.client.post(path, json=body, headers=new_key() | AS_OPERATOR)
    problem(answer, 422, "InvalidRequest")
    problem(phone.client.post(path, json=body, headers=AS_OPERATOR), 422, "InvalidRequest")
    with cloud.store.reading.connect() as conn:
        assert conn.execute(text("SELECT * FROM credits")).all() == []


def test_only_who_may_decide_about_money_credits(phone: Phone, bill: dict[str, Any], cloud: Cloud):
    problem(credit(phone, 1, headers={"Authorization": "Bearer " + phone.token}), 401, "Unauthorized")
    viewer = member(cloud, "viewer")
    assert phone.client.get("/api/credits", headers=viewer).status_code == 200
    path = f"/api/orders/{phone.order_id}/credits"
    body = {"amount_minor": 1, "reason": WHY}
    assert problem(phone.client.post(path, json=body, headers=viewer | new_key()), 403, "Forbidden")
