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

from strongroom.formats.tree import Node, shown
from strongroom.keypolicy.conditions import Condition, encode_conditions, parse_conditions
from strongroom.keypolicy.grammar import MAX_POLICY_BYTES, one_or_list, one_or_more, parse_policy_text, strings
from strongroom.keypolicy.patterns import any_of, has_wildcard
from strongroom.keypolicy.principals import Principals, Sense, encode_principals, parse_principals, pin

VERSION = "2012-10-17"
"""The only version taken: the older one reads `${...}` as plain text."""
_PRINCIPAL = ("Principal", "NotPrincipal")
_BODY = ("Sid", "Action", "NotAction", "Resource", "NotResource", "Condition")


class Effect(enum.StrEnum):
    """Of a statement."""

    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, slots=True)
class Selection:
    """An Action or Resource element: its texts, and whether they are what it covers or what it leaves out."""

    sense: Sense
    texts: tuple[str, ...]
    matches: Callable[[str], bool] = field(compare=False, repr=False)

    def covers(self, text: str) -> bool:
        """Tell whether the element covers an action (in lower case) or a resource."""
        return self.matches(text) is (self.sense is Sense.LISTED)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. `principals` is None in an identity policy. `label` is the Sid, or where the statement stands."""

    sid: str
    effect: Effect
    principals: Principals | None
    actions: Selection
    resources: Selection
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
    policy_id, statements = _parse(text, _key_principals)
    return KeyPolicy(statements, policy_id)


def parse_identity_policy(text: str) -> IdentityPolicy:
    """Parse an IAM identity policy. Raises FormatError, whose message names the place in the document."""
    policy_id, statements = _parse(text, _no_principals)
    return IdentityPolicy(statements, policy_id)


def _parse(text: str, principals: Callable[[Node, Mapping[str, Node], Effect], Principals | None]) -> _Parsed:
    top = parse_policy_text(text).record(("Version", "Statement"), ("Id",))
    top["Version"].pick({VERSION: VERSION})
    policy_id = top["Id"].string() if "Id" in top else ""
    numbered = enumerate(one_or_more(top["Statement"]))
    statements = tuple(_parse_statement(each, index, principals) for index, each in numbered)
    top["Statement"].distinct(statement.sid for statement in statements if statement.sid)
    return policy_id, statements


_Parsed = tuple[str, tuple[Statement, ...]]


def _parse_statement(
    node: Node, index: int, principals: Callable[[Node, Mapping[str, Node], Effect], Principals | None]
) -> Statement:
    members = node.record(("Effect",), (*_BODY, *_PRINCIPAL))
    effect = members["Effect"].member(Effect)
    named = principals(node, members, effect)
    sid = members["Sid"].string() if "Sid" in members else ""
    return Statement(
        sid=sid,
        effect=effect,
        principals=named,
        actions=_parse_actions(node, members),
        resources=_parse_resources(node, members),
        conditions=parse_conditions(members["Condition"]) if "Condition" in members else (),
        label=sid or f"Statement[{index}]",
    )


def _key_principals(node: Node, members: Mapping[str, Node], effect: Effect) -> Principals:
    sense, element = _one_of(node, members, "Principal")
    if sense is Sense.EXCEPT and effect is Effect.ALLOW:
        # IAM User Guide, NotPrincipal: "Allow" with it is not supported; it would let in everybody else.
        raise node.refused("keypolicy.not-principal", "expected NotPrincipal with Deny only, found it with Allow")
    return parse_principals(element, sense)


def _no_principals(node: Node, members: Mapping[str, Node], _: Effect) -> None:
    for name in _PRINCIPAL:
        if name in members:
            raise node.refused("keypolicy.principal", f"expected no {name} in an identity policy, found one")


def _one_of(node: Node, members: Mapping[str, Node], name: str) -> tuple[Sense, Node]:
    found = [sense for sense in Sense if sense + name in members]
    if len(found) != 1:
        raise node.refused("field.missing", f"expected either {name} or Not{name}, found {len(found)} of them")
    return found[0], members[found[0] + name]


def _parse_actions(node: Node, members: Mapping[str, Node]) -> Selection:
    sense, element = _one_of(node, members, "Action")
    texts = strings(element)
    for text in texts:
        if text != "*" and (":" not in text or has_wildcard(text.partition(":")[0])):
            raise element.refused("keypolicy.action", f"expected an action such as kms:Decrypt, found {shown(text)}")
    # Action names are not case-sensitive (IAM User Guide, Action).
    return Selection(sense, texts, any_of(text.lower() for text in texts))


def _parse_resources(node: Node, members: Mapping[str, Node]) -> Selection:
    sense, element = _one_of(node, members, "Resource")
    texts = strings(element)
    for text in texts:
        if "${" in text:
            raise element.refused("keypolicy.variable", f"policy variables are not supported, found {shown(text)}")
        if text != "*" and not text.startswith("arn:"):
            raise element.refused("keypolicy.resource", f"expected * or an ARN, found {shown(text)}")
    return Selection(sense, texts, any_of(texts))


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
