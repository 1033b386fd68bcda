"""The wall clock."""

import time
from datetime import datetime, timezone


def now_s() -> int:
    """Unix seconds, whole."""
    return time.time_ns() // 1_000_000_000


def iso_utc(at: int) -> str:
    """Unix seconds as ISO 8601, in UTC."""
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
