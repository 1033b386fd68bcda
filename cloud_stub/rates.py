"""Rates: what an operator writes, checked; immutable versions of it; and what a phone is shown."""

import json
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Connection, bindparam, insert, select, update

from pile_protocol import messages, pricing, topics, wire

from . import currencies, expansion
from .dispatch import withdraw_rates
from .problems import Problem, invalid, pile_removed, unknown_pile
from .records import record_event
from .security import new_id
from .store import to_json
from .tables import piles, rates
from .writer import Transaction

DAY_S = 86_400
VERSIONS_KEPT = 10_000
NO_RATE = "none"  # in the place of a rate_id
# In the database of some machines: whatever a machine is set to, and what stands for "not set".
_NO_PLACES = frozenset({"localtime", "Factory"})
_HOUR_S = 3_600


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
    yield from _dear(body)


def _dear(body: RateBody) -> Iterator[tuple[str, str]]:
    """A bill must fit its message whatever is charged, or the pile's settlement could not be taken."""
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


_PILE = (
    select(piles.c.rate_id, piles.c.removed_at)
    .where(piles.c.device_id == bindparam("device_id"))
    .with_for_update(key_share=True)
)
_LATEST = (
    select(rates.c.body_json)
    .join(piles, piles.c.rate_id == rates.c.rate_id)
    .where(piles.c.device_id == bindparam("device_id"))
)
_VERSION = select(rates.c.body_json).where(rates.c.rate_id == bindparam("rate_id"))
_SET_LATEST = update(piles).where(piles.c.device_id == bindparam("of")).values(rate_id=bindparam("rate"))


def publish(
    tx: Transaction,
    put: Callable[..., object],
    device_id: str,
    body: RateBody,
    now: int,
    replaces: str | None = None,
) -> dict[str, Any]:
    """Make `body` the pile's latest rate, a new version also where nothing changed; returns wire.RATE.

    put: `Dispatch.put`, or `put_row` where this process does not speak MQTT. replaces: which rate_id must
    be the latest, NO_RATE for none; None does not ask. Raises Problem (RateReplaced and others).
    """
    rate = build(body, "r-" + new_id(), now)
    pile = tx.conn.execute(_PILE, {"device_id": device_id}).first()
    if pile is None:
        raise unknown_pile(device_id)
    if pile.removed_at is not None:
        raise pile_removed(device_id, pile.removed_at)
    if replaces is not None and replaces != (pile.rate_id or NO_RATE):
        raise Problem(
            409,
            "RateReplaced",
            "Another version has been published meanwhile; look at it first",
            rate=latest(tx.conn, device_id),
        )
    text = to_json(rate)
    tx.conn.execute(
        insert(rates),
        {"rate_id": rate["rate_id"], "device_id": device_id, "published_at": now, "body_json": text},
    )
    tx.conn.execute(_SET_LATEST, {"of": device_id, "rate": rate["rate_id"]})
    record_event(tx.conn, now, "RatePublished", device_id, detail=rate["rate_id"])
    withdraw_rates(tx, device_id)
    put(tx, device_id, topics.RATE, text, now)
    return rate


def latest(conn: Connection, device_id: str) -> dict[str, Any] | None:
    """The pile's latest rate as wire.RATE."""
    row = conn.execute(_LATEST, {"device_id": device_id}).first()
    return json.loads(row.body_json) if row else None


class Versions:
    """Published rates, read from the database once each: a version never changes."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Any]] = {}  # the oldest first

    def get(self, conn: Connection, rate_id: str) -> dict[str, Any]:
        """That version as wire.RATE, to be looked at only: others have the same one."""
        rate = self._known.get(rate_id)
        if rate is None:
            row = conn.execute(_VERSION, {"rate_id": rate_id}).one()
            rate = self._known[rate_id] = json.loads(row.body_json)
            if len(self._known) > VERSIONS_KEPT:
                del self._known[next(iter(self._known))]
        return rate


def history(conn: Connection, device_id: str, limit: int, before: str | None) -> list[dict[str, Any]]:
    """The pile's rates as wire.RATE, newest first, older than rate `before`."""
    query = select(rates.c.body_json).where(rates.c.device_id == device_id)
    if before is not None:
        query = query.where(rates.c.rate_id < before)
    rows = conn.execute(query.order_by(rates.c.rate_id.desc()).limit(limit))
    return [json.loads(row.body_json) for row in rows]


def locked(rate: dict[str, Any], from_at: int, until_at: int) -> dict[str, Any]:
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


def shown(rate: dict[str, Any], now: int) -> dict[str, Any]:
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
    wide = _of_hours(periods, rate["time_zone"], hour_at, -(-(until_at - hour_at) // _HOUR_S))
    holding = pricing.step_index(wide, from_at)
    later = (step for step in wide[holding + 1 :] if step[0] < until_at)
    return [[from_at, *wide[holding][1:]], *(list(step) for step in later)]


@lru_cache(maxsize=1024)
def _of_hours(
    periods: tuple[tuple[Any, ...], ...], time_zone: str, hour_at: int, hours: int
) -> list[list[Any]]:
    return expansion.steps([list(each) for each in periods], time_zone, hour_at, hour_at + hours * _HOUR_S)


def no_rate(device_id: str) -> Problem:
    return Problem(409, "NoRate", "This pile has no rate yet", device_id=device_id)
