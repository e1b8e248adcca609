# SPDX-License-Identifier: Apache-2.0
"""Decide a KMS request as AWS does.

IAM User Guide, "Policy evaluation logic"; KMS Developer Guide, "KMS key access and permissions" and "Allowing users
in other accounts to use a KMS key". In this order:

1. An explicit Deny that applies, in the key policy or in the caller's identity policies, wins.
2. Key and caller in one account: the key policy names the caller (directly, or as `*`), or it delegates to the
   account and an identity policy allows.
3. Key and caller in two accounts: the key policy names the caller, his account or `*`, and an identity policy of his
   own allows the key. Neither is enough, and only some operations work at all.
4. An operation without a key (GenerateRandom): the identity policies alone.
5. Everything else is denied.

Grants, permission boundaries, session, endpoint, service and resource control policies take no part in this path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from strongroom.keypolicy.decision import DecidedBy, Decision, Miss, Outcome, StatementTrace
from strongroom.keypolicy.model import Effect, IdentityPolicy, KeyPolicy, Statement
from strongroom.keypolicy.operations import OPERATIONS
from strongroom.keypolicy.principals import Reach
from strongroom.keypolicy.request import NO_RESOURCE, KmsRequest


def evaluate(
    request: KmsRequest, *, key_policy: KeyPolicy | None, identity_policies: Sequence[IdentityPolicy]
) -> Decision:
    """Decide. `identity_policies` are the caller's own; `key_policy` is None exactly when the operation has no key.

    Raises RuntimeError when a key policy is given for an operation without a key, or missing for one with a key.
    """
    if (key_policy is None) != (request.key_arn is None):
        raise RuntimeError(f"expected a key policy exactly when {request.action} uses a key")
    on_key = _traces(DecidedBy.KEY_POLICY, key_policy.statements if key_policy else (), request)
    own = [
        trace for each in identity_policies for trace in _traces(DecidedBy.IDENTITY_POLICY, each.statements, request)
    ]
    trace = (*on_key, *own)
    for each in trace:
        if each.effect is Effect.DENY and each.applied:
            reason = f"statement {each.statement} of the {each.policy} denies {request.action}"
            return Decision(Outcome.EXPLICITLY_DENIED, each.policy, each.statement, reason, trace)
    if request.key_arn is None:
        return _decide_without_key(request, trace)
    if request.key_account == request.caller.account:
        return _decide_same_account(request, trace)
    return _decide_cross_account(request, trace)


def _decide_without_key(request: KmsRequest, trace: tuple[StatementTrace, ...]) -> Decision:
    own = _identity_allow(request, trace)
    return _not_allowed(request, trace, DecidedBy.IDENTITY_POLICY) if own is None else _allowed(request, trace, own)


def _decide_same_account(request: KmsRequest, trace: tuple[StatementTrace, ...]) -> Decision:
    direct = _key_allow(trace, Reach.DIRECT)
    if direct is not None:
        return _allowed(request, trace, direct)
    delegating = _key_allow(trace, Reach.ACCOUNT)
    if delegating is None:
        return _not_allowed(request, trace, DecidedBy.KEY_POLICY)
    own = _identity_allow(request, trace)
    if own is None:
        return _not_allowed(request, trace, DecidedBy.IDENTITY_POLICY)
    return _allowed(request, trace, own, also=delegating)


def _decide_cross_account(request: KmsRequest, trace: tuple[StatementTrace, ...]) -> Decision:
    if not OPERATIONS[request.action].cross_account:
        reason = f"{request.action} cannot be called on a key of another account"
        return Decision(Outcome.NOT_ALLOWED, DecidedBy.DEFAULT, "", reason, trace, DecidedBy.KEY_POLICY)
    opened = _key_allow(trace, Reach.DIRECT) or _key_allow(trace, Reach.ACCOUNT)
    if opened is None:
        return _not_allowed(request, trace, DecidedBy.KEY_POLICY)
    own = _identity_allow(request, trace)
    if own is None:
        return _not_allowed(request, trace, DecidedBy.IDENTITY_POLICY)
    return _allowed(request, trace, opened, also=own)


def _key_allow(trace: tuple[StatementTrace, ...], reach: Reach) -> StatementTrace | None:
    return _first_allow(trace, DecidedBy.KEY_POLICY, reach)


def _identity_allow(request: KmsRequest, trace: tuple[StatementTrace, ...]) -> StatementTrace | None:
    if request.caller.is_root_user:
        return StatementTrace(DecidedBy.IDENTITY_POLICY, "the root user", Effect.ALLOW, Reach.DIRECT, ())
    return _first_allow(trace, DecidedBy.IDENTITY_POLICY, Reach.DIRECT)


def _first_allow(trace: tuple[StatementTrace, ...], policy: DecidedBy, reach: Reach) -> StatementTrace | None:
    for each in trace:
        if each.effect is Effect.ALLOW and each.applied and each.policy is policy and each.reach is reach:
            return each
    return None


def _allowed(
    request: KmsRequest, trace: tuple[StatementTrace, ...], by: StatementTrace, also: StatementTrace | None = None
) -> Decision:
    reason = f"statement {by.statement} of the {by.policy} allows {request.action}"
    if also is not None:
        reason += f", and so does {also.statement} of the {also.policy}"
    return Decision(Outcome.ALLOWED, by.policy, by.statement, reason, trace)


def _not_allowed(request: KmsRequest, trace: tuple[StatementTrace, ...], lacking: DecidedBy) -> Decision:
    reason = f"no statement of the {lacking} allows {request.action} to {request.caller.arn}"
    return Decision(Outcome.NOT_ALLOWED, DecidedBy.DEFAULT, "", reason, trace, lacking)


def _traces(policy: DecidedBy, statements: Sequence[Statement], request: KmsRequest) -> list[StatementTrace]:
    return [_trace(policy, each, request) for each in statements]


def _trace(policy: DecidedBy, each: Statement, request: KmsRequest) -> StatementTrace:
    """Follow one statement. Conditions are looked at only when the rest fits: they would explain nothing otherwise."""
    reach = Reach.DIRECT if each.principals is None else each.principals.reach(request.caller)
    resource = request.key_arn or NO_RESOURCE
    if reach is Reach.NONE and each.principals is not None:
        wanted = tuple(member.value for member in each.principals.members)
        missed: tuple[Miss, ...] = (Miss(f"{each.principals.sense}Principal", wanted, (request.caller.arn,)),)
    elif not each.actions.covers(request.action.lower()):
        missed = (Miss(f"{each.actions.sense}Action", each.actions.texts, (request.action,)),)
    elif not each.resources.covers(resource):
        missed = (Miss(f"{each.resources.sense}Resource", each.resources.texts, (resource,)),)
    else:
        missed = _missed_conditions(each, request.context)
    return StatementTrace(policy, each.label, each.effect, reach, missed)


def _missed_conditions(statement: Statement, context: Mapping[str, tuple[str, ...]]) -> tuple[Miss, ...]:
    missed = []
    for condition in statement.conditions:
        seen = context.get(condition.lookup, ())
        if not condition.test(seen):
            missed.append(Miss(f"{condition.operator} {condition.key}", condition.values, seen))
    return tuple(missed)
