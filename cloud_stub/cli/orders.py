"""The commands `orders` and `order close`."""

import argparse

from ..base.clock import now_s
from ..db.writer import Transaction
from ..orders import commands as order_commands
from ..orders import views as order_views
from ..settings import Settings
from .tools import Commands, actor, database, how_many, idle_cloud, print_json, subject


def add(commands: Commands) -> None:
    order = subject(commands, "order", "one order")
    close = order.add_parser("close", help="end an order whose settlement is not expected any more")
    close.add_argument("order_id")
    close.add_argument("reason", help="kept with the order's events")
    close.set_defaults(command=_order_close)

    orders = commands.add_parser("orders", help="list the newest orders, one JSON object a line")
    orders.add_argument("--limit", type=how_many, default=50)
    orders.set_defaults(command=_orders)


def _orders(settings: Settings, options: argparse.Namespace) -> int:
    with database(settings) as store, store.reading.connect() as conn:
        for order in order_views.list_orders(conn, order_views.OrderFilter(), options.limit):
            print_json(order)
    return 0


def _order_close(settings: Settings, options: argparse.Namespace) -> int:
    body = order_commands.CloseBody(reason=options.reason)
    with idle_cloud(settings) as cloud, cloud.store.writing.begin() as conn:
        row = order_commands.close_order(
            Transaction(conn), actor(), cloud.context, options.order_id, body, now_s()
        )
        print_json(order_views.list_item(row))
    return 0
