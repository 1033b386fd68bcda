"""The report of payments, by day and adapter: as JSON, as CSV and by command."""

import csv
import io
from typing import Any

import pytest
from sqlalchemy import select, update

from cloud_stub.cloud import Cloud
from cloud_stub.db.payment_tables import payment_calls, payment_holds
from cloud_stub.payments import calls
from cloud_stub.reports import gauges
from tests.cloud.conftest import AS_OPERATOR, Phone, settled
from tests.cloud.fakes import FakePile, new_key
from tests.cloud.test_holds import behave, books, by_hand, confirm, credit, settings  # noqa: F401
from tests.cloud.test_holds import run as run_due
from tests.cloud.test_operator import problem
from tests.cloud.test_reports import at, put_on

DAYS = "from=2026-03-01&to=2026-03-04"
TEST = "TEST - no money moves"


def on(cloud: Cloud, day: str, order_id: str) -> None:
    """As if all that has been resolved of the order until here, and is on no such day, was at noon of it."""
    of_order = select(payment_holds.c.hold_id).where(payment_holds.c.order_id == order_id)
    late = update(payment_calls).where(payment_calls.c.hold_id.in_(of_order))
    with cloud.store.writing.begin() as conn:
        late = late.where(payment_calls.c.resolved_at > at("2026-06-01"))
        conn.execute(late.values(resolved_at=at(day) + 43_200))


def row(day: str, adapter: str, **amounts: int) -> dict[str, Any]:
    names = ("holds", "held_minor", "captured_minor", "released_minor", "refunded_minor", "unpaid_minor")
    of = {"day": day, "adapter": adapter, "currency": "CNY", "minor_digits": 2, "is_test": adapter == "test"}
    return of | dict.fromkeys(names, 0) | amounts


def test_each_call_counts_on_its_day_and_each_unpaid_bill_on_that_of_its_end(
    cloud: Cloud,
    phone: Phone,
    pile: FakePile,
    operator: Any,
    behave: Any,  # noqa: F811
    run: Any,
    monkeypatch: pytest.MonkeyPatch,
):
    behave(action=True)
    problem(confirm(phone, new_key(), cost_minor=700), 402, "PaymentNeeded")
    for after_s in (1000, 2000):  # its driver gives up: nothing was held, so nothing is released
        run_due(cloud, after_s=after_s)
    behave()
    phone.order(cost_minor=1000)
    on(cloud, "2026-03-01", phone.order_id)
    pile.order_status(phone.order_id, "Accepted")
    pile.settle(phone.message(pile), 2_500_000)
    put_on(cloud.store, phone.order_id, at("2026-03-02"))
    run_due(cloud)
    on(cloud, "2026-03-02", phone.order_id)
    credit(phone, 100)
    run_due(cloud)
    on(cloud, "2026-03-03", phone.order_id)
    behave(refuse={"capture": "expired"})
    phone.order(cost_minor=500)
    pile.order_status(phone.order_id, "Accepted")
    pile.settle(phone.message(pile), 2_500_000)
    put_on(cloud.store, phone.order_id, at("2026-03-03"))
    run_due(cloud)
    on(cloud, "2026-03-02", phone.order_id)
    monkeypatch.setattr(cloud.cashier, "adapter", None)
    settled(phone, pile, 2_500_000)
    put_on(cloud.store, phone.order_id, at("2026-03-03"))

    asked = f"/api/reports/payments?{DAYS}"
    found = operator("GET", asked).json()
    assert found == {
        "from": "2026-03-01",
        "to": "2026-03-04",
        "time_zone": "UTC",
        "unresolved": 0,
        "rows": [
            row("2026-03-01", "test", holds=1, held_minor=1000),
            row("2026-03-02", "test", holds=1, held_minor=500, captured_minor=350, released_minor=650),
            row("2026-03-03", "", unpaid_minor=350),
            row("2026-03-03", "test", refunded_minor=100, unpaid_minor=350),
        ],
    }
    elsewhere = operator("GET", asked + "&time_zone=Pacific/Auckland").json()[
        "rows"
    ]  # noon is midnight there
    assert [each["day"] for each in elsewhere][:2] == ["2026-03-02", "2026-03-03"]

    answer = operator("GET", f"/api/reports/payments.csv?{DAYS}")
    lines = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"), newline="")))
    assert list(lines[1].values()) == [
        *("2026-03-02", "test", "CNY", "1", "5.00", "3.50", "6.50", "0.00", "0.00", TEST)
    ]
    assert [line["notice"] for line in lines] == [TEST, TEST, "", TEST]
    days = ("--from", "2026-03-01", "--to", "2026-03-04")
    assert run("payment", "report", *days) == found["rows"]
    assert run("payment", "report", *days, "--csv", text=True) == answer.text.splitlines()
    assert run("payment", "report", "--from", "2026-03-04") == []
    assert "must be a day" in run("payment", "report", "--from", "tomorrow")


