"""The wall clock."""

import time


def now_s() -> int:
    """Unix seconds, whole."""
    return time.time_ns() // 1_000_000_000
