"""Each settlement counts once, and every sum, list and export agrees with the rows and the ledger."""

import csv
import io
import json
from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text, update

from cloud_stub import cli
from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from cloud_stub.db.tables import piles, settlements
from cloud_stub.jobs import runner
from cloud_stub.reports import bill_rows
from cloud_stub.settlements import ledger
from tests.cloud.conftest import Phone, settled
from tests.cloud.fakes import FLAT_RATE, FakePile
from tests.cloud.test_credits import credit

WHOLE = "from=2026-01-01&to=2026-12-31"
SITE = {"site_id": "north", "name": "=North", "time_zone": "America/New_York"}
RELEASE = {"decision": "release", "note": "=read on site"}
WAIVE = {"decision": "waive", "note": "display broken"}


@pytest.fixture
def books(operator: Any, phone: Phone, add_pile: Any, cloud: Cloud) -> dict[str, str]:
    """One bill of each kind, at two piles of which one is at a site; the order ids by kind."""
    made: dict[str, str] = {}

    def bill(name: str, pile: FakePile, mwh: int, pay: bool = False, **lies: Any) -> None:
        phone.order(pile.device_id)
        pile.order_status(phone.order_id, "Accepted")
        pile.settle(phone.message(pile), mwh, **lies)
        made[name] = phone.order_id
        if pay:
            assert phone.pay(phone.get()["due_minor"]).status_code == 200

    def review(body: dict[str, str]) -> None:
        newest = operator("GET", "/api/settlements?limit=1").json()["items"][0]["id"]
        assert operator("POST", f"/api/settlements/{newest}/review", body).status_code == 201

    one, other = add_pile("PILE-1"), add_pile("PILE-2", rate=FLAT_RATE | {"time_zone": "Asia/Kolkata"})
    assert operator("POST", "/api/sites", SITE).status_code == 201
    move(operator, "PILE-2", "north")
    bill("paid", one, 1_000_000, pay=True)
    bill("unpaid", one, 2_000_000)
    bill("free", one, 0)
    bill("flagged", other, 3_000_000, total_minor=9_999)
    bill("released", one, 4_000_000, total_minor=9_999)
    review(RELEASE)
    bill("waived", one, 5_000_000, total_minor=8_888)
    review(WAIVE)
    bill("credited in part", other, 6_000_000)
    assert credit(phone, 300).status_code == 201
    bill("credited, then paid", other, 7_000_000)
    assert credit(phone, 1).status_code == 201
    assert phone.pay(phone.get()["due_minor"]).status_code == 200
    bill("paid, then credited", other, 8_000_000, pay=True)
    assert credit(phone, 400).status_code == 201
    bill("credited in whole", one, 9_000_000)
    assert credit(phone, phone.get()["total_minor"]).status_code == 201
    bill("paid, then flagged", one, 1_500_000, pay=True)
    with cloud.store.writing.begin() as conn:
        late = update(settlements).where(settlements.c.order_id == phone.order_id)
        conn.execute(late.values(flagged=True, flags_json='["ChainBroken"]'))
    one.settle(phone.message(one), 1_000_000)  # claims a settled order: it bills nobody
    review(WAIVE)
    other.settle(phone.message(other) | {"order_id": "nobody-s-order"}, 1_000_000)
    with cloud.store.writing.begin() as conn:
        conn.execute(update(piles).values(name="=cmd|x"))
    return made


def move(operator: Any, device_id: str, site_id: str | None) -> None:
    moved = operator("POST", "/api/pile-moves", {"selection": f"pile:{device_id}", "site_id": site_id})
    assert moved.status_code == 200, moved.text


def from_rows(cloud: Cloud, device_id: str | None = None) -> Counter[str]:
    """The sums, computed from the rows alone: by other rules than bills.py, written for these rows."""
    with cloud.store.reading.connect() as conn:
        bills = conn.execute(text("SELECT * FROM settlements")).all()
        total = {row.order_id: row.total_minor for row in conn.execute(text("SELECT * FROM orders")).all()}
        paid = {row.order_id: row.amount_minor for row in conn.execute(text("SELECT * FROM payments")).all()}
        credited: Counter[str] = Counter()
        for row in conn.execute(text("SELECT * FROM credits")).all():
            credited[row.order_id] += row.amount_minor
    found: Counter[str] = Counter()
    for row in bills:
        if device_id not in (None, row.device_id):
            continue
        if row.flagged:
            found["flagged_minor"] += json.loads(row.payload)["total_minor"]
            found["flagged_paid_minor"] += paid.get(row.order_id, 0) if row.settles_order_id else 0
        elif row.settles_order_id and row.review == "Waived":
            found["waived_minor"] += json.loads(row.payload)["total_minor"]
        elif row.settles_order_id:
            found["billed_minor"] += total[row.order_id]
            found["paid_minor"] += paid.get(row.order_id, 0)
            found["credited_minor"] += credited[row.order_id]
            open_minor = total[row.order_id] - paid.get(row.order_id, 0) - credited[row.order_id]
            found["unpaid_minor" if open_minor > 0 else "refund_minor"] += abs(open_minor)
    return found


