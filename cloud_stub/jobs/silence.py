"""Piles that have sent nothing for long are set offline."""

from sqlalchemy import bindparam, or_, update

from ..db.events import record_event
from ..db.tables import piles
from ..db.writer import Transaction

_SET_SILENT_OFFLINE = (
    update(piles)
    .where(piles.c.online, or_(piles.c.last_seen_at.is_(None), piles.c.last_seen_at < bindparam("since")))
    .values(online=False)
    .returning(piles.c.device_id)
)


def set_silent_piles_offline(tx: Transaction, since: int, now: int) -> None:
    """Set the piles offline from which no message came after `since`, although no last will came."""
    for device_id in tx.conn.execute(_SET_SILENT_OFFLINE, {"since": since}).scalars().all():
        record_event(tx.conn, now, "PileLost", device_id)
