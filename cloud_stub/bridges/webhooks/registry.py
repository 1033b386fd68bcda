"""The webhooks: each is a receiver of events (messaging/receivers.py) with an address and a secret."""

from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from ...base.problems import Problem, invalid
from ...db import audit
from ...db.audit import Actor
from ...db.event_kinds import GROUP_OF, GROUPS
from ...db.events import record_event
from ...db.receiver_tables import receivers as receivers_table
from ...db.receiver_tables import webhooks
from ...db.rows import OutboxRow, Query
from ...db.writer import Transaction
from ...messaging import receivers
from . import addresses, signature

NAME = r"^[a-z0-9][a-z0-9_-]{0,31}$"
WEBHOOKS_MAX = 20
WAITING_MAX = 50_000  # events for one webhook
WAITING_SHOWN = 20
PREFIX = "webhook:"


class WebhookRow(NamedTuple):
    """A row of `webhooks`, with its receiver's columns."""

    name: str
    receiver: str
    url: str
    secret: str
    created_by: str
    created_at: int
    delivered: int
    delivered_at: int | None
    failing_since: int | None
    answer: str | None
    disabled_at: int | None
    kinds_json: str
    dropped: int


_ROWS = select(webhooks, receivers_table.c.kinds_json, receivers_table.c.dropped).join(receivers_table)
_ALL = Query(_ROWS.order_by(webhooks.c.name), WebhookRow)
_ONE = Query(_ROWS.where(webhooks.c.name == bindparam("name")), WebhookRow)
_COUNT = select(func.count()).select_from(webhooks)
_OF = webhooks.c.name == bindparam("this")
_ENABLE = update(webhooks).where(_OF).values(disabled_at=None, failing_since=None)
_DISABLE = update(webhooks).where(_OF).values(disabled_at=bindparam("at"))
_TAKEN = (
    update(webhooks)
    .where(_OF)
    .values(
        delivered=webhooks.c.delivered + 1,
        delivered_at=bindparam("at"),
        failing_since=None,
        answer=bindparam("said"),
    )
)
_FAILED = (
    update(webhooks)
    .where(_OF)
    .values(failing_since=func.coalesce(webhooks.c.failing_since, bindparam("at")), answer=bindparam("said"))
)


def add(
    tx: Transaction, actor: Actor, name: str, url: str, kinds: list[str], allow_private: bool, now: int
) -> dict[str, Any]:
    """Add a webhook; only this answer contains its secret. name: matches NAME. kinds: of events, or groups.

    Raises Problem: InvalidRequest, WebhookExists, TooManyWebhooks.
    """
    unknown = [each for each in kinds if each not in GROUPS and each not in GROUP_OF]
    if unknown or not kinds:
        raise invalid(("kinds", f"{', '.join(unknown) or 'nothing'} is neither a kind nor a group of kinds"))
    addresses.parse(url, allow_private)
    if _ONE.first(tx.conn, {"name": name}) is not None:
        raise Problem(409, "WebhookExists", "A webhook has that name; remove it first", name=name)
    if tx.conn.execute(_COUNT).scalar_one() >= WEBHOOKS_MAX:
        raise Problem(409, "TooManyWebhooks", f"There are {WEBHOOKS_MAX} webhooks; remove some")
    receiver, secret = PREFIX + name, signature.new_secret()
    receivers.subscribe(tx, receiver, kinds, WAITING_MAX, now)
    row = {"name": name, "receiver": receiver, "url": url, "secret": secret}
    tx.conn.execute(insert(webhooks), row | {"created_by": actor.name, "created_at": now})
    audit.record(tx.conn, actor, now, "WebhookAdded", detail=f"{name}: {_origin(url)}")
    return _view(tx.conn, find(tx.conn, name)) | {"secret": secret}


