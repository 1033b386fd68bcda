"""Joins the firmware's modules into two files, for a chip whose heap holds the code.

Each module of its own costs a chip a globals table, a table of names and a slot for every import; each
distinct
name costs 7 bytes and its characters. So the modules are joined, in the order of their imports, and names
that
nobody outside sees become short:

- a module's own functions, classes and variables get a name that is unique in the bundle;
- numbers and short words that a module assigns once become const(): they take no heap at all;
- attributes and methods that begin with an underscore are numbered, in each module from 0;
- parameters that no call names are numbered by position.

Lines stay lines: line 1234 of ratelock.py in a traceback is found by `python -m tools.board.deploy.bundle
BOARD 1234`. What stays outside (boot.py, main.py, board.py, and what is freed after the start) imports from
the bundle. If a module cannot be joined safely, it raises DeployError.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tools.board.deploy import DeployError
from tools.board.deploy.micropython_names import BUILT_IN, OF_CHIPS, UNSURE

NAME = "ratelock"
# imported by the other part, so that each import needs less heap for a moment
CORE = "ratelock_core"
TEXTS = CORE + ".txt"
TEXT_MIN = 20  # characters of a text for people that is worth a line of its own in TEXTS
_OF_CORE = ("drivers", "pile", "pile_protocol")
CONST_TEXT_MAX = 24  # characters; a longer text is in the heap once, wherever it is used
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_PARAMETERS_MAX = 16
_READ_TEXT = """
def {name}(number, values):
    try:
        with open(__file__[:-3] + "txt") as file:
            for _ in range(number):
                file.readline()
            return file.readline()[:-1]
    except (OSError, MemoryError):
        return "text %d" % number + values * " %s"
