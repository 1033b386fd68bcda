"""Our calls beside the provider's own report: equal, or each difference is named."""

import sqlite3
from typing import Any

import pytest
from sqlalchemy import text, update

from cloud_stub.cloud import Cloud
from cloud_stub.db.payment_tables import payment_calls
from cloud_stub.payments import port
from tests.cloud.conftest import Phone, settled
from tests.cloud.fakes import FakePile
from tests.cloud.test_holds import behave, books, by_hand, credit, settings  # noqa: F401
from tests.cloud.test_holds import run as run_due
from tests.cloud.test_operator import problem
from tests.cloud.test_reports import at

TODAY = "from=2026-01-01&to=2026-12-31"


@pytest.fixture
def history(cloud: Cloud, phone: Phone, pile: FakePile) -> None:
    """One hold captured and refunded in part, one released."""
    settled(phone, pile, 2_500_000)
    run_due(cloud)
    credit(phone, 100)
    settled(phone, pile, 0)
    run_due(cloud)


def compared(operator: Any, query: str = TODAY) -> dict[str, Any]:
    answer = operator("GET", "/api/reports/reconciliation?" + query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_equal_books_have_no_difference(cloud: Cloud, history: None, operator: Any, run: Any):
    found = compared(operator)
    assert found == {
        "from": "2026-01-01",
        "to": "2026-12-31",
        "time_zone": "UTC",
        "adapter": "test",
        "is_test": True,
        "rows_ours": 5,
        "rows_theirs": 5,
        "differences": [],
    }
    assert compared(operator, "from=2025-01-01&to=2025-01-02")["rows_ours"] == 0
    days = ("--from", "2026-01-01", "--to", "2026-12-31")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RATELOCK_PAYMENT", "test")
        assert run("payment", "reconcile", *days) == [found]
        patch.setenv("RATELOCK_PAYMENT", "after")
        assert "No payment provider is set" in run("payment", "reconcile", *days)


def test_each_difference_is_named(cloud: Cloud, history: None, operator: Any, run: Any):
    adapter = cloud.cashier.adapter
    assert adapter is not None
    rows = list(adapter.report(0, 2**40))
    by_kind = {row.kind: row for row in rows}
    held_minor = by_kind["release"].amount_minor

    def with_theirs(changed: list[port.ReportRow]) -> list[tuple[Any, ...]]:
        adapter.report = lambda from_at, until_at: changed
        found = compared(operator)["differences"]
        assert all(each["hold_id"] and each["order_id"] for each in found)
        return [(each["what"], each["kind"], each["ours_minor"], each["theirs_minor"]) for each in found]

    def instead(kind: str, **values: Any) -> list[port.ReportRow]:
        return [row._replace(**values) if row == by_kind[kind] else row for row in rows]

    def without(kind: str) -> list[port.ReportRow]:
        return [row for row in rows if row != by_kind[kind]]

    refund = by_kind["refund"]
    assert with_theirs(instead("capture", amount_minor=349)) == [("AmountDiffers", "capture", 350, 349)]
    assert with_theirs(instead("refund", currency="EUR")) == [("AmountDiffers", "refund", 100, 100)]
    (euros,) = compared(operator)["differences"]
    assert (euros["currency"], euros["theirs_currency"], euros["minor_digits"]) == ("CNY", "EUR", 2)
    assert with_theirs(instead("refund", state=port.REFUSED)) == [("StateDiffers", "refund", 100, 100)]
    assert with_theirs(without("release")) == [("MissingAtProvider", "release", held_minor, None)]
    assert with_theirs(instead("release", key=None)) == []  # it lapsed, or was cancelled, as we asked
    for key in (None, "k-other", refund.key):  # in the provider's dashboard; lost here; made twice
        again = refund._replace(ref="another", amount_minor=7, key=key)
        assert with_theirs([*rows, again]) == [("MissingHere", "refund", None, 7)]
    lapsed = by_kind["capture"]._replace(kind="release", key=None, amount_minor=1000)
    assert with_theirs([*without("capture"), lapsed]) == [
        ("MissingHere", "release", None, 1000),
        ("MissingAtProvider", "capture", 350, None),
    ]
    of_others = refund._replace(key=None, hold_ref="of another business of the same account")
    assert with_theirs([*rows, of_others]) == []
    with cloud.store.writing.begin() as conn:
        conn.execute(
            text("UPDATE payment_calls SET state = 'Open', resolved_at = NULL WHERE kind = 'capture'")
        )
        conn.execute(text("UPDATE payment_calls SET state = 'Refused' WHERE kind = 'refund'"))
    differences = [("StateDiffers", "capture", 350, 350), ("StateDiffers", "refund", 100, 100)]
    assert sorted(with_theirs(rows)) == differences
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RATELOCK_PAYMENT", "test")
        failed = run("payment", "reconcile", "--from", "2026-01-01", "--to", "2026-12-31")
    assert "2 differences from the report of test" in failed


def test_a_refund_of_another_day_that_fails_later_is_no_difference(
    cloud: Cloud, history: None, operator: Any, monkeypatch: pytest.MonkeyPatch
):
    """In days of Shanghai: the refund was done just after midnight of the 3rd, and failed on the 6th."""
    adapter = cloud.cashier.adapter
    assert adapter is not None
    captured_at, refunded_at, failed_at = (
        at(each) for each in ("2026-03-01 15:59:00", "2026-03-02 16:01:00", "2026-03-05 20:00:00")
    )
    rows = [row._replace(at=captured_at) for row in adapter.report(0, 2**40)]
    (refund,) = [row for row in rows if row.kind == port.REFUND]
    rows = [row for row in rows if row != refund]
    told = [refund._replace(at=refunded_at), refund._replace(at=failed_at, state=port.REFUSED)]

    def report(from_at: int, until_at: int) -> list[port.ReportRow]:
        """As Stripe's: of a refund, the newest that it told in that time."""
        of_refund = [row for row in told if from_at <= row.at < until_at][-1:]
        return [row for row in rows if from_at <= row.at < until_at] + of_refund

    monkeypatch.setattr(adapter, "report", report)
    with cloud.store.writing.begin() as conn:
        days = {"created_at": captured_at - 1, "resolved_at": captured_at}
        conn.execute(update(payment_calls).values(days))
        days = {"created_at": refunded_at - 1, "resolved_at": failed_at, "state": "Refused"}
        conn.execute(update(payment_calls).where(payment_calls.c.kind == "refund").values(days))
    for first, last, rows_there in (("03-01", "03-01", 4), ("03-03", "03-03", 1), ("03-06", "03-06", 1)):
        asked = f"from=2026-{first}&to=2026-{last}&time_zone=Asia/Shanghai"
        found = compared(operator, asked)
        assert (found["rows_theirs"], found["differences"]) == (rows_there, []), first
    assert compared(operator, "from=2026-03-01&to=2026-03-06&time_zone=Asia/Shanghai")["differences"] == []
    told.pop()  # as if it had not failed there
    found = compared(operator, "from=2026-03-01&to=2026-03-06&time_zone=Asia/Shanghai")["differences"]
    assert [each["what"] for each in found] == ["StateDiffers"]


def test_a_call_that_ends_here_after_midnight_is_no_difference(
    cloud: Cloud,
    history: None,
    operator: Any,
    books: Any,  # noqa: F811
):
    conn = sqlite3.connect(cloud.settings.data / "test_provider.db")
    conn.execute("UPDATE calls SET at = ?", (at("2026-03-01 23:59:59"),))
    conn.commit()
    conn.close()
    with cloud.store.writing.begin() as conn:
        days = {"created_at": at("2026-03-01 23:59:58"), "resolved_at": at("2026-03-03 00:00:01")}
        conn.execute(update(payment_calls).values(days))
    for day, ours, theirs in (("2026-03-01", 0, 5), ("2026-03-02", 0, 0), ("2026-03-03", 5, 0)):
        found = compared(operator, f"from={day}&to={day}")
        assert (found["rows_ours"], found["rows_theirs"], found["differences"]) == (ours, theirs, [])


def test_without_a_provider_or_its_report_nothing_is_compared(
    cloud: Cloud, operator: Any, monkeypatch: pytest.MonkeyPatch
):
    asked = "/api/reports/reconciliation?"
    monkeypatch.setattr(cloud.cashier.adapter, "report_kept_s", 30 * 86_400)
    refused = problem(operator("GET", asked + TODAY), 422, "InvalidRequest")
    assert refused["errors"][0]["reason"] == "the provider keeps its report for 30 days only"
    monkeypatch.setattr(cloud.cashier, "adapter", None)
    problem(operator("GET", asked + TODAY), 409, "NoPaymentProvider")
