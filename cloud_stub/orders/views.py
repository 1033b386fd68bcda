"""What HTTP shows of an order."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select

from ..base.clock import now_s
from ..base.ids import first_id_of
from ..db.rows import MeterSampleRow, OrderRow, Query
from ..db.tables import meter_samples, orders
from . import states
from .hub import Hub

ID_SLACK_S = 60  # between the time in an order's id and its created_at, at most
LIVE_S = 5  # so young a meter value needs no comparing with what is stored

_ALL = select(orders)
_ORDERS = Query(_ALL, OrderRow)
_LATEST_SAMPLE = Query(
    select(meter_samples)
    .where(meter_samples.c.order_id == bindparam("order_id"))
    .order_by(meter_samples.c.at.desc())
    .limit(1),
    MeterSampleRow,
)

_BRIEF = (
    "order_id",
    "device_id",
    "connector",
    "state",
    "reason",
    "version",
    "rate_id",
    "created_at",
    "expires_at",
    "accepted_at",
    "charging_at",
    "finishing_at",
    "settled_at",
    "paid_at",
    "stop_requested_at",
    "energy_mwh",
    "total_minor",
)


def order_view(conn: Connection, hub: Hub, row: OrderRow) -> dict[str, Any]:
    """State, limits, locked rate, latest meter value, staying on; settlements.views.order_with_bill adds the
    bill.
    """
    rate = json.loads(row.rate_json)
    latest = meter(conn, hub, row)
    return _brief(row) | {
        "limits": json.loads(row.limits_json),
        "rate": rate,
        "currency": rate["currency"],
        "minor_digits": rate["minor_digits"],
        "meter": latest,
        "staying": _staying(row, latest),
    }


def _staying(row: OrderRow, latest: dict[str, Any] | None) -> dict[str, Any] | None:
    """Since when the vehicle stays on after charging, until when that is free, and what it costs so far."""
    if row.state != states.FINISHING or latest is None or "idle" not in latest:
        return None
    idle = latest["idle"]
    return {
        "since_at": idle["since_at"],
        "free_until_at": idle["free_until_at"],
        "cost_minor": latest.get("costs", {}).get("idle_minor", 0),
    }


def list_item(row: OrderRow) -> dict[str, Any]:
    """The order as one line of a list."""
    rate = json.loads(row.rate_json)
    return _brief(row) | {
        "currency": rate["currency"],
        "minor_digits": rate["minor_digits"],
        "site_id": row.site_id or None,
    }


def _brief(row: OrderRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _BRIEF}


def meter(conn: Connection, hub: Hub, row: OrderRow) -> dict[str, Any] | None:
    """The latest meter value: from memory where it came through this process, else from what is stored.

    What is in memory may be old where another worker got those that came later.
    """
    live = hub.meter(row.device_id, row.order_id)
    if row.state == states.PENDING or (live is not None and live["at"] > now_s() - LIVE_S):
        return live
    sample = _LATEST_SAMPLE.first(conn, {"order_id": row.order_id})
    if sample is None or (live is not None and live["at"] >= sample.at):
        return live
    value = {name: each for name, each in sample._asdict().items() if each is not None}
    costs = json.loads(value.pop("costs_json", "{}"))
    return value | {"connector": row.connector, "remaining": json.loads(value.pop("remaining_json"))} | costs


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders to list; None does not narrow. from_at, until_at: when they were made, Unix seconds."""

    device_id: str | None = None
    site_id: str | None = None
    connector: int | None = None
    state: str | None = None
    rate_id: str | None = None
    from_at: int | None = None
    until_at: int | None = None

    def query(self, limit: int, before: str | None) -> Query[OrderRow]:
        """Newest first, older than order `before`."""
        query = _ALL.order_by(orders.c.order_id.desc()).limit(limit)
        for column, value in (
            (orders.c.device_id, self.device_id),
            (orders.c.site_id, self.site_id),
            (orders.c.connector, self.connector),
            (orders.c.state, self.state),
            (orders.c.rate_id, self.rate_id),
        ):
            if value is not None:
                query = query.where(column == value)
        # An order id begins with the time of its making, so both are also a stretch of the primary key.
        if self.from_at is not None:
            first = first_id_of(self.from_at - ID_SLACK_S)
            query = query.where(orders.c.created_at >= self.from_at, orders.c.order_id >= first)
        if self.until_at is not None:
            last = first_id_of(self.until_at + ID_SLACK_S)
            query = query.where(orders.c.created_at < self.until_at, orders.c.order_id < last)
        if before is not None:
            query = query.where(orders.c.order_id < before)
        return _ORDERS.narrowed(query)


def list_orders(
    conn: Connection, wanted: OrderFilter, limit: int, before: str | None = None
) -> list[dict[str, Any]]:
    """Newest first, older than order `before`."""
    return [list_item(row) for row in wanted.query(limit, before).all(conn)]
