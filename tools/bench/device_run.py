"""Runs a program of device/ under MicroPython, with the firmware on its path."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tools import ROOT
from tools.bench.machine import Interpreter
from tools.harness.processes import ProcessError

DEVICE = Path(__file__).resolve().parent / "device"
TIMEOUT_S = 120


def environment() -> dict[str, str]:
    return {**os.environ, "MICROPYPATH": ":".join([str(DEVICE), str(ROOT / "firmware"), ".frozen"])}


def run(interpreter: Interpreter, program: str, *arguments: object) -> dict[str, Any]:
    """The JSON object that device/<program>.py prints last. Raises ProcessError."""
    argv = [*interpreter.argv, str(DEVICE / f"{program}.py"), *map(str, arguments)]
    with tempfile.TemporaryDirectory(prefix="ratelock bench ") as folder:
        done = subprocess.run(
            argv, cwd=folder, env=environment(), capture_output=True, text=True, timeout=TIMEOUT_S
        )
    if done.returncode or not done.stdout.strip():
        raise ProcessError(f"{program} on {interpreter.name}: {(done.stdout + done.stderr)[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])
