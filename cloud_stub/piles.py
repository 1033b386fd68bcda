"""The piles: registering them, their keys, and what is known of each."""

import json
import secrets
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from pile_protocol import seal

from .problems import Problem, unknown_pile
from .records import record_event
from .store import insert_or_ignore, to_json
from .tables import orders, piles
from .writer import Transaction

_BUSY_STATUSES = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"})

_GET = select(piles).where(piles.c.device_id == bindparam("device_id"))
_LOCK = _GET.with_for_update()
_KEY = select(piles.c.key_hex).where(piles.c.device_id == bindparam("device_id"))
_HELD = select(orders.c.connector).where(
    orders.c.device_id == bindparam("device_id"), orders.c.holds, orders.c.window_end_at > bindparam("now")
)
_SEEN = update(piles).where(piles.c.device_id == bindparam("of")).values(last_seen_at=bindparam("at"))
_SET_STATUS = (
    update(piles)
    .where(piles.c.device_id == bindparam("of"))
    .values(online=bindparam("on"), last_seen_at=bindparam("at"), status_json=bindparam("status"))
)


class Keys:
    """Device keys, read from the database once each: they never change."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    def get(self, conn: Connection, device_id: str) -> bytes | None:
        """The pile's 32 key bytes; None where there is no such pile."""
        key = self._known.get(device_id)
        if key is None:
            row = conn.execute(_KEY, {"device_id": device_id}).first()
            if row is not None:
                key = self._known[device_id] = seal.parse_key(row.key_hex)
        return key


def add(tx: Transaction, device_id: str, name: str, connectors: int, now: int) -> bytes:
    """Register a pile; returns its new key. Raises Problem (PileExists)."""
    key = secrets.token_bytes(seal.KEY_BYTES)
    values = {
        "device_id": device_id,
        "name": name,
        "key_hex": key.hex(),
        "connectors": connectors,
        "created_at": now,
        "online": False,
    }
    if not tx.conn.execute(insert_or_ignore(tx.conn, piles), values).rowcount:
        raise Problem(409, "PileExists", "There is a pile with that id already", device_id=device_id)
    return key


def get(conn: Connection, device_id: str, lock: bool = False) -> Any:
    """The pile's row, locked against other writers if `lock`. Raises Problem (UnknownPile)."""
    row = None
    if "\0" not in device_id:  # PostgreSQL takes none in a text
        row = conn.execute(_LOCK if lock else _GET, {"device_id": device_id}).first()
    if row is None:
        raise unknown_pile(device_id)
    return row


def seen(conn: Connection, device_id: str, now: int) -> None:
    conn.execute(_SEEN, {"of": device_id, "at": now})


def set_status(conn: Connection, pile: Any, status: dict[str, Any], now: int) -> None:
    """Keep what a pile says of itself; a last will tells nothing of connectors, so theirs stay."""
    for connector, fault in _new_faults(pile, status):
        record_event(conn, now, "FaultReported", pile.device_id, detail=f"connector {connector}: {fault}")
    if pile.online != status["online"]:
        record_event(conn, now, "PileOnline" if status["online"] else "PileOffline", pile.device_id)
    told = "connectors" in status
    values = {
        "of": pile.device_id,
        "on": status["online"],
        # A last will is the broker's word, not the pile's.
        "at": now if told else pile.last_seen_at,
        "status": to_json(status) if told else pile.status_json,
    }
    conn.execute(_SET_STATUS, values)


def _new_faults(pile: Any, status: dict[str, Any]) -> list[tuple[int, str]]:
    before = _told(pile)
    return [
        (each["connector"], each["fault"])
        for each in status.get("connectors", ())
        if each["fault"] and each["fault"] != before.get(each["connector"], {}).get("fault")
    ]


def _told(pile: Any) -> dict[int, dict[str, Any]]:
    """What the pile last said of each connector."""
    status = json.loads(pile.status_json) if pile.status_json else {}
    return {each["connector"]: each for each in status.get("connectors", ())}


def connector_views(conn: Connection, pile: Any, now: int) -> list[dict[str, Any]]:
    """`{connector, status, fault, plugged, busy}` of each; all are Unavailable while the pile is offline."""
    told = _told(pile)
    held = {row.connector for row in conn.execute(_HELD, {"device_id": pile.device_id, "now": now})}
    views = []
    for connector in range(1, pile.connectors + 1):
        said = told.get(connector, {})
        status = said.get("status", "Unavailable") if pile.online else "Unavailable"
        busy = connector in held or said.get("order_id") is not None or status in _BUSY_STATUSES
        views.append(
            {
                "connector": connector,
                "status": status,
                "fault": said.get("fault"),
                "plugged": said.get("plugged", False),
                "busy": busy,
            }
        )
    return views


def view(conn: Connection, pile: Any, now: int) -> dict[str, Any]:
    """What a phone is shown of a pile."""
    return {
        "device_id": pile.device_id,
        "name": pile.name,
        "online": pile.online,
        "last_seen_at": pile.last_seen_at,
        "connectors": connector_views(conn, pile, now),
        "rate_id": pile.rate_id,
    }


def list_views(
    conn: Connection, now: int, limit: int, after: str | None, text: str | None, online: bool | None
) -> list[dict[str, Any]]:
    """What an operator is shown: piles by id, later than `after`, whose id or name contains `text`."""
    query = select(piles)
    if after is not None:
        query = query.where(piles.c.device_id > after)
    if text:
        query = query.where(
            piles.c.device_id.icontains(text, autoescape=True) | piles.c.name.icontains(text, autoescape=True)
        )
    if online is not None:
        query = query.where(piles.c.online == online)
    rows = conn.execute(query.order_by(piles.c.device_id).limit(limit)).all()
    return [
        view(conn, row, now) | {"reported": json.loads(row.status_json) if row.status_json else None}
        for row in rows
    ]