"""
FREQUENT = 120  # with those that come before them, all numbers of one byte
_THEIRS = frozenset(BUILT_IN.split()) | frozenset(OF_CHIPS.split())


@dataclass
class Module:
    """names: what its top level assigns. aliases: what it imports from the firmware: (module, name or
    None).
    """

    name: str
    path: Path
    text: str
    tree: ast.Module
    names: set[str] = field(default_factory=set)
    aliases: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    external: set[str] = field(default_factory=set)
    edits: list[tuple[int, int, int, int, str]] = field(default_factory=list)
    used_at: dict[tuple[str, str], list[int]] = field(default_factory=dict)


@dataclass
class _Scope:
    node: ast.AST
    names: set[str]
    aliases: dict[str, tuple[str, str | None]]
    parameters: dict[str, str]


class Bundle:
    """modules: {dotted name: path} of the firmware, each after those that it imports. outside: names of those
    that stay modules of their own. Raises DeployError.
    """

    def __init__(self, modules: dict[str, Path], outside: Iterable[str]):
        self._outside = set(outside)
        self._modules = {name: self._read(name, path) for name, path in modules.items()}
        for module in self._modules.values():
            self._collect(module)
        self._keywords = self._words_of_calls()
        self._new_names = self._names_without_heap()
        self._read_text = next(self._new_names)
        self.texts: list[str] = []
        self._parameters = [next(self._new_names) for _ in range(_PARAMETERS_MAX)]
        self._symbols = self._choose_symbols()
        self._attributes = self._choose_attributes()
        for module in self._modules.values():
            _Renamer(self, module).visit(module.tree)
            if not self.is_outside(module.name):
                self._move_texts(module)
        self._constants = self._make_constants()

    # -- reading --------------------------------------------------------------------------------------------

    def _read(self, name: str, path: Path) -> Module:
        text = path.read_text()
        return Module(name, path, text, ast.parse(text))

    def is_package(self, name: str) -> bool:
        return self._modules[name].path.name == "__init__.py"

    def imports(self, module: Module, node: ast.stmt) -> dict[str, tuple[str, str | None]] | None:
        """{local name: (firmware module, its name or None for the module)}; None: of MicroPython's own."""
        found: dict[str, tuple[str, str | None]] = {}
        if isinstance(node, ast.Import):
            ours = [alias for alias in node.names if alias.name.split(".")[0] in self._roots()]
            if not ours:
                return None
            if len(ours) < len(node.names):
                raise DeployError(f"{module.path}:{node.lineno}: import the firmware's modules by themselves")
            for alias in ours:
                if "." in alias.name and not alias.asname:
                    raise DeployError(f"{module.path}:{node.lineno}: use `from ... import`")
                found[alias.asname or alias.name] = (alias.name, None)
            return found
        if not isinstance(node, ast.ImportFrom):
            return None
        source = node.module or ""
        if node.level:
            package = module.name if self.is_package(module.name) else module.name.rpartition(".")[0]
            source = ".".join(filter(None, (package, source)))
        if source.split(".")[0] not in self._roots():
            return None
        for alias in node.names:
            inner = f"{source}.{alias.name}"
            target = (inner, None) if inner in self._modules else (source, alias.name)
            found[alias.asname or alias.name] = target
        return found

    def _roots(self) -> set[str]:
        return {name.split(".")[0] for name in self._modules}

    def _collect(self, module: Module) -> None:
        for node in module.tree.body:
            found = self.imports(module, node)
            if found is not None:
                module.aliases |= found
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                module.external |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
            else:
                module.names |= assigned([node])

    def _words_of_calls(self) -> set[str]:
        """Names that a call, a dict or a string may give a parameter by."""
        words = set()
        for module in self._modules.values():
            for node in ast.walk(module.tree):
                if isinstance(node, ast.keyword) and node.arg:
                    words.add(node.arg)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    words.add(node.value)
        return words

    # -- choosing -------------------------------------------------------------------------------------------

    def is_outside(self, name: str) -> bool:
        return name in self._outside

    def _names_without_heap(self) -> Iterator[str]:
        """Names that the firmware does not use: first those that MicroPython has in flash, then short
        ones.
        """
        used = {word for module in self._modules.values() for word in re.findall(r"\w+", module.text)}
        for name in BUILT_IN.split():
            if (
                name not in used
                and name not in UNSURE.split()
                and not hasattr(builtins, name)
                and name[0] != "_"
            ):
                yield name
        for number in count():
            if f"g{number}" not in used:
                yield f"g{number}"

    def _choose_symbols(self) -> dict[tuple[str, str], str]:
        inside = [module for module in self._modules.values() if not self.is_outside(module.name)]
        often = Counter(name for module in inside for name in module.names)
        taken = set().union(*(module.external for module in self._modules.values()))
        for module in self._modules.values():
            for node in ast.walk(module.tree):
                if isinstance(node, ast.arg):
                    taken.add(node.arg)
                elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                    taken.add(node.id)
        symbols = {}
        for module in inside:
            classes = {
                node.name for node in module.tree.body if isinstance(node, ast.ClassDef) and node.bases
            }
            constants = {name for name, _ in constant_candidates(module.tree)}
            for name in sorted(module.names):
                # An error's class keeps its name, which is shown with it. A constant is in no table.
                if name in classes and often[name] == 1 and name not in taken:
                    symbols[module.name, name] = name
                elif name in constants:
                    symbols[module.name, name] = f"c{len(symbols)}_"
                else:
                    symbols[module.name, name] = next(self._new_names)
        return symbols

    def symbol(self, module: str, name: str) -> tuple[str, str, str]:
        """(module, name there, symbol in the bundle) of what a module calls `name`, its own or imported."""
        while name in self._modules[module].aliases:
            source, inner = self._modules[module].aliases[name]
            if inner is None:
                raise DeployError(f"{source} is used as {module}.{name}: import it where it is used")
            module, name = source, inner
        if self.is_outside(module):
            return module, name, name
        if (module, name) not in self._symbols:
            raise DeployError(f"{module} has no {name}")
        return module, name, self._symbols[module, name]

    def _choose_attributes(self) -> dict[str, dict[str, str]]:
        """{module: {attribute or method: its new name}}.

        Those that begin with an underscore are numbered in each module from 0; modules whose classes inherit
        from each other share their numbers. The others have one new name each; none where the name is
        MicroPython's too, or stands in a string, where it takes its heap anyway.
        """
        groups = {name: {name} for name in self._modules}
        public: dict[str, str] = {}
        for module in self._modules.values():
            for node in ast.walk(module.tree):
                if isinstance(node, ast.ClassDef):
                    for base in node.bases:
                        self._join(groups, module, base)
        numbers: list[str] = []
        chosen: dict[str, dict[str, str]] = {}
        for name in self._modules:
            if min(groups[name]) != name:
                continue
            table: dict[str, str] = {}
            for other in sorted(groups[name]):
                for attribute in defined_attributes(self._modules[other].tree):
                    if _is_private(attribute) and attribute not in table:
                        if len(table) == len(numbers):
                            numbers.append(next(self._new_names))
                        table[attribute] = numbers[len(table)]
            for other in groups[name]:
                chosen[other] = table
        for module in self._modules.values():
            for attribute in defined_attributes(module.tree):
                is_free = attribute not in self._keywords and attribute not in _THEIRS
                if is_free and not attribute.startswith("_") and attribute not in public:
                    public[attribute] = next(self._new_names)
        return {name: {**chosen[name], **public} for name in self._modules}

    def _join(self, groups: dict[str, set[str]], module: Module, base: ast.expr) -> None:
        target = None
        if isinstance(base, ast.Name) and base.id in module.aliases:
            target = module.aliases[base.id][0]
        elif isinstance(base, ast.Attribute) and isinstance(base.value, ast.Name):
            target = module.aliases.get(base.value.id, (None, None))[0]
        if target and target in groups:
            joined = groups[module.name] | groups[target]
            for name in joined:
                groups[name] = joined

    def attribute(self, module: str, name: str) -> str | None:
        return self._attributes[module].get(name)

    def parameters(self, node: ast.AST, outer: int) -> dict[str, str]:
        """{parameter: its new name}; outer: how many the functions around this one have."""
        arguments = node.args  # type: ignore[attr-defined]
        if arguments.vararg or arguments.kwarg or arguments.kwonlyargs:
            return {}
        found = {}
        for i, argument in enumerate(arguments.posonlyargs + arguments.args):
            if argument.arg not in self._keywords and argument.arg != "self":
                found[argument.arg] = self._parameters[outer + i]
        return found

    # -- constants ------------------------------------------------------------------------------------------

    def _move_texts(self, module: Module) -> None:
        """Texts for people, inside functions, stay in a file until they are needed."""
        for function in ast.walk(module.tree):
            if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            templates = {
                node.left
                for node in own_statements(function)
                if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod)
            }
            bare = {node.value for node in own_statements(function) if isinstance(node, ast.Expr)}
            defaults = {each for part in function.args.defaults for each in ast.walk(part)}
            for node in own_statements(function):
                if (
                    not isinstance(node, ast.Constant)
                    or not isinstance(node.value, str)
                    or node in bare | defaults
                ):
                    continue
                if len(node.value) < TEXT_MIN or " " not in node.value or "\n" in node.value:
                    continue
                values = len(re.findall(r"%[^%]", node.value)) if node in templates else 0
                if node.value not in self.texts:
                    self.texts.append(node.value)
                call = f"{self._read_text}({self.texts.index(node.value)}, {values})"
                module.edits.append(
                    (node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0, call)
                )

    def _make_constants(self) -> dict[tuple[str, str], int | str]:
        constants: dict[tuple[str, str], int | str] = {}
        wanted_outside = {
            key for module in self._modules.values() if self.is_outside(module.name) for key in module.used_at
        }
        order = sorted(self._modules, key=lambda name: self.part(name) != CORE)
        for module in self._modules.values():
            if self.is_outside(module.name):
                continue
            for name, node in constant_candidates(module.tree):
                key = (module.name, name)
                value = literal(node.value)
                if self._is_used_before(key, order, module, node.lineno):
                    continue
                if value is None:
                    continue
                constants[key] = value
                start, end = node.value.col_offset, node.value.end_col_offset or 0
                module.edits.append((node.lineno, start, node.lineno, end, f"const({value!r})"))
                if key not in wanted_outside:  # with an underscore it is in no table at all
                    self._rename_everywhere(self._symbols[key], "_" + self._symbols[key])
                    self._symbols[key] = "_" + self._symbols[key]
        return constants

    def _is_used_before(self, key: tuple[str, str], order: list[str], module: Module, line: int) -> bool:
        for other in self._modules.values():
            lines = other.used_at.get(key, [])
            if lines and order.index(other.name) < order.index(module.name):
                return True
            if other is module and lines and min(lines) < line:
                return True
        return False

    def _rename_everywhere(self, old: str, new: str) -> None:
        for module in self._modules.values():
            module.edits = [(*edit[:4], new if edit[4] == old else edit[4]) for edit in module.edits]

    # -- writing --------------------------------------------------------------------------------------------

    def part(self, module: str) -> str:
        """The file that a module is joined into."""
        if self.is_outside(module):
            return module
        return CORE if module.split(".")[0] in _OF_CORE else NAME

    def sources(self) -> dict[str, str]:
        """{module of the pile: its source}: the two parts of the bundle, and what stays outside."""
        found = {
            part: self._head(part) + "".join(map(self.source, self._joined(part))) for part in (CORE, NAME)
        }
        return found | {name: self.source(name) for name in self._modules if self.is_outside(name)}

    def _joined(self, part: str) -> list[Module]:
        return [module for module in self._modules.values() if self.part(module.name) == part]

    def _head(self, part: str) -> str:
        """Uses the most frequent names first, so that they get numbers of one byte; then what comes from the
        core.
        """
        modules = self._joined(part)
        names = frequent_names("".join(map(self.source, modules)))
        head = f"dict({', '.join(f'{name}=0' for name in names)})"
        if part == CORE:
            return head + _READ_TEXT.format(name=self._read_text)
        needed = {self._read_text}
        for module in modules:
            for key in sorted(module.used_at):
                if self.part(key[0]) == CORE and key in self._constants:
                    head += f"; {self._symbols[key]} = const({self._constants[key]!r})"
                elif self.part(key[0]) == CORE:
                    needed.add(self._symbols[key])
        return f"{head}; from {CORE} import {', '.join(sorted(needed))}\n"

    def source(self, module: Module | str) -> str:
        """One module with its edits; as many lines as before."""
        if isinstance(module, str):
            module = self._modules[module]
        lines = module.text.encode().splitlines(keepends=True)
        for line, start, end_line, end, new in sorted(module.edits, reverse=True):
            if line == end_line:
                lines[line - 1] = lines[line - 1][:start] + new.encode() + lines[line - 1][end:]
            else:
                lines[line - 1] = lines[line - 1][:start] + new.encode() + b"\n"
                for i in range(line, end_line - 1):
                    lines[i] = b"\n"
                lines[end_line - 1] = lines[end_line - 1][end:]
        text = b"".join(lines).decode()
        return text if text.endswith("\n") or not text else text + "\n"

    def place(self, part: str, line: int) -> tuple[Path, int]:
        """(source, line there) of a line of a part. Raises DeployError."""
        first = 1 + self._head(part).count("\n")
        for module in self._joined(part):
            count = self.source(module).count("\n")
            if first <= line < first + count:
                return module.path, line - first + 1
            first += count
        raise DeployError(f"{part} has no line {line} that is in a source")


