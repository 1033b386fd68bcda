"""OCPI's own rule of computing a bill, how rates and numbers are written in OCPI, and the operator's file."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cloud_stub.base.clock import now_s
from cloud_stub.bridges.ocpi import rule, tariffs
from cloud_stub.bridges.ocpi.numbers import text_of
from tests.cloud.test_ocpi import FILE, PARTY, PLACE


def rate(**more: Any) -> dict[str, Any]:
    return {"session_fee_minor": 0, "minor_digits": 2, "currency": "EUR"} | more


@pytest.mark.parametrize(
    ("of", "energies", "times", "parking_e4", "minor"),
    [
        (rate(), [(200_000, 250_000)], [], 0, 500),  # 20 kWh at 0.25, of the specification
        (rate(), [(1152, 250_000)], [], 0, 3),  # 115.2 Wh are billed as 116: 0.029
        (rate(), [(10_000, 250_050)], [], 0, 25),  # a price has 4 decimals: 0.2501 for 0.25005
        (rate(session_fee_minor=50), [(200_000, 250_000)], [], 0, 550),
        (rate(tax_per_mille=100), [(200_000, 275_000)], [], 0, 550),  # 0.25 and 10 %
        (rate(), [(10_000, 0)], [(25_000, 2_000_000)], 0, 500),  # 2.5 h at 2.00
        (rate(idle={"price": 5_000_000}), [(10_000, 0)], [], 7_500, 375),
        (rate(maximum_minor=1000), [(500_000, 250_000)], [], 0, 1000),
        (rate(minimum_minor=50), [(10_000, 250_000)], [], 0, 50),
        (rate(minimum_minor=50, session_fee_minor=50), [(0, 250_000)], [], 0, 0),
        (rate(), [(10_000, 500_000), (10_001, 1_000_000)], [], 0, 150),
    ],
)
def test_ocpis_rule_counts_as_its_specification_says(
    of: Any, energies: Any, times: Any, parking_e4: int, minor: int
) -> None:
    assert rule.total_minor(of, energies, times, parking_e4) == minor


def version(**more: Any) -> dict[str, Any]:
    periods = [[0, 300_000, 100_000, "valley"], [720, 900_000, 300_000, "peak"]]
    base = {"rate_id": "r-1", "time_zone": "UTC", "periods": periods, "published_at": now_s()}
    return rate(**base) | more


def test_periods_and_days_are_restrictions_of_which_the_first_that_is_met_counts() -> None:
    sunday = {"name": "sunday", "weekdays": [7], "periods": [[0, 1, 1, "flat"]]}
    holiday = {"name": "holiday", "calendar": "C", "periods": [[0, 1, 1, "flat"]]}
    winter = {"name": "winter", "from_day": "11-01", "to_day": "02-28", "periods": [[0, 1, 1, "flat"]]}
    of = version(days=[holiday, winter, sunday], calendars={"C": ["2026-12-25", "2026-12-31"]})
    found = [
        each.get("restrictions") for each in tariffs.tariff(PARTY, of, 1_795_000_000, None, 0)["elements"]
    ]
    assert found == [
        {"start_date": "2026-12-25", "end_date": "2026-12-26"},
        {"start_date": "2026-12-31", "end_date": "2027-01-01"},
        {"start_date": "2025-11-01", "end_date": "2026-03-01"},
        {"start_date": "2026-11-01", "end_date": "2027-03-01"},
        {"start_date": "2027-11-01", "end_date": "2028-02-29"},
        {"start_date": "2028-11-01", "end_date": "2029-03-01"},
        {"day_of_week": ["SUNDAY"]},
        {"start_time": "00:00", "end_time": "12:00"},
        {"start_time": "12:00", "end_time": "00:00"},
    ]


def test_a_text_that_would_be_too_long_ends_early() -> None:
    periods = [[i * 15, 1000 + i, 1, "flat"] for i in range(96)]
    [text] = tariffs.tariff(PARTY, version(periods=periods), 0, None, 0)["tariff_alt_text"]
    assert len(text["text"]) == 512 and text["text"].endswith("...")


def test_numbers_are_written_as_they_are() -> None:
    assert text_of({"a": [Decimal("1.10"), Decimal("1E+1"), None, True, 'x"']}) == (
        '{"a":[1.10,10,null,true,"x\\""]}'
    )


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"country_code": "DEU"}, "country_code"),
        ({"party_id": "rl"}, "party_id"),
        ({"connector": {"standard": "SCHUKO"}}, "connector.standard"),
        ({"sites": {"H": PLACE | {"latitude": "53"}}}, "sites.H.latitude"),
        ({"more": 1}, "more"),
    ],
)
def test_a_file_with_a_mistake_is_refused_with_the_member(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, member: str
) -> None:
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps(FILE | change))
    monkeypatch.setenv("RATELOCK_OCPI_FILE", str(file))
    assert member in run("ocpi", "cdrs")
