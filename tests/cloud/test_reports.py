"""What the console asks of the API: the live fleet, reports, curves, comparisons, previews, the export."""

import csv
import io
import json
from datetime import datetime, timezone
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from cloud_stub.export import PAGE, harmless
from cloud_stub.store import Store
from cloud_stub.tables import orders, piles, settlements
from pile_protocol import pricing
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FLAT_RATE, FakePile

CALLS = [
    ("GET", "/api/piles/PILE-1/report"),
    ("GET", "/api/piles/PILE-1/power?from_at=0&until_at=1"),
    ("GET", "/api/reports/daily?from=2026-01-01&to=2026-01-02"),
    ("GET", "/api/settlements/1"),
    ("POST", "/api/rates/preview"),
    ("GET", "/api/orders.csv"),
]
TWO_PRICES = FLAT_RATE | {
    "time_zone": "UTC",
    "periods": [
        {"start": "00:00", "label": "valley", "electricity_price": 300_000, "service_price": 100_000},
        {"start": "12:00", "label": "peak", "electricity_price": 900_000, "service_price": 300_000},
    ],
}


@pytest.mark.parametrize("method, path", CALLS)
def test_every_call_needs_the_token(client: TestClient, method: str, path: str):
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (401, "Unauthorized")


# -- the live fleet


def test_the_fleet_tells_what_charges_now(operator: Any, phone: Phone, pile: FakePile):
    phone.order()
    pile.order_status(phone.order_id, "Accepted")
    pile.order_status(phone.order_id, "Charging")
    pile.meter(phone.order_id, 1_500_000)
    first = operator("GET", "/api/piles").json()
    connector = first["items"][0]["connectors"][0]
    assert connector["busy"]
    assert (
        connector["order"].items()
        >= {
            "order_id": phone.order_id,
            "state": "Charging",
            "power_mw": 7_000_000,
            "energy_mwh": 1_500_000,
            "minor_digits": 2,
        }.items()
    )
    assert first["items"][0]["connectors"][1]["order"] is None
    assert first["summary"].items() >= {"piles": 1, "online": 1, "charging": 1, "faulted": 0}.items()
    assert operator("GET", "/api/piles/PILE-1/report").json()["connectors"][0] == connector
    assert phone.token not in json.dumps(first)


def test_the_fleet_is_filtered_by_state(operator: Any, add_pile: Any, phone: Phone):
    charging, faulted, _online = add_pile("PILE-1"), add_pile("PILE-2"), add_pile("PILE-3")
    add_pile("PILE-4", online=False)
    phone.order("PILE-1")
    charging.order_status(phone.order_id, "Charging")
    faulted.online(connector=1, status="Faulted", fault="GroundFailure")
    expected = {
        "charging": ["PILE-1"],
        "faulted": ["PILE-2"],
        "online": ["PILE-1", "PILE-2", "PILE-3"],
        "offline": ["PILE-4"],
    }
    for state, ids in expected.items():
        found = operator("GET", f"/api/piles?state={state}").json()
        assert [each["device_id"] for each in found["items"]] == ids
        assert (found["summary"][state], found["summary"]["matching"]) == (len(ids), len(ids))
    assert operator("GET", "/api/piles?state=lost").status_code == 422


def test_an_unchanged_fleet_is_not_sent_twice(
    client: TestClient, as_operator: dict[str, str], pile: FakePile
):
    first = client.get("/api/piles", headers=as_operator)
    again = as_operator | {"If-None-Match": first.headers["etag"]}
    unchanged = client.get("/api/piles", headers=again)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    pile.offline()
    changed = client.get("/api/piles", headers=again)
    assert changed.status_code == 200
    assert changed.json()["items"][0]["online"] is False
    assert client.get("/api/piles", headers={"If-None-Match": first.headers["etag"]}).status_code == 401


