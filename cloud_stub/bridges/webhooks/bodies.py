"""An event as the body of a request."""

import json
from datetime import datetime, timezone
from typing import Any

import orjson
from sqlalchemy import Connection

from ...orders import lookup
from ...orders.hub import Hub
from ...payments import views


def body(conn: Connection, hub: Hub, payload: str) -> bytes:
    """The event with the order as it is at the moment, null where it is about none.

    payload: of a row of the outbox.
    """
    event: dict[str, Any] = orjson.loads(payload)
    order_id = event["order_id"]
    row = lookup.find(conn, order_id) if order_id else None
    if row is not None and row.device_id != event["device_id"]:
        row = None  # a settlement names an order of another pile
    order = None if row is None else views.order_view(conn, hub, row)
    return json.dumps(event | {"time": iso(event["at"]), "order": order}).encode()


def iso(at: int) -> str:
    return datetime.fromtimestamp(at, timezone.utc).isoformat()
