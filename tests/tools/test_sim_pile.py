"""tools/sim_pile.py: which MicroPython it runs, and what it says where it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import ROOT
from tools.harness.sim_pile import KEY_VARIABLE, interpreter

KEY = "5a" * 32


def refused(data: Path, **env: str) -> str:
    """What it says on its end with an error."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "sim_pile.py"), "--device-id", "PILE-1",
         "--mqtt", "mqtt://127.0.0.1:1", "--data", str(data)],
        env={**os.environ, KEY_VARIABLE: KEY, **env}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    return done.stderr


def test_an_interpreter_is_named_by_its_path_or_as_a_command(tmp_path, monkeypatch) -> None:
    program = tmp_path / "my programs" / "micropython"
    program.parent.mkdir()
    program.touch()
    monkeypatch.chdir(tmp_path)
    for named in (str(program), "my programs/micropython"):  # it starts in another folder
        monkeypatch.setenv("MICROPYTHON", named)
        assert interpreter() == [str(program)]
    monkeypatch.setenv("MICROPYTHON", f"'{program}' -X heapsize=4M")
    assert interpreter() == [str(program), "-X", "heapsize=4M"]


@pytest.mark.parametrize("what", ["interpreter", "folder"])
def test_what_is_not_there_is_one_line(tmp_path, what: str) -> None:
    (tmp_path / "a file").touch()
    if what == "interpreter":
        said = refused(tmp_path / "flash", MICROPYTHON=str(tmp_path / "none"))
    else:
        said = refused(tmp_path / "a file")
    assert said.startswith("sim_pile: ") and said.count("\n") == 1
