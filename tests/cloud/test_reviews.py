"""A flagged settlement is decided about, once: released at what the locked rate gives, or waived."""

from datetime import datetime, timezone
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.cloud.conftest import Phone
from tests.cloud.fakes import FakePile
from tests.cloud.test_operator import problem

RELEASE = {"decision": "release", "note": "The meter was read on site."}
WAIVE = {"decision": "waive", "note": "The display was broken."}


@pytest.fixture
def flagged(phone: Phone, pile: FakePile) -> dict[str, Any]:
    """An order of 2.5 kWh whose pile sealed 99.99 instead of 3.50."""
    phone.order()
    pile.settle(phone.message(pile), total_minor=9_999)
    return phone.get()


def decide(operator: Any, body: dict[str, str], settlement_id: int = 1) -> Any:
    return operator("POST", f"/api/settlements/{settlement_id}/review", body)


def test_released_it_is_paid_at_what_the_locked_rate_gives(
    operator: Any, phone: Phone, flagged: dict[str, Any]
):
    problem(phone.pay(9_999), 409, "SettlementFlagged")
    done = decide(operator, RELEASE)
    assert done.status_code == 201
    assert done.json()["review"] == {
        "decision": "Released",
        "at": done.json()["review"]["at"],
        "note": RELEASE["note"],
    }
    assert (done.json()["total_minor"], done.json()["computed"]["total_minor"]) == (9_999, 350)
    order = phone.get()
    bill = order["settlement"]
    assert order["version"] > flagged["version"]  # whoever watches is told
    assert (order["total_minor"], bill["total_minor"], bill["flagged"]) == (350, 350, False)
    assert sum(row[5] + row[6] for row in bill["periods"]) + bill["session_fee_minor"] == 350
    assert (bill["review"], bill["flags"]) == ("Released", ["TotalMismatch"])
    problem(phone.pay(9_999), 409, "AmountMismatch")
    assert phone.pay(350).json()["payment"]["amount_minor"] == 350


def test_waived_there_is_nothing_to_pay(operator: Any, phone: Phone, flagged: dict[str, Any]):
    assert decide(operator, WAIVE).status_code == 201
    order = phone.get()
    bill = order["settlement"]
    assert (order["state"], order["total_minor"], bill["total_minor"], bill["flagged"]) == (
        "Paid",
        0,
        0,
        False,
    )
    assert bill["session_fee_minor"] == 0
    assert [(row[4], row[5], row[6]) for row in bill["periods"]] == [(2_500_000, 0, 0)]
    problem(phone.pay(350), 409, "AmountMismatch")
    assert (phone.pay(0).status_code, order["payment"]) == (200, None)


def test_a_decision_is_made_once_and_what_was_sealed_stays(
    operator: Any, phone: Phone, flagged: dict[str, Any]
):
    sealed = operator("GET", "/api/settlements/1").json()
    decide(operator, RELEASE)
    for body in (RELEASE, WAIVE):
        assert problem(decide(operator, body), 409, "AlreadyReviewed")["decision"] == "Released"
    after = operator("GET", "/api/settlements/1").json()
    changed = {name for name in sealed if sealed[name] != after[name]}
    assert changed == {"flagged", "review"}
    assert operator("GET", "/api/settlements?flagged=true").json()["items"] == []
    (item,) = operator("GET", "/api/settlements?reviewed=true").json()["items"]
    assert item["review"]["note"] == RELEASE["note"]
    assert operator("GET", "/api/piles").json()["summary"]["flagged_settlements"] == 0
    event = operator("GET", "/api/events").json()["items"][0]
    assert (event["kind"], event["order_id"]) == ("SettlementReviewed", phone.order_id)
    assert event["detail"] == "Released: The meter was read on site."


def test_the_operators_note_is_not_for_the_driver(operator: Any, phone: Phone, flagged: dict[str, Any]):
    decide(operator, RELEASE)
    assert RELEASE["note"] not in str(phone.get())


def test_where_nothing_could_be_computed_it_can_only_be_waived(operator: Any, phone: Phone, pile: FakePile):
    phone.order()
    message = phone.message(pile)
    lied = [[message["issued_at"], 1, 1, "flat", 2_500_000, 0, 0]]
    pile.settle(message, periods=lied)
    assert phone.get()["settlement"]["computed_minor"] is None
    problem(decide(operator, RELEASE), 409, "NothingToRelease")
    assert decide(operator, WAIVE).status_code == 201
    assert phone.pay(0).status_code == 200


def test_one_that_settles_no_order_bills_nobody(operator: Any, phone: Phone, pile: FakePile):
    phone.order()
    message = phone.message(pile)
    pile.settle(message)
    pile.settle(message, 9_000_000)  # the same order once more
    pile.settle(message | {"order_id": "nobody-s-order"})
    for settlement_id in (2, 3):
        problem(decide(operator, RELEASE, settlement_id), 409, "NothingToRelease")
        assert decide(operator, WAIVE, settlement_id).status_code == 201
    assert [operator("GET", f"/api/settlements/{n}").json()["settles"] for n in (1, 2, 3)] == [
        True,
        False,
        False,
    ]
    assert phone.get()["total_minor"] == 350
    assert operator("GET", "/api/settlements?flagged=true").json()["items"] == []


