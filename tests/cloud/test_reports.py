"""Reports of energy and revenue by day, and a pile's power."""

import asyncio
import threading
from datetime import datetime, timezone
from typing import Any

import pytest
from sqlalchemy import Connection, update

from cloud_stub.cloud import Cloud
from cloud_stub.db.engine import Store
from cloud_stub.db.tables import settlements
from cloud_stub.http.reads import quick, read
from cloud_stub.reports import daily_report
from tests.cloud.conftest import Phone, settled
from tests.cloud.fakes import TWO_PRICES, WAIT_S, FakePile


def test_reports_that_take_long_keep_no_phone_waiting(cloud: Cloud):
    """On PostgreSQL they took every thread, and phones were told that the database does not answer."""
    done = threading.Event()

    def report(_conn: Connection) -> bool:
        return done.wait(WAIT_S)

    async def ask() -> None:
        many = [asyncio.create_task(read(cloud, report)) for _ in range(40)]
        await asyncio.sleep(0)  # all of them have been asked for
        try:
            assert await quick(cloud, lambda _conn: "a price") == "a price"
        finally:
            done.set()
        assert all(await asyncio.gather(*many))

    asyncio.run(ask())


# -- reports


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


def test_the_days_of_a_report_are_laid_out_once(
    operator: Any, phone: Phone, pile: FakePile, cloud: Any, monkeypatch: pytest.MonkeyPatch
):
    """Made for each settlement, the days of a year took longer than all the rest of the report."""
    for _ in range(2):
        settled(phone, pile, 1_000_000)
        put_on(cloud.store, phone.order_id, at("2026-03-01"))
    made = []
    lay_out = daily_report._empty
    monkeypatch.setattr(daily_report, "_empty", lambda *said: made.append(said) or lay_out(*said))
    found = daily(operator, "2026-01-01", "2026-12-31")
    assert sum(day["orders"] for day in found["currencies"][0]["days"]) == 2
    assert len(made) == 1


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


def test_a_curve_gives_the_mean_power_of_each_stretch(operator: Any, phone: Phone, pile: FakePile):
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
