"""tests/security/test_sealed.py again, on the interpreter that the pile runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tools import ROOT
from tools.harness.sim_pile import environment, interpreter


def test_sealed_messages_on_micropython() -> None:
    file = Path(__file__).with_name("test_sealed.py")
    argv = [*interpreter(), str(ROOT / "tests" / "portable" / "run.py"), str(file)]
    done = subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