def remove(tx: Transaction, actor: Actor, name: str, now: int) -> None:
    """Remove the webhook and the events that wait for it. Raises Problem (UnknownWebhook)."""
    row = find(tx.conn, name)
    tx.conn.execute(delete(webhooks).where(webhooks.c.name == row.name))
    receivers.unsubscribe(tx, row.receiver)
    audit.record(tx.conn, actor, now, "WebhookRemoved", detail=f"{name}: {_origin(row.url)}")


def resend(tx: Transaction, actor: Actor, name: str, now: int) -> dict[str, Any]:
    """Enable it again, and send at once what waits for it. Raises Problem (UnknownWebhook)."""
    row = find(tx.conn, name)
    tx.conn.execute(_ENABLE, {"this": name})
    receivers.set_active(tx, row.receiver, True)
    receivers.hurry(tx, row.receiver, now)
    audit.record(tx.conn, actor, now, "WebhookResent", detail=name)
    return show(tx.conn, name)


def find(conn: Connection, name: str) -> WebhookRow:
    """Raises Problem (UnknownWebhook)."""
    row = _ONE.first(conn, {"name": name})
    if row is None:
        raise Problem(404, "UnknownWebhook", "There is no webhook with that name", name=name[:40])
    return row


def enabled(conn: Connection) -> list[WebhookRow]:
    return [row for row in _ALL.all(conn) if row.disabled_at is None]


def list_views(conn: Connection) -> list[dict[str, Any]]:
    """All webhooks, by name. `waiting`: how many events it has not accepted yet."""
    return [_view(conn, row) for row in _ALL.all(conn)]


def show(conn: Connection, name: str) -> dict[str, Any]:
    """A webhook and the events that have waited longest for it. Raises Problem (UnknownWebhook)."""
    row = find(conn, name)
    waiting = receivers.waiting_rows(conn, row.receiver, WAITING_SHOWN)
    return _view(conn, row) | {"next": [_waiting_view(each) for each in waiting]}


def taken(tx: Transaction, row: WebhookRow, said: str, now: int) -> None:
    """It has taken an event."""
    tx.conn.execute(_TAKEN, {"this": row.name, "at": now, "said": said[: receivers.REASON_MAX]})


def refused(
    tx: Transaction, row: WebhookRow, event: OutboxRow, said: str, disable_after_s: int, now: int
) -> None:
    """Store a refusal. Disables the webhook if it has accepted nothing for `disable_after_s`."""
    tx.conn.execute(_FAILED, {"this": row.name, "at": now, "said": said[: receivers.REASON_MAX]})
    known = _ONE.first(tx.conn, {"name": row.name})
    if known is None or known.disabled_at is not None or known.failing_since is None:
        return
    if now - known.failing_since < disable_after_s:
        return
    tx.conn.execute(_DISABLE, {"this": row.name, "at": now})
    receivers.set_active(tx, row.receiver, False)
    detail = f"{row.name}: has taken nothing for {disable_after_s // 3600} h; the last answer: {said}"
    audit.record(tx.conn, Actor(audit.CLOUD, "webhooks"), now, "WebhookDisabled", detail=detail)
    record_event(tx.conn, now, "WebhookDisabled", event.device_id, event.order_id, detail)


def _view(conn: Connection, row: WebhookRow) -> dict[str, Any]:
    """Without its secret."""
    shown = row._asdict()
    del shown["receiver"], shown["secret"]
    waiting = receivers.count_waiting(conn, row.receiver)
    return shown | {"kinds": orjson.loads(shown.pop("kinds_json")), "waiting": waiting}


def _waiting_view(row: OutboxRow) -> dict[str, Any]:
    names = ("device_id", "order_id", "created_at", "attempts", "reason")
    event_id = orjson.loads(row.payload)["event_id"]
    shown = {name: getattr(row, name) for name in names}
    return {"event_id": event_id, "kind": row.name, "next_at": row.leased_until} | shown


def _origin(url: str) -> str:
    """The address without path and query, which may contain a token."""
    return "/".join(url.split("/")[:3]).partition("?")[0]