def test_a_fault_that_goes_is_an_event_too(operator: Any, pile: FakePile):
    pile.online(connector=1, status="Faulted", fault="GroundFailure")
    pile.online(connector=1, status="Faulted", fault="GroundFailure")
    assert operator("GET", "/api/piles?state=faulted").json()["summary"]["matching"] == 1
    pile.offline()  # a last will tells nothing of connectors
    assert operator("GET", "/api/piles?state=faulted").json()["summary"]["matching"] == 1
    pile.online()
    assert operator("GET", "/api/piles?state=faulted").json()["summary"]["matching"] == 0
    told = [each["kind"] for each in operator("GET", "/api/events?device_id=PILE-1").json()["items"]]
    assert told.count("FaultReported") == told.count("FaultCleared") == 1


def test_an_emergency_stop_is_told_apart_and_is_an_event(operator: Any, pile: FakePile):
    def stopped() -> list[bool]:
        (item,) = operator("GET", "/api/piles").json()["items"]
        return [each["emergency_stop"] for each in item["connectors"]]

    pile.online(connector=1, status="Unavailable")
    pile.online(connector=1, status="Unavailable")
    assert stopped() == [True, False]
    pile.offline()  # nobody knows any more
    assert stopped() == [False, False]
    pile.online(connector=1, status="Available")
    told = [each["kind"] for each in operator("GET", "/api/events?device_id=PILE-1").json()["items"]]
    assert told.count("EmergencyStopPressed") == told.count("EmergencyStopReleased") == 1


# -- reports


def settled(phone: Phone, pile: FakePile, mwh: int, **lies: Any) -> None:
    """A whole order, from its confirmation to its settlement."""
    phone.order()
    pile.order_status(phone.order_id, "Accepted")
    pile.settle(phone.message(pile), mwh, **lies)


def put_on(store: Store, order_id: str, ended_at: int) -> None:
    """Let the settlement of an order count at another time, as one of another day would."""
    with store.writing.begin() as conn:
        conn.execute(
            update(settlements).where(settlements.c.settles_order_id == order_id).values(ended_at=ended_at)
        )


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp())


def daily(operator: Any, first: str, last: str, **more: str) -> dict[str, Any]:
    query = "&".join(f"{name}={value}" for name, value in {"from": first, "to": last, **more}.items())
    found = operator("GET", "/api/reports/daily?" + query)
    assert found.status_code == 200, found.text
    return found.json()


def test_each_day_counts_what_ended_on_it_in_the_askers_zone(
    operator: Any, phone: Phone, pile: FakePile, cloud: Any
):
    for mwh, ended in ((1_000_000, "2026-03-01 15:59:59"), (2_000_000, "2026-03-01 16:00:00")):
        settled(phone, pile, mwh)
        put_on(cloud.store, phone.order_id, at(ended))
    found = daily(
        operator, "2026-03-01", "2026-03-02", time_zone="Asia/Shanghai"
    )  # 16:00 UTC is midnight there
    assert [each["energy_mwh"] for each in found["currencies"][0]["days"]] == [1_000_000, 2_000_000]
    assert [
        each["energy_mwh"] for each in daily(operator, "2026-03-01", "2026-03-01")["currencies"][0]["days"]
    ] == [3_000_000]
    assert daily(operator, "2026-03-02", "2026-03-02")["currencies"] == []


def test_the_labels_and_fees_of_a_day_add_up_to_its_revenue(operator: Any, phone: Phone, add_pile: Any):
    pile = add_pile(rate=TWO_PRICES)
    for mwh in (1_234_567, 2_345_678, 999):
        settled(phone, pile, mwh)
        assert phone.pay(phone.get()["total_minor"]).status_code == 200
    today = datetime.now(timezone.utc).date().isoformat()
    # Tomorrow too: a settlement says that it ended ten minutes after its order.
    found = daily(operator, today, _after(today))["currencies"][0]
    assert (found["currency"], found["minor_digits"]) == ("CNY", 2)
    days = found["days"]
    total = sum(each["revenue_minor"] for each in days)
    lines = sum(
        label["electricity_minor"] + label["service_minor"]
        for each in days
        for label in each["labels"].values()
    )
    assert sum(each["orders"] for each in days) == 3
    assert lines + sum(each["fees_minor"] for each in days) == total > 0
    assert sum(label["energy_mwh"] for each in days for label in each["labels"].values()) == 3_581_244


