"""Joins the modules of a pile into a few (JOINED), for a chip whose heap holds the code.

Each module costs heap for a table of globals, a table of names and a slot for each import. `make heap` shows
the heap of the joined firmware. Each distinct name costs heap too, unless MicroPython has it in its flash.
So:

- a definition at a module's top level gets a name that is unique in the bundle, if possible one in flash;
- a number or short text that a module assigns once is inserted wherever it is used, and its name is removed;
- attributes and methods that begin with an underscore are numbered in each module from 0;
- every other attribute or method gets one name for all modules; so does a function's parameter, by its
  number, because a function keeps the names of its parameters for calls with keywords. A name that is also a
  text or a keyword somewhere is kept: it is in the heap anyway, and the text may refer to it.

An error class keeps its name, which is shown with the error. Modules outside the bundle (boot.py, main.py,
board.py, and those that are removed from the heap after the start) import from the bundle. A module that
cannot be rewritten is refused with BuildError.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

from tools.image import BuildError
from tools.image.micropython_names import IN_FLASH, ON_CHIP
from tools.image.renamer import Module, Renamer, Target, assigned_name, is_private
from tools.image.scopes import assigned

# The joined modules, in the order of their imports: all but the package `pile`, then that. In the heap an
# import leaves a hole beside each function, and what the next import keeps fills it: two leave fewer.
JOINED = ("ratelock", "ratelock_pile")
ENTRY = "start"  # the module of a release that the launcher imports; it imports all others
PARAMETERS_MAX = 24  # of a function and the functions around it
FREQUENT = 120  # names; with the first names of every .mpy, those whose number takes one byte
SHOWN = ("board", "main", ENTRY)  # modules whose names are read from outside the firmware, or with `import *`
CONSOLE = "relay is_closed"  # names that tests/device uses on a deployed pile
CONSTANT_TEXT_MAX = 24  # characters; a longer text would be in the heap once for each use


class Bundle:
    """modules: {dotted name: path} of the firmware, each after those that it imports. outside: names of those
    that stay modules of their own. Raises BuildError.
    """

    def __init__(self, modules: dict[str, Path], outside: Iterable[str]):
        self._outside = set(outside)
        self._modules = {
            name: Module(name, path, path.read_text(), ast.parse(path.read_text()))
            for name, path in modules.items()
        }
        self._roots = {name.split(".")[0] for name in modules}
        self._external: set[str] = set()  # local names of imports from MicroPython
        for module in self._modules.values():
            self._collect(module)
        self._kept = set(f"{IN_FLASH} {ON_CHIP} {CONSOLE}".split()) | self._meant()
        new_names = self._new_names()
        self._parameters = [next(new_names) for _ in range(PARAMETERS_MAX)]
        self._symbols = self._choose_symbols(new_names)
        # An attribute may have the name of a symbol, because they are looked up in different tables.
        new_names = self._new_names()
        self._owners = {name: self._owner(name) for name in self._modules}
        self._attributes = self._choose_attributes(new_names)
        self._public_attributes = self._choose_public_attributes(new_names)

    def sources(self) -> dict[str, str]:
        """{module of the pile: its source}: the bundle, and the modules outside."""
        texts = {name: Renamer(self, module).text() for name, module in self._modules.items()}
        found = {name: texts[name] for name in texts if self.is_outside(name)}
        first = "import gc\n"
        for name in JOINED:
            joined = "".join(texts[each] for each in texts if self.home(each) == name)
            found[name] = first_names(joined) + joined
            first += f"import {name}\ngc.collect()\n"
        return found | {ENTRY: first + found.get(ENTRY, "")}

    def home(self, name: str) -> str:
        """The module of the pile that has the content of a module of the firmware."""
        if self.is_outside(name):
            return name
        return JOINED[name.split(".")[0] == "pile"]

    def is_outside(self, name: str) -> bool:
        return name in self._outside

    def symbol(self, module: str, name: str) -> tuple[str, str]:
        """(module of the pile, name there) for the `name` that a module defines or imports; ("", its value)
        for a constant.
        """
        while name in self._modules[module].aliases:
            source, inner = self._modules[module].aliases[name]
            if inner is None:
                raise BuildError(f"{source} is used as {module}.{name}: import it where it is used")
            module, name = source, inner
        if name in self._modules[module].constants:
            return "", f"({self._modules[module].constants[name]!r})"
        if self.is_outside(module):
            return module, name
        if (module, name) not in self._symbols:
            raise BuildError(f"{module} has no {name}")
        return self.home(module), self._symbols[module, name]

    def attribute(self, module: str, name: str) -> str | None:
        """The new name of an attribute or method; None: it keeps its own."""
        return self._attributes[self._owners[module]].get(name) or self._public_attributes.get(name)

    def parameter(self, name: str, number: int) -> str | None:
        """The new name of a parameter; None: it keeps its own. number: its index among all visible ones."""
        is_kept = name in self._kept or name == "self" or number >= PARAMETERS_MAX
        return None if is_kept else self._parameters[number]

    def imports(self, module: Module, node: ast.Import | ast.ImportFrom) -> dict[str, Target] | None:
        """{local name: its Target}; None if the statement imports modules of MicroPython."""
        if isinstance(node, ast.Import):
            ours = [alias for alias in node.names if alias.name.split(".")[0] in self._roots]
            if ours and len(ours) < len(node.names):
                raise BuildError(f"{module.path}:{node.lineno}: import the firmware's modules by themselves")
            for alias in ours:
                if "." in alias.name and not alias.asname:
                    raise BuildError(f"{module.path}:{node.lineno}: use `from ... import`")
            return {alias.asname or alias.name: (alias.name, None) for alias in ours} or None
        source = node.module or ""
        if node.level:
            is_package = module.path.name == "__init__.py"
            package = module.name if is_package else module.name.rpartition(".")[0]
            source = ".".join(filter(None, (package, source)))
        if source.split(".")[0] not in self._roots:
            return None
        found: dict[str, Target] = {}
        for alias in node.names:
            inner = f"{source}.{alias.name}"
            found[alias.asname or alias.name] = (
                (inner, None) if inner in self._modules else (source, alias.name)
            )
        return found

    def _collect(self, module: Module) -> None:
        for node in module.tree.body:
            if not isinstance(node, (ast.Import, ast.ImportFrom)):
                module.names |= assigned([node])
                continue
            found = self.imports(module, node)
            if found is None:
                self._external |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
            else:
                module.aliases |= found
        if not (self.is_outside(module.name) and module.name.split(".")[-1] in SHOWN):
            module.constants = constants(module.tree)

    def _meant(self) -> set[str]:
        """Texts, and the keywords of calls."""
        nodes = [node for module in self._modules.values() for node in ast.walk(module.tree)]
        texts = {
            node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        return texts | {node.arg for node in nodes if isinstance(node, ast.keyword) and node.arg}

    def _new_names(self) -> Iterator[str]:
        """Names that the firmware does not use: those that MicroPython has in flash, then short ones."""
        used = {word for module in self._modules.values() for word in re.findall(r"\w+", module.text)}
        for name in IN_FLASH.split():
            if name not in used and not hasattr(builtins, name) and name[0] != "_":
                yield name
        for number in count():
            if f"g{number}" not in used:
                yield f"g{number}"

    def _choose_symbols(self, new_names: Iterator[str]) -> dict[tuple[str, str], str]:
        inside = [module for module in self._modules.values() if not self.is_outside(module.name)]
        often = Counter(name for module in inside for name in module.names)
        taken = self._external | {
            node.arg if isinstance(node, ast.arg) else node.id
            for module in self._modules.values()
            for node in ast.walk(module.tree)
            if isinstance(node, ast.arg) or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
        }
        symbols = {}
        for module in inside:
            errors = {node.name for node in module.tree.body if isinstance(node, ast.ClassDef) and node.bases}
            for name in sorted(module.names - set(module.constants)):
                is_kept = name in errors and often[name] == 1 and name not in taken
                symbols[module.name, name] = name if is_kept else next(new_names)
        return symbols

    def _choose_attributes(self, new_names: Iterator[str]) -> dict[str, dict[str, str]]:
        """{module: {attribute or method with an underscore: its new name}}, but none that MicroPython has."""
        theirs = set(IN_FLASH.split())
        numbers: list[str] = []
        tables: dict[str, dict[str, str]] = {name: {} for name in self._modules}
        for module in self._modules.values():
            table = tables[self._owners[module.name]]
            for name in sorted(_defined_attributes(module.tree) - theirs - set(table)):
                if is_private(name):
                    if len(table) == len(numbers):
                        numbers.append(next(new_names))
                    table[name] = numbers[len(table)]
        return tables

    def _choose_public_attributes(self, new_names: Iterator[str]) -> dict[str, str]:
        defined = set().union(*(_defined_attributes(module.tree) for module in self._modules.values()))
        return {name: next(new_names) for name in sorted(defined - self._kept) if name[0] != "_"}

    def _owner(self, name: str) -> str:
        """The module whose numbers a module shares, because one of its classes inherits from there."""
        module = self._modules[name]
        for node in ast.walk(module.tree):
            for base in node.bases if isinstance(node, ast.ClassDef) else ():
                target = None
                if isinstance(base, ast.Name):
                    target = module.aliases.get(base.id)
                elif isinstance(base, ast.Attribute) and isinstance(base.value, ast.Name):
                    target = module.aliases.get(base.value.id)
                if target is not None:
                    return self._owner(target[0])
        return name


def first_names(text: str) -> str:
    """A line that uses the most frequent names of a bundle first. A .mpy numbers names by their first use; a
    number below 128 takes one byte of bytecode, a larger one two.
    """
    names: Counter[str] = Counter()
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    local = stored | {node.arg for node in nodes if isinstance(node, ast.arg)}  # a local name is no number
    local -= assigned(tree.body)
    for node in nodes:
        if isinstance(node, ast.Attribute):
            names[node.attr] += 1
        elif isinstance(node, ast.Name) and node.id not in local:
            names[node.id] += 1
    return f"dict({', '.join(f'{name}=0' for name, _ in names.most_common(FREQUENT))})\n"


def constants(tree: ast.Module) -> dict[str, int | str]:
    """The whole numbers and short texts that a module's top level assigns exactly once."""
    stores = Counter(
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    )
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and stores[name := assigned_name(node)] == 1:
            value = literal(node.value)
            if value is not None and not (isinstance(value, str) and len(value) > CONSTANT_TEXT_MAX):
                found[name] = value
    return found


def literal(node: ast.expr) -> int | str | None:
    """The value of a text, a whole number, or arithmetic with whole numbers; else None."""
    try:
        value = eval(compile(ast.Expression(node), "<constant>", "eval"), {"__builtins__": {}})
    except Exception:  # noqa: BLE001 - any error means that it is not a constant
        return None
    return value if type(value) in (int, str) else None


def _defined_attributes(tree: ast.Module) -> set[str]:
    """The attributes and methods that a module's classes have."""
    defined = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id == "self":  # else it may be MicroPython's
                defined.add(node.attr)
        elif isinstance(node, ast.ClassDef):
            defined |= assigned(node.body)
    return defined
