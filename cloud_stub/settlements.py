"""Settlements: recomputed from the order's own locked rate, stored once, flagged where they differ."""

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from pile_protocol import messages, pricing, seal, topics

from . import life, orders, piles
from .problems import Problem
from .records import record_event
from .store import to_json
from .tables import orders as orders_table
from .tables import settlements
from .writer import Transaction

TIME_SLACK_S = 10  # between a reading and the word about it, on clocks that count whole seconds

_BY_MAC = select(settlements.c.id).where(
    settlements.c.device_id == bindparam("device_id"), settlements.c.mac == bindparam("mac")
)
_NEIGHBOURS = select(
    settlements.c.id,
    settlements.c.chain_seq,
    settlements.c.mac,
    settlements.c.payload,
    settlements.c.flags_json,
).where(
    settlements.c.device_id == bindparam("device_id"),
    settlements.c.chain_seq.between(bindparam("low"), bindparam("high")),
)
_OF_ORDER = select(settlements).where(settlements.c.settles_order_id == bindparam("order_id"))
_INSERT = insert(settlements)
_SET_FLAGS = (
    update(settlements)
    .where(settlements.c.id == bindparam("this"))
    .values(flags_json=bindparam("flags"), flagged=bindparam("any"))
)
_SET_TOTAL = (
    update(orders_table)
    .where(orders_table.c.order_id == bindparam("this"))
    .values(total_minor=bindparam("total"), energy_mwh=bindparam("energy"))
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
    rate = json.loads(order.rate_json)
    flags = list(_binding_flags(order, rate, device_id, said))
    flags += _energy_flags(said)
    flags += _time_flags(order, rate["steps"], said)
    computed = compute(order, said)
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
    rate = json.loads(order.rate_json)
    energies = energy_by_step(rate["steps"], said["periods"])
    if energies is None:
        return None
    return pricing.bill(rate, energies, json.loads(order.limits_json).get("cost_minor"))


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


def store(
    tx: Transaction, cx: orders.Context, device_id: str, said: dict[str, Any], payload: bytes, now: int
) -> None:
    """Store a settlement whose seal is right, once, and tell the pile so after the commit."""
    # Locked: of two workers with neighbours of one chain, the second must see what the first has stored.
    pile = piles.get(tx.conn, device_id, lock=True)
    repeated = tx.conn.execute(_BY_MAC, {"device_id": device_id, "mac": said["mac"]}).first()
    if repeated is None:
        _store_new(tx, cx, pile, said, payload, now)
    _acknowledge(tx, cx, device_id, said)


def _store_new(
    tx: Transaction, cx: orders.Context, pile: Any, said: dict[str, Any], payload: bytes, now: int
) -> None:
    order = orders.locked(tx.conn, said["order_id"])
    flags, computed_minor = check(order, pile.device_id, said)
    in_chain, chain_flags = _join_chain(tx, cx, pile.device_id, said)
    flags += chain_flags
    settles = order is not None and order.device_id == pile.device_id
    if order is not None and settles and tx.conn.execute(_OF_ORDER, {"order_id": order.order_id}).first():
        settles = False
        flags.append("AlreadySettled")
    tx.conn.execute(
        _INSERT,
        {
            "device_id": pile.device_id,
            "order_id": said["order_id"],
            "seq": said["seq"],
            "mac": said["mac"],
            "settles_order_id": said["order_id"] if settles else None,
            "chain_seq": said["seq"] if in_chain else None,
            "payload": payload.decode(),
            "energy_mwh": said["energy_mwh"],
            "total_minor": said["total_minor"],
            "computed_minor": computed_minor,
            "currency": said["currency"],
            "flagged": bool(flags),
            "flags_json": to_json(flags),
            "received_at": now,
            "ended_at": said["ended_at"],
        },
    )
    if flags:
        record_event(tx.conn, now, "SettlementFlagged", pile.device_id, said["order_id"], " ".join(flags))
    if settles:
        orders.move(tx, cx, order, life.SETTLEMENT_STORED, now, said["stop_reason"])
        totals = {"this": said["order_id"], "total": said["total_minor"], "energy": said["energy_mwh"]}
        tx.conn.execute(_SET_TOTAL, totals)


def _join_chain(
    tx: Transaction, cx: orders.Context, device_id: str, said: dict[str, Any]
) -> tuple[bool, list[str]]:
    """(whether the settlement's number was free, its flags) in the device's chain of macs.

    A gap is flagged at the settlement after it, and no longer once it has been filled.
    """
    seq = said["seq"]
    rows = tx.conn.execute(_NEIGHBOURS, {"device_id": device_id, "low": seq - 1, "high": seq + 1}).all()
    near = {row.chain_seq: row for row in rows}
    if seq in near:
        return False, ["SeqReused"]
    later = near.get(seq + 1)
    if later is not None:
        _close_gap(tx, cx, later, said["mac"])
    previous = near.get(seq - 1)
    if seq > 1 and previous is None:
        return True, ["SeqGap"]
    expected = previous.mac if previous is not None else None
    return True, [] if said["prev_mac"] == expected else ["ChainBroken"]


def _close_gap(tx: Transaction, cx: orders.Context, later: Any, mac: str) -> None:
    flags = [flag for flag in json.loads(later.flags_json) if flag != "SeqGap"]
    follower = json.loads(later.payload)
    if follower["prev_mac"] != mac:
        flags.append("ChainBroken")
    tx.conn.execute(_SET_FLAGS, {"this": later.id, "flags": to_json(flags), "any": bool(flags)})
    tx.after_commit(lambda: cx.hub.wake(follower["order_id"]))


def _acknowledge(tx: Transaction, cx: orders.Context, device_id: str, said: dict[str, Any]) -> None:
    key = cx.keys.get(tx.conn, device_id)
    if key is None:
        return
    ack = {
        "kind": "ack",
        "device_id": device_id,
        "order_id": said["order_id"],
        "seq": said["seq"],
        "settlement_mac": said["mac"],
        "status": "Stored",
    }
    sealed = seal.seal(messages.encode(ack), key)
    tx.after_commit(lambda: cx.dispatch.publish_now(device_id, topics.SETTLEMENT_ACK, sealed))


def of_order(conn: Connection, order_id: str) -> Any | None:
    """The row of the settlement that settles the order."""
    return conn.execute(_OF_ORDER, {"order_id": order_id}).first()


def view(row: Any) -> dict[str, Any]:
    """The settlement as the pile sealed it, with what was found of it here."""
    return json.loads(row.payload) | {
        "id": row.id,
        "computed_minor": row.computed_minor,
        "flagged": row.flagged,
        "flags": json.loads(row.flags_json),
        "received_at": row.received_at,
    }


def comparison(conn: Connection, settlement_id: int) -> dict[str, Any]:
    """A settlement as the pile sealed it, beside what its order's locked rate gives. Raises Problem."""
    row = conn.execute(select(settlements).where(settlements.c.id == settlement_id)).first()
    if row is None:
        raise Problem(404, "UnknownSettlement", "There is no settlement with that id")
    shown = view(row)
    order = orders.get(conn, row.order_id)
    if order is None:
        return shown | {"order": None, "computed": None}
    found = compute(order, shown)
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
        "limits": json.loads(order.limits_json),
        "rate": json.loads(order.rate_json),
    }
    return shown | {"order": locked, "computed": computed}


def list_views(
    conn: Connection, flagged: bool | None, device_id: str | None, limit: int, before: int | None
) -> list[dict[str, Any]]:
    """Newest first, older than settlement `before`."""
    query = select(settlements)
    if flagged is not None:
        query = query.where(settlements.c.flagged == flagged)
    if device_id is not None:
        query = query.where(settlements.c.device_id == device_id)
    if before is not None:
        query = query.where(settlements.c.id < before)
    return [view(row) for row in conn.execute(query.order_by(settlements.c.id.desc()).limit(limit))]
