# SPDX-License-Identifier: Apache-2.0
"""Runs collected tests: unchanged, to learn which guards each of them meets, and then against mutants."""

from __future__ import annotations

import itertools
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import CodeType, FunctionType
from typing import Any

import pytest
from tests.guards.forks import in_forks
from tests.guards.mutants import Mutant
from tests.guards.notes import NOTE, REACHED, REFUSED

Codes = dict[tuple[str, int], CodeType]
Row = dict[str, Any]
"""One test without any change: whether it `passed`, its `seconds`, and the guards that it REACHED and that REFUSED."""
KILLED, SURVIVED = True, False
PATIENCE_SECONDS = 1
"""CPU time, besides five times what a test needs without any change, after which other tests are tried first."""


def replace_codes(functions: Iterable[FunctionType], codes: Codes) -> None:
    """Give the functions other code, each that of its name and line."""
    for function in functions:
        new = codes.get((function.__code__.co_qualname, function.__code__.co_firstlineno))
        if new is not None:
            function.__code__ = new


@dataclass(frozen=True)
class Rehearsal:
    """The tests of one file, before any mutant."""

    session: pytest.Session
    items: Sequence[pytest.Item]
    functions: dict[str, list[FunctionType]]
    """By module."""
    noting: dict[str, Codes]

    def __call__(self) -> dict[str, Row]:
        """Run all tests, and return a row for each."""
        noted: dict[str, set[str]] = {REACHED: set(), REFUSED: set()}
        for module, codes in self.noting.items():
            replace_codes(self.functions[module], codes)
            vars(sys.modules[module])[NOTE] = lambda guard, what: noted[what].add(guard)
        rows: dict[str, Row] = {}
        for item, following in itertools.zip_longest(self.items, self.items[1:]):
            started = time.monotonic()
            passed = _passes(self.session, item, following)
            rows[item.nodeid] = {"passed": passed, "seconds": time.monotonic() - started}
            for what, guards in noted.items():
                rows[item.nodeid][what] = sorted(guards)
                guards.clear()
        return rows


@dataclass(frozen=True)
class Trial:
    """One mutant and the tests that promise to notice it."""

    session: pytest.Session
    mutant: Mutant
    functions: Sequence[FunctionType]
    items: Sequence[pytest.Item]
    rows: dict[str, Row]
    late: frozenset[str] = frozenset()
    """Tests that took too long under this mutant: they are run after all others, and then without haste."""

    def __call__(self) -> bool | str:
        """Put the mutant in place and run tests until one fails. Return the id of one that takes too long, if any."""
        replace_codes(self.functions, self.mutant.codes())
        signal.signal(signal.SIGPROF, signal.default_int_handler)
        ordered = self._ordered()
        for item, following in itertools.zip_longest(ordered, ordered[1:]):
            late = item.nodeid in self.late
            patience = 0 if late else PATIENCE_SECONDS + 5 * self.rows[item.nodeid]["seconds"]
            signal.setitimer(signal.ITIMER_PROF, patience)
            try:
                passed = _passes(self.session, item, following)
            except KeyboardInterrupt:
                if late:
                    raise
                return item.nodeid
            if not passed:
                return KILLED
        return SURVIVED

    def _ordered(self) -> list[pytest.Item]:
        """Return the tests: what the guard refused something in is likely to notice that it is gone."""
        files = {path: place for place, path in enumerate(dict.fromkeys(item.path for item in self.items))}

        def place(item: pytest.Item) -> tuple[bool, bool, bool, int, float]:
            row = self.rows[item.nodeid]
            refused, reached = (self.mutant.key in row[what] for what in (REFUSED, REACHED))
            return item.nodeid in self.late, not refused, not reached, files[item.path], row["seconds"]

        return sorted(self.items, key=place)


def survivors(trials: Sequence[Trial]) -> Iterator[Mutant]:
    """Yield each mutant that all of its tests pass with."""
    while trials:
        again = []
        for trial, outcome in in_forks([(trial, trial) for trial in trials]):
            if outcome is SURVIVED:
                yield trial.mutant
            elif isinstance(outcome, str):
                again.append(replace(trial, late=trial.late | {outcome}))
        trials = again


def _passes(session: pytest.Session, item: pytest.Item, following: pytest.Item | None) -> bool:
    """Run one test; fixtures that the following one shares stay."""
    failed = session.testsfailed
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    return session.testsfailed == failed
