"""The power of one order over its time, for the phone that reloads its page in the middle."""

from sqlalchemy import Connection, bindparam, func, select

from ..db.tables import meter_samples

POINTS_MAX = 240  # enough for a phone's width

_OF_ORDER = meter_samples.c.order_id == bindparam("order_id")
_SPAN = select(func.min(meter_samples.c.at), func.max(meter_samples.c.at)).where(_OF_ORDER)


def of_order(conn: Connection, order_id: str) -> list[list[int]]:
    """[at, power_mw] points in order of time: the mean of each of up to POINTS_MAX equal stretches."""
    first_at, last_at = conn.execute(_SPAN, {"order_id": order_id}).one()
    if first_at is None:
        return []
    stretch_s = (last_at - first_at) // POINTS_MAX + 1
    place = ((meter_samples.c.at - first_at) // stretch_s).label("place")
    rows = conn.execute(
        select(place, func.sum(meter_samples.c.power_mw).label("sum_mw"), func.count().label("samples"))
        .where(_OF_ORDER)
        .group_by(place)
        .order_by(place),
        {"order_id": order_id},
    )
    return [[first_at + int(row.place) * stretch_s, int(row.sum_mw) // row.samples] for row in rows]
