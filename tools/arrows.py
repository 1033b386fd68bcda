"""Checks the imports of the repository, and that no float is used where money, energy or time is counted.

The rooms inside a part, and which room may import which, stand in CONTRIBUTING.md and nowhere else. A room is
a folder or a module directly inside the package; a module that has no line there belongs to the room TOP.

python -m tools.arrows
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tools import ROOT

# The parts, and what each may import besides itself. `main` puts everything together, so it alone sees both
# sides of the contract between pile and drivers.
ALLOWED: dict[str, set[str]] = {
    "pile_protocol": set(),
    "pile": {"pile_protocol"},
    "net": {"pile", "pile_protocol"},
    "drivers": set(),
    "update": {"config", "pile", "pile_protocol"},
    "boards": {"drivers"},
    "config": {"pile_protocol"},
    "main": {"config", "net", "update", "pile", "pile_protocol", "drivers", "boards"},
    "cloud_stub": {"pile_protocol"},
    "tools": {"cloud_stub", "config", "pile_protocol", "pile"},  # provision reads a pile's outbox
    "bench": {"tools", "cloud_stub", "config", "pile_protocol", "pile", "net", "drivers"},  # it measures each
}

# The device's modules outside the packages.
TOP_MODULES = {
    "boot": "main",
    "main": "main",
    "launcher": "main",
    "start": "main",
    "app": "main",
    "shell": "main",
    "config": "config",
    "lamp": "main",
    "board": "boards",
    "relays": "boards",
}

# Modules that would make a part impure: the controller is stepped from outside and has no I/O of its own.
IMPURE = {
    *("machine", "network", "asyncio", "uasyncio", "time", "utime"),
    *("socket", "usocket", "esp32", "select", "_thread"),
}
FORBIDDEN: dict[str, set[str]] = {
    "pile": IMPURE,
    "pile_protocol": IMPURE | {"typing"},
    "drivers": {"network", "socket", "usocket"},
}

# The room of all modules directly inside a package that have no line of their own in its table.
TOP = "top"
TABLES = "CONTRIBUTING.md"
Rooms = dict[str, set[str]]

# The places in which only whole numbers are allowed.
EXACT = (
    "firmware/pile",
    "firmware/pile_protocol",
    "firmware/drivers",
    "cloud_stub/rates",
    "cloud_stub/orders",
    "cloud_stub/settlements",
    "cloud_stub/payments",
    "cloud_stub/bridges/home_assistant",
    "cloud_stub/bridges/ocpi",
    "cloud_stub/bridges/ocpp/mapping.py",
    "cloud_stub/bridges/ocpp/reporting.py",
    "cloud_stub/intake",
    "cloud_stub/reports",
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


def _imports(tree: ast.AST, path: Path, whole: bool = False) -> Iterator[tuple[int, str]]:
    """(line, absolute module name) of each import; a relative one is resolved against the file's place.

    With `whole`, `from a import b` yields a.b for each imported name, as b may be a module.
    """
    package = list(path.parts[1:-1] if path.parts[0] == "firmware" else path.parts[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - (node.level - 1)] if node.level else []
            if whole:
                for alias in node.names:
                    yield node.lineno, ".".join([*base, *([node.module] if node.module else []), alias.name])
            elif node.module or base:
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


def _room_imports(tree: ast.AST, path: Path, package: str) -> Iterator[tuple[int, str]]:
    """(line, name) of each imported module or folder of `package`; a name with a capital is neither."""
    for line, name in _imports(tree, path, whole=True):
        inner = name.split(".")
        if inner[0] == package and len(inner) > 1 and inner[1] == inner[1].lower():
            yield line, inner[1]


def room_of(name: str, rooms: Rooms) -> str:
    """The room of a module or folder `name` directly inside a package whose table is `rooms`."""
    return name if name in rooms else TOP


def used_arrows(source: str, path: Path, package: str, rooms: Rooms) -> list[tuple[int, str, str]]:
    """(line, room, imported room) of each import in `source` of another room of the same package."""
    if path.parts[0] != package:
        return []
    here = room_of(path.parts[1].removesuffix(".py"), rooms)
    targets = ((line, room_of(name, rooms)) for line, name in _room_imports(ast.parse(source), path, package))
    return [(line, here, target) for line, target in targets if target != here]


def room_findings(source: str, path: Path, package: str, rooms: Rooms) -> list[Finding]:
    """What the file at `path`, relative to the repository, does against the table `rooms` of `package`.

    Found are a folder that has no line in the table, and an import of a room that the table does not allow.
    """
    if path.parts[0] != package:
        return []
    if len(path.parts) > 2 and path.parts[1] not in rooms:
        return [Finding(str(path), 0, f"the folder {path.parts[1]} has no line in {TABLES}")]
    found = []
    for line, here, target in used_arrows(source, path, package, rooms):
        if target not in rooms.get(here, set()):
            allowed = ", ".join(sorted(rooms.get(here, set()))) or "none of the other rooms"
            found.append(
                Finding(str(path), line, f"{package}: {here} imports {target}; it may import {allowed}")
            )
    return found


def table_findings(package: str, rooms: Rooms) -> list[Finding]:
    """Mistakes of the table itself: an arrow to a room that it does not name, or arrows in a circle."""
    found = [
        Finding(TABLES, 0, f"{package}: {room} may import {target}, which has no line of its own")
        for room, targets in rooms.items()
        for target in sorted(targets - set(rooms))
    ]
    try:
        TopologicalSorter(rooms).prepare()
    except CycleError as error:
        found.append(Finding(TABLES, 0, f"{package}: arrows in a circle: {', '.join(error.args[1])}"))
    return found


def read_rooms(contributing: str) -> dict[str, Rooms]:
    """The tables of CONTRIBUTING.md: of each package, each room and the rooms that it may import."""
    found: dict[str, Rooms] = {}
    for package, table in re.findall(r"The rooms of `(\w+)/`.*?```\n(.*?)```", contributing, re.DOTALL):
        lines = (line.partition("->") for line in table.splitlines())
        found[package] = {room.strip(): set(targets.split()) for room, _, targets in lines}
    return found


def house_findings(root: Path, package: str, rooms: Rooms) -> list[Finding]:
    """Every mistake in the rooms of `package`. An arrow or a room that nothing uses is a mistake too."""
    found = table_findings(package, rooms)
    unused = {(room, target) for room, targets in rooms.items() for target in targets}
    empty = set(rooms)
    for file in sorted((root / package).rglob("*.py")):
        path = file.relative_to(root)
        source = file.read_text(encoding="utf-8")
        empty.discard(room_of(path.parts[1].removesuffix(".py"), rooms))
        found += room_findings(source, path, package, rooms)
        unused -= {(here, target) for _line, here, target in used_arrows(source, path, package, rooms)}
    found += [Finding(TABLES, 0, f"{package}: there is no room {room}") for room in sorted(empty)]
    found += [Finding(TABLES, 0, f"{package}: {a} may import {b}, but never does") for a, b in sorted(unused)]
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
    """Every mistake in the tree under `root`. A place of EXACT that does not exist is a mistake too."""
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
    tables = root / TABLES
    for package, rooms in read_rooms(tables.read_text("utf-8") if tables.exists() else "").items():
        found += house_findings(root, package, rooms)
    return found


def main() -> int:
    found = findings()
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
