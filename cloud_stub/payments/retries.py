"""An operator retries a refused call; it is made as a new call."""

from ..base.problems import Problem
from ..db import audit
from ..db.audit import Actor
from ..db.writer import Transaction
from . import holds
from .holds import HoldRow
from .views import unknown_hold


def retry(tx: Transaction, actor: Actor, hold_id: str, now: int) -> HoldRow:
    """Make the hold due again; due.py decides which call. Raises Problem: UnknownHold, NothingToRetry."""
    if holds.find(tx.conn, hold_id) is None:
        raise unknown_hold()
    hold = holds.lock(tx.conn, hold_id)
    if hold.state not in holds.RETRIED:
        title = "Nothing of this hold was refused, so there is nothing to try again"
        raise Problem(409, "NothingToRetry", title, state=hold.state)
    detail = f"{hold.hold_id}: was {hold.state}"
    audit.record(
        tx.conn,
        actor,
        now,
        "PaymentRetried",
        device_id=hold.device_id,
        order_id=hold.order_id,
        detail=detail,
    )
    return holds.change(tx.conn, hold, now, state=holds.RETRIED[hold.state], reason=None, open=True)
