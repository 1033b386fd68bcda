"""Heap that the import of each module of the firmware takes, and the budgets for it."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.board.deploy import DeployError
from tools.board.heap.interpreters import BOARD, RIG, RIG_LINK, Interpreter
from tools.image import files as image

BUDGETS = Path(__file__).parent / "budgets.json"
LARGE_HEAP_BYTES = 4_000_000
TIMEOUT_S = 60
# Modules of MicroPython. They are imported first, so that they do not count for the first module that needs
# them.
BUILTIN = [
    "asyncio",
    "asyncio.core",
    "asyncio.event",
    "asyncio.funcs",
    "asyncio.stream",
    "binascii",
    "errno",
    "hashlib",
    "json",
]
BUILTIN += ["os", "random", "select", "socket", "struct", "time", "tls", "uos"]
QSTRS = "names (qstr tables)"


@dataclass(frozen=True)
class Cost:
    module: str
    bytes: int


def modules() -> list[str]:
    """The modules that a pile imports, each after those that it needs itself: it is charged what it adds."""
    return [name for name in image.modules(image.board_folder(BOARD)) if name != image.ENTRY]


def _rig_output(interpreter: Interpreter, form: Path, *names: str) -> str:
    """The output of the rig about importing `names`. Paths take heap too, so these are the same in any
    folder.
    """
    argv = interpreter.command(LARGE_HEAP_BYTES, form, "import", *names)
    at_home = {str(RIG): RIG_LINK, str(RIG / "run.py"): f"{RIG_LINK}/run.py", str(form): form.name}
    done = subprocess.run(
        [at_home.get(word, word) for word in argv],
        cwd=form.parent, capture_output=True, text=True, timeout=TIMEOUT_S, check=True,
    )  # fmt: skip
    return done.stdout


def rig_bytes(interpreter: Interpreter, form: Path) -> int:
    """Bytes in the heap before the firmware is imported."""
    output = _rig_output(interpreter, form)
    found = re.search(r"^# base (\d+)$", output, re.MULTILINE)
    if not found:
        raise DeployError(f"the rig says nothing: {output}")
    return int(found[1])


def measure(interpreter: Interpreter, form: Path) -> list[Cost]:
    """One row a module, then the tables of names. Raises subprocess.SubprocessError."""
    output = _rig_output(interpreter, form, *BUILTIN, *modules())
    rows = re.findall(
        r"^# (\S+) (\d+)\n(?:# image \d+\n)?qstr pool: .*n_str_data_bytes=(\d+), n_total_bytes=(\d+)",
        output, re.MULTILINE,
    )  # fmt: skip
    costs = []
    before_bytes = before_tables_bytes = first_tables_bytes = None
    for name, alloc, text, total in rows:
        tables_bytes = int(total) - int(text)
        if before_bytes is None or before_tables_bytes is None:
            first_tables_bytes = tables_bytes
        else:
            # The tables of names double when they are full, which is not a cost of the module that fills
            # them.
            grown = tables_bytes - before_tables_bytes
            costs.append(Cost(name, int(alloc) - before_bytes - grown))
        before_bytes, before_tables_bytes = int(alloc), tables_bytes
    if before_tables_bytes is None or first_tables_bytes is None:
        raise DeployError(f"the rig says nothing: {output}")
    costs.append(Cost(QSTRS, before_tables_bytes - first_tables_bytes))
    return costs


def over_budget(interpreter: Interpreter, costs: list[Cost], spare_part: int = 0) -> list[str]:
    """What breaks the budgets, as lines for a person; spare_part: one part of so many more is allowed.

    Each interpreter has a column of its own: small objects fill the blocks of a 64-bit heap differently.
    """
    budgets: dict[str, dict[str, int]] = json.loads(BUDGETS.read_text())
    column = str(interpreter.bits)
    wrong = []
    for cost in costs:
        budget = budgets.get(cost.module, {}).get(column, 0)
        if spare_part:
            budget += budget // spare_part
        if cost.module not in budgets and cost.bytes:
            wrong.append(f"{cost.module} has no budget; it takes {cost.bytes} bytes")
        elif cost.bytes > budget:
            wrong.append(f"{cost.module} takes {cost.bytes} bytes, its budget is {budget}")
    wrong += [f"{name} is no module any more" for name in budgets if name not in {c.module for c in costs}]
    return wrong
