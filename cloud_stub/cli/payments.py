"""The commands `payment ...` and `free ...`."""

import argparse
import sys

from ..base.clock import now_s
from ..payments import adapters, due, free, views
from ..payments.reconciliation import reconcile
from ..reports import days, payments_report
from ..settings import Settings
from .tools import Commands, actor, database, fail, how_many, print_json, reading, subject, writing


def add(commands: Commands) -> None:
    payment = subject(commands, "payment", "holds and the calls to the payment provider")
    listed = payment.add_parser("list", help="the newest holds, one JSON object a line")
    listed.add_argument("--limit", type=how_many, default=50)
    listed.add_argument("--state", help="only those in it, such as Held or CaptureRefused")
    listed.set_defaults(command=_list)
    show = payment.add_parser("show", help="one hold, with every call to its provider")
    show.add_argument("hold_id")
    show.set_defaults(command=_show)
    retry = payment.add_parser("retry", help="make a refused capture, release or refund again")
    retry.add_argument("hold_id")
    retry.set_defaults(command=_retry)
    report = payment.add_parser(
        "report", help="what was held, captured, released, refunded and is unpaid, by day and adapter"
    )
    _add_days(report)
    report.add_argument("--csv", action="store_true", help="with exact decimals, instead of JSON")
    report.set_defaults(command=_report)

    compare = payment.add_parser(
        "reconcile", help="compare with the provider's own report; fails where something differs"
    )
    _add_days(compare)
    compare.set_defaults(command=_reconcile)

    vend = subject(commands, "free", "orders that nobody pays")
    grant = vend.add_parser("grant", help="make a code, or let everybody at a site charge for free")
    grant.add_argument("reason", help="kept with the credit note of each order")
    grant.add_argument("--site", help="only there")
    grant.add_argument("--everybody", action="store_true", help="without a code; needs --site")
    grant.add_argument("--uses", type=how_many, help="how many orders")
    grant.add_argument("--until", type=how_many_s, help="Unix seconds")
    grant.set_defaults(command=_grant)
    grants = vend.add_parser("list", help="the codes and sites, one JSON object a line")
    grants.add_argument("--limit", type=how_many, default=50)
    grants.set_defaults(command=_grants)
    revoke = vend.add_parser("revoke", help="it makes no further order free")
    revoke.add_argument("grant_id")
    revoke.set_defaults(command=_revoke)


def _add_days(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="first", metavar="DAY", required=True, help="such as 2026-11-23")
    parser.add_argument("--to", dest="last", metavar="DAY", help="the last day; without it, one day")
    parser.add_argument("--time-zone", default="UTC", help="of the days")


def _days(options: argparse.Namespace) -> days.Days:
    return days.read_some(options.first, options.last or options.first, options.time_zone)


def how_many_s(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise argparse.ArgumentTypeError("must be Unix seconds")
    return int(text)


def _list(settings: Settings, options: argparse.Namespace) -> int:
    with reading(settings) as conn:
        for each in views.list_holds(conn, options.state, None, options.limit, None):
            print_json(each)
    return 0


def _show(settings: Settings, options: argparse.Namespace) -> int:
    with reading(settings) as conn:
        print_json(views.hold_with_calls(conn, options.hold_id))
    return 0


def _retry(settings: Settings, options: argparse.Namespace) -> int:
    with writing(settings) as tx:
        print_json(views.hold_view(due.retry(tx, actor(), options.hold_id, now_s())))
    return 0


def _report(settings: Settings, options: argparse.Namespace) -> int:
    with reading(settings) as conn:
        found = payments_report.by_day(conn, _days(options), now_s())
    if options.csv:
        sys.stdout.writelines(payments_report.csv_lines(found))
        return 0
    for row in found["rows"]:
        print_json(row)
    return 0


def _reconcile(settings: Settings, options: argparse.Namespace) -> int:
    asked = _days(options)
    with database(settings) as store:
        adapter = adapters.make(settings)
        found = reconcile(store, adapter, asked.from_at, asked.until_at, now_s())
    for each in found["differences"]:
        print_json(each)
    if not found["differences"]:
        print_json(asked.named() | found)
        return 0
    return fail(f"{len(found['differences'])} differences from the report of {found['adapter']}")


def _grant(settings: Settings, options: argparse.Namespace) -> int:
    body = free.GrantBody(
        reason=options.reason,
        site_id=options.site,
        with_code=not options.everybody,
        uses_max=options.uses,
        until_at=options.until,
    )
    with writing(settings) as tx:
        print_json(free.grant(tx, actor(), body, now_s())._asdict())
    return 0


def _grants(settings: Settings, options: argparse.Namespace) -> int:
    with reading(settings) as conn:
        for each in free.list_grants(conn, options.limit, None):
            print_json(each)
    return 0


def _revoke(settings: Settings, options: argparse.Namespace) -> int:
    with writing(settings) as tx:
        free.revoke(tx, actor(), options.grant_id, now_s())
    return 0
