"""Calendars of holidays: days by date, filled in for a country and edited by hand afterwards.

A version takes the dates of its calendars with it, so a calendar that is changed changes no price: the change
takes effect where a version is published after it.
"""

import json
import re
import threading
import warnings
from datetime import date
from typing import Any, NamedTuple

import holidays
from pydantic import Field
from sqlalchemy import Connection, bindparam, delete, select, update

from ..base.body import Body
from ..base.problems import Problem, invalid
from ..base.text import LINE_PATTERN, is_line
from ..db import audit, json_lists
from ..db.audit import Actor
from ..db.engine import insert_or_ignore, to_json
from ..db.rows import Query
from ..db.site_tables import calendars
from ..db.writer import Transaction
from .model import ID_PATTERN, RateBody

DAYS_MAX = 1000
YEARS_MAX = 10
NAME_MAX = 100
_WARNINGS = threading.Lock()  # catch_warnings() is for the whole process


class CalendarBody(Body):
    """A calendar's days by date."""

    name: str = Field(min_length=1, max_length=100, pattern=LINE_PATTERN, examples=["Bavaria"])
    days: dict[str, str] = Field(max_length=DAYS_MAX, examples=[{"2026-10-03": "Day of German Unity"}])
    replaces: int | None = Field(default=None, description="The version that is changed; null: there is none")


class FillBody(Body):
    """The public holidays of a country or a part of it, by its ISO 3166 codes."""

    country: str = Field(pattern="^[A-Z]{2}$", examples=["DE"])
    part: str | None = Field(default=None, min_length=1, max_length=40, pattern=LINE_PATTERN, examples=["BY"])
    first_year: int = Field(ge=1970, le=2100, examples=[2026])
    years: int = Field(default=3, ge=1, le=YEARS_MAX)


class CalendarRow(NamedTuple):
    """A row of `calendars`."""

    calendar_id: str
    name: str
    days_json: str
    version: int


_ALL = select(calendars)
_ROWS = Query(_ALL, CalendarRow)
_BY_ID = _ALL.where(calendars.c.calendar_id == bindparam("calendar_id"))
_GET = Query(_BY_ID, CalendarRow)
_LOCK = Query(_BY_ID.with_for_update(), CalendarRow)
_NAMED = Query(_ALL.where(calendars.c.calendar_id.in_(json_lists.texts("calendar_ids"))), CalendarRow)
_UPDATE = (
    update(calendars)
    .where(calendars.c.calendar_id == bindparam("of"))
    .values(name=bindparam("to_name"), days_json=bindparam("to_days"), version=bindparam("to_version"))
)
_REMOVE = delete(calendars).where(calendars.c.calendar_id == bindparam("of"))


def put(tx: Transaction, actor: Actor, calendar_id: str, body: CalendarBody, now: int) -> dict[str, Any]:
    """Make the calendar, or change all of it; returns it.

    Raises Problem: InvalidRequest; CalendarReplaced where `replaces` is not its present version.
    """
    _check_days(body.days)
    row = _LOCK.first(tx.conn, {"calendar_id": calendar_id})
    if body.replaces != (row.version if row else None):
        raise _replaced(row)
    days_json = to_json(dict(sorted(body.days.items())))
    if row is None:
        values = {"calendar_id": calendar_id, "name": body.name, "days_json": days_json, "version": 1}
        made = insert_or_ignore(tx.conn, calendars).returning(calendars.c.calendar_id)
        if tx.conn.execute(made, values).scalar_one_or_none() is None:
            raise _replaced(_GET.first(tx.conn, {"calendar_id": calendar_id}))
    else:
        changed = {"to_name": body.name, "to_days": days_json, "to_version": row.version + 1}
        tx.conn.execute(_UPDATE, {"of": calendar_id} | changed)
    detail = f"{calendar_id}: {len(body.days)} d"
    audit.record(tx.conn, actor, now, "CalendarSet", detail=detail)
    return get(tx.conn, calendar_id)


def _check_days(days: dict[str, str]) -> None:
    """Raises Problem (InvalidRequest) naming each date or name that is wrong."""
    wrong = [(f"days.{day[:20]}", "is not a date as 2026-10-03") for day in days if not _is_date(day)]
    wrong += [
        (f"days.{day[:20]}", "has a name that is too long or has hidden characters")
        for day, name in days.items()
        if len(name) > NAME_MAX or not is_line(name)
    ]
    if wrong:
        raise invalid(*wrong[:20])


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _replaced(row: CalendarRow | None) -> Problem:
    title = "The calendar has been changed or removed meanwhile; look at it first"
    return Problem(409, "CalendarReplaced", title, calendar=_view(row) if row else None)


def remove(tx: Transaction, actor: Actor, calendar_id: str, now: int) -> None:
    """Published versions keep their dates. Raises Problem (UnknownCalendar)."""
    get(tx.conn, calendar_id)
    tx.conn.execute(_REMOVE, {"of": calendar_id})
    audit.record(tx.conn, actor, now, "CalendarRemoved", detail=calendar_id)


def get(conn: Connection, calendar_id: str) -> dict[str, Any]:
    """Raises Problem (UnknownCalendar)."""
    row = None
    if re.match(ID_PATTERN, calendar_id):
        row = _GET.first(conn, {"calendar_id": calendar_id})
    if row is None:
        title = "There is no calendar with that id"
        raise Problem(404, "UnknownCalendar", title, calendar_id=calendar_id[:64])
    return _view(row)


def list_views(conn: Connection, limit: int, after: str | None = None) -> list[dict[str, Any]]:
    """The calendars by id, later than `after`."""
    query = _ALL
    if after is not None:
        query = query.where(calendars.c.calendar_id > after)
    return [_view(row) for row in _ROWS.narrowed(query.order_by("calendar_id").limit(limit)).all(conn)]


def _view(row: CalendarRow) -> dict[str, Any]:
    days = json.loads(row.days_json)
    return {
        "calendar_id": row.calendar_id,
        "name": row.name,
        "days": days,
        "last_day": max(days, default=None),
        "version": row.version,
    }


def dates(conn: Connection, body: RateBody) -> dict[str, list[str]]:
    """The dates of each calendar that the rate names, of those that exist."""
    names = sorted({day.calendar for day in body.days if day.calendar})
    if not names:
        return {}
    rows = _NAMED.all(conn, {"calendar_ids": to_json(names)})
    return {row.calendar_id: list(json.loads(row.days_json)) for row in rows}


def fill(body: FillBody) -> dict[str, str]:
    """The public holidays by date, named in the country's language.

    Raises Problem (InvalidRequest), also for a year whose days are not all known.
    """
    supported = holidays.list_supported_countries()
    if body.country not in supported:
        raise invalid(("country", "has no public holidays here; enter the days by hand"))
    if body.part is not None and body.part not in supported[body.country]:
        parts = " ".join(supported[body.country]) or "none"
        raise invalid(("part", f"is not one that can be filled in; there are: {parts}"))
    years = range(body.first_year, body.first_year + body.years)
    language = holidays.country_holidays(body.country).default_language  # else the machine's
    with _WARNINGS, warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", UserWarning)
        found = holidays.country_holidays(body.country, subdiv=body.part, years=years, language=language)
    told = [each for each in heard if issubclass(each.category, UserWarning)]
    unknown = sorted(set(years) - {day.year for day in found})
    if told or unknown:
        reason = str(told[0].message) if told else f"no public holidays are known in {unknown[0]}"
        raise invalid(("first_year", f"{reason}; enter the days by hand"))
    return {day.isoformat(): name[:NAME_MAX] for day, name in sorted(found.items())}
