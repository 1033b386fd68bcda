"""The command `books export`: settlements as they count, as CSV."""

import argparse
import sys
from datetime import timedelta

from ..reports import daily_report, settlements_csv
from ..reports.bill_rows import PileScope
from ..settings import Settings
from .tools import Commands, database, subject


def add(commands: Commands) -> None:
    books = subject(commands, "books", "what is billed, paid, credited, waived and flagged")
    export = books.add_parser("export", help="print the settlements as CSV")
    export.add_argument("--pile", metavar="ID")
    export.add_argument("--site", metavar="ID")
    export.add_argument("--tag")
    export.add_argument(
        "--from", dest="first", metavar="DAY", default="2000-01-01", help="such as 2026-11-23"
    )
    export.add_argument("--to", dest="last", metavar="DAY", default="2100-12-31", help="the last day")
    export.add_argument("--time-zone", default="UTC", help="of the days")
    export.set_defaults(command=_export)


def _export(settings: Settings, options: argparse.Namespace) -> int:
    local = daily_report.zone(options.time_zone)
    first, last = daily_report.day(options.first, "--from"), daily_report.day(options.last, "--to")
    from_at = daily_report.midnight(first, local)
    until_at = daily_report.midnight(last + timedelta(days=1), local)
    scope = PileScope(options.pile, options.site, options.tag)
    with database(settings) as store:
        with store.reading.connect() as conn:
            scope.check(conn)
        for page in settlements_csv.csv_pages(store, from_at, until_at, scope):
            sys.stdout.write(page)
    return 0
