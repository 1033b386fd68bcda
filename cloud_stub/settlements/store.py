"""Settlements, stored once: checked by rules, flagged where they differ, acknowledged to their pile."""

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Boolean, and_, bindparam, insert, select, update

from pile_protocol import seal, topics

from ..db import json_lists
from ..db.audit_events import record_events
from ..db.engine import to_json
from ..db.rows import Query
from ..db.tables import settlements
from ..db.writer import Transaction
from ..orders import lookup, states
from ..orders.context import Context
from ..orders.transitions import Transitions, count_change
from . import rules
from .rules import MALFORMED
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


class _Neighbour(NamedTuple):
    device_id: str
    chain_seq: int | None
    mac: str
    payload: str
    flags_json: str
    settles_order_id: str | None


_MACS = Query(
    select(settlements.c.device_id, settlements.c.mac).where(
        settlements.c.device_id == _MAC_DEVICE, settlements.c.mac == _MAC
    ),
    _Sealed,
)
_NEAR_DEVICE, _NEAR_NUMBER = json_lists.rows("near", str, int)
_NEIGHBOURS = Query(
    select(
        settlements.c.device_id,
        settlements.c.chain_seq,
        settlements.c.mac,
        settlements.c.payload,
        settlements.c.flags_json,
        settlements.c.settles_order_id,
    ).where(settlements.c.device_id == _NEAR_DEVICE, settlements.c.chain_seq == _NEAR_NUMBER),
    _Neighbour,
)
_INSERT = insert(settlements)
_SET_FLAGS = (
    update(settlements)
    .where(settlements.c.device_id == bindparam("of"), settlements.c.chain_seq == bindparam("number"))
    .values(
        flags_json=bindparam("flags"),
        # What somebody decided stands, also if that was a moment ago, by another worker.
        flagged=and_(bindparam("any", type_=Boolean), settlements.c.reviewed_at.is_(None)),
    )
)


@dataclass(frozen=True, slots=True)
class SealedSettlement:
    """A settlement whose seal is right: who sent it, its members, its bytes as they came.

    malformed: what is wrong with one that cannot be read as a whole; `fields` is then what decoding.salvage
    has found.
    """

    device_id: str
    fields: dict[str, Any]
    payload: bytes
    malformed: str = ""


def store_settlements(
    tx: Transaction, context: Context, received: list[SealedSettlement], now: int
) -> set[tuple[str, str]]:
    """Store each settlement once, in the order given, and tell its pile so after the commit.

    Returns the (device id, mac) of those that were refused: they settle no order, and their pile has too many
    such already. They are not acknowledged.

    As many as there are: what is known of all is read first, each is judged against that and against those
    before it, and what came of all is written last. So a hundred cost as many statements as one.
    """
    known = _Group(tx, context, received, now)
    for one in received:
        if (one.device_id, one.fields["mac"]) not in known.macs:
            known.add(one, now)
    known.write(tx, context)
    stored = [one for one in received if (one.device_id, one.fields["mac"]) not in known.refused]
    acks = [ack for one in stored if (ack := _ack(tx, context, one))]
    tx.after_commit(lambda: _publish(context, acks))
    return known.refused


