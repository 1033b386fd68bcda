"""Orders as CSV, page by page, so that any number of them passes through a small memory."""

from collections.abc import Iterator
from typing import Any

from ..db.engine import Store
from ..orders.views import OrderFilter, list_orders
from ..payments import holds
from ..payments.holds import HoldRow
from ..settlements import bills
from . import bill_cells
from .csv_lines import BOM, decimal, line, time_utc

PAGE = 500

_OF_ORDER = (
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
    "site_id",
)
COLUMNS = (
    *_OF_ORDER,
    *(name for name in bill_cells.COLUMNS if name not in _OF_ORDER),
    *bill_cells.LATER_COLUMNS,
)


def csv_pages(store: Store, wanted: OrderFilter) -> Iterator[str]:
    """The lines, newest order first; read in pages, each on a connection of its own."""
    yield BOM + line(COLUMNS)
    before = None
    places = bill_cells.Places()
    while True:
        with store.reading.connect() as conn:
            page = list_orders(conn, wanted, PAGE, before)
            order_ids = [each["order_id"] for each in page]
            found, held = bills.of_orders(conn, order_ids), holds.of_orders(conn, order_ids)
            places.read(conn, (_charged(each, found) for each in page))
        if page:
            yield "".join(line(_values(each, found, held, places)) for each in page)
        if len(page) < PAGE:
            return
        before = page[-1]["order_id"]


def _charged(order: dict[str, Any], found: dict[str, bills.BillRow]) -> bill_cells.Charged:
    bill = found.get(order["order_id"])
    site_id = bill.site_id if bill else order["site_id"]
    return bill_cells.Charged(order["device_id"], site_id, order["rate_id"])


def _values(
    order: dict[str, Any],
    found: dict[str, bills.BillRow],
    held: dict[str, HoldRow],
    places: bill_cells.Places,
) -> list[str]:
    bill, hold = found.get(order["order_id"]), held.get(order["order_id"])
    place = places.of(_charged(order, found))
    said = bills.content(bill) if bill else {}
    values = bill_cells.cells(bill, said, place["zone"], hold) | {
        "order_id": order["order_id"],
        "device_id": order["device_id"],
        "pile_name": place["name"],
        "connector": str(order["connector"]),
        "state": order["state"],
        "reason": order["reason"] or "",
        "created_at": time_utc(order["created_at"]),
        "charging_at": time_utc(order["charging_at"]),
        "settled_at": time_utc(order["settled_at"]),
        "paid_at": time_utc(order["paid_at"]),
        "energy_kwh": decimal(order["energy_mwh"], 6),
        "currency": order["currency"],
        "rate_id": order["rate_id"],
        "site_id": place["site_id"],
    }
    return [values[name] for name in COLUMNS]
