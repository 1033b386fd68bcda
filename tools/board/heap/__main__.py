"""`make heap`: measures how much of a chip's heap the firmware takes, on a 32-bit MicroPython.

python -m tools.board.heap            the table by module, and the smallest heap for a whole order
python -m tools.board.heap --check    only the budgets of tools/board/heap/budgets.json (`make check`)
python -m tools.board.heap --budgets  writes the budgets anew: what is measured now, and a tenth more
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.board.deploy import DeployError
from tools.board.heap import imports
from tools.board.heap.interpreters import FACTOR_64, Interpreter, build_forms, choose
from tools.board.heap.story import Case, Story
from tools.harness.api_client import ApiError
from tools.harness.processes import ProcessError
from tools.harness.system import System

STEP_BYTES = 16  # a block of a 32-bit heap
SPARE_BYTES = 64  # a method or two of a small module
# Around what was measured when this was written; a result at an edge says so.
ENOUGH_KIB = 72  # for code that stays in flash, in which tests hold it
SIZES_KIB = {"romfs": range(56, 80, 2), "mpy": range(96, 128, 4)}
CASES = (Case("romfs", False), Case("romfs", True), Case("mpy", False), Case("mpy", True))


def _print_table(interpreter: Interpreter, forms: dict[str, Path]) -> None:
    romfs = imports.measure(interpreter, forms["romfs"])
    mpy = imports.measure(interpreter, forms["mpy"])
    print(f"{'bytes of heap after import':30} {'ROMFS':>7} {'.mpy':>7}")
    for one, other in zip(romfs, mpy, strict=True):
        if one.bytes or other.bytes:
            print(f"{one.module:30} {one.bytes:7} {other.bytes:7}")
    print(f"{'all':30} {sum(c.bytes for c in romfs):7} {sum(c.bytes for c in mpy):7}\n")


def _print_story(interpreter: Interpreter, forms: dict[str, Path], folder: Path) -> None:
    with System(folder / "data", tls_port=0) as system:
        for case in CASES:
            form = forms[case.form]
            rig_bytes = imports.rig_bytes(interpreter, form)
            result = Story(system, interpreter, form, case, rig_bytes).run(SIZES_KIB[case.form])
            enough = (
                f"{result.smallest_kib} KiB are enough" if result.smallest_kib else "no size tried was enough"
            )
            print(f"{case}: {enough}; alive at most {max(result.live_bytes.values())} bytes")
            for stage, live_bytes in result.live_bytes.items():
                print(f"    {stage:18} {live_bytes:7}")
            if result.why:
                print(f"    {result.why}")


def _check(interpreter: Interpreter, forms: dict[str, Path]) -> int:
    wrong = imports.over_budget(interpreter, imports.measure(interpreter, forms["romfs"]))
    for line in wrong:
        print(line)
    return 1 if wrong else 0


def _write_budgets(interpreter: Interpreter, forms: dict[str, Path]) -> None:
    budgets = {}
    for cost in imports.measure(interpreter, forms["romfs"]):
        if cost.bytes:
            budgets[cost.module] = -(-cost.bytes * 11 // 10 // STEP_BYTES) * STEP_BYTES + SPARE_BYTES
    imports.BUDGETS.write_text(json.dumps(budgets, indent=2) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--budgets", action="store_true")
    options = parser.parse_args()
    interpreter = choose()
    if interpreter.why_not_32:
        print(
            f"no 32-bit MicroPython ({interpreter.why_not_32}): the 64-bit one, at {FACTOR_64} times the heap"
        )
    try:
        with tempfile.TemporaryDirectory(prefix="ratelock-heap-") as folder:
            forms = build_forms(Path(folder))
            if options.check:
                return _check(interpreter, forms)
            if options.budgets:
                if interpreter.bits != 32:
                    raise DeployError("budgets are written with the 32-bit interpreter only")
                _write_budgets(interpreter, forms)
                return 0
            _print_table(interpreter, forms)
            _print_story(interpreter, forms, Path(folder))
    except (DeployError, ApiError, ProcessError, subprocess.SubprocessError) as error:
        print(f"heap: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
