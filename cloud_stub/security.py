"""Names that nobody guesses, secrets kept in files, and comparisons in a time that tells nothing."""

import hmac
import os
import secrets
import threading
import time
from pathlib import Path

_BASE32 = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's, lower case


def now_s() -> int:
    """Unix seconds, whole."""
    return time.time_ns() // 1_000_000_000


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
    """What every id made at or after `at`, Unix seconds, is equal to or sorts after."""
    return _base32(max(0, at) * 1000 << 80)


def _base32(value: int) -> str:
    return "".join(_BASE32[value >> shift & 31] for shift in range(125, -1, -5))


def new_token() -> str:
    """An order token: 256 random bits, safe in an address."""
    return secrets.token_urlsafe(32)


def same(given: str, expected: str) -> bool:
    """Whether two secrets are equal, in a time that does not tell how much of them is."""
    return hmac.compare_digest(given.encode(), expected.encode())


def bearer(header: str | None) -> str | None:
    """The token of an `Authorization: Bearer ...` header, None where there is none."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def read_or_create_secret(path: Path) -> str:
    """The secret kept in `path`, made with mode 0600 when the file is missing; two makers agree on one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        made = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        try:
            os.link(made, path)  # atomic, and fails where another maker was first
        except FileExistsError:
            pass
        finally:
            made.unlink()
    return path.read_text().strip()
