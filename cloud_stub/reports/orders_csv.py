"""Orders as CSV, page by page, so that any number of them passes through a small memory."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import select

from ..db.engine import Store
from ..db.rows import Query
from ..db.tables import piles
from ..orders.views import OrderFilter, list_orders
from .csv_lines import BOM, decimal, line, time_utc

PAGE = 500

COLUMNS = (
    "order_id",
    "device_id",
    "pile_name",
    "connector",
    "state",
    "reason",
    "created_at",
    "charging_at",
    "settled_at",
    "paid_at",
    "energy_kwh",
    "total",
    "currency",
    "rate_id",
)


class _Name(NamedTuple):
    device_id: str
    name: str


_NAMES = select(piles.c.device_id, piles.c.name)
_NAME_ROWS = Query(_NAMES, _Name)


def csv_pages(store: Store, wanted: OrderFilter) -> Iterator[str]:
    """The lines, newest order first; read in pages, each on a connection of its own."""
    yield BOM + line(COLUMNS)
    before = None
    names: dict[str, str] = {}
    while True:
        with store.reading.connect() as conn:
            page = list_orders(conn, wanted, PAGE, before)
            unnamed = {each["device_id"] for each in page} - names.keys()
            if unnamed:
                query = _NAME_ROWS.narrowed(_NAMES.where(piles.c.device_id.in_(unnamed)))
                names.update((row.device_id, row.name) for row in query.all(conn))
        if page:
            yield "".join(line(_values(each, names)) for each in page)
        if len(page) < PAGE:
            return
        before = page[-1]["order_id"]


def _values(order: dict[str, Any], names: dict[str, str]) -> list[str]:
    return [
        order["order_id"],
        order["device_id"],
        names.get(order["device_id"], ""),
        str(order["connector"]),
        order["state"],
        order["reason"] or "",
        time_utc(order["created_at"]),
        time_utc(order["charging_at"]),
        time_utc(order["settled_at"]),
        time_utc(order["paid_at"]),
        decimal(order["energy_mwh"], 6),
        decimal(order["total_minor"], order["minor_digits"]),
        order["currency"],
        order["rate_id"],
    ]
