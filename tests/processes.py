"""Whether the processes of a test have ended."""

from __future__ import annotations

import time
from collections.abc import Iterable

import psutil

TIMEOUT_S = 60


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until_gone(processes: Iterable[psutil.Process | int]) -> None:
    """Returns when all of them have ended, also those that nobody has waited for. Fails after TIMEOUT_S."""
    pids = {each if isinstance(each, int) else each.pid for each in processes}
    deadline = time.monotonic() + TIMEOUT_S
    while pids := {pid for pid in pids if is_running(pid)}:
        assert time.monotonic() < deadline, f"still running: {sorted(pids)}"
        time.sleep(0.01)
