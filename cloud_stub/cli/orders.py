"""The commands `orders`, `order ...` and `credit list`."""

import argparse
import sys
import uuid

from ..base.clock import now_s
from ..db.writer import Transaction
from ..orders import commands as order_commands
from ..orders import create, states
from ..orders import views as order_views
from ..reports import days, orders_csv
from ..settings import Settings
from ..settlements import bills, credits, payments
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
    subject,
)


def add(commands: Commands) -> None:
    order = subject(commands, "order", "one order")
    credit = order.add_parser("credit", help="credit a settled bill, in whole or in part")
    credit.add_argument("order_id")
    credit.add_argument("amount", type=how_many, help="in minor units of the order's currency, such as cents")
    credit.add_argument("reason", help="kept with the credit note")
    credit.add_argument(
        "--key", help="a text of 16 to 128 characters: the same one again credits nothing more"
    )
    credit.set_defaults(command=_order_credit)
    pay = order.add_parser("pay", help="enter the payment of a settled bill, less its credit notes")
    pay.add_argument("order_id")
    pay.add_argument("amount", type=how_many, help="what is to be paid, in minor units")
    pay.set_defaults(command=_order_pay)
    stop = order.add_parser("stop", help="ask the pile to end an order; it is settled as usual")
    stop.add_argument("order_id")
    stop.set_defaults(command=_order_stop)
    close = order.add_parser("close", help="end an order whose settlement is not expected any more")
    close.add_argument("order_id")
    close.add_argument("reason", help="kept with the order's events")
    close.set_defaults(command=_order_close)

    listed = subject(commands, "credit", "credit notes").add_parser(
        "list", help="newest first, as JSON lines"
    )
    listed.add_argument("--order", metavar="ID", help="only those of this order")
    listed.add_argument("--limit", type=how_many, default=50)
    listed.set_defaults(command=_credit_list)

    orders = commands.add_parser("orders", help="list the newest orders, one JSON object a line")
    orders.add_argument("--limit", type=how_many, default=50)
    orders.add_argument("--csv", action="store_true", help="all of them, as CSV")
    orders.add_argument("--pile", metavar="ID")
    orders.add_argument("--site", metavar="ID", help="where they were confirmed")
    orders.add_argument("--connector", type=how_many)
    orders.add_argument("--state", choices=states.STATES)
    orders.add_argument("--rate", metavar="ID", help="the version of a tariff that they have locked")
    add_days(orders, *ALL_DAYS)
    orders.set_defaults(command=_orders)


def _orders(settings: Settings, options: argparse.Namespace) -> int:
    asked = days.read(options.first, options.last, options.time_zone)
    wanted = order_views.OrderFilter(
        device_id=options.pile,
        site_id=options.site,
        connector=options.connector,
        state=options.state,
        rate_id=options.rate,
        from_at=asked.from_at,
        until_at=asked.until_at,
    )
    with database(settings) as store:
        if options.csv:
            for part in orders_csv.csv_pages(store, wanted):
                sys.stdout.write(part)
            return 0
        with store.reading.connect() as conn:
            for order in bills.add_to(conn, order_views.list_orders(conn, wanted, options.limit)):
                print_json(order)
    return 0


def _credit_list(settings: Settings, options: argparse.Namespace) -> int:
    return print_all(settings, lambda conn: credits.list_views(conn, options.order, options.limit, None))


def _order_pay(settings: Settings, options: argparse.Namespace) -> int:
    body = payments.PaymentBody(amount_minor=options.amount, method="test")
    with idle_cloud(settings) as cloud, cloud.store.writing.begin() as conn:
        row = payments.pay(Transaction(conn), actor(), cloud.context, options.order_id, body, now_s())
        print_json(order_views.list_item(row))
    return 0


def _order_stop(settings: Settings, options: argparse.Namespace) -> int:
    with idle_cloud(settings) as cloud, cloud.store.writing.begin() as conn:
        row = order_commands.request_stop(
            Transaction(conn), actor(), cloud.context, options.order_id, now_s()
        )
        print_json(order_views.list_item(row))
    return 0


def _order_close(settings: Settings, options: argparse.Namespace) -> int:
    body = order_commands.CloseBody(reason=options.reason)
    with idle_cloud(settings) as cloud, cloud.store.writing.begin() as conn:
        row = order_commands.close_order(
            Transaction(conn), actor(), cloud.context, options.order_id, body, now_s()
        )
        print_json(order_views.list_item(row))
    return 0


def _order_credit(settings: Settings, options: argparse.Namespace) -> int:
    body = credits.CreditBody(amount_minor=options.amount, reason=options.reason)
    key = create.check_idempotency_key(options.key or str(uuid.uuid4()))
    with idle_cloud(settings) as cloud, cloud.store.writing.begin() as conn:
        row, _ = credits.credit(
            Transaction(conn), actor(), cloud.context, options.order_id, key, body, now_s()
        )
        print_json(credits.view(row))
    return 0
