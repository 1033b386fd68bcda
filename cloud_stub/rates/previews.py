"""What a rate that is being written would cost: a sample session, expanded and priced as an order is."""

from datetime import datetime, timezone
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from pile_protocol import messages, pricing, wire

from . import model, schedule


class SampleBody(BaseModel):
    """A session at steady power, from `start` of the local day on."""

    model_config = ConfigDict(extra="forbid", strict=True)

    start: str = Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["17:30"])
    energy_mwh: int = Field(ge=1, le=messages.MAX_ENERGY_MWH)
    duration_s: int = Field(ge=60, le=wire.MAX_DURATION_S)


class PreviewBody(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    rate: model.RateBody
    sample: SampleBody


def preview(body: PreviewBody, now: int) -> dict[str, Any]:
    """The bill of the sample session today. Raises Problem (InvalidRequest) naming what is wrong."""
    rate = model.build(body.rate, "preview", now)
    started_at = _today_at(body.sample.start, ZoneInfo(rate["time_zone"]), now)
    ended_at = started_at + body.sample.duration_s
    locked = schedule.lock_rate(rate, started_at, ended_at)
    energies = _spread(locked["steps"], ended_at, body.sample.energy_mwh)
    total_minor, fee_minor, periods = pricing.bill(locked, energies)
    return {
        "currency": rate["currency"],
        "minor_digits": rate["minor_digits"],
        "time_zone": rate["time_zone"],
        "started_at": started_at,
        "ended_at": ended_at,
        "energy_mwh": body.sample.energy_mwh,
        "session_fee_minor": fee_minor,
        "total_minor": total_minor,
        "periods": periods,
    }


def _today_at(start: str, local: ZoneInfo, now: int) -> int:
    today = datetime.fromtimestamp(now, local)
    at = today.replace(hour=int(start[:2]), minute=int(start[3:]), second=0, microsecond=0)
    return int(at.astimezone(timezone.utc).timestamp())


def _spread(steps: list[list[Any]], ended_at: int, energy_mwh: int) -> list[tuple[int, int]]:
    """(step index, mWh) at steady power; the parts add up to the whole."""
    started_at = steps[0][0]
    ends = [*(step[0] for step in steps[1:]), ended_at]
    found = []
    before_mwh = 0
    for index, end in enumerate(ends):
        until_mwh = energy_mwh * (end - started_at) // (ended_at - started_at)
        found.append((index, until_mwh - before_mwh))
        before_mwh = until_mwh
    return found
