# SPDX-License-Identifier: Apache-2.0
"""Who a key policy names, and who calls.

IAM User Guide, "AWS JSON policy elements: Principal" and "... NotPrincipal". An account principal stands for everybody
whom that account's own IAM policies let through; a role or user ARN is a direct grant.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace

from strongroom.errors import FormatError
from strongroom.ids import AccountId

_SERVICE_LINKED = ":role/aws-service-role/"


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
    """How a statement's principals cover a caller (IAM User Guide, evaluation within a single account, step 3)."""

    NONE = 0
    ACCOUNT = 1
    """Only through the account: the account's IAM policies must allow it too."""
    BEHIND = 2
    """Through the role or the user behind the session: their boundary and the session's policies must allow it too."""
    DIRECT = 3
    """The user, the session or the service itself, or everybody: nothing else has to allow it."""


class Sense(enum.StrEnum):
    """Whether an element lists what it covers, or what it does not (`NotPrincipal`, `NotAction`, `NotResource`)."""

    LISTED = ""
    EXCEPT = "Not"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signed the request. `arn` is a user, a role session, a federated user, the root user, or a service's name.

    A session names its role as well, a federated user in `user_arn` the user who federated him, where known.
    `unique_id` is the AROA... of the role or the AIDA... of the user, where known. An AWS service that acts for itself
    has no account. Raises RuntimeError when a session comes without its role or an ARN is of another account: a caller
    is made by code, not by input.
    """

    account: AccountId
    arn: str
    role_arn: str = ""
    unique_id: str = ""
    user_arn: str = ""

    def __post_init__(self) -> None:
        named = [arn for arn in (self.arn, self.role_arn, self.user_arn) if arn]
        if any(f"::{self.account}:" not in arn for arn in named) if self.account else named != [self.arn]:
            raise RuntimeError(f"expected ARNs of account {self.account}, found {' '.join(named)}")
        if (":assumed-role/" in self.arn) != bool(self.role_arn):
            raise RuntimeError(f"expected a role ARN with a role session and only there, found {self.arn}")

    @classmethod
    def of_service(cls, name: str) -> Caller:
        """Return an AWS service that acts for itself, such as `cloudtrail.amazonaws.com`."""
        return cls(AccountId(""), name)

    @property
    def principal_arn(self) -> str:
        """Return `aws:PrincipalArn`: of a role session, its role. A service has none."""
        return self.role_arn or ("" if self.is_service else self.arn)

    @property
    def is_service(self) -> bool:
        """Tell whether this is an AWS service that acts for itself."""
        return not self.account

    @property
    def is_root_user(self) -> bool:
        """Tell whether this is the account's root user, who needs no IAM policy."""
        return self.arn.endswith(":root")  # no other ARN of a caller has a colon in its last part

    @property
    def is_federated_user(self) -> bool:
        """Tell whether this is a session of GetFederationToken."""
        return ":federated-user/" in self.arn

    @property
    def is_service_linked(self) -> bool:
        """Tell whether the role is a service's own, which organization policies do not touch."""
        return _SERVICE_LINKED in self.role_arn


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
        if self.kind in {PrincipalKind.ENTITY, PrincipalKind.UNIQUE_ID}:
            return self._entity_reach(caller)
        named = self.kind is PrincipalKind.ANYONE or (self.kind in _NAMED_AS_IS and self.value == caller.arn)
        return Reach.DIRECT if named else Reach.NONE

    def _account_reach(self, caller: Caller) -> Reach:
        if caller.is_service or caller.account not in self.value:
            return Reach.NONE
        return Reach.DIRECT if caller.is_root_user else Reach.ACCOUNT

    def _entity_reach(self, caller: Caller) -> Reach:
        if self.kind is PrincipalKind.UNIQUE_ID:
            named = self.value == caller.unique_id
        else:
            behind = caller.user_arn or caller.principal_arn
            named = self.value == behind and self.pinned_id in {"", caller.unique_id}
        if not named:
            return Reach.NONE
        return Reach.BEHIND if caller.role_arn or caller.user_arn else Reach.DIRECT


@dataclass(frozen=True, slots=True)
class Principals:
    """The Principal or NotPrincipal element of a statement."""

    sense: Sense
    members: tuple[Principal, ...]

    def reach(self, caller: Caller) -> Reach:
        """Tell how the element covers a caller."""
        if self.sense is Sense.EXCEPT:
            return Reach.NONE if _excepted(self.members, caller) else Reach.DIRECT
        if len(self.members) == 1:
            return self.members[0].reach(caller)
        return max((member.reach(caller) for member in self.members), key=lambda reach: reach.value)


_NAMED_AS_IS = frozenset({PrincipalKind.SESSION, PrincipalKind.SERVICE})
"""What a caller's ARN or name equals. FEDERATED is for role trust policies: nobody calls KMS as one."""


def _excepted(members: tuple[Principal, ...], caller: Caller) -> bool:
    """Tell whether NotPrincipal spares a caller: his account, his role and his session must all be listed.

    IAM User Guide, NotPrincipal: AWS "might validate" each of them; this takes it at its strictest.
    """
    if any(member.kind is PrincipalKind.ANYONE for member in members):
        return True
    kinds = {member.kind for member in members if member.reach(caller) is not Reach.NONE}
    account = PrincipalKind.ACCOUNT in kinds
    if caller.is_service:
        return PrincipalKind.SERVICE in kinds
    if caller.is_root_user:
        return account
    entity = bool(kinds & {PrincipalKind.ENTITY, PrincipalKind.UNIQUE_ID})
    session = PrincipalKind.SESSION in kinds
    if caller.is_federated_user:
        return account and session
    return account and entity and (session or not caller.role_arn)


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
