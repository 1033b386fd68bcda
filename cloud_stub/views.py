"""What HTTP shows of an order."""

import json
from typing import Any

from sqlalchemy import Connection, bindparam, select

from . import life, settlements
from .events import Hub
from .tables import meter_samples, orders, payments

_PAYMENT = select(payments).where(payments.c.order_id == bindparam("order_id"))
_LATEST_SAMPLE = (
    select(meter_samples)
    .where(meter_samples.c.order_id == bindparam("order_id"))
    .order_by(meter_samples.c.at.desc())
    .limit(1)
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


def order(conn: Connection, hub: Hub, row: Any) -> dict[str, Any]:
    """The order as its owner sees it: state, locked rate, latest meter value, settlement, payment."""
    rate = json.loads(row.rate_json)
    settled = row.state in (life.SETTLED, life.PAID)
    settlement = settlements.of_order(conn, row.order_id) if settled else None
    payment = conn.execute(_PAYMENT, {"order_id": row.order_id}).first() if row.state == life.PAID else None
    return brief(row) | {
        "limits": json.loads(row.limits_json),
        "rate": rate,
        "currency": rate["currency"],
        "minor_digits": rate["minor_digits"],
        "meter": meter(conn, hub, row),
        "settlement": settlements.view(settlement) if settlement else None,
        "payment": dict(payment._mapping) if payment else None,
    }


def brief(row: Any) -> dict[str, Any]:
    """The order as one line of a list."""
    return {name: getattr(row, name) for name in _BRIEF}


def meter(conn: Connection, hub: Hub, row: Any) -> dict[str, Any] | None:
    """The latest meter value, from memory where it came through this process, else from what is stored."""
    live = hub.meter(row.device_id, row.order_id)
    if live is not None or row.state == life.PENDING:
        return live
    sample = conn.execute(_LATEST_SAMPLE, {"order_id": row.order_id}).first()
    if sample is None:
        return None
    value = dict(sample._mapping)
    return value | {"connector": row.connector, "remaining": json.loads(value.pop("remaining_json"))}


def list_orders(
    conn: Connection,
    device_id: str | None,
    connector: int | None,
    state: str | None,
    limit: int,
    before: str | None,
) -> list[dict[str, Any]]:
    """Newest first, older than order `before`."""
    query = select(orders)
    if device_id is not None:
        query = query.where(orders.c.device_id == device_id)
    if connector is not None:
        query = query.where(orders.c.connector == connector)
    if state is not None:
        query = query.where(orders.c.state == state)
    if before is not None:
        query = query.where(orders.c.order_id < before)
    rows = conn.execute(query.order_by(orders.c.order_id.desc()).limit(limit))
    return [brief(row) | {"currency": json.loads(row.rate_json)["currency"]} for row in rows]
