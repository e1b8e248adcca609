# SPDX-License-Identifier: Apache-2.0
"""Finds the guards of a module, and gives the module's code without one of them.

A *guard* is

- a `raise` statement,
- a call that stands as a statement of its own and whose name starts with one of GUARD_NAMES, with or without `_`,
- one item of a list of calls, or of a tuple of unpacked calls, inside a function: a statement of a generated policy, a
  question of an appraisal.

A guard that returns something (`keys = verify_data_key(...)`) cannot be deleted; what it refuses by is deleted where
it stands. Conditions that return or go on instead of raising are changed by the mutation run (docs/testing.md).
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

GUARD_NAMES = ("verify", "expect", "require", "refuse", "authorize", "forbid")
Site = tuple[str, str, list[Any], int]
"""Where a guard stands: qualified name of the function, its text, the list that holds it, the index in that list."""


@dataclass(frozen=True)
class Mutant:
    """One module with one guard gone. `name` is stable across unrelated edits: function, then the guard's text."""

    module: str
    name: str
    file: Path
    number: int
    """Of the guard, in source order."""

    @property
    def key(self) -> str:
        """What tells this guard from every other."""
        return key_of(self.module, self.number)

    def codes(self) -> dict[tuple[str, int], CodeType]:
        """Return every function's code, without the guard, by qualified name and line."""
        tree, sites = _read(self.file)
        _, _, holder, index = sites[self.number]
        guard = holder.pop(index)
        if isinstance(guard, ast.stmt):
            holder.insert(index, ast.copy_location(ast.Pass(), guard))
        try:
            return codes_of(tree, self.file)
        finally:
            holder[index : index + isinstance(guard, ast.stmt)] = [guard]


def key_of(module: str, number: int) -> str:
    """Return what tells a guard from every other: its module and its number there."""
    return f"{module}:{number}"


def codes_of(tree: ast.Module, file: Path) -> dict[tuple[str, int], CodeType]:
    """Return the code of every function of a module, by qualified name and line. Lambdas hold no guards."""
    return {
        (code.co_qualname, code.co_firstlineno): code
        for code in _codes(compile(tree, str(file), "exec"))
        if code.co_name != "<lambda>"
    }


def mutants(file: Path, module: str) -> list[Mutant]:
    """Return every mutant of a module."""
    seen: dict[str, int] = {}
    found = []
    for number, (where, text, _, _) in enumerate(_read(file)[1]):
        base = f"{where}: {text}"
        seen[base] = seen.get(base, 0) + 1
        name = base if seen[base] == 1 else f"{base} #{seen[base]}"
        found.append(Mutant(module, name, file, number))
    return found


@functools.cache
def _read(file: Path) -> tuple[ast.Module, list[Site]]:
    """Return a module and its guards; once a process, because that takes longer than most tests."""
    tree = ast.parse(file.read_text())
    return tree, guard_sites(tree)


def guard_sites(tree: ast.Module) -> list[Site]:
    """Return every guard of a module, in source order."""
    return list(_sites(tree, ""))


def _sites(node: ast.AST, path: str) -> Iterator[Site]:
    """Yield every guard below `node`, in source order."""
    for body in _bodies(node):
        for index, statement in enumerate(body):
            text = _guard_text(statement)
            if text is not None:
                yield path, text, body, index
            elif path and not isinstance(statement, ast.FunctionDef | ast.ClassDef):
                yield from _items(statement, path)
            inner = path
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                inner = f"{path}.{statement.name}".lstrip(".")
            yield from _sites(statement, inner)
    for part in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
        yield from _sites(part, path)


def _bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for field in ("body", "orelse", "finalbody"):
        body = getattr(node, field, None)
        if isinstance(body, list):
            yield body


def _guard_text(node: ast.stmt) -> str | None:
    """Return how a guard is named, or None for a statement that is none."""
    if isinstance(node, ast.Raise):
        return ast.unparse(node) if node.exc is None else "raise " + _summary(node.exc)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        name = _called(node.value)
        if name.lstrip("_").startswith(GUARD_NAMES):
            code = _code(node.value)
            return f"{name}{code}"
    return None


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else str(getattr(call.func, "id", ""))


def _code(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    return f" {first.value!s}" if isinstance(first, ast.Constant) else ""


def _summary(exception: ast.expr) -> str:
    """Name a raised error by its class and, where there is one, its code."""
    if isinstance(exception, ast.Call):
        return ast.unparse(exception.func) + _code(exception)
    return ast.unparse(exception)


def _items(statement: ast.stmt, path: str) -> Iterator[Site]:
    """Yield the calls that are items of a display, such as the statements of a generated policy."""
    if hasattr(statement, "body"):
        return  # what is inside is walked by itself
    for node in ast.walk(statement):
        if isinstance(node, ast.List | ast.Tuple):
            starred = [isinstance(item, ast.Starred) for item in node.elts]
            calls = [item.value if isinstance(item, ast.Starred) else item for item in node.elts]
            if len(calls) > 1 and (isinstance(node, ast.List) or all(starred)):
                for index, call in enumerate(calls):
                    if isinstance(call, ast.Call):
                        yield path, f"item {ast.unparse(call.func)}{_code(call)}", node.elts, index


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)
