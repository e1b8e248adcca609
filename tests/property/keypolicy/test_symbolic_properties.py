# SPDX-License-Identifier: Apache-2.0
"""No request that the symbolic answer calls impossible is allowed by the evaluator, and every witness is."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests import policy_grammar as grammar

from strongroom.keypolicy.context import NitroTpmPcrs
from strongroom.keypolicy.decision import Outcome
from strongroom.keypolicy.evaluate import evaluate
from strongroom.keypolicy.symbolic.answer import Impossible, Witness
from strongroom.keypolicy.symbolic.ask import opening_without_allowed_document
from strongroom.keypolicy.symbolic.question import ALLOW_ALL
import collections
S=collections.Counter()
import atexit
atexit.register(lambda: print(S))
R=collections.Counter()
atexit.register(lambda: [print(x) for x in R.most_common(60)])

@settings(max_examples=1000, deadline=None)
@given(grammar.key_policies, st.lists(grammar.requests(), min_size=10, max_size=10))
def test_what_is_impossible_is_never_allowed(policy, requests):
    answer = opening_without_allowed_document(policy, key_account=grammar.HOME, key_arn=grammar.KEY)
    S[type(answer).__name__]+=1
    if hasattr(answer,'doubts'):
        for d in answer.doubts: R[d.why[:150]]+=1
    allowed = [request for request in requests if evaluate(request, key_policy=policy, identity_policies=[ALLOW_ALL]).outcome is Outcome.ALLOWED]
    if allowed: S["allowed"]+=1
    assert not (isinstance(answer, Impossible) and allowed)