def reported(operator: Any, query: str = "") -> Counter[str]:
    found = operator("GET", f"/api/reports/daily?{WHOLE}{query}").json()
    sums: Counter[str] = Counter()
    for currency in found["currencies"]:
        assert currency["currency"] == "CNY"
        for day in currency["days"]:
            lines = sum(each["electricity_minor"] + each["service_minor"] for each in day["labels"].values())
            assert lines + day["fees_minor"] == day["billed_minor"] == day["revenue_minor"]
            sums.update({name: value for name, value in day.items() if name.endswith("_minor")})
    del sums["revenue_minor"], sums["fees_minor"]
    return +sums


def exported(operator: Any, path: str) -> list[dict[str, str]]:
    answer = operator("GET", path)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"), newline="")))


def minor(amount: str) -> int:
    return int(Decimal(amount or "0") * 100)


def sums_of(lines: list[dict[str, str]]) -> Counter[str]:
    """What somebody who adds up the columns of an export gets."""
    found: Counter[str] = Counter()
    for line in lines:
        found["billed_minor"] += minor(line["total"])
        for name in ("paid", "credited", "unpaid", "refund", "waived", "flagged_paid", "flagged_credited"):
            found[f"{name}_minor"] += minor(line[name])
        found["flagged_minor"] += minor(line["sealed_total"]) if line["counts_as"] == "Flagged" else 0
    return +found


def test_every_sum_agrees_with_the_rows(operator: Any, books: dict[str, str], cloud: Cloud):
    expected = +from_rows(cloud)
    assert set(expected) == {
        *("billed_minor", "paid_minor", "unpaid_minor", "credited_minor", "refund_minor", "waived_minor"),
        *("flagged_minor", "flagged_paid_minor"),
    }
    assert expected["billed_minor"] == (
        expected["paid_minor"]
        + expected["unpaid_minor"]
        + expected["credited_minor"]
        - expected["refund_minor"]
    )
    assert reported(operator) == expected
    assert sums_of(exported(operator, "/api/settlements.csv")) == expected
    with cloud.store.reading.connect() as conn:
        received = sum(row.amount_minor for row in conn.execute(text("SELECT * FROM payments")).all())
    assert expected["paid_minor"] + expected["flagged_paid_minor"] == received
    gauges = dict(
        line.rsplit(" ", 1)
        for line in operator("GET", "/metrics").text.splitlines()
        if line.startswith("ratelock_bills")
    )
    assert float(gauges['ratelock_bills_unpaid_minor{currency="CNY"}']) == expected["unpaid_minor"]
    assert float(gauges['ratelock_bills_unpaid{currency="CNY"}']) == 3


def test_the_books_of_a_site_are_those_of_its_piles(operator: Any, books: dict[str, str], cloud: Cloud):
    of_site = +from_rows(cloud, "PILE-2")
    assert reported(operator, "&site_id=north") == reported(operator, "&device_id=PILE-2") == of_site
    assert sums_of(exported(operator, "/api/settlements.csv?site_id=north")) == of_site
    tagged = operator("POST", "/api/tags", {"selection": "pile:PILE-2", "add": ["fast"]})
    assert tagged.status_code < 300, tagged.text
    assert reported(operator, "&tag=fast") == of_site
    rest = exported(operator, "/api/settlements.csv?device_id=PILE-1")
    assert sums_of(rest) + of_site == +from_rows(cloud)
    for path in ("/api/settlements.csv?", f"/api/reports/daily?{WHOLE}&"):
        assert operator("GET", path + "site_id=nowhere").json()["code"] == "UnknownSite"
        assert operator("GET", path + "device_id=PILE-9").json()["code"] == "UnknownPile"


