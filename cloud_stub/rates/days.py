"""Which periods a rate has on a date.

Precedence: the first of the rate's `days` all of whose conditions (weekdays, calendar, season) the date meets
gives its periods; where there is none, the rate's own `periods` hold.
"""

from collections.abc import Callable
from datetime import date
from typing import Any

# [start_minute of the local day, electricity_price, service_price, label, time_price]: the first four as in
# wire.RATE
Period = list


def rows_of(holder: dict[str, Any]) -> list[Period]:
    """The periods of a rate, or of one of its days, with their time prices. holder: as model.build makes
    it.
    """
    periods = holder["periods"]
    time_prices = holder.get("time_prices") or [0] * len(periods)
    return [[*period, time_price] for period, time_price in zip(periods, time_prices, strict=True)]


def periods_of_dates(rate: dict[str, Any]) -> Callable[[date], list[Period]]:
    """A function from a date to that date's periods. rate: as model.build makes it."""
    calendars = {name: frozenset(dates) for name, dates in rate.get("calendars", {}).items()}
    rules = [(rule, rows_of(rule)) for rule in rate.get("days", ())]
    usual = rows_of(rate)

    def periods_on(day: date) -> list[Period]:
        for rule, periods in rules:
            if _meets(day, rule, calendars):
                return periods
        return usual

    return periods_on


def _meets(day: date, rule: dict[str, Any], calendars: dict[str, frozenset[str]]) -> bool:
    if "weekdays" in rule and day.isoweekday() not in rule["weekdays"]:
        return False
    if "calendar" in rule and day.isoformat() not in calendars[rule["calendar"]]:
        return False
    return "from_day" not in rule or _is_in_season(day, rule["from_day"], rule["to_day"])


def _is_in_season(day: date, first: str, last: str) -> bool:
    """Both ends belong to it. A season that ends before it begins goes over the new year."""
    month_day = day.isoformat()[5:]
    if first <= last:
        return first <= month_day <= last
    return month_day >= first or month_day <= last