class _Group:
    """What the database and the settlements so far in this group say; and what is to be written of it."""

    def __init__(self, tx: Transaction, context: Context, received: list[SealedSettlement], now: int):
        conn = tx.conn
        order_ids = list({one.fields["order_id"] for one in received})
        macs = to_json([(one.device_id, one.fields["mac"]) for one in received])
        near = {(one.device_id, one.fields["seq"] + d) for one in received for d in (-1, 0, 1)}
        self.orders = lookup.lock_many(conn, order_ids)
        self.settled = set(conn.execute(_SETTLED, {"order_ids": to_json(order_ids)}).scalars())
        self.macs = {(row.device_id, row.mac) for row in _MACS.all(conn, {"macs": macs})}
        # One's neighbours in its chain, by (device id, number): rows, or what is to become one.
        self.chain: dict[tuple[str, int], dict[str, Any]] = {
            (row.device_id, row.chain_seq): row._asdict()
            for row in _NEIGHBOURS.all(conn, {"near": to_json(list(near))})
            if row.chain_seq is not None
        }
        self.refused: set[tuple[str, str]] = set()
        self._unsettled = Unsettled(conn)
        self._rows: list[dict[str, Any]] = []
        self._transitions = Transitions(tx, context, now)
        self._closed_gaps: list[dict[str, Any]] = []
        self._followers: list[str] = []  # orders whose settlement has other flags now
        self._events: list[dict[str, Any]] = []

    def add(self, one: SealedSettlement, now: int) -> None:
        """Judge one that is not stored yet."""
        fields, device_id = one.fields, one.device_id
        order = self.orders.get(fields["order_id"])
        settles = order is not None and order.device_id == device_id and not one.malformed
        already_settled = settles and fields["order_id"] in self.settled
        settles = settles and not already_settled
        if not settles and not self._unsettled.take(device_id, len(one.payload)):
            self.refused.add((device_id, fields["mac"]))
            return
        flags, computed_minor = (
            ([MALFORMED], None) if one.malformed else rules.check(order, device_id, fields)
        )
        in_chain, chain_flags = self._join_chain(device_id, fields)
        flags += chain_flags
        if already_settled:
            flags.append("AlreadySettled")
        row = {
            "device_id": device_id,
            "order_id": fields["order_id"],
            "seq": fields["seq"],
            "mac": fields["mac"],
            "settles_order_id": fields["order_id"] if settles else None,
            "chain_seq": fields["seq"] if in_chain else None,
            "payload": one.payload.decode(),
            # What a malformed one does not tell is counted nowhere: it is flagged and settles nothing.
            "energy_mwh": fields["energy_mwh"] or 0,
            "total_minor": fields["total_minor"] or 0,
            "computed_minor": computed_minor,
            "currency": fields["currency"] or _NO_CURRENCY,
            "flagged": bool(flags),
            "flags_json": to_json(flags),
            "received_at": now,
            "ended_at": fields["ended_at"] or now,
        }
        self._rows.append(row)
        self.macs.add((device_id, fields["mac"]))
        if in_chain:
            self.chain[device_id, fields["seq"]] = row
        if flags:
            event = {"at": now, "kind": "SettlementFlagged", "device_id": device_id}
            self._events.append(event | {"order_id": fields["order_id"], "detail": _detail(one, flags)})
        if settles and order is not None:
            self.settled.add(fields["order_id"])
            total, energy = fields["total_minor"], fields["energy_mwh"]
            self._transitions.apply(
                order, states.SETTLEMENT_STORED, fields["stop_reason"], total=total, energy=energy
            )

    def write(self, tx: Transaction, context: Context) -> None:
        if self._rows:
            tx.conn.execute(_INSERT, self._rows)
        if self._followers:  # before their settlements, as whoever reviews one locks them
            count_change(tx.conn, self._followers)
            tx.after_commit(lambda: context.hub.wake_all(self._followers))
        if self._closed_gaps:
            tx.conn.execute(_SET_FLAGS, self._closed_gaps)
        record_events(tx.conn, self._events)
        flags = [
            (row["device_id"], row["order_id"], row["flags_json"]) for row in self._rows if row["flagged"]
        ]
        right = len(self._rows) - len(flags)
        tx.after_commit(lambda: _count(context, right, flags))
        self._transitions.write()

    def _join_chain(self, device_id: str, fields: dict[str, Any]) -> tuple[bool, list[str]]:
        """(whether the settlement's number was free, its flags) in the device's chain of macs.

        A gap is flagged at the settlement after it, and no longer once it has been filled.
        """
        seq = fields["seq"]
        if (device_id, seq) in self.chain:
            return False, ["SeqReused"]
        later = self.chain.get((device_id, seq + 1))
        if later is not None:
            self._close_gap(later, fields["mac"])
        previous = self.chain.get((device_id, seq - 1))
        if seq > 1 and previous is None:
            return True, ["SeqGap"]
        expected = previous["mac"] if previous is not None else None
        return True, [] if fields["prev_mac"] == expected else ["ChainBroken"]

    def _close_gap(self, later: dict[str, Any], mac: str) -> None:
        flags = [flag for flag in json.loads(later["flags_json"]) if flag != "SeqGap"]
        if json.loads(later["payload"]).get("prev_mac") != mac:
            flags.append("ChainBroken")
        later["flags_json"] = to_json(flags)
        later["flagged"] = bool(flags)
        # By its number in the chain: one of this group has no id yet.
        gap = {"of": later["device_id"], "number": later["chain_seq"]}
        self._closed_gaps.append(gap | {"flags": later["flags_json"], "any": later["flagged"]})
        if later["settles_order_id"] is not None:
            self._followers.append(later["settles_order_id"])


def _detail(one: SealedSettlement, flags: list[str]) -> str:
    return " ".join(flags) + (f" ({one.malformed[:200]})" if one.malformed else "")


def _count(context: Context, right: int, flagged: list[tuple[str, str, str]]) -> None:
    context.metrics.settlements.labels("right").inc(right)
    for device_id, order_id, flags_json in flagged:
        context.metrics.settlements.labels("flagged").inc()
        log.warning(
            "settlement_flagged", order_id=order_id, device_id=device_id, flags=json.loads(flags_json)
        )


def _ack(tx: Transaction, context: Context, one: SealedSettlement) -> tuple[str, bytes] | None:
    """(device id, the sealed word that one is stored)."""
    key = context.keys.get(tx.conn, one.device_id)
    if key is None:
        return None
    ack = {
        "kind": "ack",
        "device_id": one.device_id,
        "order_id": one.fields["order_id"],
        "seq": one.fields["seq"],
        "settlement_mac": one.fields["mac"],
        "status": "Stored",
    }
    return one.device_id, seal.seal(to_json(ack), key)


def _publish(context: Context, acks: list[tuple[str, bytes]]) -> None:
    context.dispatch.publish_all_now(
        [(device_id, topics.SETTLEMENT_ACK, sealed, False) for device_id, sealed in acks]
    )