def test_a_bill_stays_at_the_site_where_it_was_charged(operator: Any, books: dict[str, str], cloud: Cloud):
    def of_site(path: str, site_id: str) -> list[dict[str, str]]:
        return [line for line in exported(operator, path) if line["site_id"] == site_id]

    def of_north() -> tuple[list[dict[str, str]], ...]:
        return tuple(of_site(path, "north") for path in ("/api/settlements.csv", "/api/orders.csv"))

    before, in_orders = of_north()
    assert {line["time_zone"] for line in before} == {"America/New_York"}
    sums = reported(operator, "&site_id=north")
    assert operator("POST", "/api/sites", SITE | {"site_id": "south"}).status_code == 201
    move(operator, "PILE-2", "south")
    # One settles no order, so no confirmation says where it belongs: it is where its pile is.
    (moved,) = of_site("/api/settlements.csv", "south")
    assert moved["order_id"] == "nobody-s-order"
    assert of_north() == ([line for line in before if line["order_id"] != "nobody-s-order"], in_orders)
    assert sums - reported(operator, "&site_id=north") == reported(operator, "&site_id=south")
    assert set(reported(operator, "&site_id=south")) == {"flagged_minor"}
    left = reported(operator, "&site_id=north")
    assert operator("DELETE", "/api/sites/north").status_code == 200
    assert reported(operator, "&site_id=north") == left == sums_of(of_site("/api/settlements.csv", "north"))


def test_a_bill_of_an_order_without_a_site_counts_where_its_pile_is(
    operator: Any, books: dict[str, str], cloud: Cloud
):
    """A process of one release back, which runs on for a time beside this one, stores no site."""
    sums, lines = reported(operator, "&site_id=north"), exported(operator, "/api/orders.csv")
    with cloud.store.writing.begin() as conn:
        conn.execute(text("UPDATE orders SET site_id = NULL"))
    assert reported(operator, "&site_id=north") == sums
    assert exported(operator, "/api/orders.csv") == lines
    move(operator, "PILE-1", "north")
    assert reported(operator, "&site_id=north") == sums, "the orders moved with their pile"
    while cloud.jobs.retain(now_s() + runner.STORED_WITHIN_S + 60):
        pass
    of_north = exported(operator, "/api/orders.csv?site_id=north")
    assert of_north == [line for line in lines if line["site_id"] == "north"] != []
    with cloud.store.reading.connect() as conn:
        assert conn.execute(text("SELECT count(*) FROM orders WHERE site_id IS NULL")).scalar() == 0


def test_what_was_charged_at_no_site_stays_there(operator: Any, books: dict[str, str]):
    before = reported(operator, "&site_id=north")
    move(operator, "PILE-1", "north")
    assert reported(operator, "&site_id=north") == before
    at_pile = operator("GET", "/api/orders?device_id=PILE-1").json()["items"]
    assert {each["site_id"] for each in at_pile} == {None}


def test_an_export_agrees_with_the_ledger_line_by_line(operator: Any, books: dict[str, str], cloud: Cloud):
    with cloud.store.reading.connect() as conn:
        sealed = [
            json.loads(line)
            for pile in ("PILE-1", "PILE-2")
            for line in list(ledger.lines(conn, pile, 0))[:-1]
        ]
    lines = {(line["device_id"], line["seq"]): line for line in exported(operator, "/api/settlements.csv")}
    assert len(lines) == len(sealed)
    for said in sealed:
        line = lines[said["device_id"], str(said["seq"])]
        assert minor(line["sealed_total"]) == said["total_minor"]
        assert Decimal(line["energy_kwh"]) == Decimal(said["energy_mwh"]).scaleb(-6)
        assert Decimal(line["start_register_kwh"]) == Decimal(said["start_register_mwh"]).scaleb(-6)
        assert Decimal(line["end_register_kwh"]) == Decimal(said["end_register_mwh"]).scaleb(-6)
        for name in ("started", "ended"):
            at = datetime.fromisoformat(line[name])
            assert at.timestamp() == said[name + "_at"]
            zone = {"PILE-1": "Asia/Shanghai", "PILE-2": "America/New_York"}[said["device_id"]]
            assert line["time_zone"] == zone  # its rate's; its site's, before the rate's
            assert at.utcoffset() == at.astimezone(ZoneInfo(zone)).utcoffset()


