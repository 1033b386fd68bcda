"""What a rate that is being written would cost: a day's prices, a sample session priced as an order is."""

import datetime
from datetime import timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field
from sqlalchemy import Connection

from pile_protocol import components, messages, wire

from ..base.body import Body
from ..base.ids import new_id
from ..base.problems import invalid
from . import calendars, component_body, expansion, model, schedule


class SampleBody(Body):
    """A session at steady power, from `start` of the local day on; then the vehicle stays plugged in."""

    start: str = Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["17:30"])
    energy_mwh: int = Field(ge=1, le=messages.MAX_ENERGY_MWH)
    duration_s: int = Field(ge=60, le=wire.MAX_DURATION_S)
    stay_s: int = Field(default=0, ge=0, le=component_body.STAY_MAX_S)


class PreviewBody(Body):
    rate: model.RateBody
    sample: SampleBody
    date: str | None = Field(
        default=None, pattern=r"^\d{4}-\d{2}-\d{2}$", description="null: today", examples=["2026-10-01"]
    )
    time_zone: str | None = Field(
        default=None, max_length=64, description="Of the site, where the rate has none of its own"
    )


def preview(conn: Connection, body: PreviewBody, now: int) -> dict[str, Any]:
    """The bill of the sample session on the date, and the price steps of all of that date.

    Raises Problem (InvalidRequest) naming what is wrong.
    """
    rate = model.build(body.rate, "preview-" + new_id(), now, calendars.dates(conn, body.rate))
    rate["time_zone"] = _zone(body)
    zone = ZoneInfo(rate["time_zone"])
    day = _date(body.date) if body.date else expansion.local_date(now, zone)
    started_at = _at(day, body.sample.start, zone)
    ended_at = started_at + body.sample.duration_s
    locked = schedule.lock_rate(rate, started_at, ended_at)
    bill = components.bill(locked, _usage(locked, ended_at, body.sample))
    day_at, day_end_at = (expansion.day_start(each, zone) for each in (day, day + timedelta(days=1)))
    return {
        "currency": rate["currency"],
        "minor_digits": rate["minor_digits"],
        "time_zone": rate["time_zone"],
        "started_at": started_at,
        "ended_at": ended_at,
        "energy_mwh": body.sample.energy_mwh,
        **bill,
        "date": day.isoformat(),
        **schedule.columns_of(rate, day_at, max(day_end_at, day_at + 1)),
        "until_at": day_end_at,
    }


def _zone(body: PreviewBody) -> str:
    if body.rate.time_zone is not None:
        return body.rate.time_zone
    if body.time_zone is None or not model.is_time_zone(body.time_zone):
        raise invalid(("time_zone", "the rate has none of its own; name that of a site"))
    return body.time_zone


def _date(text: str) -> datetime.date:
    """Raises Problem (InvalidRequest). Not at the ends of the calendar, where its neighbours are missing."""
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        day = datetime.date.min
    if not 1970 < day.year < 2200:
        raise invalid(("date", "must be a date from 1971 to 2199"))
    return day


def _at(day: datetime.date, start: str, zone: ZoneInfo) -> int:
    clock = datetime.time(int(start[:2]), int(start[3:]), tzinfo=zone)
    return int(datetime.datetime.combine(day, clock).astimezone(timezone.utc).timestamp())


def _usage(locked: dict[str, Any], ended_at: int, sample: SampleBody) -> components.Usage:
    energies = _spread(locked["steps"], ended_at, sample.energy_mwh)
    times = []
    if "time_prices" in locked:
        times = _spread(locked["steps"], ended_at, sample.duration_s * 1000)
    power_mw = sample.energy_mwh * 3600 // sample.duration_s
    tiers = locked.get("tiers", [])
    tier = sum(up_to_mw < power_mw for up_to_mw, _ in tiers[:-1])
    tiers_ms = [sample.duration_s * 1000 if at == tier else 0 for at in range(len(tiers))]
    idle_s = max(0, sample.stay_s - locked["idle"]["after_s"]) if "idle" in locked else 0
    return components.Usage(energies, times, tiers_ms, idle_s * 1000)


def _spread(steps: list[list[Any]], ended_at: int, amount: int) -> list[tuple[int, int]]:
    """(step index, part of the amount) at a steady pace; the parts add up to the whole."""
    started_at = steps[0][0]
    ends = [*(step[0] for step in steps[1:]), ended_at]
    found = []
    before = 0
    for index, end in enumerate(ends):
        until = amount * (end - started_at) // (ended_at - started_at)
        found.append((index, until - before))
        before = until
    return found
