"""An event as the body of a request."""

import json
from typing import Any

import orjson
from sqlalchemy import Connection

from ...base.clock import iso_utc
from ...orders import lookup
from ...orders.hub import Hub
from ...payments import views


def body(conn: Connection, hub: Hub, payload: str) -> bytes:
    """The event with its order in the current state; null if it is about no order.

    payload: that of the outbox's row.
    """
    event: dict[str, Any] = orjson.loads(payload)
    order_id = event["order_id"]
    row = lookup.find(conn, order_id) if order_id else None
    if row is not None and row.device_id != event["device_id"]:
        row = None  # a settlement may name an order of another pile
    order = None if row is None else views.order_view(conn, hub, row)
    return json.dumps(event | {"time": iso_utc(event["at"]), "order": order}).encode()
