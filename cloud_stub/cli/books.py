"""The commands `books ...`: settlements as they count, as CSV; decisions about flagged ones."""

import argparse
import sys

from ..base.clock import now_s
from ..db.writer import Transaction
from ..reports import daily_report, days, settlements_csv
from ..reports.bill_rows import PileScope
from ..settings import Settings
from ..settlements import reviews
from ..settlements import views as settlement_views
from .tools import (
    ALL_DAYS,
    Commands,
    actor,
    add_days,
    database,
    how_many,
    idle_cloud,
    print_all,
    print_json,
    reading,
    subject,
)


def add(commands: Commands) -> None:
    books = subject(commands, "books", "what is billed, paid, credited, waived and flagged")
    export = books.add_parser("export", help="print the settlements as CSV")
    _add_scope(export, *ALL_DAYS)
    export.set_defaults(command=_export)
    daily = books.add_parser("daily", help="energy and revenue by day, as one JSON object")
    _add_scope(daily, None, None)
    daily.set_defaults(command=_daily)
    flagged = books.add_parser("flagged", help="the newest flagged settlements, one JSON object a line")
    flagged.add_argument("--limit", type=how_many, default=50)
    flagged.set_defaults(command=_flagged)
    review = books.add_parser("review", help="decide about a flagged settlement, once")
    review.add_argument("settlement", type=how_many, help="its `id`, as `books flagged` prints it")
    review.add_argument("decision", choices=("release", "waive"))
    review.add_argument("note", help="why; kept with the settlement")
    review.set_defaults(command=_review)


def _add_scope(parser: argparse.ArgumentParser, first: str | None, last: str | None) -> None:
    parser.add_argument("--pile", metavar="ID")
    parser.add_argument("--site", metavar="ID", help="what was charged there")
    parser.add_argument("--tag")
    add_days(parser, first, last)


def _scope(options: argparse.Namespace) -> PileScope:
    return PileScope(options.pile, options.site, options.tag)


def _daily(settings: Settings, options: argparse.Namespace) -> int:
    asked = days.read_some(options.first, options.last, options.time_zone)
    with reading(settings) as conn:
        print_json(daily_report.daily(conn, asked, _scope(options)))
    return 0


def _export(settings: Settings, options: argparse.Namespace) -> int:
    asked = days.read(options.first, options.last, options.time_zone)
    scope = _scope(options)
    with database(settings) as store:
        with store.reading.connect() as conn:
            scope.check(conn)
        for page in settlements_csv.csv_pages(store, asked.from_at, asked.until_at, scope):
            sys.stdout.write(page)
    return 0


def _flagged(settings: Settings, options: argparse.Namespace) -> int:
    return print_all(
        settings, lambda conn: settlement_views.list_views(conn, True, None, None, options.limit, None)
    )


def _review(settings: Settings, options: argparse.Namespace) -> int:
    body = reviews.ReviewBody(decision=options.decision, note=options.note)
    with idle_cloud(settings) as cloud, cloud.store.writing.begin() as conn:
        reviews.review(Transaction(conn), actor(), cloud.context, options.settlement, body, now_s())
        print_json(settlement_views.comparison(conn, options.settlement))
    return 0
