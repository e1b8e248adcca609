# SPDX-License-Identifier: Apache-2.0
"""What a request can be, cut down to finitely many cases: variables, each with cases that stand for all its values.

A case is a part of a condition context. Cases that no test of the question tells apart are one, so a variable has as
many cases as there are combinations of answers to the tests on it. A set of cases is an integer, a bit for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from strongroom.keypolicy.variables import Context

CaseTest: TypeAlias = Callable[[Context], bool]
"""Is something true of a case?"""
MAX_MEMBERS = 10
"""Members of a set that tests tell apart, above which its subsets are too many to list (there are 2 ** 10)."""


class Literal(NamedTuple):
    """The case of a variable is one of these."""

    variable: int
    cases: int


@dataclass(frozen=True, slots=True)
class Variable:
    """One part of a request that varies by itself. An assumption stands for a condition that cannot be read.

    It has two cases and no facts: in the first its condition holds, in the second it does not.
    """

    name: str
    cases: tuple[Context, ...]
    assumption: str = ""

    @property
    def every(self) -> int:
        """Return all cases."""
        return (1 << len(self.cases)) - 1

    def where(self, test: CaseTest) -> int:
        """Return the cases of which a test is true."""
        return sum(1 << at for at, facts in enumerate(self.cases) if test(facts))


def told_apart(candidates: Iterable[Context], tests: Sequence[CaseTest]) -> tuple[Context, ...]:
    """Return the first candidate of each combination of answers to the tests."""
    found: dict[tuple[bool, ...], Context] = {}
    for facts in candidates:
        found.setdefault(tuple(test(facts) for test in tests), facts)
    return tuple(found.values())


def sets_of(key: str, members: Sequence[str], tests: Sequence[CaseTest]) -> list[Context] | None:
    """Return the sets that a key with several values can have, none of them empty; None when there are too many.

    Tests on such a key ask of each member by itself, so members that no test tells apart are one.
    """
    distinct = told_apart(({key: (member,)} for member in dict.fromkeys(members)), tests)
    values = [facts[key][0] for facts in distinct]
    if len(values) > MAX_MEMBERS:
        return None
    chosen = sorted(range(1, 1 << len(values)), key=int.bit_count)
    return [{key: tuple(value for at, value in enumerate(values) if bits >> at & 1)} for bits in chosen]


def merged(parts: Iterable[Mapping[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    """Put the facts of several cases together."""
    return {name: values for part in parts for name, values in part.items()}
