"""The commands `ocpi ...`: locations, tariffs and CDRs in OCPI 2.2.1, as a JSON list."""

import argparse
from collections.abc import Iterable
from datetime import date, datetime, timezone
from typing import Any

from ..base.clock import now_s
from ..base.problems import invalid
from ..bridges.ocpi import pages, party
from ..bridges.ocpi.numbers import text_of
from ..rates.holding import Versions
from ..settings import Settings
from .tools import Commands, reading, subject


def add(commands: Commands) -> None:
    ocpi = subject(commands, "ocpi", "locations, tariffs and CDRs in OCPI 2.2.1")
    for name, help in (
        ("locations", "sites with their piles"),
        ("tariffs", "versions of tariffs"),
        ("cdrs", "bills and credit notes; flagged bills are left out"),
    ):
        parser = ocpi.add_parser(name, help=help)
        parser.add_argument("--from", dest="since", type=_day, default=0, help="changed since this day, UTC")
        parser.add_argument("--until", type=_day, default=pages.END, help="changed before this day, UTC")
        parser.set_defaults(command=_export, module=name)


def _day(text: str) -> int:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("must be YYYY-MM-DD") from None
    return int(datetime(day.year, day.month, day.day, tzinfo=timezone.utc).timestamp())


def _export(settings: Settings, options: argparse.Namespace) -> int:
    if settings.ocpi_file is None:
        raise invalid(("RATELOCK_OCPI_FILE", "must name the file that docs/ocpi.md describes"))
    owner = party.load(settings.ocpi_file)
    wanted = pages.Wanted(options.since, options.until)
    with reading(settings) as conn:
        _print(pages.found(conn, owner, Versions(), options.module, wanted, now_s(), slice(None))[0])
    return 0


def _print(items: Iterable[Any]) -> None:
    """A JSON list, one item a line, without having all of them in memory."""
    before = "["
    for each in items:
        print(before + text_of(each), end="")
        before = ",\n"
    print("]" if before != "[" else "[]")
