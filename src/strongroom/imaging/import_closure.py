# SPDX-License-Identifier: Apache-2.0
"""Which of our own modules a program can ever import, read from their source without running it.

Imports inside functions count; those for type checkers only do not. What is imported by a computed name is not found:
the agent has no such import, and a test runs it with exactly these modules.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "strongroom"


@dataclass(frozen=True, slots=True)
class Closure:
    """Modules of ours by name with their files, and the names of foreign packages that they import."""

    modules: dict[str, Path]
    foreign: frozenset[str]


def import_closure(root: str, *, package_folder: Path) -> Closure:
    """Return what the module `root` can import, itself and its packages included.

    Raises RuntimeError for a relative import, which our source does not have, and for a module that is not there.
    """
    modules: dict[str, Path] = {}
    foreign: set[str] = set()
    waiting = [root]
    while waiting:
        name = waiting.pop()
        if name in modules:
            continue
        modules[name] = _file_of(name, package_folder)
        waiting += _packages_of(name)
        for imported in _imports(modules[name]):
            if imported.partition(".")[0] != PACKAGE:
                foreign.add(imported.partition(".")[0])
            elif _exists(imported, package_folder):
                waiting.append(imported)
    return Closure(dict(sorted(modules.items())), frozenset(foreign - sys.stdlib_module_names))


def _packages_of(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts)))


def _imports(file: Path) -> Iterator[str]:
    """Yield the names that a file imports; for `from a import b` both `a` and `a.b`, which may be a module."""
    for node in _statements(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level or node.module is None:
                raise RuntimeError(f"{file}: a relative import")
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield everything in a tree but what stands under `if TYPE_CHECKING`."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        for otherwise in node.orelse:
            yield from _statements(otherwise)
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _statements(child)


def _exists(name: str, package_folder: Path) -> bool:
    return any(file.is_file() for file in _candidates(name, package_folder))


def _file_of(name: str, package_folder: Path) -> Path:
    for file in _candidates(name, package_folder):
        if file.is_file():
            return file
    raise RuntimeError(f"no module {name} in {package_folder}")


def _candidates(name: str, package_folder: Path) -> tuple[Path, Path]:
    _, *parts = name.split(".")
    place = package_folder.joinpath(*parts)
    return place / "__init__.py", place.with_suffix(".py")
