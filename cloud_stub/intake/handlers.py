"""What messages of piles change in the database: many of them in one transaction, kind by kind.

Each kind is read, judged and written with a few statements, however many there are. The kinds come in the
order in which an order's own messages do. Where they still overtake each other, nothing breaks: an order
never goes back to an earlier state (`orders.states`).
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import select

from pile_protocol import seal, topics
from pile_protocol.errors import SealError

from ..base.clock import now_s
from ..db import json_lists
from ..db.audit_events import record_events
from ..db.engine import insert_or_ignore, to_json
from ..db.rows import PileRow, Query
from ..db.tables import meter_samples
from ..db.tables import orders as orders_table
from ..db.writer import Transaction
from ..orders import lookup, pile_reports, states
from ..orders.context import Context
from ..orders.transitions import Transitions
from ..piles import registry, status_messages
from ..rates import versions
from ..settlements import store as settlement_store
from .meter_sampling import MeterSampling

_SAMPLED = ("order_id", "at", "register_mwh", "energy_mwh", "power_mw", "cost_minor", "elapsed_s")


class _Owner(NamedTuple):
    order_id: str
    device_id: str
    state: str


_OWNERS = Query(
    select(orders_table.c.order_id, orders_table.c.device_id, orders_table.c.state).where(
        orders_table.c.order_id.in_(json_lists.texts("order_ids"))
    ),
    _Owner,
)


class UnusableMessage(Exception):
    """A message that cannot be used: `reason` is one of metrics.REASONS."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclass(eq=False, slots=True)
class PileMessage:
    """A message that could be read: its pile, its topic's name, its members, its bytes.

    malformed: why a settlement is not valid as a whole (decoding.salvage).
    unusable: why it becomes a dead letter instead; set by `Handlers.handle`.
    retained: the broker had kept it, so it was sent some time ago.
    """

    device_id: str
    name: str
    fields: dict[str, Any]
    payload: bytes
    malformed: str = ""
    unusable: UnusableMessage | None = None
    retained: bool = False


