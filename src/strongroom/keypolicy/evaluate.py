# SPDX-License-Identifier: Apache-2.0
"""Decide a KMS request as AWS does.

IAM User Guide, "Policy evaluation logic" and "Cross-account policy evaluation logic"; KMS Developer Guide,
"Troubleshooting AWS KMS permissions", "Allowing users in other accounts to use a KMS key", "Grants in AWS KMS". The
steps are numbered in `evaluate`; docs/formats/key-policy.md says which of them AWS documents and which are assumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from strongroom.keypolicy.decision import DecidedBy, Decision, Outcome, StatementTrace
from strongroom.keypolicy.grants import Grant
from strongroom.keypolicy.guardrails import NO_GUARDRAILS, Guardrails
from strongroom.keypolicy.hearing import Layer, hear_around, hear_of_caller, hear_on_key, layers
from strongroom.keypolicy.model import Effect, IdentityPolicy, KeyPolicy
from strongroom.keypolicy.operations import OPERATIONS, RETIRE_GRANT
from strongroom.keypolicy.principals import Reach
from strongroom.keypolicy.request import KmsRequest

_Trace: TypeAlias = tuple[StatementTrace, ...]
_ON_KEY = (DecidedBy.KEY_POLICY, DecidedBy.GRANT)
_ANY = (Reach.DIRECT, Reach.BEHIND, Reach.ACCOUNT)


@dataclass(frozen=True, slots=True)
class _Case:
    """A request and what was said of it. `own` is what allows in the caller's account; `limit` what holds him back."""

    request: KmsRequest
    trace: _Trace
    limit: DecidedBy | None
    own: StatementTrace | None

    @property
    def at_home(self) -> bool:
        """Tell whether key and caller are of one account. A service that acts for itself is at home everywhere."""
        return self.request.caller.is_service or self.request.key_account == self.request.caller.account


def evaluate(
    request: KmsRequest,
    *,
    key_policy: KeyPolicy | None,
    identity_policies: Sequence[IdentityPolicy],
    grants: Sequence[Grant] = (),
    guardrails: Guardrails = NO_GUARDRAILS,
) -> Decision:
    """Decide. `identity_policies` are the caller's own; `key_policy` is None exactly when the operation has no key.

    Raises RuntimeError when a key policy is given for an operation without a key, or missing for one with a key.
    """
    if (key_policy is None) != (request.key_arn is None):
        raise RuntimeError(f"expected a key policy exactly when {request.action} uses a key")
    around = layers(request, guardrails)
    trace = (
        *hear_around(request, around),
        *hear_on_key(request, key_policy, grants),
        *hear_of_caller(request, identity_policies, guardrails),
    )
    # What the caller may by himself: an identity policy allows, and neither boundary nor session policies limit it.
    limit = _limit(request, trace, guardrails)
    case = _Case(request, trace, limit, _own_allow(request, trace, limit))
    return (
        # 1. An explicit Deny that applies, in any policy, wins.
        _explicitly_denied(case)
        # 2. The policies around the request, of the organization and of the VPC endpoint, allow it at every level.
        or _not_allowed_around(case, around)
        # 3. An operation without a key asks the caller's own policies, and nothing more.
        or _decided_without_key(case)
        # 4. In another account only some operations work at all.
        or _not_across_accounts(case)
        # 5. Whom the key policy names needs nothing else in the account of the key, and whom a grant names in none.
        #    What names the role or the user behind a session stays limited by their boundary and by session policies.
        or _allowed_by_name(case)
        # 6. What opens the key to the caller's account, or to a caller of another account, needs his own policies as
        #    well: neither is enough.
        or _allowed_by_both(case)
        # 7. Everything else is denied.
        or _not_allowed(case, _lacking(case))
    )


def _explicitly_denied(case: _Case) -> Decision | None:
    for each in case.trace:
        if each.effect is Effect.DENY and not each.missed:
            reason = f"statement {each.statement} of the {each.policy} denies {case.request.action}"
            return Decision(Outcome.EXPLICITLY_DENIED, each.policy, each.statement, reason, case.trace)
    return None


def _not_allowed_around(case: _Case, around: Sequence[Layer]) -> Decision | None:
    allowing = {(each.policy, each.level) for each in case.trace if each.effect is Effect.ALLOW and not each.missed}
    silent = (layer.kind for layer in around if (layer.kind, layer.level) not in allowing)
    kind = next(silent, None)
    return None if kind is None else _not_allowed(case, kind)


