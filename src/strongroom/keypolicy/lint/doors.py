# SPDX-License-Identifier: Apache-2.0
"""Rules on the ways round the conditions of a key, and on who may change its policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from strongroom.errors import Severity
from strongroom.keypolicy.condition_keys import find_condition_key
from strongroom.keypolicy.lint.openings import ATTESTATION, opens_by_role
from strongroom.keypolicy.lint.rule import BOTH, Rule
from strongroom.keypolicy.lint.subject import PUT_KEY_POLICY, Subject, is_for_all
from strongroom.keypolicy.lint.views import ConditionView, Fault, StatementView
from strongroom.keypolicy.operations import CREATE_GRANT, OPERATIONS
from strongroom.keypolicy.patterns import has_wildcard, wildcard
from strongroom.keypolicy.principals import PrincipalKind, Sense
from strongroom.keypolicy.statements import ATTESTED
from strongroom.keypolicy.symbolic.demands import OPENING_OPERATIONS
from strongroom.keypolicy.variables import has_variable

_TAKEOVER = (PUT_KEY_POLICY, "kms:ScheduleKeyDeletion", "kms:DisableKey")
_OUTSIDERS = (PrincipalKind.SERVICE, PrincipalKind.FEDERATED)
_BY_NAME = frozenset({"aws:principalarn", "aws:userid"})
_ALL_OF_THEM = "ForAllValues:StringEquals"


def _side_door(actions: Sequence[str], why: str, subject: Subject) -> Iterator[Fault]:
    for view in subject.allows:
        found = [action for action in actions if action in view.covered - subject.shut]
        if found and not _grants_nothing_secret(view, found):
            yield view.fault(view.place("Action"), f"allows {' and '.join(found)}: {why}")


def _grants_nothing_secret(view: StatementView, found: list[str]) -> bool:
    """Tell whether CreateGrant is limited to operations that give no secret.

    That it is limited to a grantee does not help: he then has the key without a document.
    """
    limits = (each for each in view.on("kms:grantoperations") if each.condition.operator == _ALL_OF_THEM)
    return found == [CREATE_GRANT] and any(all(map(_gives_nothing, each.values)) for each in limits)


def _gives_nothing(operation: str) -> bool:
    """Tell whether a grant of this operation gives no secret. What a variable becomes is up to the caller."""
    return operation not in OPENING_OPERATIONS and not has_variable(operation)


def anyone_changes(subject: Subject) -> Iterator[Fault]:
    """Yield each Allow that lets everybody in the key's account replace the policy, or shut or delete the key."""
    for view in subject.allows:
        open_to = (action for action in _TAKEOVER if action in view.covered - subject.shut)
        found = [action for action in open_to if not any(map(_names_callers, subject.fences.get(action, ())))]
        if found and view.anyone and not any(each.exact and _names_callers(each) for each in view.conditions):
            yield view.fault(view.place("Principal"), f"lets everybody in the key's account call {', '.join(found)}")


def account_changes(subject: Subject) -> Iterator[Fault]:
    """Yield each Allow that leaves it to the IAM of an account who replaces the policy."""
    if PUT_KEY_POLICY in subject.shut or any(map(_names_callers, subject.fences.get(PUT_KEY_POLICY, ()))):
        return
    for view in subject.allows:
        accounts = [each.value for each in view.members if each.kind is PrincipalKind.ACCOUNT]
        if (
            accounts
            and PUT_KEY_POLICY in view.covered
            and not any(each.exact and _names_callers(each) for each in view.conditions)
        ):
            yield view.fault(
                view.place("Principal"), f"lets the IAM policies of {accounts[0]} decide who replaces this policy"
            )


def outsider_changes(subject: Subject) -> Iterator[Fault]:
    """Yield each Allow that lets a service, or users of an identity provider, replace the policy or shut the key."""
    for view in subject.allows:
        outsiders = [each.value for each in view.members if each.kind in _OUTSIDERS]
        found = [action for action in _TAKEOVER if action in view.covered - subject.shut]
        if outsiders and found:
            yield view.fault(view.place("Principal"), f"lets {outsiders[0]} call {', '.join(found)}")


def _names_callers(each: ConditionView) -> bool:
    """Tell whether a condition is about which role or user calls, and lets none of its values be a pattern."""
    return each.lookup in _BY_NAME and not each.unread and not any(map(has_wildcard, each.values))


def every_action(subject: Subject) -> Iterator[Fault]:
    """Yield each Allow whose action holds using and managing the key in one wildcard."""
    for view in subject.allows:
        wide = (text for text in view.listed_actions if has_wildcard(text) and _is_wide(text))
        found = next(wide, None)
        if found is not None:
            yield view.fault(view.place("Action"), f"allows {found}: {_what_it_opens(view, subject)}")


def _is_wide(text: str) -> bool:
    matches = wildcard(text.lower()).fullmatch
    return all(matches(action.lower()) for action in ("kms:Encrypt", PUT_KEY_POLICY))


def _what_it_opens(view: StatementView, subject: Subject) -> str:
    left = view.covered - subject.shut
    telling = (*ATTESTED[:1], "kms:Encrypt", CREATE_GRANT, "kms:ReEncryptFrom", "kms:ReplicateKey", PUT_KEY_POLICY)
    named = [
        action.partition(":")[2] for action in telling if action in left and not any(subject.fences.get(action, ()))
    ]
    return f"{', '.join(named)} among {len(left)} operations, and whatever KMS adds later"


