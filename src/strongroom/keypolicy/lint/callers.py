# SPDX-License-Identifier: Apache-2.0
"""Rules on whom a statement names: PCRs name the code, and not who runs it."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.errors import Severity
from strongroom.formats.arn import ACCOUNT_PART
from strongroom.keypolicy.lint.rule import Rule
from strongroom.keypolicy.lint.subject import Subject
from strongroom.keypolicy.lint.views import ConditionView, Fault, StatementView, account_of
from strongroom.keypolicy.operations import OPERATIONS
from strongroom.keypolicy.patterns import ARN_PARTS, has_wildcard
from strongroom.keypolicy.principals import Principal, PrincipalKind, Sense
from strongroom.keypolicy.variables import has_variable

_BY_NAME = frozenset(
    {"aws:principalaccount", "kms:calleraccount", "aws:principalorgid", "aws:principalorgpaths", "aws:userid"}
)
_BY_ARN = frozenset({"aws:principalarn", "ec2:sourceinstancearn"})
_ENDS = {"aws:principalorgpaths": "/", "aws:userid": ":"}
"""Where the organization, or the id of the role, ends in a value: what follows may be a pattern."""
_OF_THE_KEY = frozenset({"${aws:ResourceAccount}", "${aws:ResourceOrgID}"})
"""Values that are facts of the key, and not of the caller."""
_SHOWN = 4
"""Actions named in a message."""


def anyone(subject: Subject) -> Iterator[Fault]:
    """Yield each Allow to everybody that nothing narrows to accounts, an organization or roles."""
    for view in subject.allows:
        left = sorted(action for action in view.covered - subject.shut if OPERATIONS[action].on_key)
        if view.anyone and left and not any(map(_narrows, view.conditions)):
            unfenced = [action for action in left if not any(map(_fences_in, subject.fences.get(action, ())))]
            if unfenced:
                yield view.fault(view.place("Principal"), f"allows {_few(unfenced)} to every account")


def _narrows(each: ConditionView) -> bool:
    return each.demands and not each.negated and _names_accounts(each)


def _fences_in(fence: ConditionView) -> bool:
    return fence.negated and _names_accounts(fence)


def _names_accounts(each: ConditionView) -> bool:
    """Tell whether each value is of one account or organization: no pattern of them, and not the caller's own."""
    if any(has_variable(value) and value not in _OF_THE_KEY for value in each.values):
        return False
    if each.lookup in _BY_ARN:
        return all(
            len(parts := value.split(":", ARN_PARTS - 1)) == ARN_PARTS and not has_wildcard(parts[ACCOUNT_PART])
            for value in each.values
        )
    likes = each.base is not None and "Like" in each.base.name
    end = _ENDS.get(each.lookup, "")
    leading = (value.partition(end)[0] if end else value for value in each.values)
    return each.lookup in _BY_NAME and not (likes and any(map(has_wildcard, leading)))


def _few(actions: list[str]) -> str:
    more = len(actions) - _SHOWN
    return ", ".join(actions[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def foreign_role(subject: Subject) -> Iterator[Fault]:
    """Yield each role or user of another account that an Allow names by its ARN.

    Without --key and without anybody who may manage the key, nobody knows which account is another.
    """
    home = subject.home
    for view, each in _members(subject) if home else ():
        if each.kind is PrincipalKind.ENTITY and account_of(each) not in home:
            yield view.fault(view.place("Principal"), f"names {each.value}, which KMS stores as an id of today")


def unique_id(subject: Subject) -> Iterator[Fault]:
    """Yield each principal that is a bare unique id."""
    for view, each in _members(subject):
        if each.kind is PrincipalKind.UNIQUE_ID:
            yield view.fault(view.place("Principal"), f"names {each.value}: the role or user may be gone")


def all_but(subject: Subject) -> Iterator[Fault]:
    """Yield each Deny with NotPrincipal."""
    for view in subject.denies:
        principals = view.statement.principals
        if principals is not None and principals.sense is Sense.EXCEPT:
            yield view.fault(view.place("Principal"), "spares whom it lists, and may deny their sessions")


def _members(subject: Subject) -> Iterator[tuple[StatementView, Principal]]:
    return ((view, each) for view in subject.allows for each in view.members)


RULES: tuple[Rule, ...] = (
    Rule(
        code="lint.anyone",
        severity=Severity.ERROR,
        title="The key opens for every account: PCRs name the code, and not the tenant",
        fix="Name the tenant's accounts as principals (arn:aws:iam::ACCOUNT:root), or narrow with "
        "aws:PrincipalAccount or aws:PrincipalOrgID. Whoever has the image can launch it elsewhere, and it "
        "shows the same PCRs there.",
        attacks=("K21",),
        check=anyone,
    ),
    Rule(
        code="lint.foreign-role",
        severity=Severity.WARNING,
        title="A role or user of another account is named by its ARN",
        fix="Name the account root, and narrow it with ArnLike aws:PrincipalArn. KMS stores a role's unique id: a "
        "role that was made again is locked out without a message, and only you could repair that.",
        attacks=("K26",),
        check=foreign_role,
    ),
    Rule(
        code="lint.unique-id",
        severity=Severity.WARNING,
        title="A principal is a bare unique id: its role or user was deleted, or is about to be mistaken",
        fix="Take it out, or name the account root with ArnLike aws:PrincipalArn.",
        attacks=("K26",),
        check=unique_id,
    ),
    Rule(
        code="lint.not-principal",
        severity=Severity.WARNING,
        title="A Deny spares the principals that it lists, and often not their sessions",
        fix="Deny everybody (Principal *) with ArnNotEquals aws:PrincipalArn.",
        attacks=("K6",),
        check=all_but,
    ),
)
