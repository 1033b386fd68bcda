"""What HTTP shows of payments."""

from typing import Any

from sqlalchemy import Connection

from ..db.rows import OrderRow
from ..orders.hub import Hub
from ..settlements import views as settlement_views
from . import free, holds, port
from .holds import HoldRow

_OF_HOLD = (
    *("hold_id", "adapter", "is_test", "state", "currency", "minor_digits", "reason"),
    *("captured_minor", "released_minor", "refunded_minor"),
)


def order_view(conn: Connection, hub: Hub, row: OrderRow) -> dict[str, Any]:
    """As settlements.views.order_with_bill, with the held, captured and refunded amounts in `payment`, and
    with `free`: whether nobody pays the order.
    """
    view = settlement_views.order_with_bill(conn, hub, row)
    hold = holds.of_order(conn, row.order_id)
    if hold is None:
        return view | {"free": free.is_free(conn, row.order_id)}
    paid = view["payment"] or {"amount_minor": None, "method": hold.adapter, "paid_at": None}
    return view | {"free": False, "payment": paid | _amounts_view(hold)}


def _amounts_view(hold: HoldRow) -> dict[str, Any]:
    found = {name: getattr(hold, name) for name in _OF_HOLD} | {"held_minor": hold.amount_minor}
    return found | ({"notice": port.TEST} if hold.is_test else {})


def hold_view(row: HoldRow) -> dict[str, Any]:
    """A hold as operators see it."""
    names = ("order_id", "device_id", "ref", "open", "created_at", "changed_at")
    return {name: getattr(row, name) for name in names} | _amounts_view(row)


def hold_with_calls(conn: Connection, hold_id: str) -> dict[str, Any]:
    """A hold and every call about it. Raises Problem (UnknownHold)."""
    row = holds.find(conn, hold_id)
    if row is None:
        raise holds.unknown_hold()
    return hold_view(row) | {"calls": [each._asdict() for each in holds.calls_of(conn, hold_id)]}


def list_holds(
    conn: Connection, state: str | None, order_id: str | None, limit: int, before: str | None
) -> list[dict[str, Any]]:
    """Newest first, older than hold `before`."""
    return [hold_view(row) for row in holds.list_rows(conn, state, order_id, limit, before)]
