"""Runs portable test files on the interpreters of a pile."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools import ROOT
from tools.harness import micropython32
from tools.harness.sim_pile import environment, interpreter

PORTABLE = ROOT / "tests" / "portable"
RUNNER = PORTABLE / "run.py"


def interpreter32() -> list[str]:
    """The command of a 32-bit MicroPython. Skips the test if there is none."""
    try:
        return micropython32.command()
    except micropython32.Unavailable as why:
        pytest.skip(f"no 32-bit MicroPython: {why}")


def run_files(*files: Path, command: list[str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs test files; by default on the interpreter of the simulated piles."""
    argv = [*(command or interpreter()), str(RUNNER), *map(str, files)]
    return subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=300, check=False)
