# SPDX-License-Identifier: Apache-2.0
"""Gives a module's code in which every guard notes that it was reached, and that it refused something.

A `raise` refuses whenever it is reached, a call when it raises. What notes is a function that each module finds among
its globals under NOTE: it is called with the guard's key and with REACHED or REFUSED.
"""

from __future__ import annotations

import ast
from pathlib import Path
from types import CodeType

from tests.guards.mutants import codes_of, guard_sites, key_of

NOTE = "__note__"
REACHED, REFUSED = "reached", "refused"


def noting_codes(file: Path, module: str) -> dict[tuple[str, int], CodeType]:
    """Return every function's code with notes, by qualified name and line."""
    tree = ast.parse(file.read_text())
    for number, (_, _, holder, index) in enumerate(guard_sites(tree)):
        guard = holder[index]
        noting = _statement if isinstance(guard, ast.stmt) else _item
        holder[index] = ast.fix_missing_locations(ast.copy_location(noting(guard, key_of(module, number)), guard))
    return codes_of(tree, file)


def _statement(guard: ast.stmt, key: str) -> ast.stmt:
    refused = ast.ExceptHandler(
        ast.Name("BaseException", ast.Load()), None, [ast.Expr(_note(key, REFUSED)), ast.Raise()]
    )
    return ast.Try([ast.Expr(_note(key, REACHED)), guard], [refused], [], [])


def _item(guard: ast.expr, key: str) -> ast.expr:
    """Return `(note, item)[1]`, starred where the item is."""
    value = guard.value if isinstance(guard, ast.Starred) else guard
    both = ast.Tuple([_note(key, REACHED), value], ast.Load())
    second = ast.Subscript(both, ast.Constant(1), ast.Load())
    return ast.Starred(second, ast.Load()) if isinstance(guard, ast.Starred) else second


def _note(key: str, what: str) -> ast.Call:
    return ast.Call(ast.Name(NOTE, ast.Load()), [ast.Constant(key), ast.Constant(what)], [])
