"""What a version may say: prices that look like a slip, days that differ, and what a preview shows."""

from typing import Any

import pytest

from cloud_stub.base.problems import Problem
from cloud_stub.rates import model, unusual
from tests.cloud.fakes import TWO_PRICES
from tests.cloud.test_tariffs import CHEAP, DAY_S, DEAR, HOUR_S, WEEKEND, priced, problem, publish, tariff

__all__ = ["tariff"]


@pytest.mark.parametrize(
    "rate, fields",
    [
        (priced(5_000_000), ["periods[0].electricity_price"]),
        (priced(50_000), ["periods[0].electricity_price"]),
        (priced(0), ["periods[0].electricity_price"]),
        (priced(4_999_999), []),
        (priced(500_000, session_fee_minor=5_000), ["session_fee_minor"]),
        (
            TWO_PRICES
            | {"periods": [*priced(500_000)["periods"], TWO_PRICES["periods"][1] | {"service_price": 1}]},
            ["periods[1].service_price"],
        ),
        (
            priced(500_000, days=[WEEKEND | {"periods": priced(80_000_000)["periods"]}]),
            ["days[0].periods[0].electricity_price"],
        ),
        (priced(50_000_000, currency="JPY"), []),
    ],
)
def test_prices_that_look_like_a_slip_are_found(rate: Any, fields: list[str]):
    before, now = (model.build(model.parse(each), "r", 0, {}) for each in (CHEAP, rate))
    assert [each["field"] for each in unusual.unusual(now, before)] == fields


def test_prices_that_look_like_a_slip_are_asked_about(operator: Any, tariff: Any):
    tariff("city", CHEAP)
    slip = priced(5_000_000)
    answer = operator("POST", "/api/tariffs/city/versions", slip)
    assert [each["before"] for each in problem(answer, 422, "PriceUnusual")["unusual"]] == [500_000]
    publish(operator, "city", slip, allow_unusual="true")


def test_a_first_price_is_compared_with_what_its_currency_buys(operator: Any, add_pile: Any):
    add_pile(rate=None)
    path = "/api/piles/PILE-1/rate"
    unusual = problem(operator("PUT", path, priced(80_000_000)), 422, "PriceUnusual")["unusual"]
    assert unusual == [{"field": "periods[0].electricity_price", "value": 80_000_000, "before": None}]
    assert operator("PUT", path + "?allow_unusual=true", priced(80_000_000)).status_code == 201


@pytest.mark.parametrize(
    "day, field",
    [
        ({"name": "x"}, "days[0]"),
        ({"name": "x", "weekdays": [0]}, "days[0].weekdays"),
        ({"name": "x", "weekdays": [1, 1]}, "days[0].weekdays"),
        ({"name": "x", "from_day": "05-01"}, "days[0].to_day"),
        ({"name": "x", "from_day": "02-30", "to_day": "05-01"}, "days.0.from_day"),
        ({"name": "x", "calendar": "none"}, "days[0].calendar"),
        ({"name": "", "weekdays": [1]}, "days.0.name"),
        (
            {"name": "x", "weekdays": [1], "periods": [WEEKEND["periods"][0] | {"start": "00:01"}]},
            "days[0].periods[0].start",
        ),
    ],
)
def test_a_wrong_day_is_named(day: dict[str, Any], field: str):
    rate = CHEAP | {"days": [WEEKEND | {"weekdays": None} | day]}
    with pytest.raises(Problem) as refused:
        model.build(model.parse(rate), "r", 0, {})
    assert field in [each["field"] for each in refused.value.members["errors"]]


def test_days_are_few_enough_for_an_orders_price_steps(operator: Any, tariff: Any):
    """Half of one day and half of the next with 48 periods each, in the two parts that an order covers."""

    def day(first: int) -> list[dict[str, Any]]:
        starts = ["00:00", *(f"{first + i // 4:02}:{i % 4 * 15:02}" for i in range(1, 48))]
        return [
            {"start": start, "label": "flat", "electricity_price": 500_000 + i, "service_price": 100_000}
            for i, start in enumerate(starts)
        ]

    tariff("city", CHEAP)
    rate = CHEAP | {"time_zone": "UTC", "periods": day(12), "days": [WEEKEND | {"periods": day(0)}]}
    sample = {"start": "11:59", "energy_mwh": 1_000_000, "duration_s": DAY_S}
    body = {"rate": rate, "sample": sample, "date": "2030-01-04"}
    assert len(operator("POST", "/api/rates/preview", body).json()["periods"]) > 90
    rate["periods"].append(rate["periods"][-1] | {"start": "23:59"})
    errors = problem(operator("POST", "/api/tariffs/city/versions", rate), 422, "InvalidRequest")["errors"]
    assert [each["field"] for each in errors] == ["periods"]


def test_a_preview_shows_any_date(operator: Any):
    rate = {name: value for name, value in DEAR.items() if name != "time_zone"} | {"days": [WEEKEND]}
    sample = {"start": "22:00", "energy_mwh": 4_000_000, "duration_s": 4 * HOUR_S}
    body = {"rate": rate, "sample": sample, "date": "2030-01-04", "time_zone": "Asia/Shanghai"}
    preview = operator("POST", "/api/rates/preview", body).json()
    midnight = 1_893_456_000 + 4 * DAY_S - 8 * HOUR_S
    assert [[*row[:2], row[4]] for row in preview["periods"]] == [
        [midnight - 2 * HOUR_S, 900_000, 2_000_000],
        [midnight, 300_000, 2_000_000],
    ]
    assert preview["steps"] == [[midnight - DAY_S, 900_000, 100_000, "flat"]]
    assert preview["until_at"] == midnight
    del body["time_zone"]
    problem(operator("POST", "/api/rates/preview", body), 422, "InvalidRequest")
    body |= {"date": "2030-02-30", "time_zone": "UTC"}
    problem(operator("POST", "/api/rates/preview", body), 422, "InvalidRequest")
