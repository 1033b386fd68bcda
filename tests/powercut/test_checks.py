"""The checks of rig/check_*.py, each in a MicroPython of its own on littlefs over simulated flash."""

from __future__ import annotations

import re
import subprocess

import pytest

from tools.harness import powercut

TIMEOUT_S = 600  # against a check that hangs; none takes more than a few seconds of a processor
pytestmark = pytest.mark.timeout(TIMEOUT_S)

CHECKS = [
    (path.stem, name)
    for path in sorted(powercut.RIG.glob("check_*.py"))
    for name in re.findall(r"^def (check_\w+)\(", path.read_text(), re.MULTILINE)
]


def test_there_are_checks() -> None:
    assert {module for module, _ in CHECKS} == {"check_damage", "check_flash", "check_recovery", "check_rig"}


@pytest.mark.parametrize(("module", "name"), CHECKS, ids=[name for _, name in CHECKS])
@pytest.mark.long
def test_on_littlefs(module: str, name: str) -> None:
    done = subprocess.run(
        powercut.command("run_check.py", module, name),
        env=powercut.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S - 10,
    )
    assert done.returncode == 0 and done.stdout == "ok\n", done.stdout[-4_000:]
