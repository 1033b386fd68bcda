"""Exports a pile's settlements so that anybody can check them: as the pile sealed them, and a sealed last
line.

The chain of macs shows what was altered, taken out, doubled or moved; the last line shows what was cut off,
also from the end of an earlier epoch (chains.py). tools/verify_ledger.py is the proof.
"""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from pile_protocol import messages, seal

from ..db.rows import Query
from ..db.tables import settlements
from ..piles import registry


class _Sealed(NamedTuple):
    payload: str
    epoch: int
    seq: int
    mac: str


_OF_PILE = Query(
    select(settlements.c.payload, settlements.c.epoch, settlements.c.seq, settlements.c.mac)
    .where(settlements.c.device_id == bindparam("device_id"))
    .order_by(settlements.c.epoch, settlements.c.seq, settlements.c.id),
    _Sealed,
)


def lines(conn: Connection, device_id: str, now: int) -> Iterator[str]:
    """The sealed settlements by epoch and number, then a line that counts them.

    epochs: the number and mac of the last settlement of each. Raises Problem (UnknownPile).
    """
    pile = registry.get(conn, device_id, removed=True)
    count = 0
    ends: dict[int, tuple[int, str]] = {}
    for row in _OF_PILE.stream(conn, {"device_id": device_id}):
        count += 1
        ends[row.epoch] = row.seq, row.mac
        yield row.payload
    epochs = list(ends.values())
    last_seq, last_mac = epochs[-1] if epochs else (0, None)
    end = {
        "kind": "ledger end",
        "device_id": device_id,
        "settlements": count,
        "last_seq": last_seq,
        "last_mac": last_mac,
        "epochs": epochs,
        "exported_at": now,
    }
    yield seal.seal(messages.encode(end), seal.parse_key(pile.key_hex)).decode()
