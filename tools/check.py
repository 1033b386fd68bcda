"""`make check`: every check that runs no test. It runs them all and then lists those that failed."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from tools import ROOT

PYTHON = sys.executable
CHECKS: tuple[tuple[str, list[str]], ...] = (
    ("lint", [PYTHON, "-m", "ruff", "check", "."]),
    ("format", [PYTHON, "-m", "ruff", "format", "--check", "."]),
    ("pins of every board", [PYTHON, "-m", "tools.board.pins"]),
    ("import arrows, no floats near money", [PYTHON, "-m", "tools.arrows"]),
    ("docs/asyncapi.yaml is current", [PYTHON, "-m", "tools.asyncapi", "--check"]),
    ("heap of every module within its budget", [PYTHON, "-m", "tools.board.heap", "--check"]),
    ("types of cloud, tools and tests on CPython", [PYTHON, "-m", "pyright"]),
    ("types of the firmware on MicroPython", [PYTHON, "-m", "pyright", "-p", "pyrightconfig.firmware.json"]),
)


def main() -> int:
    # The pinned pyright brings its own program: it need not look for a newer one.
    env = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    failed = []
    for name, argv in CHECKS:
        started = time.monotonic()
        done = subprocess.run(
            argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        verdict = "FAILED" if done.returncode else "ok"
        print(f"{verdict:6} {name} ({time.monotonic() - started:.1f} s)", flush=True)
        if done.returncode:
            failed.append(name)
            print(done.stdout)
    if failed:
        print(f"CHECK FAILED: {'; '.join(failed)}")
        return 1
    print("CHECK OK")
    return 0


if __name__ == "__main__":
    sys.exit(main())