class Handlers:
    """Acts on messages inside one transaction of the writer's, at `now`."""

    def __init__(self, context: Context, meters: MeterSampling, tx: Transaction, now: int):
        self._context = context
        self._meters = meters
        self._tx = tx
        self._now = now
        self._rows: dict[
            str, PileRow
        ] = {}  # rows, locked, of the piles with other messages than meter values
        self._kinds: dict[str, Callable[[list[PileMessage]], None]] = {
            topics.HELLO: self._hellos,
            topics.ORDER_STATUS: self._order_statuses,
            topics.STATUS: self._statuses,
            topics.METER: self._meter_values,
            topics.SETTLEMENT: self._settlements,
        }

    def handle(self, batch: list[PileMessage]) -> None:
        """Act on each; a message that cannot be used gets `unusable` set and changes nothing."""
        of_kind: defaultdict[str, list[PileMessage]] = defaultdict(list)
        for each in batch:
            each.unusable = None  # of an attempt that was rolled back
            if self._context.keys.get(self._tx.conn, each.device_id) is None:
                each.unusable = UnusableMessage("UnknownPile", each.device_id[:40])
            else:
                of_kind[each.name].append(each)
        # First of all, and in order: of two workers with messages of one pile, the second waits here and then
        # sees what the first has done. (All locks are FOR NO KEY UPDATE, which a foreign key's check passes.)
        device_ids = {
            each.device_id for name, some in of_kind.items() if name != topics.METER for each in some
        }
        if device_ids:
            self._rows = registry.lock_many(self._tx.conn, device_ids)
        for name, act in self._kinds.items():
            some = [each for each in of_kind[name] if not self._is_removed(each)]
            if some:
                act(some)

    def _is_removed(self, message: PileMessage) -> bool:
        """Whether its pile was removed: some brokers still deliver what such a pile had sent."""
        row = self._rows.get(message.device_id)
        if row is None or row.removed_at is None:
            return False
        message.unusable = UnusableMessage("UnknownPile", "it was removed")
        if message.name == topics.STATUS:  # its last will, which the broker now keeps
            clear = self._context.dispatch.publish_now
            self._tx.after_commit(lambda: clear(message.device_id, topics.STATUS, "", retain=True))
        return True

    def _hellos(self, batch: list[PileMessage]) -> None:
        for each in batch:
            self._hello(each.device_id, each.fields)

    def _hello(self, device_id: str, hello: dict[str, Any]) -> None:
        registry.mark_seen(self._tx.conn, device_id, self._now)
        key = self._key(device_id)
        self._tx.after_commit(lambda: self._tell_time(device_id, hello["nonce"], key))
        pile_reports.reconcile(
            self._tx, self._context, device_id, dict(hello["orders"]), hello["outbox"], self._now
        )
        rate = versions.latest(self._tx.conn, device_id)
        if rate is not None:  # the broker may have lost what it retained
            text = to_json(rate)
            publish = self._context.dispatch.publish_now
            self._tx.after_commit(lambda: publish(device_id, topics.RATE, text, retain=True))
        self._context.dispatch.resend(self._tx, device_id, self._now)

    def _tell_time(self, device_id: str, nonce: str, key: bytes) -> None:
        answer = {"kind": "time", "device_id": device_id, "nonce": nonce, "at": now_s()}
        self._context.dispatch.publish_now(device_id, topics.TIME, seal.seal(to_json(answer), key))

    def _order_statuses(self, batch: list[PileMessage]) -> None:
        order_ids = {each.fields["order_id"] for each in batch} - {None}
        found = lookup.lock_many(self._tx.conn, order_ids)
        transitions = Transitions(self._tx, self._context, self._now)
        noted = []
        for each in batch:
            fields = each.fields
            of = {"device_id": each.device_id, "order_id": fields["order_id"]}
            row = found.get(fields["order_id"])
            if fields["order_id"] is None:  # too damaged to tell which
                note = {"kind": "OrderRefused", "detail": fields["reason"] or fields["state"]}
            elif row is None:
                each.unusable = UnusableMessage("UnknownOrder", fields["order_id"])
                continue
            elif row.device_id != each.device_id:
                each.unusable = UnusableMessage("WrongDevice", fields["order_id"])
                continue
            elif fields["connector"] not in (None, row.connector):
                each.unusable = UnusableMessage("WrongConnector", fields["order_id"])
                continue
            else:
                note = pile_reports.apply_order_status(transitions, row, fields)
            if note:
                noted.append({"at": self._now, **of, **note})
        transitions.write()
        record_events(self._tx.conn, noted)

    def _statuses(self, batch: list[PileMessage]) -> None:
        statuses = status_messages.StatusUpdates(self._rows, self._now)
        reported: list[tuple[str, str, str]] = []
        for each in batch:
            if statuses.add(each.device_id, each.fields, each.retained):
                of_orders = pile_reports.order_states_in_status(each.fields.get("connectors", []))
                reported += [(each.device_id, order_id, state) for order_id, state in of_orders]
        statuses.write(self._tx.conn)
        if not reported:
            return
        found = lookup.lock_many(self._tx.conn, {order_id for _, order_id, _ in reported})
        transitions = Transitions(self._tx, self._context, self._now)
        for device_id, order_id, state in reported:
            row = found.get(order_id)
            if row is not None and row.device_id == device_id:
                transitions.apply(row, states.pile_event(state))
        transitions.write()

    def _meter_values(self, batch: list[PileMessage]) -> None:
        order_ids = to_json(list({each.fields["order_id"] for each in batch}))
        owners = {row.order_id: row for row in _OWNERS.all(self._tx.conn, {"order_ids": order_ids})}
        samples, stored = [], []
        for each in batch:
            row = owners.get(each.fields["order_id"])
            if row is None:
                each.unusable = UnusableMessage("UnknownOrder", each.fields["order_id"])
            elif row.device_id != each.device_id:
                each.unusable = UnusableMessage("WrongDevice", each.fields["order_id"])
            elif row.state in states.HOLDING:
                # Its end is told by its settlement; a pile that goes on all the same fills no disk.
                sample = {name: each.fields[name] for name in _SAMPLED}
                samples.append(sample | {"remaining_json": to_json(each.fields["remaining"])})
                stored.append(each)
        if samples:
            self._tx.conn.execute(insert_or_ignore(self._tx.conn, meter_samples), samples)
            self._tx.after_commit(lambda: self._stored(stored))

    def _stored(self, batch: list[PileMessage]) -> None:
        for each in batch:
            self._meters.stored(each.device_id, each.fields)

    def _settlements(self, batch: list[PileMessage]) -> None:
        sealed = []
        for each in batch:
            try:
                seal.check(each.payload, self._key(each.device_id))
            except SealError as error:
                wrong = ("Malformed", each.malformed) if each.malformed else ("BadSeal", str(error))
                each.unusable = UnusableMessage(*wrong)
            else:
                sealed.append(
                    settlement_store.SealedSettlement(
                        each.device_id, each.fields, each.payload, each.malformed
                    )
                )
        if sealed:
            refused = settlement_store.store_settlements(self._tx, self._context, sealed, self._now)
            for each in batch:
                if each.unusable is None and (each.device_id, each.fields["mac"]) in refused:
                    each.unusable = UnusableMessage("TooManySettlements", each.fields["order_id"])

    def _key(self, device_id: str) -> bytes:
        key = self._context.keys.get(self._tx.conn, device_id)
        if key is None:
            raise LookupError(device_id)
        return key
