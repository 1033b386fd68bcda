"""tools/setup.py where it cannot go on."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tools import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with what set-up reads, and no .venv."""
    folder = tmp_path / "rate lock \u00e9"
    (folder / "tools" / "harness").mkdir(parents=True)
    for name in ("__init__.py", "setup.py", "setup.sh", "harness/__init__.py", "harness/debian.py"):
        shutil.copy(ROOT / "tools" / name, folder / "tools" / name)
    for path in ROOT.glob("requirements*.txt"):
        shutil.copy(path, folder)
    return folder


def begin(checkout: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["sh", "tools/setup.sh", "run"], cwd=checkout, env={**os.environ, "PYTHON": sys.executable},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_folder_that_cannot_be_written_is_said_in_a_sentence(checkout: Path) -> None:
    (checkout / ".setup.lock").mkdir()  # what even root cannot open to write
    process = begin(checkout)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "must be yours to write" in said
    assert "Traceback" not in said


def test_ctrl_c_while_another_set_up_is_waited_for(checkout: Path) -> None:
    with open(checkout / ".setup.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = begin(checkout)
        assert process.stderr is not None
        first = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)
    assert "waiting for another" in first
    assert "Traceback" not in rest
    assert process.returncode == 130
