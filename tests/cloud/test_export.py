"""The orders as a table: exact amounts, every page, and nothing that a spreadsheet would run."""

import csv
import io
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text, update

from cloud_stub.db.tables import orders, piles
from cloud_stub.reports.csv_lines import harmless
from cloud_stub.reports.orders_csv import PAGE
from tests.cloud.conftest import Phone, settled
from tests.cloud.fakes import FakePile


def exported(operator: Any, query: str = "") -> list[dict[str, str]]:
    answer = operator("GET", "/api/orders.csv" + query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    assert answer.text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"), newline="")))


def test_orders_are_exported_with_exact_amounts(operator: Any, phone: Phone, pile: FakePile):
    settled(phone, pile, 2_500_001)
    (row,) = exported(operator)
    assert row["order_id"] == phone.order_id
    assert (row["energy_kwh"], row["total"], row["currency"]) == ("2.500001", "3.50", "CNY")
    created = datetime.fromisoformat(row["created_at"].replace("Z", "+00:00"))
    assert int(created.timestamp()) == phone.get()["created_at"]
    assert row["paid_at"] == ""
    assert phone.token not in operator("GET", "/api/orders.csv").text


def test_the_export_is_filtered_as_the_list_is(operator: Any, phone: Phone, pile: FakePile):
    phone.order()
    pile.order_status(phone.order_id, "Rejected", "NoMeter")
    refused = phone.order_id
    made_at = phone.order(connector=2)["created_at"]
    assert [row["order_id"] for row in exported(operator, "?state=Rejected")] == [refused]
    assert len(exported(operator, f"?from_at={made_at - 5}&until_at={made_at + 5}")) == 2
    assert exported(operator, f"?until_at={made_at - 5}") == []
    assert exported(operator, "?device_id=PILE-9") == []
    assert operator("GET", "/api/orders.csv?state=Nowhere").status_code == 422


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0", '"=1+1', 'a,b"c;d', "充电桩"]
)
def test_no_name_becomes_a_formula(operator: Any, pile: FakePile, phone: Phone, cloud: Any, name: str):
    with cloud.store.writing.begin() as conn:
        conn.execute(update(piles).values(name=name))
    phone.order()
    (row,) = exported(operator)
    assert row["pile_name"].removeprefix("'") == name
    assert row["pile_name"][0] not in "=+-@"


def test_every_page_of_an_export_comes(operator: Any, phone: Phone, pile: FakePile, cloud: Any):
    phone.order()
    with cloud.store.reading.connect() as conn:
        row = dict(conn.execute(text("SELECT * FROM orders")).one()._mapping)
    count = 2 * PAGE + 1
    copies = [
        row | {"order_id": f"copy-{n:06}", "token": f"t{n}", "idempotency_key": f"k{n}", "holds": False}
        for n in range(count - 1)
    ]
    with cloud.store.writing.begin() as conn:
        conn.execute(orders.insert(), copies)
    ids = [each["order_id"] for each in exported(operator)]
    assert len(ids) == len(set(ids)) == count
    assert ids == sorted(ids, reverse=True)


def test_only_what_a_spreadsheet_would_run_is_changed():
    wide = [chr(ord(each) + 0xFEE0) + "1" for each in "=+-@"]
    for value in ("=1", "\tx", '=HYPERLINK("http://x")', *wide):
        assert harmless(value) == "'" + value
    for value in ("1-1", "", "a=b"):
        assert harmless(value) == value
