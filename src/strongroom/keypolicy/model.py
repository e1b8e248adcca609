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

from strongroom.keypolicy.conditions import Condition, encode_conditions, parse_conditions
from strongroom.keypolicy.json_text import MAX_POLICY_BYTES, JsonValue, Node, parse_json
from strongroom.keypolicy.patterns import any_of, has_wildcard
from strongroom.keypolicy.principals import Principals, Sense, encode_principals, parse_principals, pin

VERSION = "2012-10-17"
"""The only version taken: the older one reads `${...}` as plain text."""
_TOP = ("Version", "Id", "Statement")
_BODY = ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition")


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
    top = parse_json(text).members(known=_TOP, required=("Version", "Statement"))
    if top["Version"].text() != VERSION:
        top["Version"].refuse("keypolicy.version", f"expected {VERSION!r}, found {top['Version'].value!r}")
    policy_id = top["Id"].text() if "Id" in top else ""
    statements = tuple(_parse_statement(each, index, principals) for index, each in _numbered(top["Statement"]))
    sids = [statement.sid for statement in statements if statement.sid]
    for sid in sids:
        if sids.count(sid) > 1:
            top["Statement"].refuse("keypolicy.duplicate", f"expected each Sid once, found {sid!r} again")
    return policy_id, statements


_Parsed = tuple[str, tuple[Statement, ...]]


def _numbered(node: Node) -> enumerate[Node]:
    return enumerate(node.one_or_more())


def _parse_statement(
    node: Node, index: int, principals: Callable[[Node, Mapping[str, Node], Effect], Principals | None]
) -> Statement:
    members = node.members(required=("Effect",))
    effect = _parse_effect(members["Effect"])
    named = principals(node, members, effect)
    for name in members:
        if name not in (*_BODY, *_PRINCIPAL):
            node.refuse("keypolicy.unknown-member", f"expected one of {', '.join(_BODY)}, found {name!r}")
    sid = members["Sid"].text() if "Sid" in members else ""
    return Statement(
        sid=sid,
        effect=effect,
        principals=named,
        actions=_parse_actions(node, members),
        resources=_parse_resources(node, members),
        conditions=parse_conditions(members["Condition"]) if "Condition" in members else (),
        label=sid or f"Statement[{index}]",
    )


_PRINCIPAL = ("Principal", "NotPrincipal")


def _parse_effect(node: Node) -> Effect:
    if node.value not in tuple(Effect):
        node.refuse("keypolicy.effect", f"expected Allow or Deny, found {node.value!r}"[:120])
    return Effect(node.text())


def _key_principals(node: Node, members: Mapping[str, Node], effect: Effect) -> Principals:
    sense, element = _one_of(node, members, "Principal")
    if sense is Sense.EXCEPT and effect is Effect.ALLOW:
        # IAM User Guide, NotPrincipal: "Allow" with it is not supported; it would let in everybody else.
        node.refuse("keypolicy.not-principal", "expected NotPrincipal with Deny only, found it with Allow")
    return parse_principals(element, sense)


def _no_principals(node: Node, members: Mapping[str, Node], _: Effect) -> None:
    for name in _PRINCIPAL:
        if name in members:
            node.refuse("keypolicy.principal", f"expected no {name} in an identity policy, found one")


def _one_of(node: Node, members: Mapping[str, Node], name: str) -> tuple[Sense, Node]:
    found = [sense for sense in Sense if sense + name in members]
    if len(found) != 1:
        node.refuse("keypolicy.missing-member", f"expected either {name} or Not{name}, found {len(found)} of them")
    return found[0], members[found[0] + name]


def _parse_actions(node: Node, members: Mapping[str, Node]) -> Selection:
    sense, element = _one_of(node, members, "Action")
    texts = element.texts()
    for text in texts:
        if text != "*" and (":" not in text or has_wildcard(text.partition(":")[0])):
            element.refuse("keypolicy.action", f"expected an action such as kms:Decrypt, found {text!r}")
    # Action names are not case-sensitive (IAM User Guide, Action).
    return Selection(sense, texts, any_of(text.lower() for text in texts))


def _parse_resources(node: Node, members: Mapping[str, Node]) -> Selection:
    sense, element = _one_of(node, members, "Resource")
    texts = element.texts()
    for text in texts:
        if "${" in text:
            element.refuse("keypolicy.variable", f"policy variables are not supported, found {text!r}")
        if text != "*" and not text.startswith("arn:"):
            element.refuse("keypolicy.resource", f"expected * or an ARN, found {text!r}")
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
    body[f"{statement.actions.sense}Action"] = _one_or_list(statement.actions.texts)
    body[f"{statement.resources.sense}Resource"] = _one_or_list(statement.resources.texts)
    if statement.conditions:
        body["Condition"] = encode_conditions(statement.conditions)
    return body


def _one_or_list(texts: tuple[str, ...]) -> JsonValue:
    return texts[0] if len(texts) == 1 else list(texts)
