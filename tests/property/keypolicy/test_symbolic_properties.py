# SPDX-License-Identifier: Apache-2.0
"""No request that the symbolic answer calls impossible is allowed by the evaluator, and every witness is.

That the property can fail is shown with planted bugs: it has to find each.
"""

import collections

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests import policy_grammar as grammar
from tests.property.keypolicy.symbolic_bugs import BUGS
from tests.property.keypolicy.symbolic_contract import EVERY, PARTS, Asked

from strongroom.keypolicy.symbolic.answer import Impossible, Undecided, Witness
from strongroom.keypolicy.symbolic.ask import side_door
from strongroom.keypolicy.symbolic.demands import OPENING_OPERATIONS


@pytest.mark.parametrize("kind", EVERY)
def test_what_is_impossible_is_never_allowed_and_what_is_witnessed_is(kind):
    @settings(max_examples=80, deadline=None)
    @given(EVERY[kind], st.sampled_from(PARTS))
    def holds(asked, part):
        assert asked.broken(part) is None

    holds()


def test_a_side_door_that_is_shut_makes_no_grant_that_opens(monkeypatch):
    monkeypatch.setattr(grammar, "VALUES", grammar.GRANT_VALUES)
    decided = collections.Counter()

    @settings(max_examples=150, deadline=None)
    @given(grammar.narrow_policies())
    def holds(policy):
        answer = side_door("kms:CreateGrant", policy, key_account=grammar.HOME, key_arn=grammar.KEY)
        decided[type(answer)] += 1
        if isinstance(answer, Impossible):
            opening = [request for grant, request in grammar.NEW_GRANTS if grant.operations & OPENING_OPERATIONS]
            assert not any(Asked(policy).allows(request) for request in opening)

    holds()
    assert decided[Impossible] > 0
    assert decided[Witness] > decided[Undecided]


class BrokenError(Exception):
    """The property was broken."""


@pytest.mark.slow
@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name, monkeypatch):
    bug = BUGS[name]
    monkeypatch.setattr(grammar, "VALUES", bug.values)
    bug.plant(monkeypatch)

    @settings(max_examples=1000, deadline=None, database=None, derandomize=True, phases=[Phase.generate])
    @given(EVERY[bug.kind], st.sampled_from(PARTS))
    def finds(asked, part):
        if asked.broken(part) is not None:
            raise BrokenError

    with pytest.raises(BrokenError):
        finds()
