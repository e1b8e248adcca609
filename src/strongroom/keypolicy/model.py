# SPDX-License-Identifier: Apache-2.0
"""KMS key policies and IAM identity policies as types.

KMS Developer Guide, "Key policies in AWS KMS" (elements, the 32 KB quota); IAM User Guide, "Grammar of the IAM JSON
policy language". Everything slow happens here, once: matchers are compiled when a policy is parsed.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from strongroom.formats.tree import Node
from strongroom.keypolicy.conditions import (
    Condition,
    encode_conditions,
    parse_conditions,
    parse_conditions_leniently,
    refuse_overly_permissive,
    without_identity_only,
)
from strongroom.keypolicy.grammar import MAX_POLICY_BYTES, one_or_list, one_or_more, parse_policy_text
from strongroom.keypolicy.principal_text import encode_principals, parse_principals
from strongroom.keypolicy.principals import Principals, Sense, pin
from strongroom.keypolicy.selection import Actions, Resources, one_of, parse_actions, parse_resources

VERSION = "2012-10-17"
"""The only version taken: the older one reads `${...}` as plain text."""
_PRINCIPAL = ("Principal", "NotPrincipal")
_BODY = ("Sid", "Action", "NotAction", "Resource", "NotResource", "Condition")


class Effect(enum.StrEnum):
    """Of a statement."""

    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. `principals` is None in an identity policy. `label` is the Sid, or where the statement stands."""

    sid: str
    effect: Effect
    principals: Principals | None
    actions: Actions
    resources: Resources
    conditions: tuple[Condition, ...]
    label: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """A policy that hangs on a KMS key."""

    statements: tuple[Statement, ...]
    policy_id: str = ""


@dataclass(frozen=True, slots=True)
class IdentityPolicy:
    """A policy that hangs on a user, group or role."""

    statements: tuple[Statement, ...]
    policy_id: str = ""


