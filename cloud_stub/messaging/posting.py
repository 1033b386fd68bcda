"""The outbox of a process without a connection to the broker: what it puts there, a worker of the cloud sends
within RATELOCK_DUTY_PERIOD_S.
"""

from ..db.writer import Transaction
from .outbox import Dispatch, put_row


class Posting(Dispatch):
    """Can put messages; has no other method of Dispatch."""

    def __init__(self) -> None:
        pass

    @property
    def connected(self) -> bool:
        """Whether the cloud has a connection is not known here: an order that is not sent in time expires."""
        return True

    def put(
        self,
        tx: Transaction,
        device_id: str,
        name: str,
        payload: str,
        now: int,
        expires_at: int | None = None,
        order_id: str | None = None,
    ) -> None:
        put_row(tx, device_id, name, payload, now, expires_at, order_id)

    def never_sent(self, tx: Transaction, order_id: str) -> bool:
        return False  # a worker may have sent it since
