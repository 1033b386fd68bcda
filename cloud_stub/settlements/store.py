"""Settlements, stored once: checked by rules, flagged where they differ, acknowledged to their pile."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Column, ColumnElement, insert, select

from ..db import json_lists
from ..db.engine import to_json
from ..db.events import record_events, tell_receivers
from ..db.rows import OrderRow, Query
from ..db.tables import meter_samples, settlements
from ..db.writer import Transaction
from ..orders import lookup, states
from ..orders.context import Context
from ..orders.transitions import Transitions, count_change
from ..piles import registry
from . import rules
from .case import Case, Reading
from .chains import Chains, Place
from .rules import ALREADY_SETTLED, MALFORMED, UNKNOWN_ORDER
from .unsettled import Unsettled

log = structlog.get_logger()
_NO_CURRENCY = "XXX"  # ISO 4217

_SETTLED = select(settlements.c.settles_order_id).where(
    settlements.c.settles_order_id.in_(json_lists.texts("order_ids"))
)
_MAC_DEVICE, _MAC = json_lists.rows("macs", str, str)


class _Sealed(NamedTuple):
    device_id: str
    mac: str


class _Reading(NamedTuple):
    order_id: str
    at: int | None
    register_mwh: int | None


_MACS = Query(
    select(settlements.c.device_id, settlements.c.mac).where(
        settlements.c.device_id == _MAC_DEVICE, settlements.c.mac == _MAC
    ),
    _Sealed,
)
(_OF_ORDER,) = json_lists.rows("orders", str)


def _newest(column: Column[int]) -> ColumnElement[int]:
    """This column of the order's newest meter value. Both databases find it by the primary key."""
    of_order = select(column).where(meter_samples.c.order_id == _OF_ORDER)
    return of_order.order_by(meter_samples.c.at.desc()).limit(1).scalar_subquery()


_LAST_READINGS = Query(
    select(
        _OF_ORDER.label("order_id"),
        _newest(meter_samples.c.at).label("at"),
        _newest(meter_samples.c.register_mwh).label("register_mwh"),
    ),
    _Reading,
)
_INSERT = insert(settlements)


@dataclass(frozen=True, slots=True)
class SealedSettlement:
    """A settlement whose seal is right: who sent it, the key, its members, its bytes as they came.

    malformed: what is wrong with one that cannot be read as a whole; `fields` is then what decoding.salvage
    has found.
    """

    device_id: str
    key: bytes
    fields: dict[str, Any]
    payload: bytes
    malformed: str = ""


def store_settlements(
    tx: Transaction, context: Context, received: list[SealedSettlement], now: int
) -> set[tuple[str, str]]:
    """Store each settlement once, in the order given.

    Returns the (device id, mac) of those that were refused: they settle no order, and their pile has too many
    such already. All others may be acknowledged after the commit.

    It reads what all of them need, judges each one against that and against those before it, and then writes
    all results. So a hundred settlements take as many statements as one.
    """
    known = _Group(tx, context, received, now)
    for one in received:
        if (one.device_id, one.fields["mac"]) not in known.macs:
            known.add(one)
    known.write(tx, context)
    return known.refused