def test_what_was_decided_stands_whatever_comes_later(operator: Any, phone: Phone, pile: FakePile):
    phone.order()
    first = phone.message(pile)
    pile.settlement(first | {"order_id": "lost"})  # takes number 1, and is not sent
    data = pile.settle(first, prev_mac="0" * 64)  # number 2
    assert data and phone.get()["settlement"]["flags"] == ["SeqGap"]
    decide(operator, RELEASE)
    assert phone.pay(350).status_code == 200
    # Number 1 comes after all, and number 2 does not follow it: what was decided stands.
    pile.seq = 0
    pile.last_mac = None
    pile.registers_mwh.clear()
    pile.settle(first | {"order_id": "lost"})
    shown = operator("GET", "/api/settlements/1").json()
    assert (shown["flags"], shown["flagged"]) == (["ChainBroken"], False)


def report_of_the_day(operator: Any, ended_at: int) -> Any:
    day = datetime.fromtimestamp(ended_at, timezone.utc).date().isoformat()
    found = operator("GET", f"/api/reports/daily?from={day}&to={day}")
    assert found.status_code == 200, found.text
    return found.json()


def test_revenue_counts_what_is_billed(operator: Any, phone: Phone, flagged: dict[str, Any]):
    ended_at = flagged["settlement"]["ended_at"]
    report = report_of_the_day(operator, ended_at)
    (money,) = report["currencies"]
    (day,) = money["days"]
    assert (report["flagged"], day["flagged_minor"]) == (1, 9_999)
    assert (day["orders"], day["energy_mwh"], day["revenue_minor"], day["labels"]) == (0, 0, 0, {})
    decide(operator, RELEASE)
    report = report_of_the_day(operator, ended_at)
    (money,) = report["currencies"]
    assert (report["flagged"], money["days"][0]["revenue_minor"]) == (0, 350)


def test_what_settles_no_order_is_never_revenue(operator: Any, phone: Phone, pile: FakePile):
    """Waived, it was counted at what the pile had said; a malformed one ended the report with an error."""
    phone.order()
    message = phone.message(pile)
    ended_at = message["issued_at"] + 30
    pile.settle(message, ended_at=ended_at)
    pile.settle(message, 9_000_000, ended_at=ended_at)  # the same order once more
    pile.settle(message | {"order_id": "nobody-s-order"}, ended_at=ended_at)
    pile.settle(message | {"order_id": "another"}, ended_at=ended_at, currency=5, periods=None)
    assert report_of_the_day(operator, ended_at)["flagged"] == 3
    for settlement_id in (2, 3, 4):
        assert decide(operator, WAIVE, settlement_id).status_code == 201
    report = report_of_the_day(operator, ended_at)
    (money,) = report["currencies"]
    (day,) = money["days"]
    assert (report["flagged"], day["orders"], day["energy_mwh"], day["revenue_minor"]) == (
        0,
        1,
        2_500_000,
        350,
    )


def test_what_is_not_flagged_needs_no_decision(operator: Any, phone: Phone, pile: FakePile):
    phone.order()
    pile.settle(phone.message(pile))
    problem(decide(operator, WAIVE), 409, "NotFlagged")
    problem(decide(operator, WAIVE, 99), 404, "UnknownSettlement")


@pytest.mark.parametrize(
    "body",
    [
        {"decision": "release"},
        {"decision": "release", "note": ""},
        {"decision": "release", "note": "  "},
        {"decision": "release", "note": "a\nb"},
        {"decision": "release", "note": "x" * 501},
        {"decision": "pay twice", "note": "x"},
        {"decision": "release", "note": "x", "amount_minor": 1},
    ],
)
def test_a_decision_needs_its_reason(operator: Any, flagged: dict[str, Any], body: dict[str, Any]):
    problem(decide(operator, body), 422, "InvalidRequest")


def test_only_the_operator_decides(client: TestClient, flagged: dict[str, Any]):
    problem(client.post("/api/settlements/1/review", json=RELEASE), 401, "Unauthorized")


@pytest.mark.parametrize("body", [RELEASE, WAIVE])
def test_a_bill_that_was_flagged_after_its_payment_stays_as_it_was_paid(
    operator: Any, phone: Phone, pile: FakePile, body: dict[str, str]
):
    """The settlement before it on its connector comes late, and overlaps it."""
    phone.order()
    late = pile.settlement(phone.message(pile))
    late_sealed = pile.sealed(late)
    pile.offline()
    closed = operator("POST", f"/api/orders/{phone.order_id}/close", {"reason": "No network"})
    assert closed.status_code == 200, closed.text
    pile.online()
    phone.order(connector=2)
    pile.settle(phone.message(pile), connector=2)
    phone.order()
    registers = {name: late[name] for name in ("start_register_mwh", "end_register_mwh")}
    pile.settle(phone.message(pile), **registers)
    total_minor = phone.get()["total_minor"]
    assert phone.pay(total_minor).status_code == 200
    pile.say("settlement", late_sealed)
    (found,) = [
        each
        for each in operator("GET", "/api/settlements?flagged=true").json()["items"]
        if each["order_id"] == phone.order_id
    ]
    assert found["flags"] == ["RegisterOverlap"]
    done = decide(operator, body, found["id"])
    order = phone.get()
    assert (order["state"], order["total_minor"], order["settlement"]["total_minor"]) == (
        "Paid",
        total_minor,
        total_minor,
    )
    assert order["payment"]["amount_minor"] == total_minor
    if body == WAIVE:
        problem(done, 409, "AlreadyPaid")
        done = decide(operator, RELEASE, found["id"])
    assert done.status_code == 201
