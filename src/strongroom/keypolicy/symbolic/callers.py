# SPDX-License-Identifier: Apache-2.0
"""Callers that stand for all callers: users, roles and their sessions, federated users, root users, services.

Nearly all that policies see of a caller is written in one text, the ARN of the role, the user or the account behind the
request. So what they ask of his account, his user name or his ARN becomes patterns of that one text, and one search
(`words`) finds an ARN for each combination. What else there is, the session's name and the unique id, is `aws:userid`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from strongroom.ids import AccountId
from strongroom.keypolicy.principals import Caller, Principal, PrincipalKind
from strongroom.keypolicy.symbolic.patterns import (
    ANYTHING,
    DIGIT,
    NO_COLON,
    NO_SLASH,
    Letters,
    Pattern,
    Token,
    exactly,
    repeated,
    some,
)
from strongroom.keypolicy.symbolic.reading import Reading
from strongroom.keypolicy.symbolic.words import words

_PART: Pattern = (*exactly("arn:aws"), *some(Letters(frozenset("abcdefghijklmnopqrstuvwxyz-"))))
_ACCOUNT = repeated(DIGIT, 12)
_PATH: Pattern = (*some(NO_COLON), Token(NO_SLASH))
_NAME: Pattern = (Token(NO_SLASH), *some(NO_SLASH))
_ANY_PART: Pattern = (*exactly("arn:"), *some(NO_COLON))
_LINKED: Pattern = (*ANYTHING, *exactly(":role/aws-service-role/"), *ANYTHING)
ROLE, USER, ROOT, FEDERATED = "role", "user", "root", "federated-user"
SHAPES: tuple[Pattern, ...] = (
    (*_PART, *exactly(":iam::"), *_ACCOUNT, *exactly(":role/"), *_PATH),
    (*_PART, *exactly(":iam::"), *_ACCOUNT, *exactly(":user/"), *_PATH),
    (*_PART, *exactly(":sts::"), *_ACCOUNT, *exactly(":federated-user/"), *_NAME),
    (*_PART, *exactly(":iam::"), *_ACCOUNT, *exactly(":root")),
)
"""What `aws:PrincipalArn` can be: of a role, a user, a federated user, an account."""
SESSION: Pattern = (*_PART, *exactly(":sts::"), *_ACCOUNT, *exactly(":assumed-role/"), *_NAME, *exactly("/"), *_NAME)
"""The ARN of a role session."""
ACCOUNT_KEYS = ("kms:calleraccount", "aws:principalaccount")
SERVICE_KEYS = ("aws:principalservicename", "aws:principalservicenameslist")
CALLER_KEYS = frozenset(
    {*ACCOUNT_KEYS, *SERVICE_KEYS, "aws:principalarn", "aws:principalisawsservice", "aws:principaltype"}
    | {"aws:userid", "aws:username"}
)
"""Condition keys that a caller alone decides (keypolicy.caller_facts, identity_facts)."""
_UNKNOWN_ID = {ROLE: "AROAEXAMPLEEXAMPLE000", USER: "AIDAEXAMPLEEXAMPLE000"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the policies and grants of a question ask of callers."""

    readings: Sequence[Reading]
    principals: frozenset[Principal]
    accounts: frozenset[AccountId]

    def of(self, *keys: str) -> list[Reading]:
        """Return the conditions on these keys."""
        return [each for each in self.readings if each.condition.lookup in keys]

    def named(self, kind: PrincipalKind) -> list[Principal]:
        """Return the principals of one form, in a stable order."""
        found = (each for each in self.principals if each.kind is kind)
        return sorted(found, key=lambda each: (each.value, each.pinned_id))


def representative_callers(asked: Asked) -> list[Caller]:
    """Return callers of which one behaves like any caller that there can be. Raises Unreadable."""
    arns = words(list(_arn_patterns(asked)), SHAPES)
    order = {ROLE: 0, USER: 1, FEDERATED: 2, ROOT: 3}
    arns.sort(key=lambda arn: order[kind_of(arn)])
    return [caller for arn in arns for caller in _behind(arn, asked)] + _services(asked)


def kind_of(arn: str) -> str:
    """Return what an ARN of SHAPES is of."""
    return arn.split(":", 5)[5].partition("/")[0]


def _arn_patterns(asked: Asked) -> Iterator[Pattern]:
    for reading in asked.of("aws:principalarn"):
        yield from reading.patterns()
    for reading in asked.of(*ACCOUNT_KEYS):
        yield from map(_of_account, reading.patterns(NO_COLON))
    for account in asked.accounts:
        yield _of_account(exactly(account))
    for reading in asked.of("aws:username"):
        yield from (_named(":iam::", "user", name) for name in reading.patterns(NO_SLASH))
        yield from (_named(":iam::", "user", (*ANYTHING, *exactly("/"), *name)) for name in reading.patterns(NO_SLASH))
    for reading in asked.of("aws:userid"):
        for pattern in reading.patterns():
            yield (*_ANY_PART, *exactly(":iam::"), *pattern, *exactly(":root"))
            yield from (_named(":sts::", FEDERATED, *each) for each in _federated_ids(pattern))
    for principal in asked.principals:
        yield from _of_principal(principal)
    yield _LINKED


