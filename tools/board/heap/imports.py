"""Heap that the import of each module of the firmware takes, and the budgets for it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.board.deploy import DeployError, image
from tools.board.heap.interpreters import BOARD, FACTOR_64, RIG, RIG_LINK, Interpreter

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
    """The modules that a pile imports, each after those that it imports itself."""
    files = {}
    for file, path in image.sources(image.board_folder(BOARD) / "manifest.py").items():
        files[file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")] = path
    found: list[str] = []

    def visit(name: str) -> None:
        if name not in files or name in found or name in visiting:
            return
        visiting.add(name)
        visit(name.rpartition(".")[0])
        for needed in _imports(name, files[name]):
            visit(needed)
        found.append(name)

    visiting: set[str] = set()
    visit("boot")
    visit("app")
    return [name for name in found if name != "boot"]  # that one is a source: see image.STARTED_BY_NAME


def _imports(name: str, path: Path) -> Iterator[str]:
    """What a module's source imports, at its head or later; some names are no modules."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = ".".join(filter(None, (package if node.level else "", node.module or "")))
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _rig_output(interpreter: Interpreter, form: Path, *names: str) -> str:
    """What the rig says of importing names. Paths are in the heap too: these are the same in any folder."""
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


def over_budget(interpreter: Interpreter, costs: list[Cost]) -> list[str]:
    """What breaks the budgets, as lines for a person."""
    budgets: dict[str, int] = json.loads(BUDGETS.read_text())
    factor = 1 if interpreter.bits == 32 else FACTOR_64 + 1  # small objects fill its blocks worse
    wrong = []
    for cost in costs:
        if cost.module not in budgets and cost.bytes:
            wrong.append(f"{cost.module} has no budget; it takes {cost.bytes} bytes")
        elif cost.bytes > budgets.get(cost.module, 0) * factor:
            wrong.append(
                f"{cost.module} takes {cost.bytes} bytes, its budget is {budgets[cost.module] * factor}"
            )
    wrong += [f"{name} is no module any more" for name in budgets if name not in {c.module for c in costs}]
    return wrong
