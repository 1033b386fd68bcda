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
    (folder / "cloud_stub" / "base").mkdir(parents=True)
    for name in (
        *("tools/__init__.py", "tools/setup.py", "tools/setup.sh"),
        *("tools/harness/__init__.py", "tools/harness/debian.py"),
        *("cloud_stub/__init__.py", "cloud_stub/base/__init__.py", "cloud_stub/base/os_errors.py"),
    ):
        shutil.copy(ROOT / name, folder / name)
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
    assert said.startswith(f"setup: {checkout / '.setup.lock'} is a folder; ")
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


def test_a_set_up_waits_for_what_a_killed_one_left_running(checkout: Path) -> None:
    """Two pips at work in one .venv damage it."""
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    for name in ("begun", "end"):
        os.mkfifo(checkout / name)
    python.write_text('#!/bin/sh\n[ "$1" = -c ] && exit\necho > begun\nread line < end\n')  # instead of pip
    python.chmod(0o755)
    first = begin(checkout)
    (checkout / "begun").read_text()
    first.kill()
    second = begin(checkout)
    assert first.stderr is not None and second.stderr is not None
    assert "waiting for another" in second.stderr.readline()
    second.kill()
    second.communicate()
    (checkout / "end").write_text("\n")
    assert first.stderr.read()  # to its end: nothing of the first holds the pipe any longer
    first.communicate()


def test_ctrl_c_during_the_imports_is_no_traceback(checkout: Path) -> None:
    (checkout / "tools" / "harness" / "__init__.py").write_text("raise KeyboardInterrupt")
    process = begin(checkout)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (-signal.SIGINT, "")