def test_a_flagged_bill_looks_like_none_that_counts(operator: Any, books: dict[str, str]):
    name_of = {order_id: name for name, order_id in books.items()}
    lines = {name_of[line["order_id"]]: line for line in exported(operator, "/api/orders.csv")}
    assert {name: line["counts_as"] for name, line in lines.items()} == {
        "paid": "Billed",
        "unpaid": "Billed",
        "free": "Billed",
        "flagged": "Flagged",
        "released": "Billed",
        "waived": "Waived",
        "credited in part": "Billed",
        "credited, then paid": "Billed",
        "paid, then credited": "Billed",
        "credited in whole": "Billed",
        "paid, then flagged": "Flagged",
    }
    for name in ("flagged", "paid, then flagged"):
        for each in ("total", "electricity", "service", "fee", "paid", "credited", "unpaid"):
            assert lines[name][each] == ""
    assert lines["paid, then flagged"]["flagged_paid"] == "2.30"
    assert (lines["flagged"]["sealed_total"], lines["flagged"]["flags"]) == ("99.99", "TotalMismatch")
    assert (lines["waived"]["total"], lines["waived"]["waived"]) == ("0.00", "88.88")
    assert (lines["paid, then credited"]["credited"], lines["paid, then credited"]["refund"]) == (
        "4.00",
        "4.00",
    )
    for line in lines.values():
        if line["counts_as"] != "Flagged":
            parts = [Decimal(line[each]) for each in ("electricity", "service", "fee")]
            assert sum(parts) == Decimal(line["total"])
    listed = {
        name_of[each["order_id"]]: each["bill"] for each in operator("GET", "/api/orders").json()["items"]
    }
    assert {name: each["kind"] for name, each in listed.items()} == {
        name: line["counts_as"] for name, line in lines.items()
    }
    assert (listed["paid, then credited"]["refund_minor"], listed["flagged"]["unpaid_minor"]) == (400, 0)


def test_nothing_in_an_export_becomes_a_formula(operator: Any, books: dict[str, str]):
    for path in ("/api/settlements.csv", "/api/orders.csv"):
        lines = exported(operator, path)
        assert {line["pile_name"] for line in lines} == {"'=cmd|x"}
        assert "'=read on site" in {line["review_note"] for line in lines}
        assert not any(value.startswith(("=", "+", "@", "-")) for line in lines for value in line.values())


def test_an_order_that_is_not_settled_has_an_empty_bill(operator: Any, phone: Phone, pile: FakePile):
    phone.order()
    (line,) = exported(operator, "/api/orders.csv")
    assert (line["order_id"], line["counts_as"], line["total"]) == (phone.order_id, "", "")
    assert operator("GET", "/api/orders").json()["items"][0]["bill"] is None


def test_every_page_of_the_books_comes(
    operator: Any, phone: Phone, pile: FakePile, monkeypatch: pytest.MonkeyPatch
):
    for _ in range(5):
        settled(phone, pile, 1_000_000)
    monkeypatch.setattr(bill_rows, "PAGE", 2)
    ids = [line["settlement_id"] for line in exported(operator, "/api/settlements.csv")]
    assert len(ids) == len(set(ids)) == 5
    assert reported(operator)["billed_minor"] == 5 * 170
    ended = datetime.fromisoformat(exported(operator, "/api/settlements.csv")[0]["ended"])
    at = int(ended.timestamp())
    assert exported(operator, f"/api/settlements.csv?from_at={at + 86_400}") == []
    assert exported(operator, f"/api/settlements.csv?until_at={at}") == []


def test_the_command_line_exports_the_same_books(
    operator: Any, books: dict[str, str], cloud: Cloud, capsys: pytest.CaptureFixture[str]
):
    def command(*options: str, name: str = "export") -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cli, "Settings", lambda: cloud.settings)
            capsys.readouterr()
            assert cli.main(["books", name, *options]) == 0
        return capsys.readouterr().out

    def http(query: str) -> str:
        return operator("GET", "/api/settlements.csv" + query).text

    assert command().splitlines() == http("").splitlines()
    assert command("--site", "north").splitlines() == http("?site_id=north").splitlines()
    days = ("--from", "2026-01-01", "--to", "2026-01-02", "--time-zone", "Asia/Shanghai")
    assert len(command(*days).splitlines()) == 1
    whole = ("--from", "2026-01-01", "--to", "2026-12-31", "--site", "north")
    by_day = operator("GET", f"/api/reports/daily?{WHOLE}&site_id=north").json()
    assert json.loads(command(*whole, name="daily")) == by_day
