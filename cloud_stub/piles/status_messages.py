"""The status messages of piles, applied to the piles table."""

from collections.abc import Iterator
from typing import Any

import orjson
from sqlalchemy import BigInteger, Connection, bindparam, func, update

from ..db.engine import to_json
from ..db.events import record_events
from ..db.rows import PileRow
from ..db.tables import piles
from . import views as pile_views

OVERTAKEN_MAX_S = 5
RETAINED_ONLINE_S = 60  # two statuses of a pile
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


class StatusUpdates:
    """Status messages of piles, applied in order and written together. `rows`: locked, by device id."""

    def __init__(self, rows: dict[str, PileRow], now: int):
        self._now = now
        self._events: list[dict[str, Any]] = []
        self._changed: dict[str, dict[str, Any]] = {}
        self._rows = rows
        self._known = {
            device_id: {
                "of": device_id,
                "on": row.online,
                "at": None,  # as it is
                "seen": row.last_seen_at,
                "status": row.status_json,
                "has_fault": row.faulted,
            }
            for device_id, row in rows.items()
        }

    def add(self, device_id: str, status: dict[str, Any], retained: bool = False) -> bool:
        """Apply a status. A last will contains no connectors, so theirs stay as they are.

        A retained status counts as heard at the time that it states. False if a later status, received by
        another worker, has overtaken this one.
        """
        known = self._known[device_id]
        before = orjson.loads(known["status"]) if known["status"] else {}
        if _is_overtaken(before, status):
            return False
        for connector, fault, kind in _fault_changes(before, status):
            self._note(kind, device_id, f"connector {connector}: {fault}")
        for connector, kind in _stop_changes(before, status):
            self._note(kind, device_id, f"connector {connector}")
        stated_at = status.get("at") or 0
        if stated_at > self._now + RETAINED_ONLINE_S:
            stated_at = 0  # the pile's clock is wrong, so the time of this status is unknown
        heard_at = min(stated_at, self._now) if retained else self._now
        online = status["online"]
        if online and retained and heard_at < self._now - RETAINED_ONLINE_S:
            online = known["on"]  # the pile may be gone; if it is not, its next status comes within that time
        if known["on"] != online:
            self._note("PileOnline" if online else "PileOffline", device_id)
        known["on"] = online
        note_occupied(before, status, heard_at)
        if "connectors" in status:  # otherwise it is a last will, which the broker sends
            if not retained or heard_at > (known["seen"] or 0):
                known["at"] = known["seen"] = heard_at
            known["status"] = to_json(status)
            known["has_fault"] = any(each["fault"] for each in status["connectors"])
        self._changed[device_id] = known
        return True

    def rows(self) -> list[PileRow]:
        """The rows of the piles that said something, as they are after it."""
        return [
            PileRow(
                **self._rows[device_id]._asdict() | {"online": known["on"], "status_json": known["status"]}
            )
            for device_id, known in self._changed.items()
        ]

    def write(self, conn: Connection) -> None:
        record_events(conn, self._events)
        if self._changed:
            conn.execute(_SET_STATUS, list(self._changed.values()))

    def _note(self, kind: str, device_id: str, detail: str = "") -> None:
        event = {"at": self._now, "kind": kind, "device_id": device_id, "order_id": None}
        self._events.append(event | {"detail": detail})


def note_occupied(before: dict[str, Any], status: dict[str, Any], at: int) -> None:
    """Set `occupied_since` of each connector whose vehicle stays plugged in after its charge: while its order
    bills the stay (Finishing), and after the order is over.
    """
    known = {each["connector"]: each for each in before.get("connectors", ())}
    for each in status.get("connectors", ()):
        was = known.get(each["connector"], {})
        each.pop("occupied_since", None)
        stays = each["order_id"] is None or each["status"] == "Finishing"
        if each["plugged"] and stays:
            since = was.get("occupied_since")
            if since is None and was.get("order_id") is not None:
                since = at
            if since is not None:
                each["occupied_since"] = since


def _is_overtaken(before: dict[str, Any], status: dict[str, Any]) -> bool:
    before_at, at = before.get("at"), status.get("at")
    if before_at is None:
        return False
    if at is None:  # a pile that knows the time forgets it at its next start only
        return _is_of_same_start(before, status)
    # Further back than that, the pile's clock has been set.
    return at < before_at <= at + OVERTAKEN_MAX_S


def _is_of_same_start(before: dict[str, Any], status: dict[str, Any]) -> bool:
    """Whether the pile said `status` at most OVERTAKEN_MAX_S earlier than `before`, since the same start."""
    boots, before_uptime_s, uptime_s = status.get("boots"), before.get("uptime_s"), status.get("uptime_s")
    if boots is None or boots != before.get("boots") or before_uptime_s is None or uptime_s is None:
        return False  # also a last will, and firmware that does not tell
    # Further back than that, its flash is new, and so is its count of starts.
    return uptime_s <= before_uptime_s <= uptime_s + OVERTAKEN_MAX_S


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
    stopped_before = {each["connector"]: pile_views.is_stopped(each) for each in before.get("connectors", ())}
    for each in status.get("connectors", ()):
        now, was = pile_views.is_stopped(each), stopped_before.get(each["connector"], False)
        if now != was:
            yield each["connector"], "EmergencyStopPressed" if now else "EmergencyStopReleased"
