"""A pile's power over time, a curve for each order."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from ..base.problems import invalid
from ..db.rows import Query
from ..db.tables import meter_samples, orders
from ..piles import registry
from ..rates import schedule

POINTS_MAX = 720  # of one curve: enough for a screen's width
RANGE_MAX_S = 31 * schedule.DAY_S


class _Stretch(NamedTuple):
    """Of equal stretches of time, the one at `place` of an order."""

    order_id: str
    connector: int
    place: int
    sum_mw: int
    samples: int


def power_curves(conn: Connection, device_id: str, from_at: int, until_at: int) -> list[dict[str, Any]]:
    """The mean power of each order in equal stretches of time, `points`: [at, power_mw], by order.

    Raises Problem (UnknownPile, InvalidRequest).
    """
    if not 0 < until_at - from_at <= RANGE_MAX_S:
        raise invalid(("until_at", f"must be from 1 to {RANGE_MAX_S} seconds after `from_at`"))
    registry.get(conn, device_id, removed=True)
    stretch_s = -(-(until_at - from_at) // POINTS_MAX)
    place = ((meter_samples.c.at - from_at) // stretch_s).label("place")
    query = Query(
        select(
            orders.c.order_id,
            orders.c.connector,
            place,
            func.sum(meter_samples.c.power_mw).label("sum_mw"),
            func.count().label("samples"),
        )
        .join(meter_samples, meter_samples.c.order_id == orders.c.order_id)
        .where(
            orders.c.device_id == device_id,
            # What has ended before cannot have a sample in it: spares looking through every order ever made.
            orders.c.window_end_at >= from_at,
            meter_samples.c.at >= from_at,
            meter_samples.c.at < until_at,
        )
        .group_by(orders.c.order_id, orders.c.connector, place)
        .order_by(orders.c.order_id, place),
        _Stretch,
    )
    curves: dict[str, dict[str, Any]] = {}
    for row in query.all(conn):
        curve = curves.setdefault(
            row.order_id,
            {"order_id": row.order_id, "connector": row.connector, "stretch_s": stretch_s, "points": []},
        )
        curve["points"].append([from_at + int(row.place) * stretch_s, int(row.sum_mw) // row.samples])
    return list(curves.values())
