# SPDX-License-Identifier: Apache-2.0
"""Follows statements and grants for one request: what became of each, and what it missed.

Conditions are looked at only when the rest of a statement fits: they would explain nothing otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from strongroom.keypolicy.decision import DecidedBy, Miss, StatementTrace
from strongroom.keypolicy.grants import Grant, GrantConstraints
from strongroom.keypolicy.kms_keys import ENCRYPTION_CONTEXT, ENCRYPTION_CONTEXT_KEYS
from strongroom.keypolicy.model import Effect, Statement
from strongroom.keypolicy.operations import CREATE_GRANT, OPERATIONS, RETIRE_GRANT
from strongroom.keypolicy.principals import Reach
from strongroom.keypolicy.request import NO_RESOURCE, KmsRequest
from strongroom.keypolicy.variables import Context

_CONTEXT, _CONTEXT_KEYS = ENCRYPTION_CONTEXT.lower(), ENCRYPTION_CONTEXT_KEYS.lower()


def traced(
    policy: DecidedBy, statements: Iterable[Statement], request: KmsRequest, *, level: int = 0
) -> list[StatementTrace]:
    """Follow every statement of a policy."""
    action, resource, context = request.action.lower(), request.key_arn or NO_RESOURCE, request.context
    found = []
    for each in statements:
        reach = Reach.DIRECT if each.principals is None else each.principals.reach(request.caller)
        about = reach is not Reach.NONE and each.actions.covers(action) and each.resources.covers(resource, context)
        missed = _missed_conditions(each, context) if about else (_missed_element(each, reach, request, action),)
        found.append(StatementTrace(policy, each.label, each.effect, reach, missed, level))
    return found


def _missed_element(each: Statement, reach: Reach, request: KmsRequest, action: str) -> Miss:
    if reach is Reach.NONE and each.principals is not None:
        wanted = tuple(member.value for member in each.principals.members)
        return Miss(f"{each.principals.sense}Principal", wanted, (request.caller.arn,))
    if not each.actions.covers(action):
        return Miss(f"{each.actions.sense}Action", each.actions.texts, (request.action,))
    return Miss(f"{each.resources.sense}Resource", each.resources.texts, (request.key_arn or NO_RESOURCE,))


def _missed_conditions(statement: Statement, context: Context) -> tuple[Miss, ...]:
    missed = [
        Miss(f"{each.operator} {each.key}", each.values, context.get(each.lookup, ()))
        for each in statement.conditions
        if not each.holds(context)
    ]
    return tuple(missed)


def traced_grant(grant: Grant, request: KmsRequest) -> StatementTrace:
    """Follow a grant.

    A grantee of a third account, one that neither has the key nor made the grant, reaches it through his account
    only (KMS Developer Guide, "Troubleshooting AWS KMS permissions": "a grant or IAM policy in your account").
    """
    caller = request.caller
    reach = grant.grantee.reach(caller)
    if reach is not Reach.NONE and not caller.is_service:
        own = caller.account in {request.key_account, grant.issuing_account}
        reach = reach if own else Reach.ACCOUNT
    missed = tuple(_missed_by_grant(grant, request, reach))
    return StatementTrace(DecidedBy.GRANT, grant.grant_id, Effect.ALLOW, reach, missed)


def _missed_by_grant(grant: Grant, request: KmsRequest, reach: Reach) -> Iterator[Miss]:
    if grant.key_arn != request.key_arn:
        yield Miss("KeyId", (grant.key_arn,), (request.key_arn or NO_RESOURCE,))
    elif reach is Reach.NONE:
        yield Miss("GranteePrincipal", (grant.grantee.value,), (request.caller.arn,))
    elif request.operation not in grant.operations:
        yield Miss("Operations", tuple(sorted(grant.operations)), (request.operation,))
    else:
        yield from _missed_constraints(grant.constraints, request)
        if request.action == CREATE_GRANT and (request.grant is None or not grant.covers(request.grant)):
            asked = () if request.grant is None else tuple(sorted(request.grant.operations))
            yield Miss("CreateGrant", tuple(sorted(grant.operations)), asked)


def _missed_constraints(constraints: GrantConstraints, request: KmsRequest) -> Iterator[Miss]:
    """Encryption context constraints are for operations that take a context (KMS API Reference, GrantConstraints)."""
    if constraints.source_arn and request.action != RETIRE_GRANT:
        seen = request.context.get("aws:sourcearn", ())
        if seen != (constraints.source_arn,):
            yield Miss("SourceArn", (constraints.source_arn,), seen)
    if not OPERATIONS[request.action].takes_context:
        return
    equals, subset = constraints.encryption_context_equals, constraints.encryption_context_subset
    wanted = {(name.lower(), value) for name, value in (*(equals or ()), *(subset or ()))}
    brought = {
        (name.lower(), request.context[_CONTEXT + name.lower()][0]) for name in request.context.get(_CONTEXT_KEYS, ())
    }
    if not wanted <= brought or (equals is not None and len(brought) != len(equals)):
        kind = "EncryptionContextSubset" if equals is None else "EncryptionContextEquals"
        yield Miss(kind, _written(wanted), _written(brought))


def _written(pairs: set[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(sorted(f"{name}={value}" for name, value in pairs))


def traced_retirement(grant: Grant, request: KmsRequest) -> StatementTrace:
    """Follow the grant that a RetireGrant is about.

    Its retiring principal retires it, the grantee if the grant says so, and the accounts that made it and that own the
    key may let their own principals do it (KMS Developer Guide, "Retiring and revoking grants").
    """
    caller = request.caller
    found = [grant.retiring.reach(caller)] if grant.retiring else []
    if "RetireGrant" in grant.operations:
        found.append(grant.grantee.reach(caller))
    if caller.account in {request.key_account, grant.issuing_account}:
        found.append(Reach.DIRECT if caller.is_root_user else Reach.ACCOUNT)
    reach = max(found, key=lambda each: each.value, default=Reach.NONE)
    if grant.key_arn != request.key_arn:
        missed: tuple[Miss, ...] = (Miss("KeyId", (grant.key_arn,), (request.key_arn or NO_RESOURCE,)),)
    elif reach is Reach.NONE:
        missed = (Miss("RetiringPrincipal", (grant.retiring.value,) if grant.retiring else (), (caller.arn,)),)
    else:
        missed = ()
    return StatementTrace(DecidedBy.GRANT, grant.grant_id, Effect.ALLOW, reach, missed)
