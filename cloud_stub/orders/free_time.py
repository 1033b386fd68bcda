"""How long a running order will keep its connector, as far as its limits or its falling power tell."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select

from ..db.rows import OrderRow, Query
from ..db.tables import orders
from . import power_curve, states, views
from .hub import Hub

LONGEST_S = 8 * 3_600  # what is further away is not told
FALLEN_PERCENT = 70  # of its highest power: a battery that charges slower is nearly full
SPAN_S = 600  # over which the fall is measured

_CHARGING = Query(
    select(orders).where(
        orders.c.device_id == bindparam("device_id"), orders.c.holds, orders.c.state == states.CHARGING
    ),
    OrderRow,
)


def free_in_s(conn: Connection, hub: Hub, device_id: str, default_duration_s: int) -> dict[int, int]:
    """Seconds until each connector that charges is likely to be free; connectors of which nobody knows are
    left out. default_duration_s: the time limit of orders whose driver has set none.
    """
    found = {}
    for row in _CHARGING.all(conn, {"device_id": device_id}):
        meter = views.meter(conn, hub, row)
        if meter is None:
            continue
        limits = json.loads(row.limits_json)
        if limits.get("duration_s") == default_duration_s:
            limits = {name: limits[name] for name in limits if name != "duration_s"}
        left_s = _until_limit_s(limits, meter)
        if left_s is None:
            left_s = _until_full_s(power_curve.of_order(conn, row.order_id))
        if left_s is not None and left_s <= LONGEST_S:
            found[row.connector] = left_s
    return found


def _until_limit_s(limits: Mapping[str, int], meter: Mapping[str, Any]) -> int | None:
    """The time until the first limit is reached, if all goes on as it is."""
    left = meter["remaining"]
    times = []
    if "duration_s" in limits:
        times.append(left["duration_s"])
    if left["energy_mwh"] is not None and meter["power_mw"]:
        times.append(left["energy_mwh"] * 3_600 // meter["power_mw"])
    if left["cost_minor"] is not None and meter["cost_minor"]:
        times.append(left["cost_minor"] * meter["elapsed_s"] // meter["cost_minor"])
    return min(times, default=None)


def _until_full_s(curve: list[list[int]]) -> int | None:
    """The time until the power is gone if it falls on as in the last SPAN_S; None while it does not fall."""
    if len(curve) < 2:
        return None
    at, power_mw = curve[-1]
    before = [point for point in curve if point[0] <= at - SPAN_S]
    if not before or power_mw * 100 > max(mw for _, mw in curve) * FALLEN_PERCENT:
        return None
    began_at, began_mw = before[-1]
    return power_mw * (at - began_at) // (began_mw - power_mw) if began_mw > power_mw else None
