"""Receipts by e-mail as a channel of the courier."""

from collections.abc import Callable, Sequence

import orjson
from sqlalchemy import Connection, Engine

from ...db.events import record_event
from ...db.rows import OutboxRow
from ...db.writer import Transaction
from ...orders import lookup
from ...orders.context import Context
from ...payments import views
from ...piles import registry
from ..courier import Result
from . import receipt, sending, texts
from .requests import RECEIVER

GIVE_UP_AFTER_S = 86_400


class MailChannel:
    receiver = RECEIVER
    give_up_after_s = GIVE_UP_AFTER_S

    def __init__(self, context: Context, engine: Engine):
        self._context = context
        self._engine = engine

    def send(self, row: OutboxRow) -> Result:
        """Send one receipt as the order is at the moment."""
        settings = self._context.settings
        if settings.mail_host is None:  # it was set when the receipt was requested
            return Result(False, False, "no mail server is set")
        wanted = orjson.loads(row.payload)
        with self._engine.connect() as conn:
            subject, text = self._text(conn, row, wanted["language"])
        message = sending.compose(settings, wanted["email"], wanted["event_id"], subject, text)
        sent = sending.send(settings, message)
        self._context.metrics.mails.labels("sent" if sent.said == sending.SENT else "refused").inc()
        return Result(sent.is_final, not sent.is_final, sent.said)

    def settle(self, tx: Transaction, row: OutboxRow, result: Result, now: int) -> None:
        """Record an event if the receipt will not be sent."""
        if result.is_done and result.said != sending.SENT:
            record_event(tx.conn, now, "ReceiptNotSent", row.device_id, row.order_id, result.said)

    def _text(self, conn: Connection, row: OutboxRow, language: str) -> tuple[str, str]:
        order = lookup.find(conn, row.order_id or "")
        if order is None:
            raise LookupError(row.order_id)
        pile = registry.get(conn, row.device_id, removed=True)
        name = f"{pile.name} ({pile.device_id})" if pile.name not in ("", pile.device_id) else pile.device_id
        rate = self._context.rates.at(conn, order.device_id, order.connector, order.created_at)
        zone = (rate or {}).get("time_zone") or "UTC"
        link = f"{self._context.settings.base_url}/p/{order.device_id}?order={order.order_id}#{order.token}"
        view = views.order_view(conn, self._context.hub, order)
        return receipt.message(view, name, zone, link, texts.LANGUAGES[language])


def channels(context: Context, engine: Engine) -> Callable[[Connection], Sequence[MailChannel]]:
    """For Courier."""
    return lambda conn: [MailChannel(context, engine)]
