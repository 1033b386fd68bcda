"""Changes of a registered pile: its name, and how many connectors it has."""

from sqlalchemy import bindparam, delete, select, update

from ..base.problems import Problem
from ..db import audit
from ..db.audit import Actor
from ..db.pile_tables import pile_service
from ..db.rows import PileRow
from ..db.tables import orders, piles
from ..db.writer import Transaction
from . import registry

_OF = piles.c.device_id == bindparam("of")
_RENAME = update(piles).where(_OF).values(name=bindparam("new_name"))
_SET_CONNECTORS = update(piles).where(_OF).values(connectors=bindparam("new_connectors"))
_HELD = select(orders.c.connector).where(
    orders.c.device_id == bindparam("device_id"), orders.c.holds, orders.c.window_end_at > bindparam("now")
)
_BEYOND = delete(pile_service).where(
    pile_service.c.device_id == bindparam("of"), pile_service.c.connector > bindparam("last")
)


def rename(tx: Transaction, actor: Actor, device_id: str, name: str, now: int) -> PileRow:
    """Give the pile another name; an empty one is its id. Raises Problem: UnknownPile, PileRemoved."""
    pile = registry.get(tx.conn, device_id, lock=True)
    name = name.strip() or device_id
    if name != pile.name:
        tx.conn.execute(_RENAME, {"of": device_id, "new_name": name})
        audit.record(tx.conn, actor, now, "PileRenamed", device_id=device_id, detail=f"{pile.name} -> {name}")
    return registry.get(tx.conn, device_id)


def set_connectors(tx: Transaction, actor: Actor, device_id: str, connectors: int, now: int) -> PileRow:
    """Set how many connectors the pile has.

    Raises Problem: UnknownPile, PileRemoved; PileInUse while an order holds one of its connectors.
    """
    pile = registry.get(tx.conn, device_id, lock=True)
    if connectors == pile.connectors:
        return pile
    if tx.conn.execute(_HELD, {"device_id": device_id, "now": now}).scalar() is not None:
        raise Problem(409, "PileInUse", "An order holds a connector; stop it and wait for its settlement")
    tx.conn.execute(_SET_CONNECTORS, {"of": device_id, "new_connectors": connectors})
    tx.conn.execute(_BEYOND, {"of": device_id, "last": connectors})
    detail = f"{pile.connectors} -> {connectors}"
    audit.record(tx.conn, actor, now, "ConnectorsChanged", device_id=device_id, detail=detail)
    return registry.get(tx.conn, device_id)
