"""The machine of a measurement, and the MicroPython interpreters found on it."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.harness import micropython32, sim_pile


@dataclass(frozen=True)
class Interpreter:
    name: str
    argv: tuple[str, ...]


def interpreters() -> list[Interpreter]:
    """The one that runs the piles, and the native 32-bit one if it is available."""
    found = [Interpreter("64-bit", tuple(sim_pile.interpreter()))]
    native = native_interpreter()
    return [*found, native] if native else found


def native_interpreter() -> Interpreter | None:
    """A MicroPython that runs as its own program, unlike the one from PyPI, which runs inside CPython; or
    None.
    """
    try:
        return Interpreter("32-bit", tuple(micropython32.command()))
    except micropython32.Unavailable:
        return None


def describe() -> dict[str, str]:
    return {
        "cpu": _cpu(),
        "cores": str(os.cpu_count()),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "python": platform.python_version(),
        "micropython": "; ".join(f"{each.name}: {_version(each)}" for each in interpreters()),
        "load": f"{os.getloadavg()[0]:.1f} (average of the minute before)",
    }


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or "unknown"


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"
    except (ValueError, OSError):
        return "unknown"


def _version(interpreter: Interpreter) -> str:
    argv = [*interpreter.argv, "-c", "import sys; print(sys.version.split('; ')[1])"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=20).stdout.strip()
