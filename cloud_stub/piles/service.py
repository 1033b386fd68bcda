"""Out of service: which connectors take no orders, why, by whom and since when.

A row for connector 0 stands for the whole pile; a row of a connector's own counts before it. The pile keeps
the same list (orders.pile_commands sends it), so that it refuses orders by itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select

from pile_protocol import wire

from ..base.problems import Problem, unknown_connector
from ..db import audit, json_lists
from ..db.audit import Actor
from ..db.engine import insert_or_ignore, to_json
from ..db.pile_tables import pile_service
from ..db.rows import PileRow, Query
from ..db.writer import Transaction
from . import registry

WHOLE_PILE = 0
NOTE_MAX = 200
REASONS = wire.SERVICE_REASONS


class OutRow(NamedTuple):
    """A row of `pile_service`."""

    device_id: str
    connector: int
    reason: str
    note: str
    actor: str
    at: int


Out = Mapping[int, OutRow]  # by connector

_OUT = Query(select(pile_service).where(pile_service.c.device_id.in_(json_lists.texts("device_ids"))), OutRow)
_RETURN = delete(pile_service).where(
    pile_service.c.device_id == bindparam("of"), pile_service.c.connector == bindparam("which")
)
_RETURN_ALL = delete(pile_service).where(pile_service.c.device_id == bindparam("of"))


def find_many(conn: Connection, device_ids: Iterable[str]) -> defaultdict[str, dict[int, OutRow]]:
    """What is out of service, by pile and connector (0: the whole pile)."""
    found: defaultdict[str, dict[int, OutRow]] = defaultdict(dict)
    for row in _OUT.all(conn, {"device_ids": to_json(list(device_ids))}):
        found[row.device_id][row.connector] = row
    return found


def find(conn: Connection, device_id: str) -> dict[int, OutRow]:
    return find_many(conn, [device_id])[device_id]


def row_of(out: Out, connector: int) -> OutRow | None:
    """Why a connector is out of service; None while it is not."""
    return out.get(connector) or out.get(WHOLE_PILE)


def reasons(out: Out, connectors: int) -> dict[int, str]:
    """The reason of each connector that is out of service."""
    rows = {number: row_of(out, number) for number in range(1, connectors + 1)}
    return {number: row.reason for number, row in rows.items() if row is not None}


def view(row: OutRow | None) -> dict[str, Any] | None:
    """What operators see of it."""
    return None if row is None else {"reason": row.reason, "note": row.note, "by": row.actor, "at": row.at}


def take_out(
    tx: Transaction, actor: Actor, device_id: str, connector: int, reason: str, note: str, now: int
) -> PileRow:
    """Take a connector (0: the whole pile) out of service, or change why it is out; returns the pile's row.
    The same reason and note again change nothing.

    Raises Problem: UnknownPile, PileRemoved, UnknownConnector.
    """
    pile = _pile(tx, device_id, connector)
    row = find(tx.conn, device_id).get(connector)
    if row is not None and (row.reason, row.note) == (reason, note):
        return pile
    tx.conn.execute(_RETURN, {"of": device_id, "which": connector})
    values = {
        "device_id": device_id,
        "connector": connector,
        "reason": reason,
        "note": note,
        "actor": actor.name,
        "at": now,
    }
    tx.conn.execute(insert_or_ignore(tx.conn, pile_service), values)
    detail = f"{_what(connector)}: {reason}" + (f", {note}" if note else "")
    audit.record(tx.conn, actor, now, "TakenOutOfService", device_id=device_id, detail=detail)
    return pile


def put_back(tx: Transaction, actor: Actor, device_id: str, connector: int, now: int) -> PileRow:
    """Put a connector back into service, or with 0 the pile and all its connectors; returns the pile's row.

    Raises Problem: UnknownPile, PileRemoved, UnknownConnector; PileOutOfService for a connector of a pile
    that is out of service as a whole.
    """
    pile = _pile(tx, device_id, connector)
    if connector == WHOLE_PILE:
        done = tx.conn.execute(_RETURN_ALL, {"of": device_id}).rowcount
    elif WHOLE_PILE in find(tx.conn, device_id):
        raise Problem(409, "PileOutOfService", "The whole pile is out of service: put it back as a whole")
    else:
        done = tx.conn.execute(_RETURN, {"of": device_id, "which": connector}).rowcount
    if done:
        audit.record(tx.conn, actor, now, "PutBackIntoService", device_id=device_id, detail=_what(connector))
    return pile


def _pile(tx: Transaction, device_id: str, connector: int) -> PileRow:
    pile = registry.get(tx.conn, device_id, lock=True)
    if connector > pile.connectors:
        raise unknown_connector(connector)
    return pile


def _what(connector: int) -> str:
    return f"connector {connector}" if connector else "the whole pile"
