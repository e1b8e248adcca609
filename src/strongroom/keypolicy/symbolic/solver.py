# SPDX-License-Identifier: Apache-2.0
"""Finds cases for all variables that satisfy every clause, or shows that there are none.

A clause is a choice of terms, a term is literals that hold together. What has one term left is taken; then the clause
with the fewest terms is tried, term by term, with backtracking (Davis, Logemann, Loveland 1962, over finite domains).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from strongroom.keypolicy.symbolic.variables import Literal

Term: TypeAlias = tuple[Literal, ...]
MAX_STEPS = 20_000
"""Branches after which a search gives up: about a second."""


class TooLong(Exception):  # noqa: N818 -- not an error of the caller's: what asked takes it as "cannot decide"
    """The search was given up."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One of the terms holds. `of` says where it comes from, for proofs: the Deny statement, or nothing."""

    terms: tuple[Term, ...]
    of: str = ""


Settled: TypeAlias = tuple[list[int], list[Clause]]
"""What clauses alone leave: the cases of each variable, and the clauses with a choice left."""


def settled(domains: Sequence[int], clauses: Sequence[Clause]) -> Settled | None:
    """Take what has to be taken, for searches that have these clauses in common; None at a contradiction."""
    found = list(domains)
    left = _propagated(found, [clause.terms for clause in clauses])
    return None if left is None else (found, [Clause(terms) for terms in left])


class Search:
    """One search with its own budget of steps."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self._left = steps

    def solve(self, domains: Sequence[int], clauses: Sequence[Clause]) -> list[int] | None:
        """Return for each variable the cases that are left, any of which will do; None when there is no solution.

        Raises TooLong.
        """
        self._left -= 1
        if self._left < 0:
            raise TooLong
        found = list(domains)
        open_clauses = _propagated(found, [clause.terms for clause in clauses])
        if open_clauses is None:
            return None
        if not open_clauses:
            return found
        shortest = min(open_clauses, key=len)
        rest = [Clause(terms) for terms in open_clauses if terms is not shortest]
        for term in shortest:
            narrowed = list(found)
            _take(narrowed, term)
            solution = self.solve(narrowed, rest)
            if solution is not None:
                return solution
        return None


def _propagated(domains: list[int], clauses: list[tuple[Term, ...]]) -> list[tuple[Term, ...]] | None:
    """Take what has to be taken, in place. Return the clauses with a choice left; None at a contradiction."""
    while all(domains):
        undecided = [terms for terms in clauses if not any(_holds(domains, term) for term in terms)]
        clauses = [tuple(term for term in terms if _fits(domains, term)) for terms in undecided]
        forced = [terms[0] for terms in clauses if len(terms) == 1]
        if not all(clauses):
            return None
        if not forced:
            return clauses
        for term in forced:
            _take(domains, term)
    return None


def _holds(domains: list[int], term: Term) -> bool:
    return all(not domains[variable] & ~cases for variable, cases in term)


def _fits(domains: list[int], term: Term) -> bool:
    return all(domains[variable] & cases for variable, cases in term)


def _take(domains: list[int], term: Term) -> None:
    for variable, cases in term:
        domains[variable] &= cases
