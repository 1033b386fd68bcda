"""Settlements: recomputed from the order's own locked rate, stored once, flagged where they differ."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from sqlalchemy import Boolean, Connection, and_, bindparam, insert, select, update

from pile_protocol import pricing, seal, topics

from . import decoding, given, life, orders
from .context import Context
from .moves import Moves
from .problems import unknown_settlement
from .records import record_events
from .store import to_json
from .tables import orders as orders_table
from .tables import settlements
from .writer import Transaction

log = structlog.get_logger()

_MALFORMED = "Malformed"
_NO_CURRENCY = "XXX"  # ISO 4217

TIME_SLACK_S = 10  # between a reading and the word about it, on clocks that count whole seconds

_SETTLED = select(settlements.c.settles_order_id).where(
    settlements.c.settles_order_id.in_(given.texts("order_ids"))
)
_MAC_DEVICE, _MAC = given.rows("macs", str, str)
_MACS = select(settlements.c.device_id, settlements.c.mac).where(
    settlements.c.device_id == _MAC_DEVICE, settlements.c.mac == _MAC
)
_NEAR_DEVICE, _NEAR_NUMBER = given.rows("near", str, int)
_NEIGHBOURS = select(
    settlements.c.device_id,
    settlements.c.chain_seq,
    settlements.c.mac,
    settlements.c.payload,
    settlements.c.flags_json,
    settlements.c.settles_order_id,
).where(settlements.c.device_id == _NEAR_DEVICE, settlements.c.chain_seq == _NEAR_NUMBER)
_OF_ORDER = select(settlements).where(settlements.c.settles_order_id == bindparam("order_id"))
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
_SHOW_AGAIN = (
    update(orders_table)
    .where(orders_table.c.order_id == bindparam("of"))
    .values(version=orders_table.c.version + 1)
)


def energy_by_step(steps: list[list[Any]], periods: list[list[Any]]) -> list[tuple[int, int]] | None:
    """(step index, mWh) of each period; None unless every period is one of the steps, in their order."""
    index_of = {step[0]: index for index, step in enumerate(steps)}
    found: list[tuple[int, int]] = []
    for from_at, electricity_price, service_price, label, energy_mwh, *_ in periods:
        index = index_of.get(from_at)
        if index is None or steps[index] != [from_at, electricity_price, service_price, label]:
            return None
        if found and index <= found[-1][0]:
            return None
        found.append((index, energy_mwh))
    return found


def check(order: Any, device_id: str, said: dict[str, Any]) -> tuple[list[str], int | None]:
    """(flags, the total computed here) of a settlement against its order's row, which may be None."""
    if order is None:
        return ["UnknownOrder"], None
    rate = orjson.loads(order.rate_json)
    flags = list(_binding_flags(order, rate, device_id, said))
    flags += _energy_flags(said)
    flags += _time_flags(order, rate["steps"], said)
    computed = _computed(order, rate, said)
    if computed is None:
        return [*flags, "PeriodsMismatch"], None
    total_minor, fee_minor, periods = computed
    if said["total_minor"] != total_minor:
        flags.append("TotalMismatch")
    if said["session_fee_minor"] != fee_minor or said["periods"] != periods:
        flags.append("LinesMismatch")
    return flags, total_minor


def compute(order: Any, said: dict[str, Any]) -> tuple[int, int, list[list[Any]]] | None:
    """pricing.bill of the energies a settlement tells, at its order's locked rate; None: not of that rate."""
    return _computed(order, orjson.loads(order.rate_json), said)


def _computed(
    order: Any, rate: dict[str, Any], said: dict[str, Any]
) -> tuple[int, int, list[list[Any]]] | None:
    energies = energy_by_step(rate["steps"], said["periods"])
    if energies is None:
        return None
    return pricing.bill(rate, energies, orjson.loads(order.limits_json).get("cost_minor"))


def _binding_flags(order: Any, rate: dict[str, Any], device_id: str, said: dict[str, Any]) -> Iterator[str]:
    if said["device_id"] != device_id or order.device_id != device_id:
        yield "WrongDevice"
    if said["connector"] != order.connector:
        yield "WrongConnector"
    if said["rate_id"] != order.rate_id or said["rate_digest"] != order.rate_digest:
        yield "RateMismatch"
    if (said["currency"], said["minor_digits"]) != (rate["currency"], rate["minor_digits"]):
        yield "CurrencyMismatch"


def _energy_flags(said: dict[str, Any]) -> Iterator[str]:
    if said["energy_mwh"] != said["end_register_mwh"] - said["start_register_mwh"]:
        yield "RegisterMismatch"
    if said["energy_mwh"] != sum(period[4] for period in said["periods"]):
        yield "EnergyMismatch"


