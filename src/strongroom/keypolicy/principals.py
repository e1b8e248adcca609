# SPDX-License-Identifier: Apache-2.0
"""Who a key policy names, and who calls.

IAM User Guide, "AWS JSON policy elements: Principal" and "... NotPrincipal". An account principal stands for everybody
whom that account's own IAM policies let through; a role or user ARN is a direct grant.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from strongroom.errors import FormatError
from strongroom.formats.names import ACCOUNT_ID, PARTITION
from strongroom.formats.tree import Node, shown
from strongroom.ids import AccountId
from strongroom.keypolicy.grammar import one_or_list, one_or_more
from strongroom.keypolicy.patterns import has_wildcard

ANYONE = "*"
_IAM = f"arn:{PARTITION.pattern}:iam::{ACCOUNT_ID.pattern}:"
_STS = f"arn:{PARTITION.pattern}:sts::{ACCOUNT_ID.pattern}:"
_ROOT = re.compile(f"{_IAM}root")
_ENTITY = re.compile(rf"{_IAM}(?:role|user)/[\w+=,.@/-]+", re.ASCII)
_SESSION = re.compile(rf"{_STS}(?:assumed-role/[\w+=,.@-]+/[\w+=,.@-]+|federated-user/[\w+=,.@-]+)", re.ASCII)
_UNIQUE_ID = re.compile(r"A(?:RO|ID)A[A-Z0-9]{12,124}", re.ASCII)

_SERVICE = re.compile(r"[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?")
"""IAM User Guide, "AWS service principals": SERVICE.amazonaws.com, some with a Region, in China with .cn."""


class PrincipalKind(enum.StrEnum):
    """The forms of a principal."""

    ANYONE = "anyone"
    ACCOUNT = "account"
    ENTITY = "role or user"
    SESSION = "role session"
    UNIQUE_ID = "unique id"
    SERVICE = "service"
    FEDERATED = "federated"


class Reach(enum.Enum):
    """How a statement's principals cover a caller."""

    NONE = 0
    ACCOUNT = 1
    """Only through the account: the account's IAM policies must allow it too."""
    DIRECT = 2


class Sense(enum.StrEnum):
    """Whether an element lists what it covers, or what it does not (`NotPrincipal`, `NotAction`, `NotResource`)."""

    LISTED = ""
    EXCEPT = "Not"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signed the request. `arn` is a user, a role session or the root user; a session names its role as well.

    `unique_id` is the AROA... of the role or the AIDA... of the user, where known. Raises RuntimeError when a session
    comes without its role or the ARN is of another account: a caller is made by code, not by input.
    """

    account: AccountId
    arn: str
    role_arn: str = ""
    unique_id: str = ""

    def __post_init__(self) -> None:
        if f"::{self.account}:" not in self.arn or (self.role_arn and f"::{self.account}:" not in self.role_arn):
            raise RuntimeError(f"expected ARNs of account {self.account}, found {self.arn} {self.role_arn}")
        if (":assumed-role/" in self.arn) != bool(self.role_arn):
            raise RuntimeError(f"expected a role ARN with a role session and only there, found {self.arn}")

    @property
    def principal_arn(self) -> str:
        """Return `aws:PrincipalArn`: of a session, its role."""
        return self.role_arn or self.arn

    @property
    def is_root_user(self) -> bool:
        """Tell whether this is the account's root user, who needs no IAM policy."""
        return _ROOT.fullmatch(self.arn) is not None


@dataclass(frozen=True, slots=True)
class Principal:
    """One principal of a key policy, as it is written. `pinned_id` is what KMS stores for a role or user ARN."""

    kind: PrincipalKind
    value: str
    pinned_id: str = ""

    def reach(self, caller: Caller) -> Reach:
        """Tell how this principal covers a caller."""
        if self.kind is PrincipalKind.ACCOUNT:
            return self._account_reach(caller)
        return Reach.DIRECT if self._names(caller) else Reach.NONE

    def _account_reach(self, caller: Caller) -> Reach:
        if caller.account not in self.value:
            return Reach.NONE
        return Reach.DIRECT if caller.is_root_user else Reach.ACCOUNT

    def _names(self, caller: Caller) -> bool:
        if self.kind is PrincipalKind.ENTITY:
            return self.value == caller.principal_arn and self.pinned_id in {"", caller.unique_id}
        if self.kind is PrincipalKind.SESSION:
            return self.value == caller.arn
        if self.kind is PrincipalKind.UNIQUE_ID:
            return self.value == caller.unique_id
        return self.kind is PrincipalKind.ANYONE