def _after(day: str) -> str:
    return datetime.fromtimestamp(at(day) + 86_400, timezone.utc).date().isoformat()


def test_what_is_flagged_is_told_apart_and_not_counted(
    operator: Any, phone: Phone, pile: FakePile, cloud: Any
):
    settled(phone, pile, 1_000_000)
    put_on(cloud.store, phone.order_id, at("2026-03-01"))
    settled(phone, pile, 1_000_000, total_minor=1)
    put_on(cloud.store, phone.order_id, at("2026-03-01"))
    found = daily(operator, "2026-03-01", "2026-03-01")
    assert (found["flagged"], found["currencies"][0]["days"][0]["orders"]) == (1, 1)


def test_a_report_of_one_pile_leaves_out_the_others(operator: Any, phone: Phone, add_pile: Any, cloud: Any):
    for name in ("PILE-1", "PILE-2"):
        pile = add_pile(name)
        phone.order(name)
        pile.settle(phone.message(pile), 1_000_000)
        put_on(cloud.store, phone.order_id, at("2026-03-01"))
    assert daily(operator, "2026-03-01", "2026-03-01")["currencies"][0]["days"][0]["orders"] == 2
    of_one = daily(operator, "2026-03-01", "2026-03-01", device_id="PILE-2")
    assert of_one["currencies"][0]["days"][0]["orders"] == 1


@pytest.mark.parametrize(
    "query, status, field",
    [
        ("from=2026-01-02&to=2026-01-01", 422, "to"),
        ("from=2025-01-01&to=2026-01-02", 422, "to"),
        ("from=2026-02-30&to=2026-03-01", 422, "from"),
        ("from=yesterday&to=2026-03-01", 422, "from"),
        ("from=2026-01-01&to=2026-01-01&time_zone=Mars/Olympus", 422, "time_zone"),
        ("from=9999-12-31&to=9999-12-31", 422, "from"),
        ("from=2026-01-01&to=9999-12-31", 422, "to"),
        ("from=0001-01-01&to=0001-01-01&time_zone=Asia/Shanghai", 422, "from"),
        ("from=2026-01-01&to=2026-01-01&device_id=PILE-9", 404, None),
    ],
)
def test_a_wrong_report_is_told_what_is_wrong(operator: Any, query: str, status: int, field: str | None):
    answer = operator("GET", "/api/reports/daily?" + query)
    assert answer.status_code == status, answer.text
    if field:
        assert [each["field"] for each in answer.json()["errors"]] == [field]


# -- a pile's power


def test_a_curve_gives_the_mean_power_of_each_stretch(
    operator: Any, phone: Phone, pile: FakePile, cloud: Any
):
    phone.order()
    pile.order_status(phone.order_id, "Charging")
    start = phone.get()["created_at"]
    for n in range(4):
        pile.meter(phone.order_id, 1_000_000 * n, at=start + 10 * n)
    found = operator("GET", f"/api/piles/PILE-1/power?from_at={start}&until_at={start + 14_400}").json()
    (curve,) = found["curves"]
    assert (curve["order_id"], curve["connector"], curve["stretch_s"]) == (phone.order_id, 1, 20)
    assert curve["points"] == [[start, 7_000_000], [start + 20, 7_000_000]]
    later = operator("GET", f"/api/piles/PILE-1/power?from_at={start + 20}&until_at={start + 30}").json()
    assert [point[0] for point in later["curves"][0]["points"]] == [start + 20]
    assert operator("GET", f"/api/piles/PILE-1/power?from_at={start}&until_at={start}").status_code == 422
    assert operator("GET", "/api/piles/PILE-9/power?from_at=0&until_at=9").status_code == 404


# -- flagged settlements


def test_both_computations_stand_side_by_side(operator: Any, phone: Phone, pile: FakePile):
    settled(phone, pile, 2_500_000, total_minor=9_999)
    listed = operator("GET", "/api/settlements?flagged=true").json()["items"]
    found = operator("GET", f"/api/settlements/{listed[0]['id']}").json()
    rate = found["order"]["rate"]
    total, fee, periods = pricing.bill(rate, [(0, 2_500_000)])
    assert found["total_minor"] == 9_999
    assert found["computed"] == {"total_minor": total, "session_fee_minor": fee, "periods": periods}
    assert found["flags"] == ["TotalMismatch"]
    assert phone.token not in json.dumps(found)


