# SPDX-License-Identifier: Apache-2.0
"""What the symbolic answer promises of one question, checked against requests that it did not see."""

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st
from tests import policy_grammar as grammar

from strongroom.formats.pcrs import PcrIndex
from strongroom.keypolicy.context import NitroTpmPcrs
from strongroom.keypolicy.decision import Outcome
from strongroom.keypolicy.evaluate import evaluate
from strongroom.keypolicy.guardrails import NO_GUARDRAILS, Guardrails
from strongroom.keypolicy.model import KeyPolicy
from strongroom.keypolicy.symbolic.answer import Impossible, Witness
from strongroom.keypolicy.symbolic.ask import opening_without_allowed_document
from strongroom.keypolicy.symbolic.question import ALLOW_ALL

PARTS = range(4)
"""The calls are tried in parts: all of them on each policy would take most of the time."""
GATED = ({PcrIndex(4): grammar.GOOD, PcrIndex(7): grammar.GOOD}, {PcrIndex(4): grammar.EVIL})


@dataclass(frozen=True)
class Asked:
    """A question, as it is put to the symbolic answer and as `evaluate` is asked about one request of it."""

    policy: KeyPolicy
    allowed: tuple[Any, ...] | None = None
    own: tuple[Any, ...] | None = None
    grants: tuple[Any, ...] = ()
    guardrails: Guardrails = NO_GUARDRAILS

    def answer(self):
        return opening_without_allowed_document(
            self.policy,
            key_account=grammar.HOME,
            key_arn=grammar.KEY,
            allowed=self.allowed,
            identity_policies=self.own,
            grants=self.grants,
            guardrails=self.guardrails,
        )

    def allows(self, request):
        """Ask about one request. Who is unknown may do everything, a federated user too."""
        around = self.guardrails
        if self.own is None and not around.session_policies:
            around = replace(around, session_policies=(ALLOW_ALL,))
        own = (ALLOW_ALL,) if self.own is None else self.own
        facts = {"key_policy": self.policy, "identity_policies": own, "grants": self.grants, "guardrails": around}
        return evaluate(request, **facts).outcome is Outcome.ALLOWED

    def is_allowed_document(self, document):
        if not isinstance(document, NitroTpmPcrs):
            return False
        tuples = [{}] if self.allowed is None else self.allowed
        return any(all(document.pcrs.get(n) == value for n, value in each.items()) for each in tuples)

    def broken(self, part):
        """Tell how the promise is broken, by the witness or by a part of the calls; None where it is not."""
        answer = self.answer()
        if isinstance(answer, Witness):
            unallowed = not self.is_allowed_document(answer.call.attestation)
            return None if unallowed and self.allows(answer.request) else "a witness that is none"
        if isinstance(answer, Impossible):
            for document, request in grammar.CALLS[part :: len(PARTS)]:
                if not self.is_allowed_document(document) and self.allows(request):
                    return f"called impossible, and allowed: {request}"
        return None


plain = st.builds(Asked, grammar.key_policies)
gated = st.builds(Asked, grammar.narrow_policies() | grammar.key_policies, allowed=st.just(GATED))
granted = st.builds(Asked, grammar.key_policies, grants=grammar.grants().map(lambda grant: (grant,)))
owned = st.builds(Asked, grammar.key_policies, own=grammar.few(grammar.identity_policies))
guarded = st.builds(
    Asked,
    grammar.key_policies,
    own=st.none() | st.just((ALLOW_ALL,)),
    guardrails=grammar.guardrails(),
)
organized = st.builds(
    Asked,
    grammar.key_policies,
    guardrails=st.builds(Guardrails, service_control=grammar.few(grammar.few(grammar.own_guardrails))),
)
"""Questions by what is given beside the key policy."""
narrow = st.builds(Asked, grammar.narrow_policies())
tangled = st.builds(Asked, grammar.narrow_policies(sizes=(2, 3), most=8))
named = st.builds(Asked, grammar.narrow_policies(grammar.one_principal))
EVERY = {
    "tangled": tangled,
    "narrow": narrow,
    "named": named,
    "plain": plain,
    "gated": gated,
    "granted": granted,
    "owned": owned,
    "guarded": guarded,
    "organized": organized,
}
