# SPDX-License-Identifier: Apache-2.0
"""Rules on text that does not do what it says: unknown names, keys that are never there, elements without effect."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from strongroom.errors import Severity
from strongroom.keypolicy.condition_keys import CONDITION_KEYS, find_condition_key
from strongroom.keypolicy.context import time_facts
from strongroom.keypolicy.grammar import MAX_POLICY_BYTES
from strongroom.keypolicy.lint.rule import BOTH, Rule
from strongroom.keypolicy.lint.subject import Subject
from strongroom.keypolicy.lint.views import ConditionView, Fault, StatementView
from strongroom.keypolicy.operations import OPERATIONS, PREFIX
from strongroom.keypolicy.operators import OPERATORS
from strongroom.keypolicy.patterns import wildcard
from strongroom.keypolicy.principals import Sense
from strongroom.keypolicy.statements import ATTESTED

_RANDOM = "kms:GenerateRandom"
_ALIASES = ("kms:requestalias", "kms:resourcealiases")
_CLOCKS = ("aws:currenttime", "aws:epochtime")
_NEARLY_FULL = 0.8
_BY_LOWER = {action.lower(): action for action in OPERATIONS}


def unknown_key(subject: Subject) -> Iterator[Fault]:
    """Yield conditions on keys that nobody knows."""
    for view, each in _unread(subject):
        if find_condition_key(each.key) is None:
            yield view.fault(each.path, f"has the unknown condition key {each.key!r}{_close(each.key)}")


def unknown_operator(subject: Subject) -> Iterator[Fault]:
    """Yield conditions with operators that there are not."""
    for view, each in _unread(subject):
        if find_condition_key(each.key) is not None and each.condition.unread == "keypolicy.operator":
            name = each.condition.operator
            near = difflib.get_close_matches(name, OPERATORS, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield view.fault(each.path, f"has the unknown operator {name!r}{hint}")


def unreadable(subject: Subject) -> Iterator[Fault]:
    """Yield conditions whose operator does not fit the key, or whose values it cannot read."""
    for view, each in _unread(subject):
        if find_condition_key(each.key) is not None and each.condition.unread != "keypolicy.operator":
            yield view.fault(
                each.path,
                f"has {each.condition.operator} on {each.key}, which nobody can read ({each.condition.unread})",
            )


def _unread(subject: Subject) -> Iterator[tuple[StatementView, ConditionView]]:
    return ((view, each) for view in subject.statements for each in view.conditions if each.unread)


def _close(key: str) -> str:
    near = difflib.get_close_matches(key.lower(), CONDITION_KEYS, n=1)
    return f"; did you mean {CONDITION_KEYS[near[0]].name}?" if near else ""


def unknown_action(subject: Subject) -> Iterator[Fault]:
    """Yield actions of KMS that there are not."""
    for view in subject.statements:
        for text in view.statement.actions.texts:
            if _should_be_kms(view, text) and not any(map(wildcard(text.lower()).fullmatch, _BY_LOWER)):
                yield view.fault(view.place("Action"), f"names {text!r}, which KMS does not have")


def _should_be_kms(view: StatementView, text: str) -> bool:
    """Tell whether an action is KMS's to know: in a key policy each is, elsewhere those of its own."""
    return view.statement.principals is not None or text.lower().startswith(PREFIX)


def key_never_there(subject: Subject) -> Iterator[Fault]:
    """Yield statements with conditions on keys that one of their actions never has: an Allow of it never applies."""
    for view in subject.statements:
        named = [_BY_LOWER[text.lower()] for text in view.listed_actions if text.lower() in _BY_LOWER]
        found = [(each, lost) for each in view.conditions if (lost := _lost_actions(view, each, named))]
        if found:
            (first, _), actions = found[0], dict.fromkeys(action for _, lost in found for action in lost)
            effect = "never allows" if view.allows else "always denies"
            yield view.fault(first.path, f"{effect} {', '.join(actions)}, where {first.key} is never there")


def _lost_actions(view: StatementView, each: ConditionView, named: list[str]) -> list[str]:
    row = find_condition_key(each.key)
    if each.unread or row is None:
        return []
    absent = [action for action in named if action not in row.operations and action != _RANDOM]
    if view.allows:
        return absent if each.demands else []
    # To shut one of the four by a key that it never has is safe, and on purpose for DeriveSharedSecret.
    return [action for action in absent if action not in ATTESTED] if each.holds_without_key else []


def identity_only(subject: Subject) -> Iterator[Fault]:
    """Yield conditions of a key policy on keys that exist in identity policies only."""
    for view in subject.statements:
        for each in view.conditions:
            row = find_condition_key(each.key)
            if row is not None and row.identity_only:
                yield view.fault(each.path, f"has {each.key}, which key policies never see")


def random_in_key_policy(subject: Subject) -> Iterator[Fault]:
    """Yield key policy statements about GenerateRandom."""
    for view in subject.statements:
        if any(text.lower() == _RANDOM.lower() for text in view.listed_actions):
            yield view.fault(view.place("Action"), f"names {_RANDOM}, which uses no key")


