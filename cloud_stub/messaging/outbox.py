"""The outbox: a message to a pile is a row in the transaction that decided it, published after the commit.

    put -> row -> commit -> published -> PUBACK of the broker -> marked as sent
                                          (a retained message: its row is deleted)

A row stays until the pile has answered: a transition of the order deletes it. Until then it is published
again after each hello of the pile. If a process or a connection ends between the commit and the publication,
the row is published at the next connection, or by another worker. A process that publishes a row holds a
lease on it for LEASE_S, and no other process publishes it in that time. A message is not published after its
expiry, even if its commit took long.
"""

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, insert, or_, select, update

from pile_protocol import seal, topics

from ..base.clock import now_s
from ..db.engine import to_json
from ..db.rows import OutboxRow, Query
from ..db.tables import outbox
from ..db.writer import Transaction, Writer
from .mqtt import Link

# Only the pile publishes its status; the cloud clears the retained one when the pile is removed.
RETAINED = frozenset({topics.RATE, topics.STATUS})
LEASE_S = 5
MARK_EVERY_S = 1  # well within the lease
# The largest difference between the workers' clocks. A lease that ends later than this allows was made before
# a clock was set back.
CLOCKS_APART_S = 60
TAKEN_AT_ONCE = 1000


class _Lease(NamedTuple):
    id: int
    created_at: int
    leased_until: int | None


_INSERT = Query(insert(outbox).returning(outbox), OutboxRow)
_TO_PILE = outbox.c.receiver.is_(None)  # the others are read by receivers.py
_NOT_EXPIRED = or_(outbox.c.expires_at.is_(None), outbox.c.expires_at > bindparam("now"))
_UNSENT = Query(
    select(outbox)
    .where(
        outbox.c.sent_at.is_(None),
        _TO_PILE,
        or_(
            outbox.c.leased_until.is_(None),
            outbox.c.leased_until <= bindparam("leased_until"),
            outbox.c.leased_until > bindparam("no_lease"),
        ),
        _NOT_EXPIRED,
    )
    .order_by(outbox.c.created_at, outbox.c.id)
    .limit(TAKEN_AT_ONCE)
    .with_for_update(skip_locked=True),
    OutboxRow,
)
_LEASE = update(outbox).where(outbox.c.id == bindparam("row_id")).values(leased_until=bindparam("until"))
_OF_PILE = Query(
    select(outbox)
    .where(
        outbox.c.device_id == bindparam("device_id"),
        _TO_PILE,
        outbox.c.name != bindparam("rate"),
        _NOT_EXPIRED,
    )
    .order_by(outbox.c.id),
    OutboxRow,
)
_COMMANDS_OF_ORDER = Query(
    select(outbox)
    .where(
        outbox.c.order_id == bindparam("order_id"),
        _TO_PILE,
        outbox.c.name == bindparam("command"),
        _NOT_EXPIRED,
    )
    .order_by(outbox.c.id),
    OutboxRow,
)
_MARK_SENT = update(outbox).where(outbox.c.id == bindparam("row_id")).values(sent_at=bindparam("at"))
_MARK_UNSENT = (
    update(outbox).where(outbox.c.id == bindparam("row_id")).values(sent_at=None, leased_until=None)
)
_DELETE = delete(outbox).where(outbox.c.id == bindparam("row_id"))
_DELETE_EXPIRED = delete(outbox).where(outbox.c.expires_at <= bindparam("now"))
_DELETE_NAMED = delete(outbox).where(
    outbox.c.device_id == bindparam("of"), _TO_PILE, outbox.c.name == bindparam("named")
)
_DELETE_OF_PILE = delete(outbox).where(outbox.c.device_id == bindparam("of"), _TO_PILE)
_DELETE_OF_ORDER = delete(outbox).where(outbox.c.order_id == bindparam("of"), _TO_PILE)
_DELETE_ORDER_ITSELF = delete(outbox).where(
    outbox.c.order_id == bindparam("of"), _TO_PILE, outbox.c.name == bindparam("order")
)
_UNSENT_ORDER = Query(
    select(outbox.c.id, outbox.c.created_at, outbox.c.leased_until).where(
        outbox.c.order_id == bindparam("of"),
        _TO_PILE,
        outbox.c.name == bindparam("order"),
        outbox.c.sent_at.is_(None),
    ),
    _Lease,
)


