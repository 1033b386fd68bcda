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
from collections.abc import Sequence
from pathlib import Path

from tools.board.deploy import DeployError
from tools.board.heap import chip, imports
from tools.board.heap.interpreters import FACTOR_64, Interpreter, build_forms, choose, pinned
from tools.board.heap.story import Case, Story
from tools.harness.api_client import ApiError
from tools.harness.processes import ProcessError
from tools.harness.system import System
from tools.image import BuildError

STEP_BYTES = 16  # a block of a 32-bit heap
SPARE_BYTES = 64  # a method or two of a small module
# What is enough for two orders and, with "mpy", an update: what was measured and 1 to 4 KiB more, because the
# holes in a heap differ. 112 KiB are the first two areas of an ESP32's heap with its tables.
ENOUGH_KIB = {"romfs": 66, "mpy": 108}
TLS_KIB = 2  # more with TLS
SIZES_KIB = {"romfs": range(57, 75, 3), "mpy": range(101, 112, 2)}  # around that
CASES = (Case("romfs", False), Case("romfs", True), Case("mpy", False), Case("mpy", True))


def _print_table(interpreter: Interpreter, forms: dict[str, Path]) -> None:
    """What each module takes as a file of its own; joined (make deploy) they take a quarter less."""
    costs = imports.measure(interpreter, forms["apart"])
    print(f"{'bytes of heap after import':30} {'.mpy':>7}")
    for cost in costs:
        if cost.bytes:
            print(f"{cost.module:30} {cost.bytes:7}")
    print(f"{'all':30} {sum(cost.bytes for cost in costs):7}\n")


def _print_story(interpreter: Interpreter, forms: dict[str, Path], folder: Path) -> None:
    with System(folder / "data", tls_port=0) as system:
        for case in CASES:
            form = forms[case.form]
            rig_bytes = imports.rig_bytes(interpreter, form)
            result = Story(system, interpreter, form, case, rig_bytes).run(SIZES_KIB[case.form])
            enough = (
                f"{result.smallest_kib} KiB are enough" if result.smallest_kib else "no size tried was enough"
            )
            if result.orders_kib and result.orders_kib != result.smallest_kib:
                enough += f" ({result.orders_kib} without the update)"
            print(f"{case}: {enough}; alive at most {max(result.live_bytes.values())} bytes")
            alive_bytes = interpreter.on_32_bits(max(result.live_bytes.values()))
            for each in chip.CHIPS:
                print(f"    {chip.judge(alive_bytes, case.tls, each)}", flush=True)
            for stage, live_bytes in result.live_bytes.items():
                print(f"    {stage:18} {live_bytes:7}")
            if result.why:
                print(f"    {result.why}")


def _check(forms: dict[str, Path]) -> int:
    """The result of the interpreter that every machine has, so that it is the same on all machines."""
    wrong = imports.over_budget(pinned(), imports.measure(pinned(), forms["apart"]))
    for line in wrong:
        print(line)
    return 1 if wrong else 0


def _write_budgets(interpreters: Sequence[Interpreter], forms: dict[str, Path]) -> None:
    budgets: dict[str, dict[str, int]] = {}
    for interpreter in interpreters:
        for cost in imports.measure(interpreter, forms["apart"]):
            if cost.bytes:
                most = (
                    -(-cost.bytes * 11 // 10 // STEP_BYTES) * STEP_BYTES
                    + SPARE_BYTES * interpreter.bits // 32
                )
                budgets.setdefault(cost.module, {})[str(interpreter.bits)] = most
    imports.BUDGETS.write_text(json.dumps(budgets, indent=2) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--budgets", action="store_true")
    options = parser.parse_args()
    interpreter = pinned() if options.check else choose()
    if interpreter.why_not_32:
        print(
            f"no 32-bit MicroPython ({interpreter.why_not_32}): the 64-bit one, at {FACTOR_64} times the heap"
        )
    try:
        with tempfile.TemporaryDirectory(prefix="ratelock-heap-") as folder:
            forms = build_forms(Path(folder))
            if options.check:
                return _check(forms)
            if options.budgets:
                if interpreter.bits != 32:
                    raise DeployError("budgets are written with the 32-bit interpreter only")
                _write_budgets((interpreter, pinned()), forms)
                return 0
            _print_table(interpreter, forms)
            _print_story(interpreter, forms, Path(folder))
    except (DeployError, BuildError, ApiError, ProcessError, subprocess.SubprocessError) as error:
        print(f"heap: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