@dataclass(frozen=True, slots=True)
class Principals:
    """The Principal or NotPrincipal element of a statement."""

    sense: Sense
    members: tuple[Principal, ...]

    def reach(self, caller: Caller) -> Reach:
        """Tell how the element covers a caller."""
        found = [member.reach(caller) for member in self.members]
        if self.sense is Sense.EXCEPT:
            return Reach.NONE if _excepted(self.members, caller) else Reach.DIRECT
        if Reach.DIRECT in found:
            return Reach.DIRECT
        return Reach.ACCOUNT if Reach.ACCOUNT in found else Reach.NONE


def _excepted(members: tuple[Principal, ...], caller: Caller) -> bool:
    """Tell whether NotPrincipal spares a caller: his account, his role and his session must all be listed."""
    if any(member.kind is PrincipalKind.ANYONE for member in members):
        return True
    account = any(member.kind is PrincipalKind.ACCOUNT and caller.account in member.value for member in members)
    entity = any(
        member.kind in {PrincipalKind.ENTITY, PrincipalKind.UNIQUE_ID} and member.reach(caller) is Reach.DIRECT
        for member in members
    )
    session = any(member.kind is PrincipalKind.SESSION and member.value == caller.arn for member in members)
    if caller.is_root_user:
        return account
    return account and entity and (session or not caller.role_arn)


def parse_principals(node: Node, sense: Sense) -> Principals:
    """Parse a Principal or NotPrincipal element. Raises FormatError."""
    if node.value == ANYONE:
        return Principals(sense, (Principal(PrincipalKind.ANYONE, ANYONE),))
    groups = node.record((), ("AWS", "Service", "Federated"))
    members = [_parse_member(name, each) for name, group in groups.items() for each in one_or_more(group)]
    if not members:
        raise node.refused("keypolicy.empty", "expected at least one principal, found none")
    return Principals(sense, tuple(members))


def _parse_member(group: str, node: Node) -> Principal:
    value = node.string()
    if group != "AWS":
        if not value or has_wildcard(value):
            raise node.refused("keypolicy.principal", f"expected a name without wildcards, found {shown(value)}")
        return Principal(PrincipalKind.SERVICE if group == "Service" else PrincipalKind.FEDERATED, value)
    found = read_aws_principal(value)
    if found is None:
        raise node.refused(
            "keypolicy.principal",
            f"expected *, an account id, or the ARN of an account root, role, user or session, found {shown(value)}",
        )
    return found


def read_aws_principal(text: str) -> Principal | None:
    """Read what may stand under `AWS` in a Principal element; None for anything else."""
    kind = next((kind for kind, pattern in _AWS_FORMS if pattern.fullmatch(text)), None)
    return None if kind is None else Principal(kind, text)


def read_service_principal(text: str) -> Principal | None:
    """Read the name of an AWS service, such as `ec2.amazonaws.com`; None for anything else."""
    return Principal(PrincipalKind.SERVICE, text) if _SERVICE.fullmatch(text) else None


_AWS_FORMS = (
    (PrincipalKind.ANYONE, re.compile(r"\*")),
    (PrincipalKind.ACCOUNT, ACCOUNT_ID),
    (PrincipalKind.ACCOUNT, _ROOT),
    (PrincipalKind.ENTITY, _ENTITY),
    (PrincipalKind.SESSION, _SESSION),
    (PrincipalKind.UNIQUE_ID, _UNIQUE_ID),
)


def pin(principals: Principals, unique_ids: Mapping[str, str]) -> Principals:
    """Bind each role and user ARN to the unique id it has now, as KMS does when a policy is saved (ATTACKS K26).

    Raises FormatError for a role or user that is not in `unique_ids`: KMS refuses such a policy.
    """
    return replace(principals, members=tuple(_pinned(member, unique_ids) for member in principals.members))


def _pinned(member: Principal, unique_ids: Mapping[str, str]) -> Principal:
    if member.kind is not PrincipalKind.ENTITY:
        return member
    if member.value not in unique_ids:
        raise FormatError(
            "keypolicy.principal-unknown",
            f"expected a principal that exists, found {member.value}",
            spec="KMS PutKeyPolicy",
        )
    return replace(member, pinned_id=unique_ids[member.value])


def encode_principals(principals: Principals) -> str | dict[str, str | list[str]]:
    """Return the element's JSON value."""
    groups: dict[str, list[str]] = {}
    for member in principals.members:
        groups.setdefault(_GROUPS.get(member.kind, "AWS"), []).append(member.value)
    return {name: one_or_list(values) for name, values in groups.items()}


_GROUPS = {PrincipalKind.SERVICE: "Service", PrincipalKind.FEDERATED: "Federated"}