@dataclass(frozen=True, slots=True)
class ResourcePolicy:
    """A policy with principals that does not hang on a key: of a VPC endpoint, or an organization's for resources."""

    statements: tuple[Statement, ...]
    policy_id: str = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of the key policy quota a policy takes, in bytes."""

    used_bytes: int
    limit_bytes: int = MAX_POLICY_BYTES

    @property
    def free_bytes(self) -> int:
        """Return what is left; negative when the policy is too large."""
        return self.limit_bytes - self.used_bytes


def parse_key_policy(text: str) -> KeyPolicy:
    """Parse a key policy document of at most 32,768 bytes.

    Raises FormatError, whose message names the place in the document.
    """
    policy_id, statements = _parse(text, _key_principals, _key_conditions)
    return KeyPolicy(statements, policy_id)


def parse_key_policy_leniently(text: str) -> KeyPolicy:
    """Parse a key policy in which conditions may stand that this reader does not know: KMS may know them.

    Such a condition never lets an Allow apply, and never keeps a Deny from applying: whoever evaluates the policy
    denies too much, not too little. `Condition.unread` marks it. Raises FormatError for everything else.
    """
    policy_id, statements = _parse(text, _key_principals, _lenient_key_conditions)
    return KeyPolicy(statements, policy_id)


def parse_identity_policy(text: str) -> IdentityPolicy:
    """Parse an IAM identity policy; a permissions boundary, a session policy, an SCP are of the same form.

    Raises FormatError, whose message names the place in the document.
    """
    policy_id, statements = _parse(text, _no_principals, _identity_conditions)
    return IdentityPolicy(statements, policy_id)


def parse_identity_policy_leniently(text: str) -> IdentityPolicy:
    """Parse an identity policy as `parse_key_policy_leniently` parses key policies. Raises FormatError."""
    policy_id, statements = _parse(text, _no_principals, _lenient_conditions)
    return IdentityPolicy(statements, policy_id)


def parse_resource_policy(text: str) -> ResourcePolicy:
    """Parse the policy of a VPC endpoint, or a resource control policy.

    Raises FormatError, whose message names the place in the document.
    """
    policy_id, statements = _parse(text, _key_principals, _identity_conditions)
    return ResourcePolicy(statements, policy_id)


_PrincipalsOf: TypeAlias = Callable[[Node, Mapping[str, Node], Effect], Principals | None]
_ConditionsOf: TypeAlias = Callable[[Node, Effect], tuple[Condition, ...]]
_Parsed: TypeAlias = tuple[str, tuple[Statement, ...]]


def _parse(text: str, principals: _PrincipalsOf, conditions: _ConditionsOf) -> _Parsed:
    top = parse_policy_text(text).record(("Version", "Statement"), ("Id",))
    top["Version"].pick({VERSION: VERSION})
    policy_id = top["Id"].string() if "Id" in top else ""
    numbered = enumerate(one_or_more(top["Statement"]))
    statements = tuple(_parse_statement(each, index, principals, conditions) for index, each in numbered)
    top["Statement"].distinct(statement.sid for statement in statements if statement.sid)
    return policy_id, statements


def _parse_statement(node: Node, index: int, principals: _PrincipalsOf, conditions: _ConditionsOf) -> Statement:
    members = node.record(("Effect",), (*_BODY, *_PRINCIPAL))
    effect = members["Effect"].member(Effect)
    named = principals(node, members, effect)
    sid = members["Sid"].string() if "Sid" in members else ""
    return Statement(
        sid=sid,
        effect=effect,
        principals=named,
        actions=parse_actions(node, members),
        resources=parse_resources(node, members),
        conditions=conditions(members["Condition"], effect) if "Condition" in members else (),
        label=sid or f"Statement[{index}]",
    )


def _key_principals(node: Node, members: Mapping[str, Node], effect: Effect) -> Principals:
    sense, element = one_of(node, members, "Principal")
    if sense is Sense.EXCEPT and effect is Effect.ALLOW:
        # IAM User Guide, NotPrincipal: "Allow" with it is not supported; it would let in everybody else.
        raise node.refused("keypolicy.not-principal", "expected NotPrincipal with Deny only, found it with Allow")
    return parse_principals(element, sense)


def _no_principals(node: Node, members: Mapping[str, Node], _: Effect) -> None:
    for name in _PRINCIPAL:
        if name in members:
            raise node.refused("keypolicy.principal", f"expected no {name} in an identity policy, found one")


def _key_conditions(node: Node, _: Effect) -> tuple[Condition, ...]:
    conditions = parse_conditions(node)
    refuse_overly_permissive(node, conditions)
    return without_identity_only(conditions)


def _lenient_key_conditions(node: Node, effect: Effect) -> tuple[Condition, ...]:
    return without_identity_only(_lenient_conditions(node, effect))


def _identity_conditions(node: Node, _: Effect) -> tuple[Condition, ...]:
    return parse_conditions(node)


def _lenient_conditions(node: Node, effect: Effect) -> tuple[Condition, ...]:
    return parse_conditions_leniently(node, unread=effect is Effect.DENY)


def pin_principals(policy: KeyPolicy, unique_ids: Mapping[str, str]) -> KeyPolicy:
    """Return the policy as KMS stores it: role and user ARNs bound to the unique ids they have now (ATTACKS K26).

    `unique_ids` maps ARN to AROA... or AIDA... id. Raises FormatError for an ARN that is not in it.
    """
    statements = (
        replace(each, principals=each.principals and pin(each.principals, unique_ids)) for each in policy.statements
    )
    return replace(policy, statements=tuple(statements))


def encode_key_policy(policy: KeyPolicy) -> str:
    """Return the policy's text: compact JSON, always the same for the same policy."""
    return _encode(policy)


def encode_identity_policy(policy: IdentityPolicy) -> str:
    """Return the policy's text: compact JSON, always the same for the same policy."""
    return _encode(policy)


def budget(policy: KeyPolicy) -> Budget:
    """Return how many bytes of the quota the encoded policy takes."""
    return Budget(used_bytes=len(encode_key_policy(policy).encode()))


def _encode(policy: KeyPolicy | IdentityPolicy) -> str:
    top: dict[str, object] = {"Version": VERSION}
    if policy.policy_id:
        top["Id"] = policy.policy_id
    top["Statement"] = [_encode_statement(each) for each in policy.statements]
    return json.dumps(top, separators=(",", ":"))


def _encode_statement(statement: Statement) -> dict[str, object]:
    body: dict[str, object] = {"Sid": statement.sid} if statement.sid else {}
    body["Effect"] = statement.effect.value
    if statement.principals:
        body[f"{statement.principals.sense}Principal"] = encode_principals(statement.principals)
    body[f"{statement.actions.sense}Action"] = one_or_list(statement.actions.texts)
    body[f"{statement.resources.sense}Resource"] = one_or_list(statement.resources.texts)
    if statement.conditions:
        body["Condition"] = encode_conditions(statement.conditions)
    return body
