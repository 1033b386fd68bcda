"""Keeps the house in order: which part may import which, and no float where money, energy or time is counted.

main -> net -> pile -> pile_protocol      boards -> drivers      cloud_stub -> pile_protocol
python -m tools.arrows
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools import ROOT

# The parts, and what each may import besides itself. `main` puts everything together, so it alone sees both
# sides of the contract between pile and drivers.
ALLOWED: dict[str, set[str]] = {
    "pile_protocol": set(),
    "pile": {"pile_protocol"},
    "net": {"pile", "pile_protocol"},
    "drivers": set(),
    "boards": {"drivers"},
    "config": {"pile_protocol"},
    "main": {"config", "net", "pile", "pile_protocol", "drivers", "boards"},
    "cloud_stub": {"pile_protocol"},
    "tools": {"cloud_stub", "config", "pile_protocol"},
    "bench": {
        "tools",
        "cloud_stub",
        "config",
        "pile_protocol",
        "pile",
        "net",
        "drivers",
    },  # it measures each part
}

# The device's modules outside the packages.
TOP_MODULES = {
    "boot": "main",
    "main": "main",
    "app": "main",
    "shell": "main",
    "config": "config",
    "lamp": "main",
    "foreign": "main",
    "board": "boards",
}

# Modules that would make a part impure: the controller is stepped from outside and has no I/O of its own.
IMPURE = {
    "machine",
    "network",
    "asyncio",
    "uasyncio",
    "time",
    "utime",
    "socket",
    "usocket",
    "esp32",
    "select",
    "_thread",
}
FORBIDDEN: dict[str, set[str]] = {
    "pile": IMPURE,
    "pile_protocol": IMPURE | {"typing"},
    "drivers": {"network", "socket", "usocket"},
}

# Where everything is counted in whole numbers.
EXACT = (
    "firmware/pile",
    "firmware/pile_protocol",
    "firmware/drivers",
    "cloud_stub/rates.py",
    "cloud_stub/expansion.py",
    "cloud_stub/settlements.py",
)


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def part_of(path: Path) -> str | None:
    """The part that a file, relative to the repository, belongs to."""
    top = path.parts[0]
    if top == "firmware":
        name = path.parts[1].removesuffix(".py")
        return name if name in ALLOWED else TOP_MODULES.get(name, "main")
    if path.parts[:2] == ("tools", "bench"):
        return "bench"
    return top if top in ALLOWED else None


def part_of_import(name: str) -> str | None:
    """The part that an imported module belongs to; None for a library."""
    top = name.partition(".")[0]
    return TOP_MODULES.get(top) or (top if top in ALLOWED else None)


def _imports(tree: ast.AST, path: Path) -> Iterator[tuple[int, str]]:
    """(line, absolute module name) of each import; a relative one is resolved against the file's place."""
    package = list(path.parts[1:-1] if path.parts[0] == "firmware" else path.parts[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0:
                yield node.lineno, node.module or ""
                continue
            base = package[: len(package) - (node.level - 1)]
            if node.module or base:
                yield node.lineno, ".".join([*base, *([node.module] if node.module else [])])
            else:  # from the root: each name is a part
                for alias in node.names:
                    yield node.lineno, alias.name
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "__import__":
            argument = node.args[0] if node.args else None
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield node.lineno, argument.value


def arrow_findings(source: str, path: Path) -> list[Finding]:
    """Imports of `source`, a file at `path` relative to the repository, that point the wrong way."""
    part = part_of(path)
    if part is None:
        return []
    found = []
    for line, name in _imports(ast.parse(source), path):
        target = part_of_import(name)
        if target and target != part and target not in ALLOWED[part]:
            allowed = ", ".join(sorted(ALLOWED[part])) or "none of the other parts"
            found.append(Finding(str(path), line, f"{part} imports {name}; it may import {allowed}"))
        elif name.partition(".")[0] in FORBIDDEN.get(part, ()):
            found.append(Finding(str(path), line, f"{part} imports {name}, which would make it impure"))
    return found


def is_exact(path: Path) -> bool:
    return any(path.as_posix() == place or path.as_posix().startswith(place + "/") for place in EXACT)


def float_findings(source: str, path: Path) -> list[Finding]:
    """Everything in `source` that makes or takes a float: a literal, `/`, or the name float."""
    found = []
    for node in ast.walk(ast.parse(source)):
        text = None
        if isinstance(node, ast.Constant) and isinstance(node.value, (float, complex)):
            text = f"a float literal: {node.value}"
        elif isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div):
            text = "a `/`: use `//`"
        elif isinstance(node, ast.Name) and node.id == "float":
            text = "float"
        if text:
            found.append(Finding(str(path), getattr(node, "lineno", 0), text + " (whole numbers only here)"))
    return found


def findings(root: Path = ROOT) -> list[Finding]:
    """Everything wrong in the tree under `root`; a place of EXACT that is not there is wrong too."""
    found = [
        Finding(place, 0, "is listed in EXACT but is not there")
        for place in EXACT
        if not (root / place).exists()
    ]
    for top in ("firmware", "boards", "cloud_stub", "tools"):
        for file in sorted((root / top).rglob("*.py")):
            path = file.relative_to(root)
            source = file.read_text(encoding="utf-8")
            found += arrow_findings(source, path)
            if is_exact(path):
                found += float_findings(source, path)
    return found


def main() -> int:
    found = findings()
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
