# SPDX-License-Identifier: Apache-2.0
"""Takes one guard at a time out of the security modules and runs the tests that promise to notice.

What a guard is: mutants.py. Deleting one must make a test fail; a guard whose absence nobody notices is a *survivor*.
`modules.toml` beside this file says which modules, which tests, and argues each survivor.

Run by hand:  python tests/guards/deletion.py [MODULE-SUBSTRING]    prints one JSON object a module.

pytest collects the tests of all modules once, in this process. Then everything happens in forks of it: first each test
file runs with every guard in place, to see that it passes and which tests each guard refuses something in (notes.py);
then each mutant is made by giving the loaded functions the mutated code, and the module's tests run until the first
failure. Those in which the guard refused come first, then those that reached it, then all others. A module without a
guard has nothing to delete and is not in modules.toml.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from types import FunctionType
from typing import Any, TextIO

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.guards.forks import in_forks  # noqa: E402
from tests.guards.mutants import mutants  # noqa: E402
from tests.guards.notes import noting_codes  # noqa: E402
from tests.guards.trials import Rehearsal, Row, Trial, survivors  # noqa: E402

SOURCES = ROOT / "src"


def configuration() -> dict[str, dict[str, Any]]:
    """Return modules.toml: module name to its tests and its argued survivors."""
    return tomllib.loads((ROOT / "tests/guards/modules.toml").read_text())


def source_of(module: str) -> Path:
    """Return the file of a module."""
    return SOURCES / Path(*module.split(".")).with_suffix(".py")


class DeletionPass:
    """A pytest plugin that runs mutants instead of the collected tests."""

    def __init__(self, entries: dict[str, dict[str, Any]], report: TextIO) -> None:
        self.entries = entries
        self.report = report

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Report on every module."""
        if session.testsfailed:
            raise session.Interrupted("some tests could not be collected")
        files: dict[str, list[pytest.Item]] = defaultdict(list)
        for item in session.items:
            files[str(item.path.relative_to(ROOT))].append(item)
        functions = _loaded_functions(self.entries)
        rows = self._rehearse(session, files, functions)
        found = {module: mutants(source_of(module), module) for module in self.entries}
        trials = [
            Trial(session, mutant, functions[module], [item for name in entry["tests"] for item in files[name]], rows)
            for module, entry in self.entries.items()
            for mutant in found[module]
        ]
        alive = defaultdict(list)
        for mutant in survivors(trials):
            alive[mutant.module].append(mutant.name)
        for module in self.entries:
            row = {"module": module, "guards": len(found[module]), "survivors": sorted(alive[module])}
            self.report.write(json.dumps(row) + "\n")
        return True

    def _rehearse(
        self, session: pytest.Session, files: dict[str, list[pytest.Item]], functions: dict[str, list[FunctionType]]
    ) -> dict[str, Row]:
        """Return a row for each test. Raises RuntimeError when one does not pass."""
        noting = {module: noting_codes(source_of(module), module) for module in self.entries}
        rows: dict[str, Row] = {}
        for _, found in in_forks(
            [(name, Rehearsal(session, items, functions, noting)) for name, items in files.items()]
        ):
            rows |= found or {}
        for name, row in rows.items():
            if not row["passed"]:
                raise RuntimeError(f"{name} fails without any change; mend it first")
        if missing := [item.nodeid for item in session.items if item.nodeid not in rows]:
            raise RuntimeError(f"tests that hang without any change: {missing}")
        return rows


def _loaded_functions(modules: Iterable[str]) -> dict[str, list[FunctionType]]:
    """Return every function that the modules' sources have made, by module: wrapped, bound and nested ones too."""
    for module in modules:
        loaded = importlib.import_module(module).__file__
        if loaded != str(source_of(module)):
            raise RuntimeError(f"expected {module} from {source_of(module)}, found {loaded}: look at PYTHONPATH")
    found = defaultdict(list)
    gc.unfreeze()  # what is frozen is not among the objects
    for function in gc.get_objects():
        if isinstance(function, FunctionType):
            found[function.__code__.co_filename].append(function)
    return {module: found[str(source_of(module))] for module in modules}


def main(pick: str = "") -> int:
    """Print one line of JSON for each module whose name contains `pick`."""
    os.chdir(ROOT)
    os.environ["HYPOTHESIS_PROFILE"] = "guards"
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what pytest prints is no report
    entries = {module: entry for module, entry in configuration().items() if pick in module}
    files = sorted({name for entry in entries.values() for name in entry["tests"]})
    options = ["-q", "-s", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow"]
    started = time.monotonic()
    code = int(pytest.main([*options, *files], plugins=[DeletionPass(entries, report)]))
    sys.stderr.write(f"{time.monotonic() - started:.0f} s\n")
    report.close()
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