class _Group:
    """The state of the database and of the settlements before in this group, and the changes to write."""

    def __init__(self, tx: Transaction, context: Context, received: list[SealedSettlement], now: int):
        conn = tx.conn
        self._settings = context.settings
        self._now = now
        order_ids = list({one.fields["order_id"] for one in received})
        macs = to_json([(one.device_id, one.fields["mac"]) for one in received])
        self._orders = lookup.lock_many(conn, order_ids)
        self._settled = set(conn.execute(_SETTLED, {"order_ids": to_json(order_ids)}).scalars())
        self.macs = {(row.device_id, row.mac) for row in _MACS.all(conn, {"macs": macs})}
        readings = _LAST_READINGS.all(conn, {"orders": to_json([(order_id,) for order_id in order_ids])})
        self._readings = {
            row.order_id: Reading(row.at, row.register_mwh)
            for row in readings
            if row.at is not None and row.register_mwh is not None
        }
        self.refused: set[tuple[str, str]] = set()
        self._unsettled = Unsettled(conn)
        self._piles = registry.find_many(conn, {one.device_id for one in received})
        wanted = [(one.device_id, one.fields["seq"], one.fields["connector"]) for one in received]
        self._chains = Chains(conn, self._piles, wanted, now)
        self._places: list[tuple[Place, dict[str, Any]]] = []
        self._transitions = Transitions(tx, context, now)

    def add(self, one: SealedSettlement) -> None:
        """Judge one that is not stored yet."""
        fields, device_id, order_id = one.fields, one.device_id, one.fields["order_id"]
        order = self._orders.get(order_id)
        of_pile = order is not None and order.device_id == device_id
        already_settled = of_pile and not one.malformed and order_id in self._settled
        settles = of_pile and not one.malformed and not already_settled
        if not settles and not self._unsettled.take(device_id, len(one.payload)):
            self.refused.add((device_id, fields["mac"]))
            return
        flags, computed_minor = self._judge(one, order)
        if already_settled:
            flags.append(ALREADY_SETTLED)
        has_registers = None not in (fields["start_register_mwh"], fields["end_register_mwh"])
        place = Place(
            device_id,
            fields["seq"],
            fields["mac"],
            fields["connector"] if has_registers else None,
            fields["start_register_mwh"],
            fields["end_register_mwh"],
            one.payload.decode(),
            fields["total_minor"] or 0,
            order_id if settles else None,
            flags,
        )
        if not one.malformed:
            place.known_prev_mac = fields["prev_mac"]
        self._chains.join(place)
        row = {
            "device_id": device_id,
            "order_id": order_id,
            "seq": fields["seq"],
            "mac": fields["mac"],
            "settles_order_id": place.settles_order_id,
            "epoch": place.epoch,
            "chain_seq": place.seq if place.in_chain else None,
            "connector": fields["connector"],
            "start_register_mwh": fields["start_register_mwh"],
            "end_register_mwh": fields["end_register_mwh"],
            "payload": place.payload,
            # A member that a malformed settlement lacks is stored as null. Such a settlement is flagged and
            # settles nothing.
            "energy_mwh": fields["energy_mwh"] or 0,
            "total_minor": fields["total_minor"] or 0,
            "computed_minor": computed_minor,
            "currency": fields["currency"] or _NO_CURRENCY,
            "received_at": self._now,
            "ended_at": fields["ended_at"] or self._now,
        }
        self._places.append((place, row))
        self.macs.add((device_id, fields["mac"]))
        if place.flags:
            detail = " ".join(place.flags) + (f" ({one.malformed[:200]})" if one.malformed else "")
            self._chains.events.append(("SettlementFlagged", device_id, order_id, detail))
        if order is not None and settles:
            self._settled.add(order_id)
            total, energy = fields["total_minor"], fields["energy_mwh"]
            self._transitions.settle(order, fields["stop_reason"], total, energy, payable=not place.flags)
        elif one.malformed and order is not None and of_pile:
            self._transitions.apply(order, states.ORDER_LOST, states.SETTLEMENT_MALFORMED)

    def _judge(self, one: SealedSettlement, order: OrderRow | None) -> tuple[list[str], int | None]:
        """(flags, the total computed here) without what its place in the chain shows."""
        if one.malformed:
            return [MALFORMED], None
        if order is None:
            return [UNKNOWN_ORDER], None
        case = Case(
            fields=one.fields,
            device_id=one.device_id,
            order=order,
            now=self._now,
            power_w=self._piles[one.device_id].connector_power_w or self._settings.connector_power_w,
            reading=self._readings.get(order.order_id),
        )
        computed = case.computed
        return rules.check(case), None if computed is None else computed["total_minor"]

    def write(self, tx: Transaction, context: Context) -> None:
        rows = [
            row
            | {
                "flags_json": to_json(place.flags),
                "flagged": bool(place.flags),
                "unbilled_mwh": place.unbilled_mwh,
            }
            for place, row in self._places
        ]
        if rows:
            tx.conn.execute(_INSERT, rows)
        # Orders before their settlements: the order in which reviews lock them, too.
        followers = self._chains.changed_orders
        if followers:
            count_change(tx.conn, followers)
            for order in lookup.lock_many(tx.conn, self._chains.free_orders).values():
                self._transitions.close_if_nothing_to_pay(order, 0)
            tx.after_commit(lambda: context.hub.wake_all(followers))
        self._chains.write(tx.conn)
        record_events(tx.conn, self._events())
        tell_receivers(tx.conn, map(self._stored, rows))
        flagged = [(each.device_id, row["order_id"], each.flags) for each, row in self._places if each.flags]
        right = len(rows) - len(flagged)
        tx.after_commit(lambda: _count(context, right, flagged))
        self._transitions.write()

    def _stored(self, row: dict[str, Any]) -> dict[str, Any]:
        of = {"device_id": row["device_id"], "order_id": row["order_id"]}
        return {"at": self._now, "kind": "SettlementStored", "detail": f"number {row['seq']}", **of}

    def _events(self) -> list[dict[str, Any]]:
        names = ("kind", "device_id", "order_id", "detail")
        return [{"at": self._now, **dict(zip(names, each, strict=True))} for each in self._chains.events]


def _count(context: Context, right: int, flagged: list[tuple[str, str, list[str]]]) -> None:
    context.metrics.settlements.labels("right").inc(right)
    for device_id, order_id, flags in flagged:
        context.metrics.settlements.labels("flagged").inc()
        log.warning("settlement_flagged", order_id=order_id, device_id=device_id, flags=flags)