def _of_account(account: Pattern) -> Pattern:
    return (*_ANY_PART, *exactly(":"), *some(NO_COLON), *exactly("::"), *account, *exactly(":"), *ANYTHING)


def _named(service: str, kind: str, name: Pattern, account: Pattern = _ACCOUNT) -> Pattern:
    return (*_ANY_PART, *exactly(service), *account, *exactly(f":{kind}/"), *name)


def _federated_ids(pattern: Pattern) -> Iterator[tuple[Pattern, Pattern]]:
    """Split a pattern of `account:name` at everything that can be its colon: name first, then account."""
    for at, token in enumerate(pattern):
        if token.letters.has(":"):
            kept = (token,) if token.star else ()
            yield (*kept, *pattern[at + 1 :]), (*pattern[:at], *kept)


def _of_principal(principal: Principal) -> Iterator[Pattern]:
    if principal.kind is PrincipalKind.ACCOUNT:
        yield _of_account(exactly(account_in(principal.value)))
    elif principal.kind is PrincipalKind.ENTITY:
        yield exactly(principal.value)
    elif principal.kind is PrincipalKind.SESSION and ":assumed-role/" in principal.value:
        behind, name = principal.value.replace(":sts:", ":iam:", 1).split(":assumed-role/")
        role = exactly(name.partition("/")[0])
        yield (*exactly(f"{behind}:role/"), *role)
        yield (*exactly(f"{behind}:role/"), *ANYTHING, *exactly("/"), *role)
    elif principal.kind is PrincipalKind.SESSION:
        yield exactly(principal.value)


def account_in(principal: str) -> AccountId:
    """Return the account of a principal that is an account id or an ARN."""
    return AccountId(principal.split(":")[4] if ":" in principal else principal)


def _behind(arn: str, asked: Asked) -> Iterator[Caller]:
    account, kind = account_in(arn), kind_of(arn)
    if kind == ROOT:
        yield Caller(account, arn)
    elif kind == USER:
        for unique_id in _user_ids(arn, asked):
            yield Caller(account, arn, unique_id=unique_id)
    elif kind == FEDERATED:
        yield from _federated(arn, account, asked)
    else:
        for unique_id, session in _sessions(arn, asked):
            yield Caller(account, f"{_sessions_of(arn)}/{session}", arn, unique_id)


def _sessions_of(role_arn: str) -> str:
    _, partition, _, _, account, role = role_arn.split(":", 5)
    return f"arn:{partition}:sts::{account}:assumed-role/{role.rpartition('/')[2]}"


def _ids(arn: str, asked: Asked) -> list[str]:
    """Return the unique ids that somebody with this ARN may have, as far as they are named."""
    pinned = [each.pinned_id for each in asked.named(PrincipalKind.ENTITY) if each.value == arn and each.pinned_id]
    return [*pinned, *(each.value for each in asked.named(PrincipalKind.UNIQUE_ID))]


def _user_ids(arn: str, asked: Asked) -> list[str]:
    named = _ids(arn, asked)
    patterns = [pattern for each in asked.of("aws:userid") for pattern in each.patterns()]
    others = words([*patterns, *map(exactly, named)], [_PATH]) if patterns else []
    return [_UNKNOWN_ID[USER], *named, *others, ""]


def _sessions(arn: str, asked: Asked) -> Iterator[tuple[str, str]]:
    """Yield the role's unique id and the session's name: together they are `aws:userid`."""
    named, its_sessions = _ids(arn, asked), f"{_sessions_of(arn)}/"
    sessions = [each.value for each in asked.named(PrincipalKind.SESSION) if each.value.startswith(its_sessions)]
    names = ["session", *(each.rpartition("/")[2] for each in sessions)]
    for unique_id in (_UNKNOWN_ID[ROLE], *named, ""):
        yield from ((unique_id, name) for name in names)
    patterns = [pattern for each in asked.of("aws:userid") for pattern in each.patterns()]
    if patterns:
        refined = [(*exactly(f"{unique_id}:"), *ANYTHING) for unique_id in named]
        refined += [(*ANYTHING, *exactly(f":{name}")) for name in names]
        for text in words([*patterns, *refined], [(*_PATH, *exactly(":"), *_NAME)]):
            unique_id, _, name = text.rpartition(":")
            yield unique_id, name


def _federated(arn: str, account: AccountId, asked: Asked) -> Iterator[Caller]:
    ids = ["", *(each.value for each in asked.named(PrincipalKind.UNIQUE_ID))]
    yield from (Caller(account, arn, unique_id=unique_id) for unique_id in ids)
    for principal in asked.named(PrincipalKind.ENTITY):
        if f"::{account}:user/" in principal.value:
            for unique_id in (principal.pinned_id, *ids):
                yield Caller(account, arn, unique_id=unique_id, user_arn=principal.value)


def _services(asked: Asked) -> list[Caller]:
    named = [each.value for each in asked.named(PrincipalKind.SERVICE)]
    patterns = [pattern for each in asked.of(*SERVICE_KEYS) for pattern in each.patterns()]
    others = words([*patterns, *map(exactly, named)], [_NAME])
    names: Iterable[str] = dict.fromkeys(["other.amazonaws.com", *named, *others])
    return [Caller.of_service(name) for name in names if name]
