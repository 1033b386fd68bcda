"""Settlements as CSV, page by page: each as it counts in the books, with payment and credit notes."""

from collections.abc import Iterator
from typing import Any

from ..db.engine import Store
from ..payments import holds
from ..payments.holds import HoldRow
from ..settlements import bills
from ..settlements.bills import BillRow
from . import bill_cells, bill_rows
from .csv_lines import BOM, line, time_utc

COLUMNS = (
    "settlement_id",
    "device_id",
    "pile_name",
    "site_id",
    "connector",
    "order_id",
    "epoch",
    "seq",
    "received_at",
    *bill_cells.COLUMNS,
    "stop_reason",
    "recovered",
    "rate_id",
    "unbilled_mwh",
    *bill_cells.LATER_COLUMNS,
)


def csv_pages(store: Store, from_at: int, until_at: int, scope: bill_rows.PileScope) -> Iterator[str]:
    """The lines, by the time at which charging ended."""
    yield BOM + line(COLUMNS)
    places = bill_cells.Places()
    for conn, page in bill_rows.pages(store, from_at, until_at, scope):
        found = [(row, bills.content(row)) for row in page]
        held = holds.of_orders(conn, (row.settles_order_id for row in page if row.settles_order_id))
        places.read(conn, (_charged(*each) for each in found))
        yield "".join(line(_values(row, said, held, places)) for row, said in found)


def _charged(row: BillRow, said: dict[str, Any]) -> bill_cells.Charged:
    """The rate is its order's; of one that settles no order the one that it names, if that can be read."""
    return bill_cells.Charged(row.device_id, row.site_id, row.rate_id or said.get("rate_id") or "")


def _values(
    row: BillRow, said: dict[str, Any], held: dict[str, HoldRow], places: bill_cells.Places
) -> list[str]:
    charged = _charged(row, said)
    place = places.of(charged)
    values = bill_cells.cells(row, said, place["zone"], held.get(row.settles_order_id or "")) | {
        "settlement_id": row.id,
        "device_id": row.device_id,
        "pile_name": place["name"],
        "site_id": place["site_id"],
        "connector": said.get("connector"),
        "order_id": row.order_id,
        "epoch": row.epoch,
        "seq": row.seq,
        "received_at": time_utc(row.received_at),
        "stop_reason": said.get("stop_reason"),
        "recovered": {True: "yes", False: "no", None: ""}[said.get("recovered")],
        "rate_id": charged.rate_id,
        "unbilled_mwh": row.unbilled_mwh,
    }
    return ["" if values[name] is None else str(values[name]) for name in COLUMNS]
