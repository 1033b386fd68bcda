"""Calendars of holidays: filled in, edited by hand, and copied into the versions that name them."""

from typing import Any

from tests.cloud.test_tariffs import CHEAP, WEEKEND, problem


def put(operator: Any, days: dict[str, str], replaces: int | None = None, name: str = "Days") -> Any:
    return operator("PUT", "/api/calendars/c", {"name": name, "days": days, "replaces": replaces})


def test_a_countrys_holidays_are_filled_in_and_edited_by_hand(operator: Any):
    wanted = {"country": "DE", "part": "BY", "first_year": 2026, "years": 2}
    days = operator("POST", "/api/holidays", wanted).json()
    assert days["2026-10-03"] == "Tag der Deutschen Einheit"
    assert {day[:4] for day in days} == {"2026", "2027"}
    assert operator("GET", "/api/calendars").json()["items"] == []
    made = put(operator, days).json()
    assert (made["version"], made["last_day"]) == (1, "2027-12-26")
    del days["2026-10-03"]
    days["2026-07-04"] = "节日 <b>"
    changed = put(operator, days, 1).json()
    assert changed["version"] == 2
    assert "2026-10-03" not in changed["days"] and changed["days"]["2026-07-04"] == "节日 <b>"


def test_a_change_that_somebody_has_not_seen_is_not_overwritten(operator: Any):
    first = put(operator, {}).json()
    assert problem(put(operator, {}), 409, "CalendarReplaced")["calendar"] == first
    second = put(operator, {"2026-01-01": ""}, 1).json()
    assert problem(put(operator, {}, 1), 409, "CalendarReplaced")["calendar"] == second
    assert operator("DELETE", "/api/calendars/c").json() == {"calendar_id": "c"}
    assert problem(put(operator, {}, 2), 409, "CalendarReplaced")["calendar"] is None
    problem(operator("DELETE", "/api/calendars/c"), 404, "UnknownCalendar")
    lines = operator("GET", "/api/audit").json()["items"]
    assert [line["action"] for line in lines[:3]] == ["CalendarRemoved", "CalendarSet", "CalendarSet"]


WRONG_DAYS = {"2026-02-29": "", "1.5.2026": "", "2026-1-1": "", "2026-01-01": "a\nb", "2026-01-02": "a" * 101}
UNKNOWN = (
    {"country": "XX"},
    {"part": "ZZ"},
    {"first_year": 1},
    {"years": 11},
    {"country": "IN", "first_year": 2034},  # its festivals are known until 2035
    {"country": "LK", "first_year": 2036},
)


def test_a_wrong_day_is_named(operator: Any):
    for day, name in WRONG_DAYS.items():
        errors = problem(put(operator, {day: name}), 422, "InvalidRequest")["errors"]
        assert [each["field"] for each in errors] == ["days." + day]


def test_holidays_that_nobody_knows_are_not_filled_in(operator: Any):
    for wrong in UNKNOWN:
        wanted = {"country": "DE", "first_year": 2026} | wrong
        errors = problem(operator("POST", "/api/holidays", wanted), 422, "InvalidRequest")["errors"]
        assert [each["field"] for each in errors] == list(wrong)[-1:]


def test_a_part_of_a_country_is_named_in_its_own_letters(operator: Any):
    wanted = {"country": "BR", "part": "São Paulo Capital", "first_year": 2026}
    answer = operator("POST", "/api/holidays", wanted)
    assert answer.status_code == 200, answer.text


def test_a_published_version_keeps_the_dates_it_has(operator: Any):
    put(operator, {"2030-01-04": ""})
    holiday = {"name": "holiday", "calendar": "c", "periods": WEEKEND["periods"]}
    operator("POST", "/api/tariffs", {"tariff_id": "city", "name": "City"})
    path = "/api/tariffs/city/versions"
    assert operator("POST", path, CHEAP | {"days": [holiday]}).json()["calendars"] == {"c": ["2030-01-04"]}
    put(operator, {"2030-01-05": ""}, 1)
    assert operator("GET", "/api/tariffs/city").json()["rate"]["calendars"] == {"c": ["2030-01-04"]}
    assert operator("POST", path, CHEAP | {"days": [holiday]}).json()["calendars"] == {"c": ["2030-01-05"]}
    new, old = (each["rate_id"] for each in operator("GET", path).json()["items"])
    differing = operator("GET", f"/api/tariffs/city/differences?before={old}&after={new}").json()
    assert differing == [{"field": "holiday / dates", "before": ["2030-01-04"], "after": ["2030-01-05"]}]
