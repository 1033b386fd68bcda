"""Orders as CSV (RFC 4180), page by page, so that any number of them passes through a small memory."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any, NamedTuple

from sqlalchemy import select

from ..db.engine import Store
from ..db.rows import Query
from ..db.tables import piles
from ..orders.views import OrderFilter, list_orders

PAGE = 500
BOM = "\ufeff"  # a byte order mark, without which spreadsheets do not read UTF-8

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
    yield BOM + _line(COLUMNS)
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
            yield "".join(_line(_values(each, names)) for each in page)
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
        _time(order["created_at"]),
        _time(order["charging_at"]),
        _time(order["settled_at"]),
        _time(order["paid_at"]),
        _decimal(order["energy_mwh"], 6),
        _decimal(order["total_minor"], order["minor_digits"]),
        order["currency"],
        order["rate_id"],
    ]


def _line(values: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([harmless(value) for value in values])
    return text.getvalue()


def harmless(value: str) -> str:
    """The value, escaped so that no spreadsheet takes it for a formula, because others choose the names of
    piles.
    """
    return "'" + value if value[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else value


def _time(at: int | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _decimal(value: int | None, digits: int) -> str:
    """A whole number of 10^-digits written out, exactly."""
    if value is None:
        return ""
    whole, rest = divmod(value, 10**digits)
    return f"{whole}.{rest:0{digits}d}" if digits else str(whole)