def test_a_call_whose_outcome_is_missing_for_long_shows(
    cloud: Cloud,
    phone: Phone,
    pile: FakePile,
    operator: Any,
    behave: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
):
    behave(silent=["capture"])
    settled(phone, pile, 2_500_000)
    run_due(cloud)

    def unresolved() -> list[int]:
        told = operator("GET", "/metrics").text.splitlines()
        lines = [line.split(" ") for line in told if line.startswith("ratelock_payment_calls_unresolved")]
        report = operator("GET", f"/api/reports/payments?{DAYS}").json()["unresolved"]
        return [report, *(int(float(value)) for _, value in lines)]

    monkeypatch.setattr(gauges, "FRESH_S", -1)
    assert unresolved() == [0, 0, 0]
    with cloud.store.writing.begin() as conn:
        long_ago = payment_calls.c.created_at - calls.UNRESOLVED_S - 1
        conn.execute(update(payment_calls).values(created_at=long_ago))
    report, found, oldest_s = unresolved()
    assert (report, found) == (1, 1) and oldest_s > calls.UNRESOLVED_S


def test_every_export_says_that_no_money_moves(
    cloud: Cloud, phone: Phone, pile: FakePile, operator: Any, monkeypatch: pytest.MonkeyPatch
):
    settled(phone, pile, 2_500_000)
    run_due(cloud)
    credit(phone, 100)
    run_due(cloud)
    phone.order(cost_minor=500)
    monkeypatch.setattr(cloud.cashier, "adapter", None)
    phone.order(connector=2)
    names = ("adapter", "held", "captured", "refunded", "notice")

    def exported(name: str) -> list[tuple[str, ...]]:
        text = operator("GET", f"/api/{name}.csv").text.removeprefix("\ufeff")
        lines = csv.DictReader(io.StringIO(text, newline=""))
        return [tuple(line[name] for name in names) for line in lines]

    held = phone.client.get("/api/payments?limit=2", headers=AS_OPERATOR).json()["items"][1]["held_minor"]
    paid = ("test", f"{held // 100}.{held % 100:02}", "3.50", "1.00", TEST)
    assert exported("settlements") == [paid]
    assert exported("orders") == [("",) * 5, ("test", "5.00", "0.00", "0.00", TEST), paid]


def test_holds_are_listed_by_order_and_state(cloud: Cloud, phone: Phone, pile: FakePile, operator: Any):
    made = phone.order(cost_minor=1000)
    phone.order(connector=2, cost_minor=500)
    (found,) = operator("GET", f"/api/payments?order_id={made['order_id']}").json()["items"]
    assert found["hold_id"] == made["payment"]["hold_id"]
    assert operator("GET", "/api/payments?order_id=none").json()["items"] == []
    assert len(operator("GET", "/api/payments?state=Held").json()["items"]) == 2
    assert (
        len(operator("GET", f"/api/payments?before={phone.get()['payment']['hold_id']}").json()["items"]) == 1
    )
