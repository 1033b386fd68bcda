"""The commands `books ...`: settlements as they count, as CSV; decisions about flagged ones."""

import argparse
import sys

from ..base.clock import now_s
from ..db.writer import Transaction
from ..reports import days, settlements_csv
from ..reports.bill_rows import PileScope
from ..settings import Settings
from ..settlements import reviews
from ..settlements import views as settlement_views
from .tools import Commands, actor, database, how_many, idle_cloud, print_all, print_json, subject


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
    flagged = books.add_parser("flagged", help="the newest flagged settlements, one JSON object a line")
    flagged.add_argument("--limit", type=how_many, default=50)
    flagged.set_defaults(command=_flagged)
    review = books.add_parser("review", help="decide about a flagged settlement, once")
    review.add_argument("settlement", type=how_many, help="its `id`, as `books flagged` prints it")
    review.add_argument("decision", choices=("release", "waive"))
    review.add_argument("note", help="why; kept with the settlement")
    review.set_defaults(command=_review)


def _export(settings: Settings, options: argparse.Namespace) -> int:
    asked = days.read(options.first, options.last, options.time_zone)
    scope = PileScope(options.pile, options.site, options.tag)
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
