"""The piles' device keys."""

from sqlalchemy import Connection, bindparam, select

from pile_protocol import seal

from ..db.tables import piles

_KEY = select(piles.c.key_hex).where(piles.c.device_id == bindparam("device_id"))
_ADMITTED_KEY = _KEY.where(piles.c.removed_at.is_(None))


class Keys:
    """Device keys, read from the database once each: they never change, and prove old seals for ever."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    def __contains__(self, device_id: str) -> bool:
        """Whether the pile's key has been read already. If not, the pile may still exist."""
        return device_id in self._known

    def get(self, conn: Connection, device_id: str) -> bytes | None:
        """The pile's 32 key bytes; None where there is no such pile."""
        key = self._known.get(device_id)
        if key is None:
            key_hex = conn.execute(_KEY, {"device_id": device_id}).scalar_one_or_none()
            if key_hex is not None:
                key = self._known[device_id] = seal.parse_key(key_hex)
        return key


def admitted_key(conn: Connection, device_id: str) -> bytes | None:
    """The key with which a pile may connect now; None where there is no such pile any more."""
    key_hex = conn.execute(_ADMITTED_KEY, {"device_id": device_id}).scalar_one_or_none()
    return None if key_hex is None else seal.parse_key(key_hex)