class Outbox:
    """The outbox of a process without a connection to the broker: a worker of the cloud publishes what is put
    there, within RATELOCK_DUTY_PERIOD_S.
    """

    @property
    def connected(self) -> bool:
        """Whether the broker can be reached, as far as this process knows."""
        return True

    def put(
        self,
        tx: Transaction,
        device_id: str,
        name: str,
        payload: str,
        now: int,
        expires_at: int | None = None,
        order_id: str | None = None,
    ) -> None:
        """Add a message to the transaction; it is published after the commit."""
        values = {"device_id": device_id, "name": name, "order_id": order_id, "payload": payload}
        self._insert(tx, values | {"created_at": now, "expires_at": expires_at})

    def _insert(self, tx: Transaction, values: dict[str, Any]) -> None:
        _INSERT.one(tx.conn, values)

    def put_sealed(
        self,
        tx: Transaction,
        key: bytes,
        name: str,
        message: dict[str, Any],
        now: int,
        expires_at: int,
        order_id: str | None,
    ) -> None:
        """Add a message, sealed with its pile's key. order_id: the order that it belongs to."""
        payload = seal.seal(to_json(message), key).decode()
        self.put(tx, message["device_id"], name, payload, now, expires_at, order_id)

    def never_sent(self, tx: Transaction, order_id: str) -> bool:
        """Whether the order was certainly not passed to MQTT, neither here nor by another worker.

        An order that was passed to MQTT may have reached the pile, even if no PUBACK has been marked.
        """
        return False

    def resend_commands(self, tx: Transaction, order_ids: list[str], now: int) -> None:
        """Publish again, after the commit, the commands for these orders."""
        mark_unsent(tx, [row.id for row in _commands_of(tx, order_ids, now)])


class Dispatch(Outbox):
    """The outbox of a worker, which publishes at once what it puts there.

    All methods that publish run on the writer's thread, so the table of message ids needs no lock.
    """

    def __init__(self, link: Link, writer: Writer):
        self._link = link
        self._writer = writer
        self._in_flight: dict[int, tuple[int, str]] = {}  # MQTT message id -> row id, topic name
        self._held_back: set[int] = set()  # rows not published after their commit, for want of a connection
        self._acknowledged: set[int] = set()
        self._marking = False
        self._asked_to_send = False
        self._marked_at = 0.0
        link.on_puback = self._on_puback
        link.on_connect = self._on_connect
        link.on_disconnect = self._on_disconnect

    @property
    def connected(self) -> bool:
        return self._link.connected

    def _insert(self, tx: Transaction, values: dict[str, Any]) -> None:
        row = _INSERT.one(tx.conn, values | {"leased_until": values["created_at"] + LEASE_S})
        tx.after_commit(lambda: self._send_first(row))

    def never_sent(self, tx: Transaction, order_id: str) -> bool:
        row = _UNSENT_ORDER.first(tx.conn, {"of": order_id, "order": topics.ORDER})
        # A worker that takes the row over renews its lease.
        return row is not None and row.id in self._held_back and row.leased_until == row.created_at + LEASE_S

    def resend_commands(self, tx: Transaction, order_ids: list[str], now: int) -> None:
        self._send_rows(tx, _commands_of(tx, order_ids, now))

    def publish_now(self, device_id: str, name: str, payload: bytes | str, retain: bool = False) -> None:
        """Publish a message that is not stored, because its receiver asks again until it gets it."""
        self.publish_all_now([(device_id, name, payload, retain)])

    def publish_all_now(self, messages: Iterable[tuple[str, str, bytes | str, bool]]) -> None:
        """As publish_now, of (device id, topic name, payload, retain) each."""
        if self._link.connected:
            self._link.publish_all(messages)

    def publish_once(self, device_id: str, name: str, payload: str) -> None:
        """As publish_now, at QoS 0; on any thread."""
        if self._link.connected:
            self._link.publish_once(device_id, name, payload)

    def resend(self, tx: Transaction, device_id: str, now: int) -> None:
        """Publish again, after the commit, the orders and commands that this pile has not answered."""
        rows = _OF_PILE.all(tx.conn, {"device_id": device_id, "rate": topics.RATE, "now": now})
        self._held_back.difference_update(row.id for row in rows)
        self._send_rows(tx, rows)

    def _on_connect(self) -> None:
        # Without other workers, every lease is this process's own, perhaps from before a restart.
        self.send_unsent(leased=not self._link.shared)

    def _on_disconnect(self) -> None:
        # Messages without PUBACK count as not sent; the next connection publishes those that have not
        # expired.
        self._writer.submit(self._forget_unacknowledged)

    def _forget_unacknowledged(self, tx: Transaction) -> None:
        for mid in self._in_flight.keys() - self._acknowledged:
            del self._in_flight[mid]

    def send_unsent(self, leased: bool = False) -> None:
        """Publish the committed rows that are not sent. leased: also rows on lease to another process."""
        self.mark_sent()  # also acknowledgements that the database could not store earlier
        if self._asked_to_send and not leased:
            return
        self._asked_to_send = True

        def unit(tx: Transaction) -> None:
            self._asked_to_send = False
            if not self._link.connected:
                return
            now = now_s()
            bounds = {
                "leased_until": now + LEASE_S if leased else now,
                "no_lease": now + LEASE_S + CLOCKS_APART_S,
                "now": now,
            }
            in_flight = {row_id for row_id, _ in self._in_flight.values()}
            rows = [row for row in _UNSENT.all(tx.conn, bounds) if row.id not in in_flight]
            self._held_back.clear()
            if rows:
                tx.conn.execute(_LEASE, [{"row_id": row.id, "until": now + LEASE_S} for row in rows])
            self._send_rows(tx, rows)

        self._writer.submit(unit)

    def _send_rows(self, tx: Transaction, rows: Iterable[OutboxRow]) -> None:
        for row in rows:
            tx.after_commit(lambda row=row: self._send(row))

    def _send_first(self, row: OutboxRow) -> None:
        if not self._send(row):
            self._held_back.add(row.id)

    def _send(self, row: OutboxRow) -> bool:
        """Pass the message to MQTT, if connected and before its expiry; returns whether it was passed."""
        if not self._link.connected or (row.expires_at is not None and row.expires_at <= now_s()):
            return False
        mid = self._link.publish(row.device_id, row.name, row.payload, retain=row.name in RETAINED)
        if mid is None:
            return False
        self._in_flight[mid] = (row.id, row.name)
        return True

    def _on_puback(self, mid: int) -> None:
        self._acknowledged.add(mid)
        # Marking takes a transaction, and the pile's answer soon deletes an order's row, marked or not. So
        # rows are marked at most once in MARK_EVERY_S.
        now = time.monotonic()
        if now > self._marked_at + MARK_EVERY_S:
            self._marked_at = now
            self.mark_sent()

    def mark_sent(self) -> None:
        """Ask the writer to mark what the broker has acknowledged."""
        if self._acknowledged and not self._marking:
            self._marking = True
            self._writer.submit(self._mark)

    def _mark(self, tx: Transaction) -> None:
        self._marking = False  # later acknowledgements submit a unit of their own
        taken = list(self._acknowledged)
        rows = [row for mid in taken if (row := self._in_flight.get(mid))]
        sent = [{"row_id": row_id, "at": now_s()} for row_id, name in rows if name not in RETAINED]
        retained = [{"row_id": row_id} for row_id, name in rows if name in RETAINED]
        if sent:
            tx.conn.execute(_MARK_SENT, sent)
        if retained:
            tx.conn.execute(_DELETE, retained)
        tx.after_commit(lambda: self._forget(taken))

    def _forget(self, mids: list[int]) -> None:
        for mid in mids:
            self._acknowledged.discard(mid)
            self._in_flight.pop(mid, None)