def all_but(subject: Subject) -> Iterator[Fault]:
    """Yield each Allow that lists what it does not allow."""
    for view in subject.allows:
        if view.statement.actions.sense is Sense.EXCEPT:
            left = len(view.covered - subject.shut)
            yield view.fault(
                view.place("Action"), f"allows all but what it lists: {left} operations, and those of tomorrow"
            )


def bricks(subject: Subject) -> Iterator[Fault]:
    """Yield each Deny that keeps everybody from repairing the policy, for ever."""
    for view in subject.denies:
        if PUT_KEY_POLICY in view.covered and is_for_all(view) and all(_always(view)):
            yield view.fault(view.place("Action"), f"denies {PUT_KEY_POLICY} to everybody, for ever")


def _always(view: StatementView) -> Iterator[bool]:
    """Yield whether each condition of a Deny holds for every PutKeyPolicy, because its key is never there."""
    for each in view.conditions:
        row = find_condition_key(each.key)
        yield row is not None and PUT_KEY_POLICY not in row.operations and each.holds_without_key


def bootstrap_window(subject: Subject) -> Iterator[Fault]:
    """Yield the statements of a policy without any gate that let something be planted before the gates come."""
    gated = any(view.on(ATTESTATION) for view in subject.allows)
    if gated or any(opens_by_role(view, subject) for view in subject.allows):
        return
    for view in subject.allows:
        planted = [a for a in ("kms:Encrypt", CREATE_GRANT, *ATTESTED) if a in view.covered - subject.shut]
        if planted:
            yield view.fault(view.place("Action"), f"allows {', '.join(planted)} before any gate is in place")


def _door_rule(code: str, actions: tuple[str, ...], *, attack: str, title: str, why: str) -> Rule:
    if not set(actions) <= OPERATIONS.keys():
        raise RuntimeError(f"expected actions of KMS, found {actions}")
    return Rule(
        code=code,
        severity=Severity.ERROR,
        title=title,
        fix=f"Deny {' and '.join(actions)} to everybody, without a condition.",
        attacks=(attack,),
        kinds=BOTH,
        check=partial(_side_door, actions, why),
    )


RULES: tuple[Rule, ...] = (
    _door_rule(
        "lint.re-encrypt",
        ("kms:ReEncryptFrom", "kms:ReEncryptTo"),
        attack="K3",
        title="ReEncrypt moves ciphertexts to a key of the caller's without a document",
        why="no document is asked for, and the new key is the caller's",
    ),
    _door_rule(
        "lint.create-grant",
        (CREATE_GRANT,),
        attack="K4",
        title="A grant opens the key past the conditions on a document",
        why="a grant knows no condition on a document",
    ),
    _door_rule(
        "lint.replicate",
        ("kms:ReplicateKey", "kms:UpdatePrimaryRegion"),
        attack="K5",
        title="A replica of the key has a policy of its own",
        why="the replica has the same key material and another policy",
    ),
    _door_rule(
        "lint.import-material",
        ("kms:ImportKeyMaterial",),
        attack="K5",
        title="Imported key material is known to somebody else",
        why="who brings the material opens everything outside KMS",
    ),
    _door_rule(
        "lint.decapsulate",
        ("kms:Decapsulate",),
        attack="K1",
        title="Decapsulate gives out a shared secret, and never takes a document",
        why="it gives out a shared secret of a key of that kind",
    ),
    Rule(
        code="lint.anyone-changes",
        severity=Severity.ERROR,
        title="Everybody in the key's account may replace the policy, or shut or delete the key",
        fix="Name the role that changes the policy, or the account, whose IAM policies then have to allow it too.",
        attacks=("K6",),
        check=anyone_changes,
    ),
    Rule(
        code="lint.account-changes",
        severity=Severity.NOTE,
        title="The account's IAM policies decide who replaces the key policy",
        fix="Deny PutKeyPolicy to everybody but one role (ArnNotEquals aws:PrincipalArn), and watch for it in "
        "CloudTrail. Whoever administers the account can still become that role.",
        attacks=("K6",),
        check=account_changes,
    ),
    Rule(
        code="lint.outsider-changes",
        severity=Severity.ERROR,
        title="A service or an identity provider may replace the policy, or shut or delete the key",
        fix="Name the role that changes the policy. No service of AWS needs to; a provider lets in whom it likes.",
        attacks=("K6",),
        check=outsider_changes,
    ),
    Rule(
        code="lint.every-action",
        severity=Severity.WARNING,
        title="One wildcard allows using and managing the key",
        fix="List the management actions. The default policy of KMS is such a statement, and so are most examples.",
        attacks=("K1", "K6"),
        kinds=BOTH,
        check=every_action,
    ),
    Rule(
        code="lint.not-action",
        severity=Severity.WARNING,
        title="An Allow lists what it does not allow",
        fix="List what is allowed: an operation that KMS adds later is allowed otherwise.",
        attacks=("K1",),
        kinds=BOTH,
        check=all_but,
    ),
    Rule(
        code="lint.bricks-key",
        severity=Severity.ERROR,
        title="Nobody can ever change this policy again",
        fix="Deny the four operations that take a document, not kms:*. Attestation keys are missing from every "
        "other request, where a negated condition on them always holds.",
        check=bricks,
    ),
    Rule(
        code="lint.bootstrap-window",
        severity=Severity.WARNING,
        title="Before the gates come, something can be planted that outlives them",
        fix="Create the key with a policy that denies the four operations and CreateGrant to everybody and lets "
        "nobody encrypt (docs/formats/key-policy.md, the bootstrap key policy). Then put the gates in one "
        "step, and look at ListGrants.",
        attacks=("K20",),
        check=bootstrap_window,
    ),
)
