"""Removing a pile: it cannot connect any more, and all its orders, bills and receipts stay.

A settlement that is still at the pile would be lost. So removal is refused while an order holds a connector,
and while a settlement waits there unless `force` gives it up. The id stays taken, so that an order, a receipt
or a printed label never names another pile.
"""

from collections.abc import Callable

import orjson
from sqlalchemy import Connection, bindparam, delete, select, update

from ..base.problems import Problem
from ..db import audit
from ..db.audit import Actor
from ..db.events import record_event
from ..db.rows import PileRow
from ..db.site_tables import connector_tariffs
from ..db.tables import orders
from ..db.tables import piles as piles_table
from ..db.writer import Transaction
from ..messaging.outbox import RETAINED, Outbox, withdraw_of_pile
from . import registry

_HELD_UNTIL = select(orders.c.window_end_at).where(
    orders.c.device_id == bindparam("device_id"), orders.c.holds
)
_UNASSIGN = delete(connector_tariffs).where(connector_tariffs.c.device_id == bindparam("of"))
_REMOVE = (
    update(piles_table)
    .where(piles_table.c.device_id == bindparam("of"))
    .values(removed_at=bindparam("at"), tariff_id=None, rate_due_at=None, online=False, faulted=False)
)


def remove(
    tx: Transaction,
    actor: Actor,
    outbox: Outbox,
    lose_orders: Callable[[Transaction, str, int], None],
    device_id: str,
    force: bool,
    now: int,
) -> PileRow:
    """Remove the pile as of `now`; returns its row. Doing it again changes nothing.

    lose_orders: ends the orders of a pile, orders.transitions.lose_with_pile. Raises Problem: UnknownPile,
    PileInUse while it charges, SettlementsWaiting where `force` would lose some.
    """
    pile = registry.get(tx.conn, device_id, lock=True, removed=True)
    if pile.removed_at is not None:
        return pile
    waiting = check_what_is_lost(tx.conn, pile, force, False, now)
    lose_orders(tx, device_id, now)
    withdraw_of_pile(tx, device_id)
    tx.conn.execute(_REMOVE, {"of": device_id, "at": now})
    tx.conn.execute(_UNASSIGN, {"of": device_id})
    detail = f"{waiting} settlements given up" if waiting else ""
    audit.record(tx.conn, actor, now, "PileRemoved", device_id=device_id, detail=detail)
    record_event(tx.conn, now, "PileRemoved", device_id, detail=detail)
    for name in sorted(RETAINED):  # what the broker keeps of it: nothing takes its place
        outbox.put(tx, device_id, name, "", now)
    return registry.get(tx.conn, device_id, removed=True)


def check_what_is_lost(conn: Connection, pile: PileRow, force: bool, also_running: bool, now: int) -> int:
    """How many settlements would be lost with the pile, or with its board.

    also_running: `force` gives up an order that runs, too, if the pile is offline. Raises Problem: PileInUse,
    SettlementsWaiting.
    """
    held_until = conn.execute(_HELD_UNTIL, {"device_id": pile.device_id}).scalars().all()
    may_give_up = force and also_running and not pile.online
    if any(until_at > now for until_at in held_until) and not may_give_up:
        raise Problem(409, "PileInUse", "An order holds the pile; stop it and wait for its settlement")
    waiting = _waiting(pile, len(held_until))
    if waiting and not force:
        raise Problem(
            409,
            "SettlementsWaiting",
            "Settlements that the pile has not handed over would be lost",
            settlements=waiting,
        )
    return waiting


def _waiting(pile: PileRow, held: int) -> int:
    """How many settlements are still at the pile: as it reported, and one for each unsettled order."""
    reported = orjson.loads(pile.status_json).get("outbox", 0) if pile.status_json else 0
    return reported + held
