"""The commands `calendar ...`: holidays that tariffs name."""

import argparse
from datetime import datetime, timezone
from pathlib import Path

from ..base.clock import now_s
from ..base.problems import invalid
from ..rates import calendars
from ..settings import Settings
from .tools import Commands, actor, print_all, print_json, read_json, reading, subject, writing

LISTED_MAX = 10_000


def add(commands: Commands) -> None:
    calendar = subject(commands, "calendar", "calendars of holidays")
    listed = calendar.add_parser("list", help="the calendars, one JSON object a line")
    listed.set_defaults(command=_list)
    for name, command, help in (
        ("show", _show, "one calendar as JSON, to edit and give back to `calendar set`"),
        ("remove", _remove, "remove a calendar; published versions keep their dates"),
    ):
        parser = calendar.add_parser(name, help=help)
        parser.add_argument("calendar_id")
        parser.set_defaults(command=command)
    put = calendar.add_parser("set", help="make or change a calendar from JSON, as `calendar show` prints it")
    put.add_argument("calendar_id")
    put.add_argument("file", type=Path)
    put.set_defaults(command=_set)
    fill = calendar.add_parser("fill", help="make a calendar of a country's public holidays")
    fill.add_argument("calendar_id")
    fill.add_argument("country", help="ISO 3166: CN, DE")
    fill.add_argument("--part", help="of the country, by its ISO 3166 code: BY")
    fill.add_argument("--first-year", type=int, default=datetime.now(timezone.utc).year)
    fill.add_argument("--years", type=int, default=3)
    fill.add_argument("--name", help="else the country's code")
    fill.set_defaults(command=_fill)


def _list(settings: Settings, _: argparse.Namespace) -> int:
    return print_all(settings, lambda conn: calendars.list_views(conn, LISTED_MAX))


def _show(settings: Settings, options: argparse.Namespace) -> int:
    with reading(settings) as conn:
        print_json(calendars.get(conn, options.calendar_id))
    return 0


def _remove(settings: Settings, options: argparse.Namespace) -> int:
    with writing(settings) as tx:
        calendars.remove(tx, actor(), options.calendar_id, now_s())
    print_json({"calendar_id": options.calendar_id})
    return 0


def _set(settings: Settings, options: argparse.Namespace) -> int:
    given = read_json(options.file)
    if not isinstance(given, dict):
        raise invalid((str(options.file), "is not as `calendar show` prints a calendar"))
    body = calendars.CalendarBody.model_validate(
        {"name": given.get("name"), "days": given.get("days"), "replaces": given.get("version")}
    )
    return _put(settings, options.calendar_id, body)


def _fill(settings: Settings, options: argparse.Namespace) -> int:
    wanted = calendars.FillBody(
        country=options.country, part=options.part, first_year=options.first_year, years=options.years
    )
    name = options.name or "-".join(filter(None, (options.country, options.part)))
    return _put(settings, options.calendar_id, calendars.CalendarBody(name=name, days=calendars.fill(wanted)))


def _put(settings: Settings, calendar_id: str, body: calendars.CalendarBody) -> int:
    with writing(settings) as tx:
        print_json(calendars.put(tx, actor(), calendar_id, body, now_s()))
    return 0
