"""The piles' device keys, and which piles there are."""

from sqlalchemy import Connection, Select, bindparam, select

from pile_protocol import seal

from ..db.tables import piles

_KEY = select(piles.c.key_hex).where(piles.c.device_id == bindparam("device_id"))
_ADMITTED_KEY = _KEY.where(piles.c.removed_at.is_(None))


class KnownPiles:
    """Ids of piles that were registered once, asked of the database once each: an id never goes away."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def __contains__(self, device_id: str) -> bool:
        """Whether the pile has been found already. If not, it may still exist."""
        return device_id in self._known

    def has(self, conn: Connection, device_id: str) -> bool:
        """Whether the pile is or was registered."""
        if device_id not in self._known and find_key(conn, device_id) is not None:
            self._known.add(device_id)
        return device_id in self._known


def find_key(conn: Connection, device_id: str) -> bytes | None:
    """The pile's present key, 32 bytes; None where there is no such pile. Another worker may change it."""
    return _key(conn, _KEY, device_id)


def admitted_key(conn: Connection, device_id: str) -> bytes | None:
    """The key with which a pile may connect now; None where there is no such pile any more."""
    return _key(conn, _ADMITTED_KEY, device_id)


def _key(conn: Connection, query: Select[tuple[str]], device_id: str) -> bytes | None:
    key_hex = conn.execute(query, {"device_id": device_id}).scalar_one_or_none()
    return None if key_hex is None else seal.parse_key(key_hex)
