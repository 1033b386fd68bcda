"""How long data is kept: orders and settlements for ever, meter values thinned, then deleted.

    up to thin_after_s        every sample
    up to drop_after_s        the first of each THIN_S
    after that                none; the settlement says what was delivered and what it cost

Order ids begin with the time at which they were made, so old orders are one range of the primary key. The
table `progress` has how far each job has come; a unit goes on from there with some orders, so that no
transaction takes long.
In the same way, orders that were stored without a site get theirs.
"""

from sqlalchemy import BigInteger, bindparam, delete, func, insert, literal, select, tuple_, update

from ..base.ids import first_id_of
from ..db.tables import meter_samples, orders, progress
from ..db.writer import Transaction
from ..orders import places

BATCH = 50  # orders, with up to thousands of meter values each
PLACES_BATCH = 500
THIN_S = 300

_NEXT = (
    select(orders.c.order_id)
    .where(orders.c.order_id > bindparam("after"), orders.c.order_id < bindparam("before"))
    .order_by(orders.c.order_id)
    .limit(bindparam("batch"))
)
_PLACE = select(progress.c.place).where(progress.c.name == bindparam("of"))
_BEGIN = insert(progress)
_ADVANCE = update(progress).where(progress.c.name == bindparam("of")).values(place=bindparam("to"))
_ORDER_IDS = bindparam("order_ids", expanding=True)
_OF_ORDERS = meter_samples.c.order_id.in_(_ORDER_IDS)
_DROP = delete(meter_samples).where(_OF_ORDERS)

_span = literal(THIN_S, BigInteger)
_at = meter_samples.c.at
_previous_at = func.lag(_at).over(partition_by=meter_samples.c.order_id, order_by=_at)
_neighbours = (
    select(meter_samples.c.order_id, _at, _previous_at.label("previous_at")).where(_OF_ORDERS).subquery()
)
_crowded = select(_neighbours.c.order_id, _neighbours.c.at).where(
    _neighbours.c.previous_at >= _neighbours.c.at - _neighbours.c.at % _span
)
# In one pass: a lookup of the earlier sample for each one takes time in the square of their number.
_THIN = delete(meter_samples).where(
    _OF_ORDERS, tuple_(meter_samples.c.order_id, meter_samples.c.at).in_(_crowded)
)
_JOBS = {"thin": (_THIN, BATCH), "drop": (_DROP, BATCH), places.JOB: (places.KEEP_ORDERS, PLACES_BATCH)}


def advance(tx: Transaction, job: str, before_at: int) -> bool:
    """Do a job of _JOBS for the next orders made before `before_at`; whether there may be more."""
    statement, batch = _JOBS[job]
    place = tx.conn.execute(_PLACE, {"of": job}).scalar_one_or_none()
    if place is None:
        tx.conn.execute(_BEGIN, {"name": job, "place": ""})
    wanted = {"after": place or "", "before": first_id_of(before_at), "batch": batch}
    order_ids = tx.conn.execute(_NEXT, wanted).scalars().all()
    if not order_ids:
        return False
    tx.conn.execute(statement, {"order_ids": order_ids})
    tx.conn.execute(_ADVANCE, {"of": job, "to": order_ids[-1]})
    return len(order_ids) == batch
