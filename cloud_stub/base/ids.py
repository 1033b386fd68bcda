"""Ids that sort by the time of their making."""

import secrets
import threading
import time

_BASE32 = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's, lower case


class _Ids:
    """Makes ids that sort by time of making, strictly within one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        fresh = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
        with self._lock:
            # Within a millisecond, or after the clock stepped back, it counts up by a random step.
            self._last = fresh if fresh > self._last else self._last + 1 + secrets.randbits(64)
            return self._last


_ids = _Ids()


def new_id() -> str:
    """26 characters: 48 bits of milliseconds, then 80 random bits."""
    return _base32(_ids.next())


def first_id_of(at: int) -> str:
    """The lower bound of all ids that are made at or after `at`, Unix seconds."""
    return _base32(max(0, at) * 1000 << 80)


def _base32(value: int) -> str:
    return "".join(_BASE32[value >> shift & 31] for shift in range(125, -1, -5))
