# SPDX-License-Identifier: Apache-2.0
"""Which Deny statements close an Allow: few of them, so that the proof can be read."""

from __future__ import annotations

from collections.abc import Sequence

from strongroom.keypolicy.symbolic.solver import Clause, Search, TooLong


def closing(search: Search, domains: Sequence[int], clauses: Sequence[Clause]) -> tuple[str, ...]:
    """Return names of clauses that leave no solution together, none of them superfluous; none for what needs no help.

    `clauses` have no solution. When the search for few takes too long, all of them are named.
    """
    own = [clause for clause in clauses if not clause.of]
    others = [clause for clause in clauses if clause.of]
    try:
        if search.solve(domains, own) is None:
            return ()
        for clause in others:
            if search.solve(domains, [*own, clause]) is None:
                return (clause.of,)
        for clause in list(others):
            fewer = [each for each in others if each is not clause]
            if search.solve(domains, [*own, *fewer]) is None:
                others = fewer
    except TooLong:
        pass
    return tuple(dict.fromkeys(clause.of for clause in others))
