"""The drivers on MicroPython's unix port, over a fake `machine` and a clock moved by hand: one pytest test
for each test function of cases/.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

from tools import ROOT
from tools.harness.sim_pile import interpreter

HERE = Path(__file__).parent
CASES = HERE / "cases"
TIMEOUT_S = 60


def _names() -> list[tuple[str, str]]:
    return [
        (path.stem, test)
        for path in sorted(CASES.glob("*.py"))
        for test in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
    ]


@cache
def _results(case: str) -> dict[str, str | None]:
    """What every test of one file came to: None, or its traceback."""
    path = [CASES, HERE / "hand_clock", HERE / "fakes", ROOT / "firmware"]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*interpreter(), str(HERE / "run.py"), case],
            cwd=folder,
            env={**os.environ, "MICROPYPATH": ":".join([*map(str, path), ".frozen"])},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    # The simulated bench and the drivers print, too.
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line["test"]: line["error"] for line in lines if "test" in line}


@pytest.mark.parametrize(("case", "test"), _names())
def test_on_micropython(case: str, test: str) -> None:
    results = _results(case)
    assert test in results, f"{test} did not run"
    assert results[test] is None, results[test]
