"""A rate's local days laid out in absolute time, across midnight and every daylight-saving change.

Arithmetic on the wall clock is not to be trusted where it jumps. So every instant at which the price *could*
change is collected (each period's start, in both of its readings where the clock is set back, and the jumps
themselves) and the wall clock is read at each: the date and the time that it shows decide.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from .days import Period

# The periods of a date; the first one starts with the day.
PeriodsOf = Callable[[date], list[Period]]
# [from_at, electricity_price, service_price, label, time_price]: the first four as in wire.STEP
Step = list

_HOUR_S = 3600


def steps(periods_on: PeriodsOf, time_zone: str, from_at: int, until_at: int) -> list[Step]:
    """The price steps from `from_at` (where the first begins) to `until_at`, equal neighbours made one."""
    zone = ZoneInfo(time_zone)
    found: list[Step] = []
    for at in sorted(_candidates(periods_on, zone, from_at, until_at)):
        price = _period_at(periods_on, zone, at)[1:]
        if not found or found[-1][1:] != price:
            found.append([at, *price])
    return found


def day_start(day: date, zone: ZoneInfo) -> int:
    """The first instant of the date there, Unix seconds; that of the next date where it was left out."""
    return _unix(datetime(day.year, day.month, day.day, tzinfo=zone))


def local_date(at: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at, zone).date()


def _period_at(periods_on: PeriodsOf, zone: ZoneInfo, at: int) -> Period:
    local = datetime.fromtimestamp(at, zone)
    minute = 60 * local.hour + local.minute
    return next(period for period in reversed(periods_on(local.date())) if period[0] <= minute)


def _candidates(periods_on: PeriodsOf, zone: ZoneInfo, from_at: int, until_at: int) -> set[int]:
    found = {from_at, *_jumps(zone, from_at, until_at)}
    day = local_date(from_at, zone)
    last_day = local_date(until_at, zone)
    while day <= last_day:
        for start_minute, *_ in periods_on(day):
            hour, minute = divmod(start_minute, 60)
            for fold in (0, 1):
                local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone, fold=fold)
                found.add(_unix(local))
        day += timedelta(days=1)
    return {at for at in found if from_at <= at < until_at}


def _jumps(zone: ZoneInfo, from_at: int, until_at: int) -> list[int]:
    """The instants in (from_at, until_at) from which the zone's offset is another."""
    found = []
    before = from_at
    while before < until_at:
        after = min(before + _HOUR_S, until_at)
        if _offset(zone, before) != _offset(zone, after):
            low, high = before, after
            while high - low > 1:
                middle = (low + high) // 2
                if _offset(zone, middle) == _offset(zone, low):
                    low = middle
                else:
                    high = middle
            found.append(high)
        before = after
    return found


def _offset(zone: ZoneInfo, at: int) -> timedelta | None:
    return datetime.fromtimestamp(at, zone).utcoffset()


def _unix(local: datetime) -> int:
    since = local.astimezone(timezone.utc) - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return since.days * 86_400 + since.seconds
