"""Receivers of events beside the piles: webhooks, gateways, mail. Their rows are in the same outbox.

    subscribe -> db.events adds a row for each event -> next_rows -> lease -> sent -> done: row deleted
                                                                      or failed: sent again at `next_at`

A lane is the rows of one order; for a receiver that is `per_pile`, the rows of one pile. The rows of a lane
are sent in order, one at a time: next_rows returns only the first row of each lane, and only after its
`leased_until`. A row that was sent and not marked as done is sent again when its lease ends. So a receiver
gets each event at least once, with the same event_id.

Rows beyond a receiver's bound, and rows that are too old, are dropped, oldest first. They are counted for the
receiver, and each pile concerned gets an event EventsDropped.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Executable, bindparam, delete, exists, func, insert, select, update

from ..db.engine import insert_or_ignore, to_json
from ..db.events import forget_receivers, record_event
from ..db.receiver_tables import receivers
from ..db.rows import OutboxRow, Query
from ..db.tables import outbox
from ..db.writer import Transaction

REASON_MAX = 200
DROPPED = "EventsDropped"


class _Bound(NamedTuple):
    name: str
    bound: int


_earlier = outbox.alias("earlier")
_OF = outbox.c.receiver == bindparam("of_receiver")
_NEXT = Query(
    select(outbox)
    .where(
        _OF,
        outbox.c.leased_until <= bindparam("now"),
        ~exists().where(
            _earlier.c.receiver == outbox.c.receiver,
            _earlier.c.lane == outbox.c.lane,
            _earlier.c.id < outbox.c.id,
        ),
    )
    .order_by(outbox.c.leased_until, outbox.c.id)
    .limit(bindparam("at_most"))
    .with_for_update(skip_locked=True, of=outbox),
    OutboxRow,
)
# `sent_at` is set while a process sends the row, so that `hurry` does not give it to another one.
_LEASE = (
    update(outbox)
    .where(outbox.c.id == bindparam("row_id"))
    .values(leased_until=bindparam("until"), sent_at=bindparam("at"))
)
_DONE = delete(outbox).where(outbox.c.id == bindparam("row_id"))
_FAILED = (
    update(outbox)
    .where(outbox.c.id == bindparam("row_id"))
    .values(attempts=outbox.c.attempts + 1, reason=bindparam("why"), sent_at=None)
)
# The whole lane is postponed, so that next_rows need not examine its later rows until then.
_POSTPONE_LANE = (
    update(outbox).where(_OF, outbox.c.lane == bindparam("of_lane")).values(leased_until=bindparam("until"))
)
_OLDEST = Query(select(outbox).where(_OF).order_by(outbox.c.id).limit(bindparam("at_most")), OutboxRow)
_WAITING = select(func.count()).select_from(outbox).where(_OF)
_HURRY = (
    update(outbox)
    .where(
        _OF,
        outbox.c.leased_until > bindparam("now"),
        outbox.c.sent_at.is_(None) | (outbox.c.sent_at > bindparam("now")),  # the clock was set back
    )
    .values(leased_until=bindparam("now"))
)
_OF_RECEIVER = delete(outbox).where(_OF)
_BEYOND = select(outbox.c.id).where(_OF).order_by(outbox.c.id.desc()).offset(bindparam("bound")).limit(1)
_DROP = delete(outbox).where(_OF).returning(outbox.c.device_id)
_COUNT_DROPPED = (
    update(receivers)
    .where(receivers.c.name == bindparam("of_receiver"))
    .values(dropped=receivers.c.dropped + bindparam("count"))
)
_BOUNDS = Query(select(receivers.c.name, receivers.c.bound), _Bound)
_AFTER = select(func.min(outbox.c.receiver)).where(outbox.c.receiver > bindparam("last"))


def subscribe(
    tx: Transaction, receiver: str, kinds: Iterable[str], bound: int, now: int, per_pile: bool = False
) -> None:
    """From the commit on (other processes: at most db.events.RECEIVERS_S later) each event of these kinds,
    or groups of kinds, gets a row for the receiver. A repeated call replaces kinds, bound and per_pile.
    """
    asked = {"kinds_json": to_json(sorted(kinds)), "per_pile": per_pile, "bound": bound, "active": True}
    tx.conn.execute(insert_or_ignore(tx.conn, receivers), {"name": receiver, "created_at": now} | asked)
    tx.conn.execute(update(receivers).where(receivers.c.name == receiver).values(asked))
    tx.after_commit(forget_receivers)


def unsubscribe(tx: Transaction, receiver: str) -> None:
    """Delete the receiver and its rows."""
    tx.conn.execute(_OF_RECEIVER, {"of_receiver": receiver})
    tx.conn.execute(delete(receivers).where(receivers.c.name == receiver))
    tx.after_commit(forget_receivers)


def set_active(tx: Transaction, receiver: str, active: bool) -> None:
    """Start or stop adding rows for events. Rows that wait are kept."""
    tx.conn.execute(update(receivers).where(receivers.c.name == receiver).values(active=active))
    tx.after_commit(forget_receivers)


def put(
    tx: Transaction, receiver: str, device_id: str, order_id: str, name: str, payload: str, now: int
) -> None:
    """Add a row for the receiver that does not come from an event."""
    row = {"device_id": device_id, "order_id": order_id, "name": name, "payload": payload}
    of_receiver = {"receiver": receiver, "lane": order_id, "created_at": now, "leased_until": now}
    tx.conn.execute(insert(outbox), row | of_receiver)


def next_rows(conn: Connection, receiver: str, limit: int, now: int) -> Sequence[OutboxRow]:
    """The first row of each lane whose lease has ended: at most `limit`, those that wait longest first.

    Inside a transaction, no other process gets the same rows until the transaction ends.
    """
    return _NEXT.all(conn, {"of_receiver": receiver, "now": now, "at_most": limit})


def lease(tx: Transaction, rows: Iterable[OutboxRow], now: int, until: int) -> None:
    """Lease these rows: next_rows does not return them before `until`."""
    leased = [{"row_id": row.id, "until": until, "at": now} for row in rows]
    if leased:
        tx.conn.execute(_LEASE, leased)


def release(tx: Transaction, rows: Iterable[OutboxRow], now: int) -> None:
    """End the lease of rows that were not sent."""
    released = [{"row_id": row.id, "until": now, "at": None} for row in rows]
    if released:
        tx.conn.execute(_LEASE, released)


def done(tx: Transaction, row: OutboxRow) -> None:
    """The receiver has accepted the row: delete it."""
    tx.conn.execute(_DONE, {"row_id": row.id})


def failed(tx: Transaction, row: OutboxRow, next_at: int, reason: str) -> None:
    """The receiver has not accepted the row: it and the later rows of its lane wait until `next_at`."""
    tx.conn.execute(_FAILED, {"row_id": row.id, "why": reason[:REASON_MAX]})
    tx.conn.execute(_POSTPONE_LANE, {"of_receiver": row.receiver, "of_lane": row.lane, "until": next_at})


def hurry(tx: Transaction, receiver: str, now: int) -> None:
    """Make every row of the receiver due at once, but those that a process is sending."""
    tx.conn.execute(_HURRY, {"of_receiver": receiver, "now": now})


def tidy(tx: Transaction, now: int) -> None:
    """Drop the rows beyond each receiver's bound, and the rows of removed receivers: another process may have
    added some shortly after the removal.
    """
    bound_of = {row.name: row.bound for row in _BOUNDS.all(tx.conn)}
    receiver = ""
    while receiver := tx.conn.execute(_AFTER, {"last": receiver}).scalar_one():
        if receiver in bound_of:
            drop_beyond_bound(tx, receiver, bound_of[receiver], now)
        else:
            tx.conn.execute(_OF_RECEIVER, {"of_receiver": receiver})


def waiting_rows(conn: Connection, receiver: str, limit: int) -> Sequence[OutboxRow]:
    """The rows that wait for the receiver, oldest first."""
    return _OLDEST.all(conn, {"of_receiver": receiver, "at_most": limit})


def count_waiting(conn: Connection, receiver: str) -> int:
    return conn.execute(_WAITING, {"of_receiver": receiver}).scalar_one()


def drop_beyond_bound(tx: Transaction, receiver: str, bound: int, now: int) -> int:
    """Drop the oldest rows of the receiver beyond its bound; returns how many."""
    last = tx.conn.execute(_BEYOND, {"of_receiver": receiver, "bound": bound}).scalar_one_or_none()
    if last is None:
        return 0
    return _drop(tx, receiver, _DROP.where(outbox.c.id <= last), f"more than {bound} wait", now)


def drop_older(tx: Transaction, receiver: str, before: int, now: int) -> int:
    """Drop the rows of the receiver that were created before `before`; returns how many."""
    return _drop(tx, receiver, _DROP.where(outbox.c.created_at < before), "not taken for too long", now)


def _drop(tx: Transaction, receiver: str, which: Executable, why: str, now: int) -> int:
    of_piles = Counter(tx.conn.execute(which, {"of_receiver": receiver}).scalars())
    for device_id, count in sorted(of_piles.items()):
        record_event(tx.conn, now, DROPPED, device_id, detail=f"{count} for {receiver}: {why}")
    dropped = sum(of_piles.values())
    if dropped:
        tx.conn.execute(_COUNT_DROPPED, {"of_receiver": receiver, "count": dropped})
    return dropped
