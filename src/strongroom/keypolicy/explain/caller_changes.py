# SPDX-License-Identifier: Apache-2.0
"""Who else could make the same request: the principals that statements and grants name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from strongroom.errors import UsageError
from strongroom.keypolicy.caller_facts import identity_facts
from strongroom.keypolicy.callers import read_caller
from strongroom.keypolicy.condition_keys import find_condition_key
from strongroom.keypolicy.explain.inquiry import Heard, Inquiry
from strongroom.keypolicy.explain.values import settle
from strongroom.keypolicy.global_keys import PRINCIPAL_TAG
from strongroom.keypolicy.grants import Grant
from strongroom.keypolicy.model import Effect
from strongroom.keypolicy.principals import Caller, PrincipalKind, Sense

_PRINCIPAL_ARN, _TAGS = "aws:principalarn", PRINCIPAL_TAG.lower()
_NAMED = frozenset({PrincipalKind.ACCOUNT, PrincipalKind.ENTITY, PrincipalKind.SESSION, PrincipalKind.SERVICE})


def other_callers(caller: Caller, heard: Sequence[Heard]) -> tuple[Caller, ...]:
    """Return callers that a statement or a grant names, other than this one."""
    found = dict.fromkeys(each for text in _names(heard) if (each := _read(text)) is not None)
    return tuple(each for each in found if each.principal_arn != caller.principal_arn or not each.account)


def with_caller(inquiry: Inquiry, caller: Caller) -> Inquiry:
    """Return the same request from somebody else. What is known of the old caller alone goes, also his tags."""
    request = inquiry.request
    old = identity_facts(request.caller)
    kept = {key: values for key, values in request.context.items() if key not in old and not key.startswith(_TAGS)}
    new = {key: values for key, values in identity_facts(caller).items() if _is_present(key, request.action)}
    return replace(inquiry, request=replace(request, caller=caller, context={**kept, **new}))


def _is_present(key: str, action: str) -> bool:
    row = find_condition_key(key)
    return row is not None and action in row.operations


def _names(heard: Sequence[Heard]) -> Iterator[str]:
    for each in heard:
        source = each.source
        if isinstance(source, Grant):
            yield source.grantee.value
            continue
        allows = source.effect is Effect.ALLOW
        if allows and source.principals is not None and source.principals.sense is Sense.LISTED:
            yield from (member.value for member in source.principals.members if member.kind in _NAMED)
        for condition in source.conditions:
            if condition.lookup == _PRINCIPAL_ARN:
                yield from settle(condition, {}, holds=allows) or ()


def _read(text: str) -> Caller | None:
    try:
        if not text.endswith(":root"):
            return read_caller(text)
        _, partition, _, _, account, _ = text.split(":")  # a policy that names the root means the account
        return read_caller(account, partition=partition)
    except UsageError:
        return None
