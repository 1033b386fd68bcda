"""The piles: registering them, their keys, and what is known of each."""

import secrets
from collections.abc import Container, Iterable, Iterator
from typing import Any

import orjson
from sqlalchemy import BigInteger, Connection, bindparam, func, or_, select, update

from pile_protocol import seal

from . import given
from .broker_auth import CLOUD_USER
from .problems import Problem, invalid, pile_removed, unknown_pile
from .records import record_event, record_events
from .store import insert_or_ignore, to_json
from .tables import orders, piles
from .writer import Transaction

OVERTAKEN_MAX_S = 5

_BUSY_STATUSES = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"})

_GET = select(piles).where(piles.c.device_id == bindparam("device_id"))
_LOCK = _GET.with_for_update(key_share=True)
_LOCK_MANY = (
    select(piles)
    .where(piles.c.device_id.in_(given.texts("device_ids")))
    .order_by(piles.c.device_id)
    .with_for_update(key_share=True)
)
_KEY = select(piles.c.key_hex).where(piles.c.device_id == bindparam("device_id"))
_ADMITTED_KEY = _KEY.where(piles.c.removed_at.is_(None))
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
        last_seen_at=func.coalesce(bindparam("at", type_=BigInteger), piles.c.last_seen_at),
        status_json=bindparam("status"),
        faulted=bindparam("has_fault"),
    )
)


class Keys:
    """Device keys, read from the database once each: they never change, and prove old seals for ever."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    def __contains__(self, device_id: str) -> bool:
        """Whether its key has been read already; a pile that has not may be there all the same."""
        return device_id in self._known

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
        raise _exists(get(tx.conn, device_id, removed=True))
    return key


def _exists(pile: Any) -> Problem:
    if pile.removed_at is None:
        title = "There is a pile with that id already"
    else:
        title = "A pile with that id was removed; its orders keep the id, so it is not given twice"
    return Problem(409, "PileExists", title, device_id=pile.device_id, removed_at=pile.removed_at)


def get(conn: Connection, device_id: str, lock: bool = False, removed: bool = False) -> Any:
    """The pile's row, locked against other writers if `lock`; one that was removed only with `removed`.

    Raises Problem (UnknownPile, PileRemoved).
    """
    row = None
    if "\0" not in device_id:  # PostgreSQL takes none in a text
        row = conn.execute(_LOCK if lock else _GET, {"device_id": device_id}).first()
    if row is None:
        raise unknown_pile(device_id)
    if row.removed_at is not None and not removed:
        raise pile_removed(device_id, row.removed_at)
    return row


def admitted_key(conn: Connection, device_id: str) -> bytes | None:
    """The key with which a pile may connect now; None where there is no such pile any more."""
    row = conn.execute(_ADMITTED_KEY, {"device_id": device_id}).first()
    return None if row is None else seal.parse_key(row.key_hex)


def locked_many(conn: Connection, device_ids: Iterable[str]) -> dict[str, Any]:
    """Those of the piles that exist, by id, held against other writers until the transaction ends."""
    rows = conn.execute(_LOCK_MANY, {"device_ids": to_json(list(device_ids))})
    return {row.device_id: row for row in rows}


def seen(conn: Connection, device_id: str, now: int) -> None:
    conn.execute(_SEEN, {"of": device_id, "at": now})


class Statuses:
    """What piles say of themselves, one after the other, written together. `rows`: locked, by device id."""

    def __init__(self, rows: dict[str, Any], now: int):
        self._now = now
        self._events: list[dict[str, Any]] = []
        self._changed: dict[str, dict[str, Any]] = {}
        self._known = {
            device_id: {
                "of": device_id,
                "on": row.online,
                "at": None,  # as it is
                "status": row.status_json,
                "has_fault": row.faulted,
            }
            for device_id, row in rows.items()
        }

    def add(self, device_id: str, status: dict[str, Any]) -> bool:
        """Keep a status; a last will tells nothing of connectors, so theirs stay.

        False where a later status has overtaken this one on its way to another worker.
        """
        known = self._known[device_id]
        before = orjson.loads(known["status"]) if known["status"] else {}
        if _is_overtaken(before, status):
            return False
        for connector, fault, kind in _fault_changes(before, status):
            self._note(kind, device_id, f"connector {connector}: {fault}")
        for connector, kind in _stop_changes(before, status):
            self._note(kind, device_id, f"connector {connector}")
        if known["on"] != status["online"]:
            self._note("PileOnline" if status["online"] else "PileOffline", device_id)
        known["on"] = status["online"]
        if "connectors" in status:  # else it is a last will: the broker's word, not the pile's
            known["at"] = self._now
            known["status"] = to_json(status)
            known["has_fault"] = any(each["fault"] for each in status["connectors"])
        self._changed[device_id] = known
        return True

    def write(self, conn: Connection) -> None:
        record_events(conn, self._events)
        if self._changed:
            conn.execute(_SET_STATUS, list(self._changed.values()))

    def _note(self, kind: str, device_id: str, detail: str = "") -> None:
        event = {"at": self._now, "kind": kind, "device_id": device_id, "order_id": None}
        self._events.append(event | {"detail": detail})


def _is_overtaken(before: dict[str, Any], status: dict[str, Any]) -> bool:
    before_at, at = before.get("at"), status.get("at")
    # Further back than that, the pile's clock has been set.
    return at is not None and before_at is not None and at < before_at <= at + OVERTAKEN_MAX_S


def give_up_silent(tx: Transaction, since: int, now: int) -> None:
    """Take the piles for gone that nothing was heard of after `since`, though no last will came."""
    for device_id in tx.conn.execute(_GIVE_UP_SILENT, {"since": since}).scalars().all():
        record_event(tx.conn, now, "PileLost", device_id)


def _fault_changes(before: dict[str, Any], status: dict[str, Any]) -> Iterator[tuple[int, str, str]]:
    """(connector, fault, event) of each fault that is new, and of each that is gone."""
    fault_before = {each["connector"]: each["fault"] for each in before.get("connectors", ())}
    for each in status.get("connectors", ()):
        was = fault_before.get(each["connector"])
        if was and was != each["fault"]:
            yield each["connector"], was, "FaultCleared"
        if each["fault"] and each["fault"] != was:
            yield each["connector"], each["fault"], "FaultReported"


def _stop_changes(before: dict[str, Any], status: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """(connector, event) of each emergency stop that was pressed, and of each that was released."""
    stopped_before = {each["connector"]: is_stopped(each) for each in before.get("connectors", ())}
    for each in status.get("connectors", ()):
        now, was = is_stopped(each), stopped_before.get(each["connector"], False)
        if now != was:
            yield each["connector"], "EmergencyStopPressed" if now else "EmergencyStopReleased"


def is_stopped(connector: dict[str, Any]) -> bool:
    """Whether the emergency stop is pressed: what a pile itself calls Unavailable is nothing else."""
    return connector.get("status") == "Unavailable"


def told(pile: Any) -> dict[int, dict[str, Any]]:
    """What the pile last said of each connector."""
    status = orjson.loads(pile.status_json) if pile.status_json else {}
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
