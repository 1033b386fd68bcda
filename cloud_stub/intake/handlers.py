"""What messages of piles change in the database: many of them in one transaction, kind by kind.

Each kind is read, judged and written with a few statements, however many messages there are. The kinds are
handled in the sequence in which a pile sends them while it charges. Messages may still overtake each other:
an order never goes back to an earlier state (`orders.states`).
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import select

from pile_protocol import seal, topics
from pile_protocol.errors import SealError

from ..base.clock import now_s
from ..db import json_lists
from ..db.engine import insert_or_ignore, to_json
from ..db.events import record_event, record_events
from ..db.rows import OrderRow, PileRow, Query
from ..db.tables import meter_samples
from ..db.tables import orders as orders_table
from ..db.writer import Transaction
from ..messaging.mqtt import Incoming
from ..messaging.outbox import Dispatch
from ..orders import lookup, pile_commands, states
from ..orders.context import Context
from ..orders.transitions import Transitions, lose_orders
from ..piles import boards, registry, status_messages
from ..rates import displays
from ..releases import reports
from ..settlements import store as settlement_store
from .meter_sampling import MeterSampling

# A hello may be overtaken, through another worker, by the report of an order that came after it.
HELLO_LAG_S = 5
# Refusals that anyone can provoke with a forged or a copied order: not reports about the real one.
_REFUSALS_OF_FORGED_ORDERS = frozenset({"BadSeal", "Malformed", "UsedOrder"})
_ORDER_STATE_OF_CONNECTOR_STATUS = {
    "Preparing": "Accepted",
    "Charging": "Charging",
    "SuspendedEV": "Charging",
    "SuspendedEVSE": "Charging",
    "Finishing": "Finishing",
}
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


class Unusable(NamedTuple):
    """Why a message cannot be used: `reason` is one of metrics.REASONS."""

    reason: str
    detail: str = ""


@dataclass(eq=False, slots=True)
class PileMessage:
    """A message of a pile, from its arrival to its acknowledgement.

    name: of its topic, empty if the topic is unknown. fields: empty if it could not be decoded.
    malformed: why a settlement is not valid as a whole (decoding.salvage).
    unusable: why it becomes a dead letter; of one that was decoded, `Handlers.handle` decides.
    """

    incoming: Incoming
    device_id: str
    name: str
    fields: dict[str, Any]
    malformed: str = ""
    unusable: Unusable | None = None


class Handlers:
    """Acts on messages inside one transaction of the writer's, at `now`."""

    def __init__(
        self, context: Context, dispatch: Dispatch, meters: MeterSampling, tx: Transaction, now: int
    ):
        self._context = context
        self._dispatch = dispatch
        self._meters = meters
        self._tx = tx
        self._now = now
        self._rows: dict[str, PileRow] = {}  # locked, of the piles with other messages than meter values
        self._kinds: dict[str, Callable[[list[PileMessage]], None]] = {
            topics.HELLO: self._hellos,
            topics.ORDER_STATUS: self._order_statuses,
            topics.STATUS: self._statuses,
            topics.METER: self._meter_values,
            topics.SETTLEMENT: self._settlements,
            topics.UPDATE_STATUS: self._update_statuses,
        }

    def handle(self, batch: list[PileMessage]) -> None:
        """Act on each; a message that cannot be used gets `unusable` set and changes nothing."""
        of_kind: defaultdict[str, list[PileMessage]] = defaultdict(list)
        for each in batch:
            each.unusable = None  # of an attempt that was rolled back
            if not self._context.known_piles.has(self._tx.conn, each.device_id):
                each.unusable = Unusable("UnknownPile", each.device_id[:40])
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
        message.unusable = Unusable("UnknownPile", "it was removed")
        if message.name == topics.STATUS:  # its last will, which the broker now keeps
            clear = self._dispatch.publish_now
            self._tx.after_commit(lambda: clear(message.device_id, topics.STATUS, "", retain=True))
        return True

    def _hellos(self, batch: list[PileMessage]) -> None:
        for each in batch:
            self._hello(each.device_id, each.fields)

    def _hello(self, device_id: str, hello: dict[str, Any]) -> None:
        registry.mark_greeted(self._tx.conn, device_id, hello["last_seq"], self._now)
        if boards.note_hello(self._tx.conn, device_id, hello, self._now):
            record_event(self._tx.conn, self._now, "TwoBoards", device_id, detail=hello["chip"])
        reports.note_hello(self._tx, device_id, hello, self._now)
        key = self._key(device_id)
        self._tx.after_commit(lambda: self._tell_time(device_id, hello["nonce"], key))
        self._reconcile(device_id, dict(hello["orders"]), hello["outbox"])
        connectors = self._rows[device_id].connectors
        rate = displays.current(self._tx.conn, self._context.rates, device_id, connectors, self._now)
        if rate is not None:  # the broker may have lost what it retained
            text = to_json(rate)
            publish = self._dispatch.publish_now
            self._tx.after_commit(lambda: publish(device_id, topics.RATE, text, retain=True))
        self._dispatch.resend(self._tx, device_id, self._now)
        pile_commands.reconcile_service(
            self._tx, self._context, [self._rows[device_id]], self._now, greeted=True
        )

    def _reconcile(self, device_id: str, held: dict[str, str], outbox: int) -> None:
        """Compare a hello with the orders that the pile should hold: `held` maps order ids to states.

        An order that the pile holds goes on, even if the cloud has ended it. An order that the pile should
        hold and does not is Lost, unless a settlement still waits at the pile.
        """
        transitions = Transitions(self._tx, self._context, self._now)
        for order_id, state in held.items():
            row = lookup.lock(self._tx.conn, order_id)
            if row is not None and row.device_id == device_id and state != "Rejected":
                transitions.apply(row, states.pile_event(state))
        transitions.write()
        if outbox:
            return
        missing = [
            row
            for row in lookup.lock_held(self._tx.conn, device_id)
            if row.order_id not in held and _taken_at(row) < self._now - HELLO_LAG_S
        ]
        lose_orders(self._tx, self._context, missing, states.NOT_AT_PILE, self._now)

    def _tell_time(self, device_id: str, nonce: str, key: bytes) -> None:
        answer = {"kind": "time", "device_id": device_id, "nonce": nonce, "at": now_s()}
        self._dispatch.publish_now(device_id, topics.TIME, seal.seal(to_json(answer), key))

    def _order_statuses(self, batch: list[PileMessage]) -> None:
        order_ids = {each.fields["order_id"] for each in batch} - {None}
        found = lookup.lock_many(self._tx.conn, order_ids)
        transitions = Transitions(self._tx, self._context, self._now)
        noted = []
        for each in batch:
            fields = each.fields
            of = {"device_id": each.device_id, "order_id": fields["order_id"]}
            row = found.get(fields["order_id"])
            if fields["order_id"] is None:  # the settlement is too damaged to name its order
                note = {"kind": "OrderRefused", "detail": fields["reason"] or fields["state"]}
            elif row is None:
                each.unusable = Unusable("UnknownOrder", fields["order_id"])
                continue
            elif row.device_id != each.device_id:
                each.unusable = Unusable("WrongDevice", fields["order_id"])
                continue
            elif fields["connector"] not in (None, row.connector):
                each.unusable = Unusable("WrongConnector", fields["order_id"])
                continue
            else:
                note = _apply_order_status(transitions, row, fields)
            if note:
                noted.append({"at": self._now, **of, **note})
        transitions.write()
        record_events(self._tx.conn, noted)

    def _statuses(self, batch: list[PileMessage]) -> None:
        statuses = status_messages.StatusUpdates(self._rows, self._now)
        reported: list[tuple[str, str, str]] = []
        for each in batch:
            if statuses.add(each.device_id, each.fields, each.incoming.retained):
                of_orders = _order_states_in_status(each.fields.get("connectors", []))
                reported += [(each.device_id, order_id, state) for order_id, state in of_orders]
        statuses.write(self._tx.conn)
        pile_commands.reconcile_service(self._tx, self._context, statuses.rows(), self._now)
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
                each.unusable = Unusable("UnknownOrder", each.fields["order_id"])
            elif row.device_id != each.device_id:
                each.unusable = Unusable("WrongDevice", each.fields["order_id"])
            elif row.state in states.HOLDING:
                # Only running orders: values that come after the end of an order are not stored, so they
                # cannot fill the disk.
                sample = {name: each.fields[name] for name in _SAMPLED}
                sample["remaining_json"] = to_json(each.fields["remaining"])
                of_costs = {name: each.fields[name] for name in ("costs", "idle") if name in each.fields}
                sample["costs_json"] = to_json(of_costs) if of_costs else None
                sample["current_ma"] = each.fields.get("current_ma")
                samples.append(sample)
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
            key = self._key(each.device_id)
            try:
                seal.check(each.incoming.payload, key)
            except SealError as error:
                wrong = ("Malformed", each.malformed) if each.malformed else ("BadSeal", str(error))
                each.unusable = Unusable(*wrong)
            else:
                sealed.append(
                    settlement_store.SealedSettlement(
                        each.device_id, key, each.fields, each.incoming.payload, each.malformed
                    )
                )
        if not sealed:
            return
        refused = settlement_store.store_settlements(self._tx, self._context, sealed, self._now)
        for each in batch:
            if each.unusable is None and (each.device_id, each.fields["mac"]) in refused:
                each.unusable = Unusable("TooManySettlements", each.fields["order_id"])
        acks = [_ack(each) for each in sealed if (each.device_id, each.fields["mac"]) not in refused]
        self._tx.after_commit(lambda: self._dispatch.publish_all_now(acks))

    def _update_statuses(self, batch: list[PileMessage]) -> None:
        for each in batch:
            reports.note_status(self._tx, each.device_id, each.fields, self._now)

    def _key(self, device_id: str) -> bytes:
        """The pile's present key: its row is locked, so no other worker can change it meanwhile."""
        return seal.parse_key(self._rows[device_id].key_hex)


