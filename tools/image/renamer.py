"""Rewrites one module of the firmware with the names that bundle.py has chosen."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tools.image import BuildError
from tools.image.scopes import assigned, names_without_nodes, own_nodes, scope_names

Target = tuple[str, str | None]  # a module of the firmware, and a name in it, or None for the module itself


@dataclass
class Module:
    """names: what its top level assigns. aliases: what it imports from the firmware, by its local name."""

    name: str
    path: Path
    text: str
    tree: ast.Module
    names: set[str] = field(default_factory=set)
    aliases: dict[str, Target] = field(default_factory=dict)
    constants: dict[str, int | str] = field(default_factory=dict)


class Names(Protocol):
    """The methods of bundle.Bundle that the renamer uses."""

    def is_outside(self, name: str) -> bool: ...

    def home(self, name: str) -> str: ...

    def symbol(self, module: str, name: str) -> tuple[str, str]: ...

    def attribute(self, module: str, name: str) -> str | None: ...

    def parameter(self, name: str, number: int) -> str | None: ...

    def imports(self, module: Module, node: ast.Import | ast.ImportFrom) -> dict[str, Target] | None: ...


@dataclass
class _Scope:
    """parameters: new names of those that get one."""

    node: ast.AST
    names: set[str]
    aliases: dict[str, Target]
    parameters: dict[str, str] = field(default_factory=dict)


class Renamer(ast.NodeVisitor):
    """Walks one module with its scopes, and collects the replacements."""

    def __init__(self, bundle: Names, module: Module):
        self._bundle = bundle
        self._module = module
        self._is_outside = bundle.is_outside(module.name)
        self._scopes: list[_Scope] = []
        self._edits: list[tuple[int, int, int, int, str]] = []

    def text(self) -> str:
        """The module with the replacements; the number of lines does not change."""
        for node in self._module.tree.body:
            if isinstance(node, ast.Assign) and assigned_name(node) in self._module.constants:
                self._replace(node, "pass")
            else:
                self.visit(node)
        lines = self._module.text.encode().splitlines(keepends=True)
        for line, start, end_line, end, new in sorted(self._edits, reverse=True):
            after = lines[end_line - 1][end:]
            lines[line - 1 : end_line] = [
                lines[line - 1][:start] + new.encode() + (after if line == end_line else b"\n"),
                *[b"\n"] * (end_line - line - 1),
                *([after] if line < end_line else []),
            ]
        text = b"".join(lines).decode()
        return text if text.endswith("\n") or not text else text + "\n"

    def _replace(self, node: ast.expr | ast.stmt, new: str) -> None:
        end_line, end = node.end_lineno or 0, node.end_col_offset or 0
        self._edits.append((node.lineno, node.col_offset, end_line, end, new))

    def _error(self, node: ast.expr | ast.stmt, why: str) -> BuildError:
        return BuildError(f"{self._module.path}:{node.lineno}: {why}")

    def _resolve(self, name: str) -> Target | None:
        """The Target of a name from a top level of the firmware; None for local names and MicroPython's."""
        for i, scope in enumerate(reversed(self._scopes)):
            if isinstance(scope.node, ast.ClassDef) and i > 0:
                continue  # methods do not see the names of their class
            if name in scope.aliases:
                return scope.aliases[name]
            if name in scope.names:
                return None
        if name in self._module.aliases:
            return self._module.aliases[name]
        return (self._module.name, name) if name in self._module.names else None

    def _parameter(self, name: str) -> str | None:
        """The new name of a parameter of an enclosing function; None if `name` is not one."""
        for i, scope in enumerate(reversed(self._scopes)):
            if name in scope.names and not (isinstance(scope.node, ast.ClassDef) and i > 0):
                return scope.parameters.get(name)
        return None

    def visit_Name(self, node: ast.Name) -> None:
        in_class = self._scopes and isinstance(self._scopes[-1].node, ast.ClassDef)
        if in_class and node.id in self._scopes[-1].names:
            if new := self._bundle.attribute(self._module.name, node.id):
                self._replace(node, new)
            return
        found = self._resolve(node.id)
        if found is None:
            if new := self._parameter(node.id):
                self._replace(node, new)
            return
        if self._is_outside and found[0] == self._module.name and found[1] not in self._module.constants:
            return
        module, name = found
        if name is not None:
            new = self._bundle.symbol(module, name)[1]
            if in_class and new in {
                self._bundle.attribute(self._module.name, each) for each in self._scopes[-1].names
            }:
                raise self._error(node, f"{node.id} would get the name of an attribute of this class")
            self._replace(node, new)
        elif not self._bundle.is_outside(module):
            raise self._error(node, f"{node.id} is a module: use it only as {node.id}.NAME")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name):
            found = self._resolve(node.value.id)
            if found is not None and found[1] is None:  # of a module
                source, symbol = self._bundle.symbol(found[0], node.attr)
                if not source or not self._bundle.is_outside(found[0]):
                    self._replace(node, symbol)
                return
        self.visit(node.value)
        if new := self._bundle.attribute(self._module.name, node.attr):
            line, end = node.end_lineno or 0, node.end_col_offset or 0
            self._edits.append((line, end - len(node.attr), line, end, new))
        elif is_private(node.attr):
            raise self._error(node, f"{node.attr} is private to another module")

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        found = self._bundle.imports(self._module, node)
        if found is None:
            return
        needed = []
        for local, (module, name) in found.items():
            if name is None and self._bundle.is_outside(module):
                needed.append(f"import {module}" + (f" as {local}" if local != module else ""))
            elif name is None and self._bundle.home(module) != self._bundle.home(self._module.name):
                needed += self._used_of_module(local, module)
            elif name is not None:
                source, symbol = self._bundle.symbol(module, name)
                if source and self._bundle.is_outside(module):
                    needed.append(f"from {source} import {symbol}" + (f" as {local}" * (local != symbol)))
                elif source and source != self._bundle.home(self._module.name):
                    needed.append(f"from {source} import {symbol}")
        self._replace(node, "; ".join(dict.fromkeys(needed)) or "pass")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.visit_Import(node)

    def _used_of_module(self, local: str, module: str) -> list[str]:
        """The names that this module uses from an imported module, as imports from the joined one."""
        used = [
            self._bundle.symbol(module, node.attr)
            for node in ast.walk(self._module.tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == local
        ]
        return [f"from {source} import {symbol}" for source, symbol in used if source]

    def visit_Global(self, node: ast.Global) -> None:
        if not self._is_outside:
            names = [self._bundle.symbol(self._module.name, name)[1] for name in node.names]
            self._replace(node, "global " + ", ".join(names))

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        body: list[ast.AST]
        if isinstance(node, ast.Lambda):
            body = [node.body]
        else:
            self._rename_definition(node)
            body = [*node.body]
            for decorator in node.decorator_list:
                self.visit(decorator)
        for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(default)
        aliases: dict[str, Target] = {}
        for each in own_nodes(node):
            if isinstance(each, (ast.Import, ast.ImportFrom)):
                aliases |= self._bundle.imports(self._module, each) or {}
        parameters = self._name_parameters(node)
        self._scopes.append(_Scope(node, scope_names(node), aliases, parameters))
        for each in body:
            self.visit(each)
        self._scopes.pop()

    def _name_parameters(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> dict[str, str]:
        """The new names of a function's parameters; replaces them in its definition."""
        number = sum(len(scope.parameters) for scope in self._scopes)
        bound_by_text = names_without_nodes(node)
        found: dict[str, str] = {}
        for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
            new = self._bundle.parameter(each.arg, number + len(found))
            if new and each.arg not in bound_by_text:
                found[each.arg] = new
                line, start = each.lineno, each.col_offset
                self._edits.append((line, start, line, start + len(each.arg), new))
        return found

    visit_FunctionDef = _visit_function
    visit_AsyncFunctionDef = _visit_function
    visit_Lambda = _visit_function

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._rename_definition(node)
        for part in (*node.decorator_list, *node.bases):
            self.visit(part)
        self._scopes.append(_Scope(node, assigned(node.body), {}))
        for statement in node.body:
            self.visit(statement)
        self._scopes.pop()

    def _visit_comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    ) -> None:
        targets = [name for each in node.generators for name in ast.walk(each.target)]
        names = {name.id for name in targets if isinstance(name, ast.Name)}
        self._scopes.append(_Scope(node, names, {}))
        self.generic_visit(node)
        self._scopes.pop()

    visit_ListComp = _visit_comprehension
    visit_SetComp = _visit_comprehension
    visit_DictComp = _visit_comprehension
    visit_GeneratorExp = _visit_comprehension

    def _rename_definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        """Renames a function, class or method. A method is renamed like an attribute."""
        in_class = self._scopes and isinstance(self._scopes[-1].node, ast.ClassDef)
        if in_class:
            new = self._bundle.attribute(self._module.name, node.name)
        else:
            found = self._resolve(node.name)
            new = None
            if found is not None and found[1] is not None and not self._is_outside:
                new = self._bundle.symbol(found[0], found[1])[1]
        if new is None:
            return
        line = self._module.text.splitlines()[node.lineno - 1]
        place = re.search(rf"\b(def|class)\s+{node.name}\b", line)
        if place is None:
            raise self._error(node, "cannot find the name of this definition")
        self._edits.append((node.lineno, place.end() - len(node.name), node.lineno, place.end(), new))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def assigned_name(node: ast.Assign) -> str:
    """The name that a statement assigns, if it is exactly one; else an empty text."""
    only = node.targets[0]
    return only.id if len(node.targets) == 1 and isinstance(only, ast.Name) else ""
