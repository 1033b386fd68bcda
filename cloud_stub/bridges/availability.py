"""Out of service, switched by another system. It never puts back what somebody else has taken out."""

from ..db.audit import Actor
from ..db.writer import Transaction
from ..orders import pile_commands
from ..orders.context import Context
from ..piles import registry, service

REASON = "Other"


def switch(
    tx: Transaction,
    actor: Actor,
    context: Context,
    device_id: str,
    connector: int,
    goes_out: bool,
    note: str,
    now: int,
) -> bool:
    """Take a connector (0: the whole pile) out of service, or put it back. False: it stays out, because
    another actor has taken it out. Raises Problem: UnknownPile, PileRemoved, UnknownConnector.
    """
    registry.get(tx.conn, device_id, lock=True)  # from here on nobody else takes anything of it out
    out = service.find(tx.conn, device_id)
    row = service.row_of(out, connector)
    rows = list(out.values()) if connector == service.WHOLE_PILE and not goes_out else [row] if row else []
    if goes_out and not rows:
        pile_commands.take_out_of_service(tx, actor, context, device_id, connector, REASON, note, False, now)
    elif rows and not goes_out:
        if any(row.actor != actor.name for row in rows):
            return False
        pile_commands.put_back_into_service(tx, actor, context, device_id, connector, now)
    return True