def test_there_is_nothing_computed_without_an_order_or_its_periods(
    operator: Any, phone: Phone, pile: FakePile
):
    phone.order()
    message = phone.message(pile)
    pile.settle(message | {"order_id": "nobody"}, 1_000_000)
    pile.settle(message, 1_000_000, periods=[[message["issued_at"], 1, 1, "flat", 1_000_000, 0, 0]])
    strange, unknown = (
        operator("GET", f"/api/settlements/{each['id']}").json()
        for each in operator("GET", "/api/settlements").json()["items"]
    )
    assert (unknown["order"], unknown["computed"]) == (None, None)
    assert strange["order"]["device_id"] == "PILE-1"
    assert strange["computed"] is None
    missing = operator("GET", "/api/settlements/99")
    assert (missing.status_code, missing.json()["code"]) == (404, "UnknownSettlement")


# -- rates


def preview(operator: Any, rate: dict[str, Any], **sample: Any) -> Any:
    wanted = {"start": "11:00", "energy_mwh": 3_000_001, "duration_s": 10_800} | sample
    return operator("POST", "/api/rates/preview", {"rate": rate, "sample": wanted})


def test_a_preview_splits_a_steady_session_at_the_periods_edge(operator: Any):
    answer = preview(operator, TWO_PRICES)
    assert answer.status_code == 200, answer.text
    bill = answer.json()
    assert [(row[3], row[4]) for row in bill["periods"]] == [("valley", 1_000_000), ("peak", 2_000_001)]
    assert sum(row[5] + row[6] for row in bill["periods"]) + bill["session_fee_minor"] == bill["total_minor"]
    assert bill["total_minor"] == 40 + 240 + 50
    assert operator("GET", "/api/piles").json()["items"] == []  # nothing has come of it


@pytest.mark.parametrize(
    "rate, sample, field",
    [
        (TWO_PRICES | {"time_zone": "Mars/Olympus"}, {}, "time_zone"),
        (TWO_PRICES | {"periods": TWO_PRICES["periods"][1:]}, {}, "periods[0].start"),
        (TWO_PRICES, {"start": "24:00"}, "sample.start"),
        (TWO_PRICES, {"energy_mwh": 0}, "sample.energy_mwh"),
        (TWO_PRICES, {"duration_s": 86_401}, "sample.duration_s"),
    ],
)
def test_a_wrong_preview_is_told_what_is_wrong(operator: Any, rate: Any, sample: Any, field: str):
    answer = preview(operator, rate, **sample)
    assert answer.status_code == 422, answer.text
    assert [each["field"] for each in answer.json()["errors"]] == [field]


def test_the_history_tells_who_confirmed_which_version(operator: Any, phone: Phone, pile: FakePile):
    phone.order()
    pile.order_status(phone.order_id, "Charging")
    first = phone.get()
    operator("PUT", "/api/piles/PILE-1/rate", FLAT_RATE)
    new, old = operator("GET", "/api/piles/PILE-1/rates").json()["items"]
    assert new["confirmed"] == {"orders": 0, "running": 0, "last_at": None}
    assert old["confirmed"] == {"orders": 1, "running": 1, "last_at": first["created_at"]}
    of_old = operator("GET", f"/api/orders?rate_id={old['rate_id']}").json()["items"]
    assert [each["order_id"] for each in of_old] == [phone.order_id]
    assert operator("GET", f"/api/orders?rate_id={new['rate_id']}").json()["items"] == []


# -- the export


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
    assert operator("GET", "/api/orders.csv?state=Lost").status_code == 422


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
        row = dict(conn.execute(orders.select()).one()._mapping)
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
    assert [harmless(text) for text in ("=1", "\tx", "1-1", "", "a=b")] == ["'=1", "'\tx", "1-1", "", "a=b"]
