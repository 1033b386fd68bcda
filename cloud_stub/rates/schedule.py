"""A rate in absolute time: its price at an instant, its next 24 hours, and as an order locks it."""

from functools import lru_cache
from typing import Any

from pile_protocol import messages, pricing

from ..base.problems import invalid
from . import expansion

DAY_S = 86_400
_HOUR_S = 3_600


def lock_rate(rate: dict[str, Any], from_at: int, until_at: int) -> dict[str, Any]:
    """The rate as an order carries it, in absolute time from `from_at` to `until_at`.

    Raises Problem (InvalidRequest) where that takes more steps than a message may have.
    """
    steps = _steps(rate, from_at, until_at)
    if len(steps) > messages.MAX_STEPS:
        raise invalid(("limits.duration_s", "the rate changes too often for so long an order"))
    return {
        "rate_id": rate["rate_id"],
        "currency": rate["currency"],
        "minor_digits": rate["minor_digits"],
        "session_fee_minor": rate["session_fee_minor"],
        "steps": steps,
        "until_at": until_at,
    }


def rate_view(rate: dict[str, Any], now: int) -> dict[str, Any]:
    """The rate with what holds now, and its steps of the next 24 hours."""
    steps = _steps(rate, now, now + DAY_S)
    _, electricity_price, service_price, label = steps[0]
    return rate | {
        "now": {
            "label": label,
            "electricity_price": electricity_price,
            "service_price": service_price,
            "until_at": steps[1][0] if len(steps) > 1 else None,
        },
        "steps": steps,
        "until_at": now + DAY_S,
    }


def price_at(rate: dict[str, Any], at: int) -> int:
    """Electricity and service together at `at`, in 10^-6 currency per kWh."""
    _, electricity_price, service_price, _ = _steps(rate, at, at + 1)[0]
    return electricity_price + service_price


def _steps(rate: dict[str, Any], from_at: int, until_at: int) -> list[list[Any]]:
    """The steps from `from_at` to `until_at`: cut out of those of whole hours, which many askers share."""
    periods = tuple(map(tuple, rate["periods"]))
    hour_at = from_at - from_at % _HOUR_S
    wide = _steps_of_hours(periods, rate["time_zone"], hour_at, -(-(until_at - hour_at) // _HOUR_S))
    holding = pricing.step_index(wide, from_at)
    later = (step for step in wide[holding + 1 :] if step[0] < until_at)
    return [[from_at, *wide[holding][1:]], *(list(step) for step in later)]


@lru_cache(maxsize=1024)
def _steps_of_hours(
    periods: tuple[tuple[Any, ...], ...], time_zone: str, hour_at: int, hours: int
) -> list[list[Any]]:
    return expansion.steps([list(each) for each in periods], time_zone, hour_at, hour_at + hours * _HOUR_S)
