"""The power of one order over its time, for the phone that reloads its page in the middle."""

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from ..db.rows import Query
from ..db.tables import meter_samples


class _Span(NamedTuple):
    first_at: int | None
    last_at: int | None


class _Stretch(NamedTuple):
    """Of equal stretches of time, the one at `place`."""

    place: int
    sum_mw: int
    samples: int


POINTS_MAX = 240  # enough for a phone's width

_OF_ORDER = meter_samples.c.order_id == bindparam("order_id")
_SPAN = Query(
    select(
        func.min(meter_samples.c.at).label("first_at"), func.max(meter_samples.c.at).label("last_at")
    ).where(_OF_ORDER),
    _Span,
)


def of_order(conn: Connection, order_id: str) -> list[list[int]]:
    """[at, power_mw] points in order of time: the mean of each of up to POINTS_MAX equal stretches."""
    first_at, last_at = _SPAN.one(conn, {"order_id": order_id})
    if first_at is None or last_at is None:
        return []
    stretch_s = (last_at - first_at) // POINTS_MAX + 1
    place = ((meter_samples.c.at - first_at) // stretch_s).label("place")
    query = Query(
        select(place, func.sum(meter_samples.c.power_mw).label("sum_mw"), func.count().label("samples"))
        .where(_OF_ORDER)
        .group_by(place)
        .order_by(place),
        _Stretch,
    )
    return [
        [first_at + int(row.place) * stretch_s, int(row.sum_mw) // row.samples]
        for row in query.all(conn, {"order_id": order_id})
    ]