def _commands_of(tx: Transaction, order_ids: list[str], now: int) -> list[OutboxRow]:
    bounds = {"command": topics.COMMAND, "now": now}
    return [
        row
        for order_id in order_ids
        for row in _COMMANDS_OF_ORDER.all(tx.conn, {"order_id": order_id} | bounds)
    ]


def withdraw_orders(tx: Transaction, order_ids: list[str]) -> None:
    """Delete the order messages of these orders; commands for them stay."""
    if order_ids:
        tx.conn.execute(_DELETE_ORDER_ITSELF, [{"of": each, "order": topics.ORDER} for each in order_ids])


def withdraw_all(tx: Transaction, order_ids: list[str]) -> None:
    """Delete all messages of these orders, which have ended."""
    if order_ids:
        tx.conn.execute(_DELETE_OF_ORDER, [{"of": each} for each in order_ids])


def withdraw_of_pile(tx: Transaction, device_id: str, but_orders: bool = False) -> None:
    """Delete the messages to this pile. but_orders: messages of orders are kept."""
    without_order = _DELETE_OF_PILE.where(outbox.c.order_id.is_(None))
    tx.conn.execute(without_order if but_orders else _DELETE_OF_PILE, {"of": device_id})


def withdraw_named(tx: Transaction, device_id: str, name: str) -> None:
    """Delete the messages of topic `name` to this pile, so that none is sent after a newer one."""
    tx.conn.execute(_DELETE_NAMED, {"of": device_id, "named": name})


def mark_unsent(tx: Transaction, row_ids: Iterable[int]) -> None:
    """Mark these messages as unsent, so that they are published again."""
    rows = [{"row_id": row_id} for row_id in row_ids]
    if rows:
        tx.conn.execute(_MARK_UNSENT, rows)


def drop_expired(tx: Transaction, now: int) -> None:
    tx.conn.execute(_DELETE_EXPIRED, {"now": now})
