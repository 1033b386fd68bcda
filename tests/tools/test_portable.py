"""The portable tests once more, under MicroPython: the interpreter that the pile has."""

import subprocess

from tools import ROOT
from tools.harness.sim_pile import interpreter


def test_the_portable_tests_pass_under_micropython() -> None:
    done = subprocess.run(
        [*interpreter(), str(ROOT / "tests" / "portable" / "run.py")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert ", 0 failed" in done.stdout
