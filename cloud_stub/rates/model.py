"""A rate as an operator writes it: its fields, its checks, and the rate message made of it."""

from collections.abc import Iterator
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pile_protocol import messages, pricing, wire

from ..base.problems import invalid
from . import currencies

# Names in some time zone databases that are no zone: the machine's own setting, and "not set".
_NO_PLACES = frozenset({"localtime", "Factory"})


class PeriodBody(BaseModel):
    """A stretch of the local day, from `start` to the next period's; prices in 10^-6 currency per kWh."""

    model_config = ConfigDict(extra="forbid", strict=True)

    start: str = Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["00:00"])
    label: str = Field(examples=["flat"])
    electricity_price: int = Field(ge=0, le=wire.MAX_PRICE)
    service_price: int = Field(ge=0, le=wire.MAX_PRICE)


class RateBody(BaseModel):
    """A rate as an operator writes it; the periods cover the whole day, in order, the first from 00:00."""

    model_config = ConfigDict(extra="forbid", strict=True)

    currency: str = Field(pattern="^[A-Z]{3}$", examples=["CNY"])
    time_zone: str = Field(max_length=64, examples=["Asia/Shanghai"])
    session_fee_minor: int = Field(default=0, ge=0, le=messages.MAX_MINOR)
    periods: list[PeriodBody] = Field(min_length=1, max_length=96)


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
            *((".".join(map(str, each["loc"])) or "rate", each["msg"]) for each in error.errors())
        ) from error


def build(body: RateBody, rate_id: str, published_at: int) -> dict[str, Any]:
    """The rate as wire.RATE. Raises Problem (InvalidRequest) naming each field that is wrong."""
    errors = list(_errors(body))
    if errors:
        raise invalid(*errors)
    return {
        "rate_id": rate_id,
        "currency": body.currency,
        "minor_digits": currencies.minor_digits(body.currency),
        "session_fee_minor": body.session_fee_minor,
        "time_zone": body.time_zone,
        "periods": [
            [_minute(each.start), each.electricity_price, each.service_price, each.label]
            for each in body.periods
        ],
        "published_at": published_at,
    }


def _errors(body: RateBody) -> Iterator[tuple[str, str]]:
    if not currencies.is_currency(body.currency):
        yield "currency", "is not a currency of ISO 4217"
    if not is_time_zone(body.time_zone):
        yield "time_zone", "is not a time zone of the IANA database"
    if body.periods[0].start != "00:00":
        yield "periods[0].start", "must be 00:00"
    for i, period in enumerate(body.periods):
        if i and _minute(period.start) <= _minute(body.periods[i - 1].start):
            yield f"periods[{i}].start", "must be later than the period before"
        if period.label not in messages.PERIOD_LABELS:
            yield f"periods[{i}].label", "must be one of " + " ".join(messages.PERIOD_LABELS)
    yield from _price_limit_errors(body)


def _price_limit_errors(body: RateBody) -> Iterator[tuple[str, str]]:
    """The largest possible bill must fit the settlement message, or the cloud could not store it."""
    wrong = f"the largest order would cost more than {messages.MAX_MINOR} minor units"
    digits = currencies.minor_digits(body.currency)
    fee_pico = body.session_fee_minor * pricing.pico_per_minor(digits)
    is_fee_too_high = False
    for i, period in enumerate(body.periods):
        energy_pico = messages.MAX_ENERGY_MWH * (period.electricity_price + period.service_price)
        if pricing.round_half_up(energy_pico, digits) > messages.MAX_MINOR:
            dearer = "electricity" if period.electricity_price >= period.service_price else "service"
            yield f"periods[{i}].{dearer}_price", wrong
        elif pricing.round_half_up(energy_pico + fee_pico, digits) > messages.MAX_MINOR:
            is_fee_too_high = True
    if is_fee_too_high:
        yield "session_fee_minor", wrong


def _minute(start: str) -> int:
    return 60 * int(start[:2]) + int(start[3:])
