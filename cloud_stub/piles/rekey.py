"""A new key for a pile: its board was replaced, its key may be known to others, or nobody has it any more.

The old key ends with the transaction: the broker refuses its password, and the cloud its seals. It is kept
apart, because it proves the settlements that it sealed.
"""

import secrets
from collections.abc import Callable

from sqlalchemy import Connection, bindparam, insert, select, update

from pile_protocol import seal

from ..db import audit
from ..db.audit import Actor
from ..db.pile_tables import retired_keys
from ..db.tables import piles
from ..db.writer import Transaction
from ..messaging.outbox import withdraw_of_pile
from . import boards, registry, removal

_RETIRE = insert(retired_keys)
_RETIRED = select(retired_keys.c.key_hex).where(retired_keys.c.device_id == bindparam("of"))
_OF = piles.c.device_id == bindparam("of")
# mosquitto ends the connection of the old key without publishing its last will.
_SET_KEY = update(piles).where(_OF).values(key_hex=bindparam("new_key"), online=False)
_NEW_BOARD = _SET_KEY.values(epoch=piles.c.epoch + 1, empty_hello_at=None, faulted=False, status_json=None)


def rotate(
    tx: Transaction,
    actor: Actor,
    lose_orders: Callable[[Transaction, str, int], None],
    device_id: str,
    new_board: bool,
    force: bool,
    now: int,
) -> bytes:
    """Give the pile a new key, and return it. new_board: its flash is empty, so its settlements begin again.

    lose_orders: ends the orders of a pile, orders.transitions.lose_with_pile. Raises Problem: UnknownPile,
    PileRemoved; PileInUse while it charges, unless `force` and it is offline; SettlementsWaiting where
    `force` would lose some.
    """
    pile = registry.get(tx.conn, device_id, lock=True)
    waiting = removal.check_what_is_lost(tx.conn, pile, force, True, now)
    lose_orders(tx, device_id, now)
    key = secrets.token_bytes(seal.KEY_BYTES)
    tx.conn.execute(_RETIRE, {"device_id": device_id, "key_hex": pile.key_hex, "retired_at": now})
    tx.conn.execute(_NEW_BOARD if new_board else _SET_KEY, {"of": device_id, "new_key": key.hex()})
    withdraw_of_pile(tx, device_id, but_orders=True)  # commands with the old seal
    if new_board:
        boards.forget(tx.conn, device_id)
    action = "BoardReplaced" if new_board else "KeyRotated"
    detail = f"{waiting} settlements given up" if waiting else ""
    audit.record(tx.conn, actor, now, action, device_id=device_id, detail=detail)
    return key


def all_keys(conn: Connection, device_id: str) -> list[str]:
    """The pile's key and those that it had before, as hex digits. Raises Problem (UnknownPile)."""
    pile = registry.get(conn, device_id, removed=True)
    return [pile.key_hex, *conn.execute(_RETIRED, {"of": device_id}).scalars()]
