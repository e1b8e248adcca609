# SPDX-License-Identifier: Apache-2.0
"""Takes one guard at a time out of the security modules and runs the tests that promise to notice.

A *guard* is a `raise` statement, or a call that stands as a statement of its own and whose name starts with `verify`,
`expect` or `require`. Deleting it must make a test fail; a guard whose absence nobody notices is a *survivor*.
`modules.toml` beside this file says which modules, which tests, and argues each survivor.

Run by hand:  python tests/guards/deletion.py [MODULE-SUBSTRING]    prints one JSON object a module.

Each mutant runs in a fork of this process, which has imported the libraries but nothing of strongroom: the fork
installs an import hook that serves the mutated source, then runs pytest until its first failure.
"""

from __future__ import annotations

import ast
import copy
import importlib.abc
import importlib.machinery
import json
import os
import signal
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CALL_PREFIXES = ("verify", "expect", "require")
WORKERS = os.cpu_count() or 1
SECONDS_PER_MUTANT = 120
"""A mutant that hangs is noticed too: it is ended and counts as killed."""


@dataclass(frozen=True)
class Mutant:
    """One module with one guard gone. `name` is stable across unrelated edits: function, then the guard's text."""

    module: str
    name: str
    source: str


def _guard_text(node: ast.stmt) -> str | None:
    """Return how a guard is named, or None for a statement that is none."""
    if isinstance(node, ast.Raise):
        return ast.unparse(node) if node.exc is None else "raise " + _summary(node.exc)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        called = node.value.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name.lstrip("_").startswith(CALL_PREFIXES):
            return name
    return None


def _summary(exception: ast.expr) -> str:
    """Name a raised error by its class and, where there is one, its code."""
    if isinstance(exception, ast.Call):
        first = exception.args[0] if exception.args else None
        code = f" {first.value!s}" if isinstance(first, ast.Constant) else ""
        return ast.unparse(exception.func) + code
    return ast.unparse(exception)


def _bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for field in ("body", "orelse", "finalbody"):
        body = getattr(node, field, None)
        if isinstance(body, list):
            yield body


def _walk(node: ast.AST, path: str) -> Iterator[tuple[str, list[ast.stmt], int]]:
    """Yield (qualified name, statement list, index) for every guard below `node`, in source order."""
    for body in _bodies(node):
        for index, statement in enumerate(body):
            if _guard_text(statement) is not None:
                yield path, body, index
            inner = path
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                inner = f"{path}.{statement.name}".lstrip(".")
            yield from _walk(statement, inner)
    for part in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
        yield from _walk(part, path)


def mutants(file: Path, module: str) -> list[Mutant]:
    """Return every mutant of a module."""
    tree = ast.parse(file.read_text())
    seen: dict[str, int] = {}
    found = []
    for number, (where, body, index) in enumerate(_walk(tree, "")):
        base = f"{where}: {_guard_text(body[index])}"
        seen[base] = seen.get(base, 0) + 1
        name = base if seen[base] == 1 else f"{base} #{seen[base]}"
        mutated = copy.deepcopy(tree)
        _, mutated_body, mutated_index = list(_walk(mutated, ""))[number]
        mutated_body[mutated_index] = ast.copy_location(ast.Pass(), body[index])
        found.append(Mutant(module, name, ast.unparse(mutated)))
    return found


class _Substitute(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Serves one module from the mutated source."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, fullname, path, target=None):
        if fullname != self.mutant.module:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin="mutant")

    def create_module(self, spec):
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.mutant.source, f"<{self.mutant.name}>", "exec"), module.__dict__)


def _run_in_fork(mutant: Mutant, tests: Sequence[str]) -> int:
    """Start the tests against a mutant in a fork and return the fork's process id."""
    pid = os.fork()
    if pid:
        return pid
    import pytest  # already imported by the parent

    signal.alarm(SECONDS_PER_MUTANT)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    sys.meta_path.insert(0, _Substitute(mutant))
    os.environ["HYPOTHESIS_PROFILE"] = "guards"
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow"]
    quiet = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # the libraries were imported before pytest began
    code = 3
    try:
        code = int(pytest.main([*options, *quiet, *tests]))
    finally:
        os._exit(code)  # whatever happened, a fork never returns into its parent's code


def survivors(of: Sequence[Mutant], tests: Sequence[str]) -> list[str]:
    """Return the names of the mutants under which all the tests pass."""
    waiting, alive = list(of), []
    running: dict[int, Mutant] = {}
    while waiting or running:
        while waiting and len(running) < WORKERS:
            mutant = waiting.pop()
            running[_run_in_fork(mutant, tests)] = mutant
        pid, status = os.wait()
        mutant = running.pop(pid)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            alive.append(mutant.name)
        elif os.WIFEXITED(status) and os.WEXITSTATUS(status) > 2:
            raise RuntimeError(f"pytest could not run the tests of {mutant.module}: exit {os.WEXITSTATUS(status)}")
    return sorted(alive)


def configuration() -> dict[str, dict[str, Any]]:
    """Return modules.toml: module name to its tests and its argued survivors."""
    return tomllib.loads((ROOT / "tests/guards/modules.toml").read_text())


def main(pick: str = "") -> None:
    """Print one line of JSON for each module whose name contains `pick`."""
    import cryptography.x509
    import hypothesis
    import pytest

    assert not any(name.partition(".")[0] == "strongroom" for name in sys.modules)
    del cryptography, hypothesis, pytest
    os.chdir(ROOT)
    for module, entry in configuration().items():
        if pick not in module:
            continue
        made = mutants(ROOT / "src" / Path(*module.split(".")).with_suffix(".py"), module)
        unmutated = Mutant(
            module, "nothing removed", (ROOT / "src" / Path(*module.split(".")).with_suffix(".py")).read_text()
        )
        if not survivors([unmutated], entry["tests"]):
            raise RuntimeError(f"the tests of {module} fail without any change; mend them first")
        report = {"module": module, "guards": len(made), "survivors": survivors(made, entry["tests"])}
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:2])
