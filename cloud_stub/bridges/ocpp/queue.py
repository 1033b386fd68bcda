"""The outbox's rows for the gateway: events of orders, sent in order for each pile."""

from sqlalchemy import Connection, bindparam, exists, select

from ...db.ocpp_tables import ocpp_piles
from ...db.rows import OutboxRow, Query
from ...db.tables import outbox
from ...db.writer import Transaction
from ...messaging import receivers

RECEIVER = "ocpp"
BEFORE_THE_END = ("OrderCharging", "OrderFinishing")
CORRECTIONS = ("SettlementReviewed", "BillCredited")
KINDS = (*BEFORE_THE_END, "OrderSettled", "OrderLost", *CORRECTIONS)
BOUND = 100_000  # rows; beyond it the oldest are dropped, with an event EventsDropped

_OURS = outbox.c.receiver == RECEIVER
_NEXT = Query(
    select(outbox).where(_OURS, outbox.c.lane == bindparam("device_id")).order_by(outbox.c.id).limit(1),
    OutboxRow,
)
_WAITING = select(ocpp_piles.c.device_id).where(
    exists().where(_OURS, outbox.c.lane == ocpp_piles.c.device_id)
)


def subscribe(tx: Transaction, bound: int, now: int) -> None:
    """Keep the events of orders for the gateway from the commit on, also while it does not run."""
    receivers.subscribe(tx, RECEIVER, KINDS, bound, now, per_pile=True)


def next_of(conn: Connection, device_id: str) -> OutboxRow | None:
    """The pile's oldest event."""
    return _NEXT.first(conn, {"device_id": device_id})


def waiting(conn: Connection) -> set[str]:
    """The piles that have any."""
    return set(conn.execute(_WAITING).scalars())
