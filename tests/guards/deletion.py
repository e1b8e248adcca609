# SPDX-License-Identifier: Apache-2.0
"""Takes one guard at a time out of the security modules and runs the tests that promise to notice.

What a guard is: mutants.py. Deleting one must make a test fail; a guard whose absence nobody notices is a *survivor*.
`modules.toml` beside this file says which modules, which tests, and argues each survivor.

Run by hand:  python tests/guards/deletion.py [MODULE-SUBSTRING]    prints one JSON object a module.

pytest collects the tests of all modules once, in this process. Then everything happens in forks of it: first each test
file runs unchanged, to see that it passes and which functions each test reaches; then each mutant is made by giving
the loaded functions the mutated code, and the module's tests run until the first failure, those that reach the changed
function first. A module without a guard has nothing to delete and is not in modules.toml.
"""

from __future__ import annotations

import gc
import importlib
import itertools
import json
import os
import signal
import sys
import tempfile
import time
import tomllib
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any, TextIO

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.guards.mutants import Mutant, mutants  # noqa: E402

SOURCES = ROOT / "src"
WORKERS = os.cpu_count() or 1
SECONDS_PER_MUTANT = 120
"""A mutant that hangs is noticed too: it is ended and counts as killed."""
Reached = dict[str, dict[str, Any]]
"""Test id to its seconds and the functions it called, each as `file:qualified name`."""


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
        reached: Reached = {}
        for _, found in in_forks([(name, _tracing(session, items)) for name, items in files.items()]):
            reached |= found or {}
        for name, row in reached.items():
            if not row["passed"]:
                raise RuntimeError(f"{name} fails without any change; mend it first")
        if missing := [item.nodeid for item in session.items if item.nodeid not in reached]:
            raise RuntimeError(f"tests that hang without any change: {missing}")
        self._report_all(session, files, reached)
        return True

    def _report_all(self, session: pytest.Session, files: dict[str, list[pytest.Item]], reached: Reached) -> None:
        jobs, counts = [], {}
        functions = _loaded_functions(self.entries)
        for module, entry in self.entries.items():
            items = [item for name in entry["tests"] for item in files[name]]
            made = mutants(source_of(module), module)
            counts[module] = len(made)
            jobs += [
                ((module, m.name), _mutated(m, functions[m.file], _Ordered(session, items, reached))) for m in made
            ]
        alive = defaultdict(list)
        for (module, name), survived in in_forks(jobs):
            if survived:
                alive[module].append(name)
        for module, count in counts.items():
            row = {"module": module, "guards": count, "survivors": sorted(alive[module])}
            self.report.write(json.dumps(row) + "\n")


def _loaded_functions(modules: Iterable[str]) -> dict[Path, list[FunctionType]]:
    """Return every function that the modules' sources have made, by file: wrapped, bound and nested ones too."""
    for module in modules:
        loaded = importlib.import_module(module).__file__
        if loaded != str(source_of(module)):
            raise RuntimeError(f"expected {module} from {source_of(module)}, found {loaded}: look at PYTHONPATH")
    found = defaultdict(list)
    gc.unfreeze()  # what is frozen is not among the objects
    for function in gc.get_objects():
        if isinstance(function, FunctionType):
            found[function.__code__.co_filename].append(function)
    return {source_of(module): found[str(source_of(module))] for module in modules}


@dataclass(frozen=True)
class _Ordered:
    """The tests of a module, to be run in the order in which they are likely to notice a mutant."""

    session: pytest.Session
    items: Sequence[pytest.Item]
    reached: Reached

    def pass_on(self, mutant: Mutant) -> bool:
        """Run those that reach the mutated function first, the quick ones of each file before the others."""
        function = f"{mutant.file}:{mutant.function}"
        files = list(dict.fromkeys(item.path for item in self.items))

        def place(item: pytest.Item) -> tuple[bool, int, float]:
            row = self.reached[item.nodeid]
            return function not in row["functions"], files.index(item.path), row["seconds"]

        return not any(self.session.testsfailed for _ in _run(sorted(self.items, key=place)))


def _run(items: Sequence[pytest.Item]) -> Iterator[pytest.Item]:
    """Run tests, one at a time, and yield each that has run."""
    for item, following in itertools.zip_longest(items, items[1:]):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        yield item


def _tracing(session: pytest.Session, items: Sequence[pytest.Item]) -> Callable[[], Reached]:
    """Return a job: run all tests and say what each of them calls."""

    def job() -> Reached:
        called: set[str] = set()
        rows: Reached = {}
        prefix = str(SOURCES)

        def note(frame, event, _):
            if event == "call" and frame.f_code.co_filename.startswith(prefix):
                called.add(f"{frame.f_code.co_filename}:{frame.f_code.co_qualname.replace('<locals>.', '')}")

        failed, started = 0, time.monotonic()
        sys.setprofile(note)
        for item in _run(items):
            rows[item.nodeid] = {
                "seconds": time.monotonic() - started,
                "functions": sorted(called),
                "passed": session.testsfailed == failed,
            }
            failed, started = session.testsfailed, time.monotonic()
            called.clear()
        sys.setprofile(None)
        return rows

    return job


def _mutated(mutant: Mutant, functions: Sequence[FunctionType], tests: _Ordered) -> Callable[[], bool]:
    """Return a job: put the mutant in place, run its tests, and say whether it survived all of them."""

    def job() -> bool:
        codes = mutant.codes()
        for function in functions:
            new = codes.get((function.__code__.co_qualname, function.__code__.co_firstlineno))
            if new is not None:
                function.__code__ = new
        return tests.pass_on(mutant)

    return job


def in_forks(jobs: Sequence[tuple[Any, Callable[[], Any]]]) -> Iterator[tuple[Any, Any]]:
    """Run each job in a fork, several at a time; yield its key and its result, which is None for one that hung."""
    gc.collect()
    gc.freeze()  # a collection in a fork would copy the memory of its parent
    with tempfile.TemporaryDirectory() as folder:
        waiting = list(enumerate(jobs))[::-1]
        running: dict[int, tuple[Any, Path]] = {}
        while waiting or running:
            while waiting and len(running) < WORKERS:
                number, (key, job) = waiting.pop()
                result = Path(folder, str(number))
                running[_fork(job, result)] = key, result
            pid, status = os.wait()
            key, result = running.pop(pid)
            if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
                raise RuntimeError(f"{key}: {result.read_text() if result.exists() else 'ended'}")
            yield key, json.loads(result.read_text()) if os.WIFEXITED(status) else None


def _fork(job: Callable[[], Any], result: Path) -> int:
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(SECONDS_PER_MUTANT)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    answer = None
    try:
        answer = json.dumps(job())
    finally:  # whatever happened, a fork never returns into its parent's code
        result.write_text(traceback.format_exc() if answer is None else answer)
        os._exit(answer is None)


def main(pick: str = "") -> int:
    """Print one line of JSON for each module whose name contains `pick`."""
    os.chdir(ROOT)
    os.environ["HYPOTHESIS_PROFILE"] = "guards"
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what pytest prints is no report
    entries = {module: entry for module, entry in configuration().items() if pick in module}
    files = sorted({name for entry in entries.values() for name in entry["tests"]})
    options = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow"]
    started = time.monotonic()
    code = int(pytest.main([*options, *files], plugins=[DeletionPass(entries, report)]))
    sys.stderr.write(f"{time.monotonic() - started:.0f} s\n")
    report.close()
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
