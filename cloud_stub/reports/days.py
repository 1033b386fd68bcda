"""The days of a report, in a time zone of the reader's choice."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ..base.problems import invalid
from ..rates import model

YEAR_MIN, YEAR_MAX = 2000, 2100  # far from the ends of what a calendar can compute with
DAYS_MAX = 366


class Days(NamedTuple):
    """From `first` to `last`, both included, in `zone`."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def from_at(self) -> int:
        """Unix seconds of the beginning of the first day."""
        return self._midnight(self.first)

    @property
    def until_at(self) -> int:
        """Unix seconds of the end of the last day."""
        return self._midnight(self.last + timedelta(days=1))

    def day_of(self, at: int) -> date:
        return datetime.fromtimestamp(at, self.zone).date()

    def dates(self) -> list[date]:
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    def each(self) -> Iterator["Days"]:
        """Each day by itself."""
        return (Days(day, day, self.zone) for day in self.dates())

    def named(self) -> dict[str, str]:
        """As a report says whose it is."""
        return {"from": self.first.isoformat(), "to": self.last.isoformat(), "time_zone": self.zone.key}

    def _midnight(self, of: date) -> int:
        return int(datetime(of.year, of.month, of.day, tzinfo=self.zone).timestamp())


def read(first: str, last: str, time_zone: str) -> Days:
    """Of days such as 2026-11-23, in a time zone of the IANA database. Raises Problem (InvalidRequest)."""
    if not model.is_time_zone(time_zone):
        raise invalid(("time_zone", "is not a time zone of the IANA database"))
    return Days(_day(first, "from"), _day(last, "to"), ZoneInfo(time_zone))


def read_some(first: str, last: str, time_zone: str) -> Days:
    """As read(), from 1 to DAYS_MAX of them."""
    found = read(first, last, time_zone)
    if not 0 <= (found.last - found.first).days < DAYS_MAX:
        raise invalid(("to", f"must be from 0 to {DAYS_MAX - 1} days after `from`"))
    return found


def _day(text: str, field: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise invalid((field, "must be a day like 2026-11-23")) from None
    if not YEAR_MIN <= found.year <= YEAR_MAX:
        raise invalid((field, f"must be in the years {YEAR_MIN} to {YEAR_MAX}"))
    return found