def _time_flags(order: Any, steps: list[list[Any]], said: dict[str, Any]) -> Iterator[str]:
    started_at, ended_at = said["started_at"], said["ended_at"]
    if not order.created_at - TIME_SLACK_S <= started_at <= order.expires_at + TIME_SLACK_S:
        yield "StartOutsideOrder"
    if ended_at < started_at or ended_at > order.window_end_at + TIME_SLACK_S:
        yield "EndOutsideOrder"
    ends = [*(step[0] for step in steps[1:]), order.window_end_at]
    end_of = {step[0]: end for step, end in zip(steps, ends, strict=True)}
    for from_at, *_ in said["periods"]:
        if from_at > ended_at + TIME_SLACK_S or end_of.get(from_at, started_at) < started_at - TIME_SLACK_S:
            yield "PeriodOutsideTime"
            return


@dataclass(frozen=True, slots=True)
class Received:
    """A settlement whose seal is right: who sent it, what it says, its bytes as they came.

    malformed: what is wrong with one that cannot be read as a whole; `said` is then decoding.salvage's.
    """

    device_id: str
    said: dict[str, Any]
    payload: bytes
    malformed: str = ""


def store(tx: Transaction, cx: Context, received: list[Received], now: int) -> None:
    """Store each settlement once, in the order given, and tell its pile so after the commit.

    As many as there are: what is known of all is read first, each is judged against that and against those
    before it, and what came of all is written last. So a hundred cost as many statements as one.
    """
    known = _Known(tx, cx, received, now)
    for one in received:
        if (one.device_id, one.said["mac"]) not in known.macs:
            known.add(one, now)
    known.write(tx, cx)
    acks = [ack for one in received if (ack := _ack(tx, cx, one))]
    tx.after_commit(lambda: _publish(cx, acks))


class _Known:
    """What the database and the settlements so far in this group say; and what is to be written of it."""

    def __init__(self, tx: Transaction, cx: Context, received: list[Received], now: int):
        conn = tx.conn
        order_ids = list({one.said["order_id"] for one in received})
        macs = to_json([(one.device_id, one.said["mac"]) for one in received])
        near = {(one.device_id, one.said["seq"] + d) for one in received for d in (-1, 0, 1)}
        self.orders = orders.locked_many(conn, order_ids)
        self.settled = set(conn.execute(_SETTLED, {"order_ids": to_json(order_ids)}).scalars())
        self.macs = {tuple(row) for row in conn.execute(_MACS, {"macs": macs})}
        # One's neighbours in its chain, by (device id, number): rows, or what is to become one.
        self.chain: dict[tuple[str, int], dict[str, Any]] = {
            (row["device_id"], row["chain_seq"]): dict(row)
            for row in conn.execute(_NEIGHBOURS, {"near": to_json(list(near))}).mappings()
        }
        self._rows: list[dict[str, Any]] = []
        self._moves = Moves(tx, cx, now)
        self._closed_gaps: list[dict[str, Any]] = []
        self._followers: list[str] = []  # orders whose settlement has other flags now
        self._events: list[dict[str, Any]] = []

    def add(self, one: Received, now: int) -> None:
        """Judge one that is not stored yet."""
        said, device_id = one.said, one.device_id
        order = self.orders.get(said["order_id"])
        flags, computed_minor = ([_MALFORMED], None) if one.malformed else check(order, device_id, said)
        in_chain, chain_flags = self._join_chain(device_id, said)
        flags += chain_flags
        settles = order is not None and order.device_id == device_id and not one.malformed
        if settles and said["order_id"] in self.settled:
            settles = False
            flags.append("AlreadySettled")
        row = {
            "device_id": device_id,
            "order_id": said["order_id"],
            "seq": said["seq"],
            "mac": said["mac"],
            "settles_order_id": said["order_id"] if settles else None,
            "chain_seq": said["seq"] if in_chain else None,
            "payload": one.payload.decode(),
            # What a malformed one does not tell is counted nowhere: it is flagged and settles nothing.
            "energy_mwh": said["energy_mwh"] or 0,
            "total_minor": said["total_minor"] or 0,
            "computed_minor": computed_minor,
            "currency": said["currency"] or _NO_CURRENCY,
            "flagged": bool(flags),
            "flags_json": to_json(flags),
            "received_at": now,
            "ended_at": said["ended_at"] or now,
        }
        self._rows.append(row)
        self.macs.add((device_id, said["mac"]))
        if in_chain:
            self.chain[device_id, said["seq"]] = row
        if flags:
            event = {"at": now, "kind": "SettlementFlagged", "device_id": device_id}
            self._events.append(event | {"order_id": said["order_id"], "detail": _detail(one, flags)})
        if settles:
            self.settled.add(said["order_id"])
            total, energy = said["total_minor"], said["energy_mwh"]
            self._moves.move(order, life.SETTLEMENT_STORED, said["stop_reason"], total=total, energy=energy)

    def write(self, tx: Transaction, cx: Context) -> None:
        if self._rows:
            tx.conn.execute(_INSERT, self._rows)
        if self._followers:  # before their settlements, as whoever reviews one locks them
            tx.conn.execute(_SHOW_AGAIN, [{"of": order_id} for order_id in self._followers])
            tx.after_commit(lambda: cx.hub.wake_all(self._followers))
        if self._closed_gaps:
            tx.conn.execute(_SET_FLAGS, self._closed_gaps)
        record_events(tx.conn, self._events)
        flags = [
            (row["device_id"], row["order_id"], row["flags_json"]) for row in self._rows if row["flagged"]
        ]
        right = len(self._rows) - len(flags)
        tx.after_commit(lambda: _count(cx, right, flags))
        self._moves.write()

    def _join_chain(self, device_id: str, said: dict[str, Any]) -> tuple[bool, list[str]]:
        """(whether the settlement's number was free, its flags) in the device's chain of macs.

        A gap is flagged at the settlement after it, and no longer once it has been filled.
        """
        seq = said["seq"]
        if (device_id, seq) in self.chain:
            return False, ["SeqReused"]
        later = self.chain.get((device_id, seq + 1))
        if later is not None:
            self._close_gap(later, said["mac"])
        previous = self.chain.get((device_id, seq - 1))
        if seq > 1 and previous is None:
            return True, ["SeqGap"]
        expected = previous["mac"] if previous is not None else None
        return True, [] if said["prev_mac"] == expected else ["ChainBroken"]

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


