"""The piles: registering them, their keys, and what is known of each."""

import json
import secrets
from collections.abc import Container, Iterator
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select, update

from pile_protocol import seal

from .broker_auth import CLOUD_USER
from .problems import Problem, invalid, unknown_pile
from .records import record_event
from .store import insert_or_ignore, to_json
from .tables import orders, piles
from .writer import Transaction

OVERTAKEN_MAX_S = 5

_BUSY_STATUSES = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"})

_GET = select(piles).where(piles.c.device_id == bindparam("device_id"))
_LOCK = _GET.with_for_update()
_KEY = select(piles.c.key_hex).where(piles.c.device_id == bindparam("device_id"))
_HELD = select(orders.c.connector).where(
    orders.c.device_id == bindparam("device_id"), orders.c.holds, orders.c.window_end_at > bindparam("now")
)
_GIVE_UP_SILENT = (
    update(piles)
    .where(piles.c.online, or_(piles.c.last_seen_at.is_(None), piles.c.last_seen_at < bindparam("since")))
    .values(online=False)
    .returning(piles.c.device_id)
)
_SEEN = update(piles).where(piles.c.device_id == bindparam("of")).values(last_seen_at=bindparam("at"))
_SET_STATUS = (
    update(piles)
    .where(piles.c.device_id == bindparam("of"))
    .values(
        online=bindparam("on"),
        last_seen_at=bindparam("at"),
        status_json=bindparam("status"),
        faulted=bindparam("has_fault"),
    )
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
    """Register a pile; returns its new key. Raises Problem (PileExists, InvalidRequest)."""
    if device_id == CLOUD_USER:
        raise invalid(("device_id", "is the cloud's own name at the broker"))
    key = secrets.token_bytes(seal.KEY_BYTES)
    values = {
        "device_id": device_id,
        "name": name,
        "key_hex": key.hex(),
        "connectors": connectors,
        "created_at": now,
        "online": False,
    }
    statement = insert_or_ignore(tx.conn, piles).returning(piles.c.device_id)
    if tx.conn.execute(statement, values).first() is None:
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


def set_status(conn: Connection, pile: Any, status: dict[str, Any], now: int) -> bool:
    """Keep what a pile says of itself; a last will tells nothing of connectors, so theirs stay.

    False where a later status has overtaken this one on its way to another worker.
    """
    if _is_overtaken(pile, status):
        return False
    for connector, fault, kind in _fault_changes(pile, status):
        record_event(conn, now, kind, pile.device_id, detail=f"connector {connector}: {fault}")
    if pile.online != status["online"]:
        record_event(conn, now, "PileOnline" if status["online"] else "PileOffline", pile.device_id)
    tells = "connectors" in status
    values = {
        "of": pile.device_id,
        "on": status["online"],
        # A last will is the broker's word, not the pile's.
        "at": now if tells else pile.last_seen_at,
        "status": to_json(status) if tells else pile.status_json,
        "has_fault": any(each["fault"] for each in status["connectors"]) if tells else pile.faulted,
    }
    conn.execute(_SET_STATUS, values)
    return True


def _is_overtaken(pile: Any, status: dict[str, Any]) -> bool:
    before_at = json.loads(pile.status_json).get("at") if pile.status_json else None
    at = status.get("at")
    # Further back than that, the pile's clock has been set.
    return at is not None and before_at is not None and at < before_at <= at + OVERTAKEN_MAX_S


def give_up_silent(tx: Transaction, since: int, now: int) -> None:
    """Take the piles for gone that nothing was heard of after `since`, though no last will came."""
    for device_id in tx.conn.execute(_GIVE_UP_SILENT, {"since": since}).scalars().all():
        record_event(tx.conn, now, "PileLost", device_id)


def _fault_changes(pile: Any, status: dict[str, Any]) -> Iterator[tuple[int, str, str]]:
    """(connector, fault, event) of each fault that is new, and of each that is gone."""
    before = told(pile)
    for each in status.get("connectors", ()):
        was = before.get(each["connector"], {}).get("fault")
        if was and was != each["fault"]:
            yield each["connector"], was, "FaultCleared"
        if each["fault"] and each["fault"] != was:
            yield each["connector"], each["fault"], "FaultReported"


def told(pile: Any) -> dict[int, dict[str, Any]]:
    """What the pile last said of each connector."""
    status = json.loads(pile.status_json) if pile.status_json else {}
    return {each["connector"]: each for each in status.get("connectors", ())}


def connector_views(conn: Connection, pile: Any, now: int) -> list[dict[str, Any]]:
    """`{connector, status, fault, plugged, busy}` of each; all are Unavailable while the pile is offline."""
    held = {row.connector for row in conn.execute(_HELD, {"device_id": pile.device_id, "now": now})}
    return connectors_with(pile, held)


def connectors_with(pile: Any, held: Container[int]) -> list[dict[str, Any]]:
    """As connector_views, of a pile whose connectors `held` are kept by orders."""
    said_of = told(pile)
    views = []
    for connector in range(1, pile.connectors + 1):
        said = said_of.get(connector, {})
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
    return view_with(pile, connector_views(conn, pile, now))


def view_with(pile: Any, connectors: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "device_id": pile.device_id,
        "name": pile.name,
        "online": pile.online,
        "last_seen_at": pile.last_seen_at,
        "connectors": connectors,
        "rate_id": pile.rate_id,
    }