def alias_resource(subject: Subject) -> Iterator[Fault]:
    """Yield resources that are aliases."""
    for view in subject.statements:
        if any(":alias/" in text for text in view.statement.resources.texts):
            yield view.fault(view.place("Resource"), "names an alias as its resource, which no request has")


def alias_gate(subject: Subject) -> Iterator[Fault]:
    """Yield each Allow that asks by which alias the key is called."""
    for view in subject.allows:
        for each in view.on(*_ALIASES):
            yield view.fault(each.path, "asks for an alias, which whoever may call UpdateAlias points elsewhere")


def other_resource(subject: Subject) -> Iterator[Fault]:
    """Yield statements of a key policy that are not certainly about its key."""
    for view in subject.statements:
        texts = view.statement.resources.texts
        except_some = view.statement.resources.sense is Sense.EXCEPT
        if (except_some or not view.covers_this_key) and not any(":alias/" in text for text in texts):
            yield view.fault(view.place("Resource"), f"is about {texts[0]!r}, and perhaps not about this key")


def expired(subject: Subject) -> Iterator[Fault]:
    """Yield each Allow whose time is over."""
    clock = time_facts(subject.now)
    for view in subject.allows:
        for each in view.on(*_CLOCKS):
            if each.base is not None and "LessThan" in each.base.name and not each.unread and not each.holds(clock):
                yield view.fault(each.path, f"ended at {each.values[0]}")


def nearly_full(subject: Subject) -> Iterator[Fault]:
    """Yield the policy itself when it nears the quota."""
    used = len(subject.text.encode())
    if used > _NEARLY_FULL * MAX_POLICY_BYTES:
        yield Fault((), f"the policy takes {used} of {MAX_POLICY_BYTES} bytes; {MAX_POLICY_BYTES - used} are left")


RULES: tuple[Rule, ...] = (
    Rule(
        code="lint.unknown-key",
        severity=Severity.ERROR,
        title="A condition key is unknown: no request has it",
        fix="Look at its spelling. If AWS has added it since, do not rely on this lint.",
        attacks=("K19",),
        kinds=BOTH,
        check=unknown_key,
    ),
    Rule(
        code="lint.unknown-operator",
        severity=Severity.ERROR,
        title="A condition operator is unknown: it never matches",
        fix="Look at its spelling; operators have case.",
        attacks=("K19",),
        kinds=BOTH,
        check=unknown_operator,
    ),
    Rule(
        code="lint.unreadable-condition",
        severity=Severity.ERROR,
        title="A condition cannot be read: its operator, set operator, variable or value does not fit its key",
        fix="See docs/formats/key-policy.md, What is read. The code in brackets is in docs/reference/codes.md.",
        attacks=("K19",),
        kinds=BOTH,
        check=unreadable,
    ),
    Rule(
        code="lint.unknown-action",
        severity=Severity.WARNING,
        title="KMS has no such action",
        fix="Look at its spelling. A Deny of it denies nothing.",
        attacks=("K19",),
        kinds=BOTH,
        check=unknown_action,
    ),
    Rule(
        code="lint.key-never-there",
        severity=Severity.WARNING,
        title="A condition asks for what requests of this action never have",
        fix="Put the action into a statement of its own. Only five operations take a document, and Encrypt is none "
        "of them.",
        kinds=BOTH,
        check=key_never_there,
    ),
    Rule(
        code="lint.identity-only-key",
        severity=Severity.WARNING,
        title="A condition key does not exist where key policies are evaluated",
        fix="Move the condition to an identity policy, or ask for something else.",
        check=identity_only,
    ),
    Rule(
        code="lint.generate-random",
        severity=Severity.NOTE,
        title="A key policy says nothing about GenerateRandom, which uses no key",
        fix="Take it out here; an identity policy can ask for a document.",
        check=random_in_key_policy,
    ),
    Rule(
        code="lint.alias-resource",
        severity=Severity.ERROR,
        title="A resource is an alias: requests on a key have the key's ARN",
        fix="Write * in a key policy, and the key's ARN in an identity policy.",
        attacks=("K5",),
        kinds=BOTH,
        check=alias_resource,
    ),
    Rule(
        code="lint.alias-gate",
        severity=Severity.WARNING,
        title="An Allow asks by which alias the key is called",
        fix="Compare nothing with aliases: they can be pointed at another key. Callers name the key's ARN.",
        attacks=("K5",),
        kinds=BOTH,
        check=alias_gate,
    ),
    Rule(
        code="lint.other-resource",
        severity=Severity.WARNING,
        title="The resource of a key policy's statement is not *",
        fix="Write *, which means this key. Give --key ARN if it is this key's.",
        check=other_resource,
    ),
    Rule(
        code="lint.expired",
        severity=Severity.WARNING,
        title="An Allow has ended",
        fix="Take it out, or renew it.",
        check=expired,
    ),
    Rule(
        code="lint.nearly-full",
        severity=Severity.NOTE,
        title="The policy nears the 32,768 bytes that KMS takes",
        fix="Withdraw old versions, or let versions share an epoch and an expiry.",
        check=nearly_full,
    ),
)
