"""What differs between two versions of a rate, field by field."""

from collections.abc import Iterator
from typing import Any

from .days import rows_of

_COMPARED = ("currency", "time_zone", "session_fee_minor", "minimum_minor", "maximum_minor", "tax_per_mille")


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """`{field, before, after}` of each field that differs; null where one of them does not have it.

    Periods are compared by their start, days by their name. before, after: as model.build makes them.
    """
    old, new = dict(_fields(before)), dict(_fields(after))
    return [
        {"field": field, "before": old.get(field), "after": new.get(field)}
        for field in dict.fromkeys((*old, *new))
        if old.get(field) != new.get(field)
    ]


def _fields(rate: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in _COMPARED:
        yield name, rate.get(name)
    yield from _periods("", rate)
    for up_to_mw, price in rate.get("tiers", ()):
        yield f"up to {up_to_mw // 1000} W price", price
    for name, value in rate.get("idle", {}).items():
        yield f"idle.{name}", value
    yield "offers", rate.get("offers", [])
    days = rate.get("days", [])
    yield "days", [day["name"] for day in days]  # their order decides
    for day in days:
        for name in ("weekdays", "calendar", "from_day", "to_day"):
            yield f"{day['name']} / {name}", day.get(name)
        if "calendar" in day:
            yield f"{day['name']} / dates", rate["calendars"][day["calendar"]]
        yield from _periods(f"{day['name']} / ", day)


def _periods(of: str, holder: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for start, electricity, service, label, time_price in rows_of(holder):
        at = f"{of}{start // 60:02}:{start % 60:02}"
        yield f"{at} electricity_price", electricity
        yield f"{at} service_price", service
        yield f"{at} label", label
        if time_price:
            yield f"{at} time_price", time_price
