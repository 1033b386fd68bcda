"""The commands tariff, calendar and site, in this process."""

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.fakes import FLAT_RATE

DEARER = FLAT_RATE | {"periods": [FLAT_RATE["periods"][0] | {"electricity_price": 900_000}]}
SLIP = FLAT_RATE | {"periods": [FLAT_RATE["periods"][0] | {"electricity_price": 80_000_000}]}


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(name: str, value: Any) -> str:
        (tmp_path / name).write_text(json.dumps(value))
        return str(tmp_path / name)

    return write


def test_a_tariff_from_its_making_to_its_removal(run: Any, file: Any):
    flat, dearer, slip = file("flat.json", FLAT_RATE), file("dearer.json", DEARER), file("slip.json", SLIP)
    for device_id in ("PILE-1", "PILE-2"):
        run("pile", "add", device_id, "--connectors", "2")
    (site,) = run("site", "add", "HARBOUR", "Harbour", "--time-zone", "Europe/Berlin", "--contact", "me")
    assert (site["contact"], site["address"]) == ("me", "")
    (site,) = run("site", "change", "HARBOUR", "--name", "Port")
    assert (site["name"], site["contact"]) == ("Port", "me")
    assert run("site", "move", "all", "HARBOUR")[0]["device_ids"] == ["PILE-1", "PILE-2"]
    run("site", "tag", "pile:PILE-2", "--add", "fast", "roof")
    assert run("site", "show", "HARBOUR")[0]["device_ids"] == ["PILE-1", "PILE-2"]

    run("tariff", "add", "city", "City")
    (version,) = run("tariff", "publish", "city", flat, "--replaces", "none")
    assert run("tariff", "assign", "city", "site:HARBOUR")[0]["places"] == ["site:HARBOUR"]
    run("tariff", "add", "fast", "Fast")
    run("tariff", "publish", "fast", dearer)
    assert run("tariff", "assign", "fast", "tag:fast")[0]["places"] == ["pile:PILE-2"]
    assert [each["device_id"] for each in run("tariff", "reach", "city")] == ["PILE-1"]
    assert run("tariff", "diff", "city", "running", dearer) == [
        {"field": "00:00 electricity_price", "before": 800_000, "after": 900_000}
    ]
    assert "PriceUnusual" in run("tariff", "publish", "city", slip)
    (later,) = run("tariff", "publish", "city", slip, "--yes", "--from", later_text())
    assert [each["state"] for each in run("tariff", "versions", "city")] == ["Scheduled", "Running"]
    assert run("tariff", "withdraw", "city", later["rate_id"])[0]["withdrawn_at"]
    assert run("tariff", "diff", "city", version["rate_id"], later["rate_id"])
    (shown,) = run("tariff", "show", "city")
    assert (shown["rate"]["rate_id"], shown["places"]) == (version["rate_id"], ["site:HARBOUR"])
    assert [each["tariff_id"] for each in run("tariff", "list")] == ["city", "fast"]

    assert "TariffInUse" in run("tariff", "remove", "fast")
    run("tariff", "unassign", "pile:PILE-2")
    run("tariff", "rename", "fast", "Quick")
    assert run("tariff", "remove", "fast") == [{"tariff_id": "fast"}]
    assert "SiteInUse" in run("site", "remove", "HARBOUR")
    run("site", "move", "site:HARBOUR", "none")
    assert run("site", "remove", "HARBOUR") == [{"site_id": "HARBOUR"}]
    assert run("site", "list") == []


def later_text() -> str:
    return (datetime.now(timezone(timedelta(hours=8))) + timedelta(days=1)).isoformat(timespec="minutes")


def test_the_price_of_one_pile_is_asked_about_too(run: Any, file: Any):
    run("pile", "add", "PILE-1")
    slip = file("slip.json", SLIP)
    assert "PriceUnusual" in run("rate", "set", "PILE-1", slip)
    assert run("rate", "set", "PILE-1", slip, "--yes")[0]["periods"][0][1] == 80_000_000


def test_a_calendar_is_filled_edited_and_named_by_a_preview(run: Any, file: Any):
    (made,) = run("calendar", "fill", "cn", "CN", "--first-year", "2030", "--years", "1")
    assert made["name"] == "CN" and "2030-10-01" in made["days"]
    made["days"] = {"2030-01-04": "ours"}
    assert run("calendar", "set", "cn", file("cn.json", made))[0]["version"] == 2
    assert "CalendarReplaced" in run("calendar", "set", "cn", file("cn.json", made))
    assert run("calendar", "show", "cn") == run("calendar", "list")
    holiday = {"name": "holiday", "calendar": "cn", "periods": DEARER["periods"]}
    days = file("days.json", FLAT_RATE | {"days": [holiday], "time_zone": None})
    of_day = [
        run("tariff", "preview", days, "--date", each, "--time-zone", "Asia/Shanghai")[0]["steps"][0][1]
        for each in ("2030-01-03", "2030-01-04")
    ]
    assert of_day == [800_000, 900_000]
    assert run("calendar", "remove", "cn") == [{"calendar_id": "cn"}]


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (("tariff", "show", "none"), "UnknownTariff"),
        (("tariff", "add", "a b", "A"), "tariff_id"),
        (("tariff", "unassign", "site:NONE"), "there is no site:NONE"),
        (("tariff", "publish", "none", "missing.json"), "missing.json"),
        (("site", "show", "none"), "UnknownSite"),
        (("site", "add", "S", "S", "--time-zone", "Mars"), "time_zone"),
        (("site", "tag", "nothing"), "selection"),
        (("calendar", "fill", "c", "XX"), "country"),
    ],
)
def test_what_is_wrong_is_one_sentence(run: Any, arguments: tuple[str, ...], expected: str):
    assert expected in run(*arguments)


@pytest.mark.parametrize("text", ["tomorrow", "2026-12-01T00:00"])
def test_a_time_needs_its_offset(run: Any, capsys: pytest.CaptureFixture[str], text: str):
    with pytest.raises(SystemExit):
        run("tariff", "publish", "city", "file", "--from", text)
    assert "2026-12-01T00:00+08:00" in capsys.readouterr().err


def test_an_argument_that_is_not_in_utf_8_is_one_sentence(run: Any):
    for arguments in (("pile", "show"), ("pile", "list", "--tag"), ("audit", "--account"), ("order", "stop")):
        assert "'\\udcff' cannot be written in utf-8" in run(*arguments, "\udcff")
