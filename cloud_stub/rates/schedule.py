"""A rate in absolute time: its price at an instant, its next 24 hours, and as an order locks it.

A rate here is one of rates.holding: its `time_zone` is not null.
"""

from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from pile_protocol import components, messages, pricing

from ..base.problems import invalid
from . import days, expansion

DAY_S = 86_400
_HOUR_S = 3_600
_COMPONENTS = ("tiers", "idle", "minimum_minor", "maximum_minor", "tax_per_mille")


def lock_rate(rate: dict[str, Any], from_at: int, until_at: int) -> dict[str, Any]:
    """The rate as an order carries it, in absolute time from `from_at` to `until_at`.

    Raises Problem (InvalidRequest) where that takes more steps than a message may have.
    """
    columns = columns_of(rate, from_at, until_at)
    if len(columns["steps"]) > messages.MAX_STEPS:
        raise invalid(("limits.duration_s", "the rate changes too often for so long an order"))
    return {
        "rate_id": rate["rate_id"],
        "currency": rate["currency"],
        "minor_digits": rate["minor_digits"],
        "session_fee_minor": rate["session_fee_minor"],
        "until_at": until_at,
        **columns,
        **{name: rate[name] for name in _COMPONENTS if name in rate},
    }


def rate_view(rate: dict[str, Any], now: int) -> dict[str, Any]:
    """The rate with what holds now, and its steps of the next 24 hours. `periods` are those of today, with
    the time price as fifth value where time costs; `time_prices` are then those of the steps.
    """
    columns = columns_of(rate, now, now + DAY_S)
    steps = columns["steps"]
    _, electricity_price, service_price, label = steps[0]
    present = {
        "label": label,
        "electricity_price": electricity_price,
        "service_price": service_price,
        "time_price": columns.get("time_prices", [0])[0],
        "until_at": steps[1][0] if len(steps) > 1 else None,
    }
    today = on_date_of(rate, now)
    if "time_prices" in today:
        today = today | {"periods": days.rows_of(today)}
    more = {"now": present, "until_at": now + DAY_S, "components": components.components_of(rate)}
    return today | more | columns


def columns_of(rate: dict[str, Any], from_at: int, until_at: int) -> dict[str, Any]:
    """`steps` from `from_at` to `until_at` as in an order's rate and, where time costs, `time_prices`."""
    steps = steps_of(rate, from_at, until_at)
    found = {"steps": [step[:4] for step in steps]}
    return found | {"time_prices": [step[4] for step in steps]} if "time_prices" in rate else found


def on_date_of(rate: dict[str, Any], at: int) -> dict[str, Any]:
    """The rate as wire.RATE, which knows one day: with the periods of the local date of `at`."""
    if "days" not in rate:
        return rate
    today = expansion.local_date(at, ZoneInfo(rate["time_zone"]))
    periods = days.periods_of_dates(rate)(today)
    found = {name: value for name, value in rate.items() if name not in ("days", "calendars")}
    if "time_prices" in rate:
        found["time_prices"] = [period[4] for period in periods]
    return found | {"periods": [period[:4] for period in periods]}


def price_at(rate: dict[str, Any], at: int) -> int:
    """Electricity and service together at `at`, in 10^-6 currency per kWh."""
    _, electricity_price, service_price, *_ = steps_of(rate, at, at + 1)[0]
    return electricity_price + service_price


def time_price_at(rate: dict[str, Any], at: int) -> int:
    """In 10^-6 currency per hour."""
    return steps_of(rate, at, at + 1)[0][4]


def steps_of(rate: dict[str, Any], from_at: int, until_at: int) -> list[expansion.Step]:
    """The steps from `from_at` to `until_at`: cut out of those of whole hours, which many askers share."""
    hour_at = from_at - from_at % _HOUR_S
    wide = _steps_of_hours(_Rate(rate), hour_at, -(-(until_at - hour_at) // _HOUR_S))
    holding = pricing.step_index(wide, from_at)
    later = (step for step in wide[holding + 1 :] if step[0] < until_at)
    return [[from_at, *wide[holding][1:]], *(list(step) for step in later)]


class _Rate:
    """A rate as a key: a version never changes, so its id and its time zone tell which one it is."""

    __slots__ = ("body", "key")

    def __init__(self, body: dict[str, Any]):
        self.body = body
        self.key = (body["rate_id"], body["time_zone"])

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Rate) and other.key == self.key


@lru_cache(maxsize=1024)
def _steps_of_hours(rate: _Rate, hour_at: int, hours: int) -> list[list[Any]]:
    periods_on = days.periods_of_dates(rate.body)
    return expansion.steps(periods_on, rate.body["time_zone"], hour_at, hour_at + hours * _HOUR_S)
