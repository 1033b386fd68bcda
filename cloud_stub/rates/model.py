"""A rate as an operator writes it: its fields, its checks, and what is stored of it."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from pydantic import Field, ValidationError

from pile_protocol import messages, pricing, wire

from ..base.body import Body
from ..base.problems import invalid
from ..base.text import LINE_PATTERN, reason
from . import component_body, currencies

# Names in some time zone databases that are no zone: the machine's own setting, and "not set".
_NO_PLACES = frozenset({"localtime", "Factory"})

DAYS_MAX = 24
# Two of a rate's days and the hour that a clock repeats fit into the price steps of one order.
PERIODS_WITH_DAYS_MAX = 48
_MONTH_DAY = r"^((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|[12]\d))$"
ID_PATTERN = r"^[A-Za-z0-9_-]{1,32}$"  # of sites, tariffs and calendars


class PeriodBody(Body):
    """A stretch of the local day, from `start` to the next period's; prices in 10^-6 currency per kWh, the
    time price per hour of charging.
    """

    start: str = Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["00:00"])
    label: str = Field(examples=["flat"])
    electricity_price: int = Field(ge=0, le=wire.MAX_PRICE)
    service_price: int = Field(ge=0, le=wire.MAX_PRICE)
    time_price: int = Field(default=0, ge=0, le=wire.MAX_PRICE)


class DayBody(Body):
    """Other periods for the days that meet all of these conditions; at least one must be there."""

    name: str = Field(min_length=1, max_length=40, pattern=LINE_PATTERN, examples=["weekend"])
    weekdays: list[int] | None = Field(
        default=None, min_length=1, max_length=7, description="1 is Monday, 7 is Sunday", examples=[[6, 7]]
    )
    calendar: str | None = Field(default=None, pattern=ID_PATTERN, description="Its days at publication")
    from_day: str | None = Field(
        default=None, pattern=_MONTH_DAY, description="The season's first day", examples=["11-01"]
    )
    to_day: str | None = Field(
        default=None,
        pattern=_MONTH_DAY,
        description="The season's last day; before from_day where it goes over the new year",
        examples=["03-31"],
    )
    periods: list[PeriodBody] = Field(min_length=1, max_length=PERIODS_WITH_DAYS_MAX)


class RateBody(component_body.ComponentsBody):
    """A rate as an operator writes it; the periods cover the whole day, in order, the first from 00:00.

    The first of `days` that a date meets gives that date's periods; where none does, `periods` hold.
    """

    currency: str = Field(pattern="^[A-Z]{3}$", examples=["CNY"])
    time_zone: str | None = Field(
        default=None, max_length=64, description="null: that of the pile's site", examples=["Asia/Shanghai"]
    )
    session_fee_minor: int = Field(default=0, ge=0, le=messages.MAX_MINOR)
    periods: list[PeriodBody] = Field(min_length=1, max_length=96)
    days: list[DayBody] = Field(default=[], max_length=DAYS_MAX)


@cache
def _time_zones() -> set[str]:
    return available_timezones()


def is_time_zone(name: str) -> bool:
    return name in _time_zones() and name not in _NO_PLACES


def parse(data: Any) -> RateBody:
    """A rate from plain JSON data. Raises Problem (InvalidRequest)."""
    try:
        return RateBody.model_validate(data)
    except ValidationError as error:
        raise invalid(
            *((".".join(map(str, each["loc"])) or "rate", reason(each)) for each in error.errors())
        ) from error


def build(
    body: RateBody, rate_id: str, published_at: int, calendars: Mapping[str, list[str]]
) -> dict[str, Any]:
    """The version that is stored: as wire.RATE, with `offers` where it has some, and `days` and the dates of
    their calendars. Its time zone may be null. `time_prices` has one price for each of the `periods`, in the
    rate and in each day, if any of them has one.

    calendars: the dates of each calendar, as YYYY-MM-DD. Raises Problem (InvalidRequest) naming each field
    that is wrong.
    """
    errors = list(_errors(body, calendars))
    if errors:
        raise invalid(*errors)
    rate = {
        "rate_id": rate_id,
        "currency": body.currency,
        "minor_digits": currencies.minor_digits(body.currency),
        "session_fee_minor": body.session_fee_minor,
        "time_zone": body.time_zone,
        "periods": _rows(body.periods),
        "published_at": published_at,
    } | component_body.members(body)
    has_time = any(period.time_price for _, period in all_periods(body))
    if has_time:
        rate["time_prices"] = _time_prices(body.periods)
    if body.days:
        rate["days"] = [
            day.model_dump(exclude_none=True)
            | {"periods": _rows(day.periods)}
            | ({"time_prices": _time_prices(day.periods)} if has_time else {})
            for day in body.days
        ]
        rate["calendars"] = {day.calendar: calendars[day.calendar] for day in body.days if day.calendar}
    return rate


def _rows(periods: list[PeriodBody]) -> list[list[Any]]:
    return [[_minute(each.start), each.electricity_price, each.service_price, each.label] for each in periods]


def _time_prices(periods: list[PeriodBody]) -> list[int]:
    return [each.time_price for each in periods]


def _errors(body: RateBody, calendars: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    if not currencies.is_currency(body.currency):
        yield "currency", "is not a currency of ISO 4217"
    if body.time_zone is not None and not is_time_zone(body.time_zone):
        yield "time_zone", "is not a time zone of the IANA database"
    yield from _period_errors(body.periods, "periods")
    if body.days and len(body.periods) > PERIODS_WITH_DAYS_MAX:
        yield "periods", f"may be at most {PERIODS_WITH_DAYS_MAX} where days differ"
    for i, day in enumerate(body.days):
        if day.name in (other.name for other in body.days[:i]):
            yield f"days[{i}].name", "is the name of another one"
        yield from _day_errors(day, f"days[{i}]", calendars)
    yield from component_body.errors(body, body.session_fee_minor, currencies.minor_digits(body.currency))
    yield from _price_limit_errors(body)


def _period_errors(periods: list[PeriodBody], path: str) -> Iterator[tuple[str, str]]:
    if periods[0].start != "00:00":
        yield f"{path}[0].start", "must be 00:00"
    for i, period in enumerate(periods):
        if i and _minute(period.start) <= _minute(periods[i - 1].start):
            yield f"{path}[{i}].start", "must be later than the period before"
        if period.label not in messages.PERIOD_LABELS:
            yield f"{path}[{i}].label", "must be one of " + " ".join(messages.PERIOD_LABELS)


def _day_errors(day: DayBody, path: str, calendars: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    if day.weekdays is None and day.calendar is None and day.from_day is None and day.to_day is None:
        yield path, "needs weekdays, a calendar or a season"
    if (day.from_day is None) != (day.to_day is None):
        yield (
            f"{path}.{'to_day' if day.to_day is None else 'from_day'}",
            "a season has a first and a last day",
        )
    if day.weekdays is not None and not (
        set(day.weekdays) <= set(range(1, 8)) and len(set(day.weekdays)) == len(day.weekdays)
    ):
        yield f"{path}.weekdays", "must be different numbers from 1 (Monday) to 7 (Sunday)"
    if day.calendar is not None and day.calendar not in calendars:
        yield f"{path}.calendar", "there is no such calendar"
    yield from _period_errors(day.periods, f"{path}.periods")


def _price_limit_errors(body: RateBody) -> Iterator[tuple[str, str]]:
    """The largest possible bill must fit the settlement message, or the cloud could not store it."""
    wrong = f"the largest order would cost more than {messages.MAX_MINOR} minor units"
    digits = currencies.minor_digits(body.currency)
    fee_pico = body.session_fee_minor * pricing.pico_per_minor(digits)
    is_fee_too_high = False
    highest_pico = 0
    for path, period in all_periods(body):
        energy_pico = messages.MAX_ENERGY_MWH * (period.electricity_price + period.service_price)
        highest_pico = max(highest_pico, energy_pico + fee_pico)
        if pricing.round_half_up(energy_pico, digits) > messages.MAX_MINOR:
            dearer = "electricity" if period.electricity_price >= period.service_price else "service"
            yield f"{path}.{dearer}_price", wrong
        elif pricing.round_half_up(energy_pico + fee_pico, digits) > messages.MAX_MINOR:
            is_fee_too_high = True
    if is_fee_too_high:
        yield "session_fee_minor", wrong
    if pricing.round_half_up(highest_pico, digits) <= messages.MAX_MINOR:
        time_price = max(period.time_price for _, period in all_periods(body))
        yield from component_body.sum_errors(body, time_price, highest_pico, digits)


def all_periods(body: RateBody) -> Iterator[tuple[str, PeriodBody]]:
    """Every period of the rate, with the path of its field."""
    yield from ((f"periods[{i}]", period) for i, period in enumerate(body.periods))
    for j, day in enumerate(body.days):
        yield from ((f"days[{j}].periods[{i}]", period) for i, period in enumerate(day.periods))


def _minute(start: str) -> int:
    return 60 * int(start[:2]) + int(start[3:])
