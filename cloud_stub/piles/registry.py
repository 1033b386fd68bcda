"""The table of piles: registering one, reading and locking rows."""

import secrets
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from pile_protocol import seal

from ..base.problems import Problem, invalid, pile_removed, unknown_pile
from ..db import audit, json_lists
from ..db.audit import Actor
from ..db.engine import to_json
from ..db.rows import PileRow, Query
from ..db.tables import piles
from ..db.writer import Transaction
from ..settings import CONNECTOR_POWER_MAX_W as CONNECTOR_POWER_MAX_W
from ..settings import CONNECTOR_POWER_MIN_W as CONNECTOR_POWER_MIN_W
from .broker_acl import CLOUD_USER

_BY_ID = select(piles).where(piles.c.device_id == bindparam("device_id"))
_GET = Query(_BY_ID, PileRow)
_LOCK = Query(_BY_ID.with_for_update(key_share=True), PileRow)
_BY_IDS = select(piles).where(piles.c.device_id.in_(json_lists.texts("device_ids")))
_FIND_MANY = Query(_BY_IDS, PileRow)
_LOCK_MANY = Query(_BY_IDS.order_by(piles.c.device_id).with_for_update(key_share=True), PileRow)
_SEEN = update(piles).where(piles.c.device_id == bindparam("of")).values(last_seen_at=bindparam("at"))
_SET_POWER = (
    update(piles).where(piles.c.device_id == bindparam("of")).values(connector_power_w=bindparam("power_w"))
)
_SEEN_EMPTY = _SEEN.values(empty_hello_at=bindparam("at"))


class NewPile(NamedTuple):
    """A pile to be registered. connectors: 1 to messages.MAX_CONNECTORS."""

    device_id: str
    name: str
    connectors: int


def add(tx: Transaction, actor: Actor, new: Sequence[NewPile], now: int) -> dict[str, bytes]:
    """Register piles; returns their new keys by id. Raises Problem (PileExists, InvalidRequest)."""
    if any(each.device_id == CLOUD_USER for each in new):
        raise invalid(("device_id", "is the cloud's own name at the broker"))
    for row in find_many(tx.conn, [each.device_id for each in new]).values():
        raise _exists(row)
    keys = {each.device_id: secrets.token_bytes(seal.KEY_BYTES) for each in new}
    rows = [
        each._asdict() | {"key_hex": keys[each.device_id].hex(), "created_at": now, "online": False}
        for each in new
    ]
    # Where another worker was first: IntegrityError, and Cloud.write runs this again.
    tx.conn.execute(insert(piles), rows)
    audit.record_all(tx.conn, actor, now, [audit.Line("PileAdded", each.device_id) for each in new])
    return keys


def _exists(pile: PileRow) -> Problem:
    if pile.removed_at is None:
        title = "There is a pile with that id already"
    else:
        title = "A pile with that id was removed; its orders keep the id, so it is not given twice"
    return Problem(409, "PileExists", title, device_id=pile.device_id, removed_at=pile.removed_at)


def get(conn: Connection, device_id: str, lock: bool = False, removed: bool = False) -> PileRow:
    """The pile's row, locked against other writers if `lock`; one that was removed only with `removed`.

    Raises Problem (UnknownPile, PileRemoved).
    """
    row = None
    if "\0" not in device_id:  # PostgreSQL takes none in a text
        row = (_LOCK if lock else _GET).first(conn, {"device_id": device_id})
    if row is None:
        raise unknown_pile(device_id)
    if row.removed_at is not None and not removed:
        raise pile_removed(device_id, row.removed_at)
    return row


def lock_many(conn: Connection, device_ids: Iterable[str]) -> dict[str, PileRow]:
    """Those of the piles that exist, by id, held against other writers until the transaction ends."""
    rows = _LOCK_MANY.all(conn, {"device_ids": to_json(list(device_ids))})
    return {row.device_id: row for row in rows}


def set_connector_power(tx: Transaction, actor: Actor, device_id: str, power_w: int | None, now: int) -> None:
    """Set the most that a connector of the pile carries, in watts; None: as the settings say.

    Raises Problem (UnknownPile, PileRemoved).
    """
    if get(tx.conn, device_id, lock=True).connector_power_w == power_w:
        return
    tx.conn.execute(_SET_POWER, {"of": device_id, "power_w": power_w})
    detail = "default" if power_w is None else f"{power_w} W"
    audit.record(tx.conn, actor, now, "ConnectorPowerSet", device_id=device_id, detail=detail)


def find_many(conn: Connection, device_ids: Iterable[str]) -> dict[str, PileRow]:
    """Those of the piles that exist, by id."""
    rows = _FIND_MANY.all(conn, {"device_ids": to_json(list(device_ids))})
    return {row.device_id: row for row in rows}


def mark_greeted(conn: Connection, device_id: str, last_seq: int, now: int) -> None:
    """Store the pile's hello. A hello with last_seq 0 allows a new chain (settlements.chains)."""
    conn.execute(_SEEN if last_seq else _SEEN_EMPTY, {"of": device_id, "at": now})
