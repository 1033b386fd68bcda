"""Previews of a rate that is being written, and the history of those that were published."""

from typing import Any

import pytest

from tests.cloud.conftest import Phone
from tests.cloud.fakes import FLAT_RATE, TWO_PRICES, FakePile


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
