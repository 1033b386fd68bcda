"""The audit trail: filtered, paged, exported, and only added to."""

import csv
import io
import re
from typing import Any

from fastapi.testclient import TestClient

from cloud_stub.cloud import Cloud
from cloud_stub.db import audit
from cloud_stub.db.audit import Actor
from cloud_stub.db.writer import Transaction
from tests.cloud.conftest import AS_OPERATOR
from tests.cloud.fakes import ACTOR, WAIT_S
from tests.cloud.operators import member
from tools import ROOT


def test_audit_lines_are_filtered_and_paged(cloud: Cloud, client: TestClient, operator: Any):
    cloud.writer.submit(_written).result(WAIT_S)

    def found(query: str, headers: dict[str, str] = AS_OPERATOR) -> list[str]:
        answer = client.get("/api/audit?" + query, headers=headers)
        assert answer.status_code == 200, answer.text
        return [each["detail"] for each in answer.json()["items"]]

    everything = [str(n) for n in range(9, -1, -1)]
    assert found("limit=500") == everything
    assert found("actor=anna") == ["8", "6", "4", "2", "0"]
    assert found("actor=anna&action=PileAdded&device_id=P-4") == ["4"]
    assert found("order_id=nothing") == found("site_id=x") == found("tariff_id=x") == []
    assert found("account=ben") == ["9"]
    # The clocks of two workers differ: line 7 is older than line 6, and from before the time.
    assert found("from_at=1800000003&until_at=1800000008") == ["6", "5", "4", "3"]
    assert found("until_at=1") == found("from_at=1900000000") == []
    first = client.get("/api/audit?limit=4", headers=AS_OPERATOR).json()
    assert [each["detail"] for each in first["items"]] == everything[:4]
    assert found(f"limit=500&before={first['next']}") == everything[4:]
    viewer = member(cloud, "viewer", "vera")
    assert found("limit=500", viewer) == everything[1:], "who has an account, and from where, is not for all"
    assert found("account=ben", viewer) == []


def _written(tx: Transaction) -> None:
    for n in range(10):
        actor = Actor(audit.USER, "ben" if n % 2 else "anna")
        about: Any = {"account": "ben"} if n == 9 else {"device_id": f"P-{n}"}
        at = 1_800_000_000 + (n if n != 7 else 2)
        audit.record(tx.conn, actor, at, "PileAdded", detail=str(n), **about)


def test_the_export_has_every_line_and_no_formula(cloud: Cloud, client: TestClient):
    many = 1_001

    def write(tx: Transaction) -> None:
        for n in range(many):
            audit.record(tx.conn, ACTOR, n, "OrderClosed", order_id="o", detail=f"=cmd|{n}\r\n,\"'")

    cloud.writer.submit(write).result(WAIT_S)
    answer = client.get("/api/audit.csv?order_id=o", headers=AS_OPERATOR)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    header, *rows = csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"), newline=""))
    assert tuple(header) == audit.AuditRow._fields
    assert len(rows) == many and len({row[0] for row in rows}) == many
    assert rows[-1][1:] == [
        *("1970-01-01T00:00:00Z", "cli", "tester", "OrderClosed", "", "o", "", "", ""),
        "'=cmd|0\r\n,\"'",
    ]


def test_no_code_changes_or_deletes_an_audit_line():
    """The trail is only added to: no statement of the cloud names its table but inserts and selects."""
    users_of_it = [
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / "cloud_stub").rglob("*.py")
        if re.search(r"\b_trail\b", file.read_text(encoding="utf-8"))
    ]
    assert users_of_it == ["cloud_stub/db/audit.py"]
    source = (ROOT / "cloud_stub/db/audit.py").read_text(encoding="utf-8")
    assert "update" not in source and "delete(" not in source
