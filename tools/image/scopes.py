"""Which names a piece of Python binds in its own scope, for bundle.py."""

from __future__ import annotations

import ast
from collections.abc import Iterable

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def own_nodes(node: ast.AST) -> list[ast.AST]:
    """The nodes of a function or module, without those of the functions and classes inside it."""
    found: list[ast.AST] = []
    waiting = list(ast.iter_child_nodes(node))
    while waiting:
        each = waiting.pop(0)
        found.append(each)
        if not isinstance(each, (*FUNCTIONS, ast.ClassDef, *_COMPREHENSIONS)):
            waiting += ast.iter_child_nodes(each)
    return found


def assigned(statements: Iterable[ast.stmt]) -> set[str]:
    """The names that statements bind in their own scope."""
    names = set()
    for statement in statements:
        inner = [] if isinstance(statement, (*FUNCTIONS, ast.ClassDef)) else own_nodes(statement)
        for node in (statement, *inner):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                names.add(node.name)
            elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                names.add(node.id)
            elif isinstance(node, ast.ExceptHandler) and node.name:
                names.add(node.name)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return names


def scope_names(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    """Parameters and local names of a function."""
    arguments = node.args
    names = {argument.arg for argument in arguments.posonlyargs + arguments.args + arguments.kwonlyargs}
    names |= {argument.arg for argument in (arguments.vararg, arguments.kwarg) if argument}
    if isinstance(node, ast.Lambda):
        return names
    shared = {name for each in own_nodes(node) if isinstance(each, ast.Global) for name in each.names}
    return (names | assigned(node.body)) - shared


def names_without_nodes(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    """Names that a function, or one inside it, binds or declares without an ast.Name. These cannot be renamed
    by replacing ast.Name nodes.
    """
    names = set()
    for each in ast.walk(node):
        if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler)):
            names.add(each.name or "")
        elif isinstance(each, (ast.Global, ast.Nonlocal)):
            names |= set(each.names)
        elif isinstance(each, (ast.Import, ast.ImportFrom)):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in each.names}
    return names