class _Renamer(ast.NodeVisitor):
    """Walks one module with its scopes, and collects the replacements of its text."""

    def __init__(self, bundle: Bundle, module: Module):
        self._bundle = bundle
        self._module = module
        self._scopes: list[_Scope] = []
        self._external = {
            (alias.asname or alias.name).split(".")[0]
            for node in ast.walk(module.tree)
            if isinstance(node, (ast.Import, ast.ImportFrom)) and bundle.imports(module, node) is None
            for alias in node.names
        }

    def _edit(self, node: ast.expr | ast.stmt, text: str) -> None:
        self._module.edits.append(
            (node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0, text)
        )

    def _resolve(self, name: str) -> tuple[str, str | None] | str | None:
        """(module, name or None) of something of the firmware; a parameter's new name; None: left as it
        is.
        """
        for i, scope in enumerate(reversed(self._scopes)):
            if isinstance(scope.node, ast.ClassDef) and i > 0:
                continue
            if name in scope.aliases:
                return scope.aliases[name]
            if name in scope.names:
                if isinstance(scope.node, ast.ClassDef):
                    return self._bundle.attribute(self._module.name, name)
                return scope.parameters.get(name)
        if name in self._module.aliases:
            return self._module.aliases[name]
        return (self._module.name, name) if name in self._module.names else None

    def _symbol(self, node: ast.AST, module: str, name: str) -> str:
        module, name, symbol = self._bundle.symbol(module, name)
        if self._bundle.part(self._module.name) == CORE and self._bundle.part(module) == NAME:
            raise DeployError(f"{self._module.path} uses {module}, which is imported after it")
        self._module.used_at.setdefault((module, name), []).append(node.lineno)  # type: ignore[attr-defined]
        return symbol

    def _import(self, node: ast.AST, module: str, name: str) -> str:
        symbol = self._symbol(node, module, name)
        return f"from {self._bundle.part(self._bundle.symbol(module, name)[0])} import {symbol}"

    def visit_Name(self, node: ast.Name) -> None:
        found = self._resolve(node.id)
        if found is None:
            return
        if isinstance(found, str):
            self._edit(node, found)
            return
        module, name = found
        if name is None:
            if self._bundle.is_outside(module):
                return
            raise DeployError(f"{self._module.path}:{node.lineno}: {node.id} is a module: use what is in it")
        if self._bundle.is_outside(self._module.name) and module == self._module.name:
            return
        symbol = self._symbol(node, module, name)
        if isinstance(node.ctx, ast.Store):
            self._module.used_at[module, name].pop()
        self._edit(node, symbol)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name):
            found = self._resolve(node.value.id)
            if isinstance(found, tuple) and found[1] is None and not self._bundle.is_outside(found[0]):
                self._edit(node, self._symbol(node, found[0], node.attr))
                return
            if (isinstance(found, tuple) and found[1] is None) or node.value.id in self._external:
                return  # of board or config, or of MicroPython's own module
        self.visit(node.value)
        line, end = node.end_lineno or 0, node.end_col_offset or 0
        new = self._bundle.attribute(self._module.name, node.attr)
        if new:
            self._module.edits.append((line, end - len(node.attr), line, end, new))
        elif _is_private(node.attr):
            raise DeployError(f"{self._module.path}:{line}: {node.attr} is another module's own")

    def visit_Import(self, node: ast.Import) -> None:
        self._take_import(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self._take_import(node)

    def _take_import(self, node: ast.Import | ast.ImportFrom) -> None:
        found = self._bundle.imports(self._module, node)
        if found is None:
            return
        needed = []
        for local, (module, name) in found.items():
            if name is None:
                if self._bundle.is_outside(module):
                    needed.append(f"import {module}" + (f" as {local}" if local != module else ""))
            elif self._bundle.is_outside(module):
                needed.append(f"from {module} import {name}" + (f" as {local}" if local != name else ""))
            elif self._bundle.is_outside(self._module.name):
                needed.append(self._import(node, module, name))
        if self._bundle.is_outside(self._module.name):
            needed += self._used_of_modules(found)
        self._edit(node, "; ".join(dict.fromkeys(needed)) or "pass")

    def _used_of_modules(self, found: dict[str, tuple[str, str | None]]) -> list[str]:
        """What an outside module uses of the modules it imports, as imports from the bundle."""
        needed = []
        for node in ast.walk(self._module.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                module, name = found.get(node.value.id, ("", ""))
                if module and name is None and not self._bundle.is_outside(module):
                    needed.append(self._import(node, module, node.attr))
        return needed

    def visit_Global(self, node: ast.Global) -> None:
        if not self._bundle.is_outside(self._module.name):
            names = [self._bundle.symbol(self._module.name, name)[2] for name in node.names]
            self._edit(node, "global " + ", ".join(names))

    def _enter(self, node: ast.AST, names: set[str]) -> _Scope:
        aliases: dict[str, tuple[str, str | None]] = {}
        parameters: dict[str, str] = {}
        if isinstance(node, _FUNCTIONS):
            outer = sum(len(scope.parameters) for scope in self._scopes)
            parameters = self._bundle.parameters(node, outer)
            for statement in own_statements(node):
                if isinstance(statement, (ast.Import, ast.ImportFrom)):
                    aliases |= self._bundle.imports(self._module, statement) or {}
        return _Scope(node, names, aliases, parameters)

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._rename_definition(node)
        for part in (*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(part)
        self._scopes.append(self._enter(node, scope_names(node)))
        self._rename_parameters(node)
        for statement in node.body:
            self.visit(statement)
        self._scopes.pop()

    visit_FunctionDef = _visit_function
    visit_AsyncFunctionDef = _visit_function

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for default in node.args.defaults:
            self.visit(default)
        self._scopes.append(self._enter(node, scope_names(node)))
        self._rename_parameters(node)
        self.visit(node.body)
        self._scopes.pop()

    def _rename_parameters(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        for argument in node.args.posonlyargs + node.args.args:
            new = self._scopes[-1].parameters.get(argument.arg)
            if new:
                line = argument.lineno
                self._module.edits.append(
                    (line, argument.col_offset, line, argument.col_offset + len(argument.arg), new)
                )

    def _rename_definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        resolved = self._resolve(node.name)
        if resolved is None:
            return
        if isinstance(resolved, tuple):
            if self._bundle.is_outside(self._module.name):
                return
            resolved = self._bundle.symbol(self._module.name, node.name)[2]
        line = self._module.text.splitlines()[node.lineno - 1]
        found = re.compile(rf"\b(def|class)\s+{node.name}\b").search(line, 0)
        if found is None:
            raise DeployError(f"{self._module.path}:{node.lineno}: a definition that cannot be read")
        self._module.edits.append(
            (node.lineno, found.end() - len(node.name), node.lineno, found.end(), resolved)
        )

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._rename_definition(node)
        for part in (*node.decorator_list, *node.bases):
            self.visit(part)
        self._scopes.append(self._enter(node, assigned(node.body)))
        for statement in node.body:
            self.visit(statement)
        self._scopes.pop()

    def _visit_comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    ) -> None:
        names = {
            name.id
            for generator in node.generators
            for name in ast.walk(generator.target)
            if isinstance(name, ast.Name)
        }
        self._scopes.append(_Scope(node, names, {}, {}))
        self.generic_visit(node)
        self._scopes.pop()

    visit_ListComp = _visit_comprehension
    visit_SetComp = _visit_comprehension
    visit_DictComp = _visit_comprehension
    visit_GeneratorExp = _visit_comprehension


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def defined_attributes(tree: ast.Module) -> list[str]:
    """The attributes and methods that a module's classes have, in the order of their first use."""
    defined: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if (
                isinstance(node.value, ast.Name) and node.value.id == "self"
            ):  # else it may be MicroPython's object
                defined[node.attr] = None
        elif isinstance(node, ast.ClassDef):
            defined |= {name: None for name in sorted(assigned(node.body)) if not name.startswith("__")}
    return list(defined)


def constant_candidates(tree: ast.Module) -> list[tuple[str, ast.Assign]]:
    """Names that a module's top level gives a number or a short text, once and for all."""
    stores = Counter(
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    )
    found = []
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and node.lineno == node.end_lineno:
            target, value = node.targets[0], literal(node.value)
            too_long = isinstance(value, str) and len(value) > CONST_TEXT_MAX
            if isinstance(target, ast.Name) and stores[target.id] == 1 and value is not None and not too_long:
                found.append((target.id, node))
    return found


def frequent_names(text: str) -> list[str]:
    """The names that the code of a bundle uses most often, as many as have a number of one byte."""
    names: Counter[str] = Counter()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute):
            names[node.attr] += 1
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            names[node.value] += 1
        elif isinstance(node, ast.arg):
            names[node.arg] += 1
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            names[node.func.id] += 1
    return [name for name, _ in names.most_common(FREQUENT) if not keyword.iskeyword(name)]


def own_statements(node: ast.AST) -> list[ast.AST]:
    """Every node of a function or module, except those inside its functions and classes."""
    found: list[ast.AST] = []
    waiting = list(ast.iter_child_nodes(node))
    while waiting:
        each = waiting.pop(0)
        found.append(each)
        if not isinstance(each, (*_FUNCTIONS, ast.ClassDef, *_COMPREHENSIONS)):
            waiting += ast.iter_child_nodes(each)
    return found


def assigned(statements: Iterable[ast.stmt]) -> set[str]:
    """The names that statements bind in their own scope."""
    names = set()
    for statement in statements:
        for node in (
            statement,
            *([] if isinstance(statement, (*_FUNCTIONS, ast.ClassDef)) else own_statements(statement)),
        ):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                names.add(node.name)
            elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                names.add(node.id)
            elif isinstance(node, ast.ExceptHandler) and node.name:
                names.add(node.name)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return names


def scope_names(node: ast.AST) -> set[str]:
    """Parameters and local names of a function."""
    arguments = node.args  # type: ignore[attr-defined]
    names = {argument.arg for argument in arguments.posonlyargs + arguments.args + arguments.kwonlyargs}
    names |= {argument.arg for argument in (arguments.vararg, arguments.kwarg) if argument}
    if isinstance(node, ast.Lambda):
        return names
    shared = {name for each in own_statements(node) if isinstance(each, ast.Global) for name in each.names}
    return (names | assigned(node.body)) - shared  # type: ignore[attr-defined]


def literal(node: ast.expr) -> int | str | None:
    """The value of a whole number or a text, also of arithmetic with whole numbers; else None."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, str):
        return node.value  # type: ignore[return-value]
    if isinstance(node, (ast.BinOp, ast.UnaryOp)) and all(
        isinstance(each, (ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop))
        or (isinstance(each, ast.Constant) and type(each.value) is int)
        for each in ast.walk(node)
    ):
        return eval(compile(ast.Expression(node), "<constant>", "eval"))
    return None
