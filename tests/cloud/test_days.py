"""Days that differ: what the expansion says of every minute, against an oracle that reads the wall clock."""

import itertools
import random
from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cloud_stub.rates import days, expansion

Period = list[Any]


class Oracle:
    """Price and label at an instant, written without any part of what it checks."""

    def __init__(self, rate: dict[str, Any], zone: str):
        self._rate = rate
        self._zone = ZoneInfo(zone)
        self._periods: dict[date, list[Period]] = {}

    def at(self, at: int) -> Period:
        local = datetime.fromtimestamp(at, self._zone)
        if local.date() not in self._periods:
            self._periods[local.date()] = self._of_day(local)
        minutes = local.hour * 60 + local.minute
        return [row[1:] for row in self._periods[local.date()] if row[0] <= minutes][-1]

    def _of_day(self, local: datetime) -> list[Period]:
        holder = self._rate
        for rule in reversed(self._rate["days"]):  # the last that is assigned is the first in the list
            weekdays = rule.get("weekdays", [1, 2, 3, 4, 5, 6, 7])
            today = f"{local:%Y-%m-%d}"
            dates = self._rate["calendars"][rule["calendar"]] if "calendar" in rule else [today]
            if local.weekday() + 1 in weekdays and today in dates and is_in(rule, local):
                holder = rule
        return [[*row, holder["time_prices"][i]] for i, row in enumerate(holder["periods"])]


def is_in(rule: dict[str, Any], local: datetime) -> bool:
    """Walks from the season's first day to its last, in a leap year."""
    if "from_day" not in rule:
        return True
    day = datetime.strptime("2024-" + rule["from_day"], "%Y-%m-%d").replace(tzinfo=timezone.utc)
    for _ in range(366):
        if f"{day:%m-%d}" == f"{local:%m-%d}":
            return True
        if f"{day:%m-%d}" == rule["to_day"]:
            return False
        day += timedelta(days=1)
        if day.year == 2025:
            day = day.replace(year=2024)
    return False


def steps(rate: dict[str, Any], zone: str, from_at: int, until_at: int) -> list[Any]:
    return expansion.steps(days.periods_of_dates(rate), zone, from_at, until_at)


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp())


# What the clocks do there: a change at night, a midnight that is missing or comes twice, half an hour, a leap
# day, a date that was left out, the new year.
WINDOWS = [
    ("Europe/Berlin", "2026-03-28T12:00"),
    ("Europe/Berlin", "2026-10-24T12:00"),
    ("America/Sao_Paulo", "2018-11-03T12:00"),
    ("America/Sao_Paulo", "2018-02-17T12:00"),
    ("Asia/Beirut", "2026-03-28T08:00"),
    ("Asia/Beirut", "2026-10-24T08:00"),
    ("Africa/Cairo", "2026-04-23T08:00"),
    ("America/Havana", "2026-03-07T18:00"),
    ("America/Havana", "2026-10-31T18:00"),
    ("Australia/Lord_Howe", "2026-04-04T04:00"),
    ("Pacific/Apia", "2011-12-29T12:00"),
    ("Pacific/Chatham", "2026-09-26T04:00"),
    ("Asia/Shanghai", "2028-02-28T06:00"),
    ("Asia/Kathmandu", "2027-12-31T00:00"),
    ("America/St_Johns", "2026-12-31T00:00"),
]


def random_periods(rng: random.Random) -> dict[str, list[Any]]:
    starts = sorted(
        {0, *rng.sample((1, 30, 59, 60, 61, 90, 119, 150, 420, 720, 1380, 1439), rng.randrange(6))}
    )
    rows = [[start, rng.randrange(4), rng.randrange(2), rng.choice(("flat", "peak"))] for start in starts]
    return {"periods": rows, "time_prices": [rng.randrange(3) for _ in rows]}


def random_rate(rng: random.Random, around: date) -> dict[str, Any]:
    near = [around + timedelta(days=place) for place in range(-2, 4)]
    rules = []
    for i in range(rng.randrange(1, 5)):
        rule: dict[str, Any] = {"name": str(i)} | random_periods(rng)
        conditions = rng.sample(("weekdays", "calendar", "season"), rng.randrange(1, 3))
        if "weekdays" in conditions:
            rule["weekdays"] = rng.sample(range(1, 8), rng.randrange(1, 7))
        if "calendar" in conditions:
            rule["calendar"] = rng.choice(("a", "b"))
        if "season" in conditions:
            first, last = rng.choice(near), rng.choice(near)
            rule |= {"from_day": f"{first:%m-%d}", "to_day": f"{last:%m-%d}"}
        rules.append(rule)
    return {
        **random_periods(rng),
        "days": rules,
        "calendars": {name: [day.isoformat() for day in rng.sample(near, 2)] for name in "ab"},
    }


@pytest.mark.parametrize("zone, start", WINDOWS)
def test_every_minute_has_the_price_that_the_wall_clock_and_the_first_rule_give(zone: str, start: str):
    rng = random.Random(zone + start)
    from_at = utc(start) + 17
    for _ in range(8):
        rate = random_rate(rng, date.fromisoformat(start[:10]))
        until_at = from_at + rng.choice((86_400, 2 * 86_400))
        found = steps(rate, zone, from_at, until_at)
        assert found[0][0] == from_at
        assert all(
            before[1:] != after[1:] and before[0] < after[0] for before, after in itertools.pairwise(found)
        )
        oracle = Oracle(rate, zone)
        place = 0
        for at in range(from_at, until_at, 60):
            while place + 1 < len(found) and found[place + 1][0] <= at:
                place += 1
            assert found[place][1:] == oracle.at(at), (rate, at)
        for at, *price in found[1:]:  # each begins at the very second
            assert price == oracle.at(at) != oracle.at(at - 1)


FLAT: list[Period] = [[0, 1, 0, "flat"]]
OTHER: list[Period] = [[0, 2, 0, "peak"]]


def labels(rate: dict[str, Any], *dates: str) -> list[str]:
    periods_on = days.periods_of_dates(rate)
    return [periods_on(date.fromisoformat(each))[0][3] for each in dates]


def test_of_rules_that_overlap_the_first_in_the_list_decides():
    holiday = {"name": "holiday", "calendar": "c", "periods": [[0, 3, 0, "valley"]]}
    weekend = {"name": "weekend", "weekdays": [6, 7], "periods": OTHER}
    rate = {"periods": FLAT, "calendars": {"c": ["2026-10-03"]}}  # a Saturday
    asked = ("2026-10-02", "2026-10-03", "2026-10-04")
    assert labels(rate | {"days": [holiday, weekend]}, *asked) == ["flat", "valley", "peak"]
    assert labels(rate | {"days": [weekend, holiday]}, *asked) == ["flat", "peak", "peak"]


def test_all_conditions_of_a_rule_must_be_met():
    rule = {"name": "", "weekdays": [6], "from_day": "06-01", "to_day": "08-31", "periods": OTHER}
    rate = {"periods": FLAT, "days": [rule]}
    assert labels(rate, "2026-06-06", "2026-06-07", "2026-09-05") == ["peak", "flat", "flat"]


def test_a_season_goes_over_the_new_year_and_has_its_leap_day():
    rule = {"name": "winter", "from_day": "11-01", "to_day": "02-29", "periods": OTHER}
    rate = {"periods": FLAT, "days": [rule]}
    assert labels(
        rate, "2026-10-31", "2026-11-01", "2027-01-01", "2027-02-28", "2027-03-01", "2028-02-29"
    ) == [
        *("flat", "peak", "peak", "peak", "flat", "peak"),
    ]