def _detail(one: Received, flags: list[str]) -> str:
    return " ".join(flags) + (f" ({one.malformed[:200]})" if one.malformed else "")


def _count(cx: Context, right: int, flagged: list[tuple[str, str, str]]) -> None:
    cx.metrics.settlements.labels("right").inc(right)
    for device_id, order_id, flags_json in flagged:
        cx.metrics.settlements.labels("flagged").inc()
        log.warning(
            "settlement_flagged", order_id=order_id, device_id=device_id, flags=json.loads(flags_json)
        )


def _ack(tx: Transaction, cx: Context, one: Received) -> tuple[str, bytes] | None:
    """(device id, the sealed word that one is stored)."""
    key = cx.keys.get(tx.conn, one.device_id)
    if key is None:
        return None
    ack = {
        "kind": "ack",
        "device_id": one.device_id,
        "order_id": one.said["order_id"],
        "seq": one.said["seq"],
        "settlement_mac": one.said["mac"],
        "status": "Stored",
    }
    return one.device_id, seal.seal(to_json(ack), key)


def _publish(cx: Context, acks: list[tuple[str, bytes]]) -> None:
    for device_id, sealed in acks:
        cx.dispatch.publish_now(device_id, topics.SETTLEMENT_ACK, sealed)


def of_order(conn: Connection, order_id: str) -> Any | None:
    """The row of the settlement that settles the order."""
    return conn.execute(_OF_ORDER, {"order_id": order_id}).first()


def view(row: Any) -> dict[str, Any]:
    """The settlement as the pile sealed it, with what was found of it here.

    Of a malformed one: null where a member is not what it should be, and the sealed text beside them.
    """
    flags = json.loads(row.flags_json)
    said = decoding.salvage(row.payload.encode()) or {}
    sealed = {"sealed": row.payload} if _MALFORMED in flags else {}
    return (
        said
        | sealed
        | {
            "id": row.id,
            "settles": row.settles_order_id is not None,
            "computed_minor": row.computed_minor,
            "flagged": row.flagged,
            "flags": flags,
            "received_at": row.received_at,
            "review": row.review and {"decision": row.review, "at": row.reviewed_at, "note": row.review_note},
        }
    )


def bill(row: Any) -> dict[str, Any]:
    """The settlement as its driver is billed: as sealed, unless somebody decided otherwise (reviews)."""
    return view(row) | json.loads(row.billed_json or "{}") | {"review": row.review}


def comparison(conn: Connection, settlement_id: int) -> dict[str, Any]:
    """A settlement as the pile sealed it, beside what its order's locked rate gives. Raises Problem."""
    row = conn.execute(select(settlements).where(settlements.c.id == settlement_id)).first()
    if row is None:
        raise unknown_settlement()
    shown = view(row)
    order = orders.get(conn, row.order_id)
    if order is None:
        return shown | {"order": None, "computed": None}
    found = compute(order, shown) if _MALFORMED not in shown["flags"] else None
    computed = (
        dict(zip(("total_minor", "session_fee_minor", "periods"), found, strict=True)) if found else None
    )
    locked = {
        "device_id": order.device_id,
        "connector": order.connector,
        "state": order.state,
        "created_at": order.created_at,
        "window_end_at": order.window_end_at,
        "rate_digest": order.rate_digest,
        "limits": orjson.loads(order.limits_json),
        "rate": orjson.loads(order.rate_json),
    }
    return shown | {"order": locked, "computed": computed}


def list_views(
    conn: Connection,
    flagged: bool | None,
    reviewed: bool | None,
    device_id: str | None,
    limit: int,
    before: int | None,
) -> list[dict[str, Any]]:
    """Newest first, older than settlement `before`."""
    query = select(settlements)
    if flagged is not None:
        query = query.where(settlements.c.flagged == flagged)
    if reviewed is not None:
        at = settlements.c.reviewed_at
        query = query.where(at.is_not(None) if reviewed else at.is_(None))
    if device_id is not None:
        query = query.where(settlements.c.device_id == device_id)
    if before is not None:
        query = query.where(settlements.c.id < before)
    return [view(row) for row in conn.execute(query.order_by(settlements.c.id.desc()).limit(limit))]