def _decided_without_key(case: _Case) -> Decision | None:
    if case.request.key_arn is not None:
        return None
    return _not_allowed(case, _lacking_own(case)) if case.own is None else _allowed(case, case.own)


def _not_across_accounts(case: _Case) -> Decision | None:
    action = case.request.action
    if case.at_home or OPERATIONS[action].cross_account:
        return None
    reason = f"{action} cannot be called on a key of another account"
    return Decision(Outcome.NOT_ALLOWED, DecidedBy.DEFAULT, "", reason, case.trace, DecidedBy.KEY_POLICY)


def _allowed_by_name(case: _Case) -> Decision | None:
    found = _first_allow(case.trace, _sufficient(case), Reach.DIRECT)
    if found is None and case.limit is None:
        found = _first_allow(case.trace, _sufficient(case), Reach.BEHIND)
    return None if found is None else _allowed(case, found)


def _sufficient(case: _Case) -> tuple[DecidedBy, ...]:
    return _ON_KEY if case.at_home else (DecidedBy.GRANT,)


def _allowed_by_both(case: _Case) -> Decision | None:
    opened = _opened(case)
    if opened is None or case.own is None:
        return None
    return _allowed(case, case.own, opened) if case.at_home else _allowed(case, opened, case.own)


def _opened(case: _Case) -> StatementTrace | None:
    return _first_allow(case.trace, _ON_KEY, *((Reach.ACCOUNT,) if case.at_home else _ANY))


def _lacking(case: _Case) -> DecidedBy:
    """Return the kind of policy without which a request on a key is not allowed."""
    if _opened(case) is not None:
        return _lacking_own(case)
    if case.limit is not None and _first_allow(case.trace, _ON_KEY, Reach.BEHIND) is not None:
        return case.limit
    return DecidedBy.GRANT if case.request.action == RETIRE_GRANT else DecidedBy.KEY_POLICY


def _lacking_own(case: _Case) -> DecidedBy:
    allowed = _first_allow(case.trace, (DecidedBy.IDENTITY_POLICY,), Reach.DIRECT) is not None
    return case.limit if allowed and case.limit is not None else DecidedBy.IDENTITY_POLICY


def _limit(request: KmsRequest, trace: _Trace, guardrails: Guardrails) -> DecidedBy | None:
    """Return what holds the caller back although his other policies allow: the boundary, or the session's policies.

    A federated user has nothing without a session policy (IAM User Guide, evaluation within a single account, step 6).
    """
    if guardrails.boundary is not None and _first_allow(trace, (DecidedBy.BOUNDARY,), Reach.DIRECT) is None:
        return DecidedBy.BOUNDARY
    asked = bool(guardrails.session_policies) or request.caller.is_federated_user
    if asked and _first_allow(trace, (DecidedBy.SESSION_POLICY,), Reach.DIRECT) is None:
        return DecidedBy.SESSION_POLICY
    return None


def _own_allow(request: KmsRequest, trace: _Trace, limit: DecidedBy | None) -> StatementTrace | None:
    """Return what allows in the caller's own account. A root user needs no policy."""
    if request.caller.is_root_user:
        return StatementTrace(DecidedBy.IDENTITY_POLICY, "the root user", Effect.ALLOW, Reach.DIRECT, ())
    return _first_allow(trace, (DecidedBy.IDENTITY_POLICY,), Reach.DIRECT) if limit is None else None


def _first_allow(trace: _Trace, kinds: tuple[DecidedBy, ...], *reaches: Reach) -> StatementTrace | None:
    for each in trace:
        if each.effect is Effect.ALLOW and not each.missed and each.policy in kinds and each.reach in reaches:
            return each
    return None


def _allowed(case: _Case, by: StatementTrace, also: StatementTrace | None = None) -> Decision:
    reason = f"{_named(by)} allows {case.request.action}"
    if also is not None:
        reason += f", and so does {_named(also).removeprefix('statement ')}"
    return Decision(Outcome.ALLOWED, by.policy, by.statement, reason, case.trace)


def _named(each: StatementTrace) -> str:
    if each.policy is DecidedBy.GRANT:
        return f"grant {each.statement}"
    return f"statement {each.statement} of the {each.policy}"


def _not_allowed(case: _Case, lacking: DecidedBy) -> Decision:
    reason = f"no statement of the {lacking} allows {case.request.action} to {case.request.caller.arn}"
    return Decision(Outcome.NOT_ALLOWED, DecidedBy.DEFAULT, "", reason, case.trace, lacking)
