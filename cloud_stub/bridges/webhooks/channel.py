"""A webhook as a channel of the courier, and the test event that an operator can send."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Engine

from ...base.clock import iso_utc, now_s
from ...base.ids import new_id
from ...base.problems import Problem
from ...db.engine import to_json
from ...db.rows import OutboxRow
from ...db.writer import Transaction
from ...orders import lookup
from ...orders.context import Context
from ...orders.hub import Hub
from ...payments import views
from ...settings import Settings
from ..courier import Result
from . import addresses, registry, sending, signature
from .registry import WebhookRow

DAY_S = 86_400


class WebhookChannel:
    """One webhook, as read from the database."""

    def __init__(self, context: Context, engine: Engine, row: WebhookRow):
        self.receiver = row.receiver
        self.give_up_after_s = context.settings.webhook_days * DAY_S
        self._context = context
        self._engine = engine
        self._row = row

    def send(self, row: OutboxRow) -> Result:
        """Make one request."""
        with self._engine.connect() as conn:
            event = orjson.loads(row.payload)
            body = _body(conn, self._context.hub, event)
        answer = _post(self._context.settings, self._row, event["event_id"], body)
        outcome = "delivered" if answer.is_taken else "away" if answer.status is None else "refused"
        self._context.metrics.webhook_calls.labels(self._row.name, outcome).inc()
        return Result(answer.is_taken, answer.status is None, str(answer))

    def settle(self, tx: Transaction, row: OutboxRow, result: Result, now: int) -> None:
        """Store the result with the webhook."""
        if result.is_done:
            registry.taken(tx, self._row, result.said, now)
        else:
            registry.refused(tx, self._row, row, result.said, self.give_up_after_s, now)


def channels(context: Context, engine: Engine) -> Callable[[Connection], Sequence[WebhookChannel]]:
    """The enabled webhooks, as a source of Courier."""
    return lambda conn: [WebhookChannel(context, engine, row) for row in registry.enabled(conn)]


def _body(conn: Connection, hub: Hub, event: dict[str, Any]) -> bytes:
    """The event with its order in the current state; null if it is about no order of its pile."""
    row = lookup.find(conn, event["order_id"]) if event["order_id"] else None
    # A settlement may name an order of another pile.
    is_its = row is not None and row.device_id == event["device_id"]
    order = views.order_view(conn, hub, row) if row is not None and is_its else None
    return json.dumps(event | {"time": iso_utc(event["at"]), "order": order}).encode()


def send_test(settings: Settings, row: WebhookRow) -> dict[str, object]:
    """Send an event of kind Test at once, outside the outbox; returns what came back."""
    event = {"event_id": new_id(), "kind": "Test", "at": now_s(), "device_id": None, "order_id": None}
    event |= {"detail": "", "time": iso_utc(now_s()), "order": None}
    answer = _post(settings, row, str(event["event_id"]), to_json(event).encode())
    return {"taken": answer.is_taken, "status": answer.status, "answer": str(answer)}


def _post(settings: Settings, row: WebhookRow, event_id: str, body: bytes) -> sending.Answer:
    allow_private = settings.webhook_private
    try:
        url = addresses.parse(row.url, allow_private)
    except Problem:
        return sending.Answer(None, "the address needs RATELOCK_WEBHOOK_PRIVATE=true")
    headers = signature.headers(row.secret, event_id, now_s(), body)
    return sending.post(url, headers, body, settings.webhook_s, allow_private)