def _ack(stored: settlement_store.SealedSettlement) -> tuple[str, str, bytes, bool]:
    """The acknowledgement, as Dispatch.publish_all_now takes it."""
    ack = {
        "kind": "ack",
        "device_id": stored.device_id,
        "order_id": stored.fields["order_id"],
        "seq": stored.fields["seq"],
        "settlement_mac": stored.fields["mac"],
        "status": "Stored",
    }
    return stored.device_id, topics.SETTLEMENT_ACK, seal.seal(to_json(ack), stored.key), False


def _apply_order_status(
    transitions: Transitions, row: OrderRow, status: dict[str, Any]
) -> dict[str, Any] | None:
    """Apply a pile's order/status message to the order (wire.ORDER_STATUS).

    Returns kind and detail of an event if the message is not applied, else None.
    """
    reported, reason = status["state"], status["reason"]
    if reported == "Rejected" and reason in _REFUSALS_OF_FORGED_ORDERS:
        return {"kind": "OrderRefused", "detail": reason}
    in_time = status["at"] is not None and status["at"] <= row.expires_at
    if transitions.state_of(row) in states.GIVEN_UP and not in_time:
        return {"kind": "LateWord", "detail": reported}
    transitions.apply(row, states.pile_event(reported), reason)
    return None


def _order_states_in_status(connectors: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """(order id, state) of each order that a status message names.

    It repairs the order's state where an order/status message was lost.
    """
    for each in connectors:
        state = _ORDER_STATE_OF_CONNECTOR_STATUS.get(each["status"])
        if each["order_id"] is not None and state is not None:
            yield each["order_id"], state


def _taken_at(row: OrderRow) -> int:
    """When the pile first reported the order, Unix seconds; without a report, the end of time."""
    known = [at for at in (row.accepted_at, row.charging_at, row.finishing_at) if at is not None]
    return min(known, default=sys.maxsize)
