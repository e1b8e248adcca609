# SPDX-License-Identifier: Apache-2.0
"""The twin's accounts: users and roles, their identity policies and their access keys.

Shapes of names and ids: IAM User Guide, "IAM identifiers" (unique ids: AIDA user, AROA role, AKIA long-term key, ASIA
temporary key) and "IAM ARNs".
"""

from __future__ import annotations

import enum
import secrets
import string
import threading
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from strongroom.errors import UsageError
from strongroom.formats.names import ACCOUNT_ID, IAM_NAME
from strongroom.ids import AccountId
from strongroom.keypolicy.model import IdentityPolicy, parse_identity_policy, parse_identity_policy_leniently
from strongroom.keypolicy.principals import Caller

PARTITION = "aws"
SESSION_LIFE = timedelta(hours=6)
"""Instance role credentials live about six hours."""
_ID_ALPHABET = string.ascii_uppercase + "234567"
FULL_ACCESS = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
"""An administrator's identity policy."""


class PrincipalKind(enum.StrEnum):
    """What a principal is. The value is the word in its ARN."""

    USER = "user"
    ROLE = "role"


def _unique_id(prefix: str) -> str:
    return prefix + "".join(secrets.choice(_ID_ALPHABET) for _ in range(16))


def new_access_key_id() -> str:
    """Return the id of a new long-term access key, twenty characters."""
    return _unique_id("AKIA")


@dataclass(frozen=True, slots=True)
class Principal:
    """A user or a role, with its identity policies."""

    account_id: AccountId
    kind: PrincipalKind
    name: str
    unique_id: str
    policies: tuple[IdentityPolicy, ...] = field(repr=False)
    documents: tuple[str, ...] = field(default=(), repr=False)
    """The policies as they were given, in the same order."""
    trust: str = field(default="", repr=False)
    """The trust policy of a role, in JSON; empty: nobody may assume it, but instances run under it."""

    @property
    def arn(self) -> str:
        """The IAM ARN, as it stands in policies."""
        return f"arn:{PARTITION}:iam::{self.account_id}:{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key of a principal; temporary ones have a session name, a token and an end."""

    principal: Principal
    access_key_id: str
    secret_access_key: str
    session_name: str = ""
    session_token: str | None = None
    expires: datetime | None = None
    life: timedelta = SESSION_LIFE
    """Of temporary credentials, from their issue to their end."""

    @property
    def issued_at(self) -> datetime | None:
        """When temporary credentials were issued; None for others."""
        return self.expires - self.life if self.expires else None

    @property
    def caller_arn(self) -> str:
        """The ARN that STS GetCallerIdentity answers."""
        if not self.session_name:
            return self.principal.arn
        return (
            f"arn:{PARTITION}:sts::{self.principal.account_id}:assumed-role/{self.principal.name}/{self.session_name}"
        )

    @property
    def caller(self) -> Caller:
        """Whoever signs with this key, as policies see them."""
        role_arn = self.principal.arn if self.principal.kind is PrincipalKind.ROLE else ""
        return Caller(self.principal.account_id, self.caller_arn, role_arn, self.principal.unique_id)

    @property
    def user_id(self) -> str:
        """The `aws:userid` of whoever signs with this key."""
        unique_id = self.principal.unique_id
        return f"{unique_id}:{self.session_name}" if self.session_name else unique_id


class Directory:
    """Everything IAM knows here. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accounts: dict[AccountId, str] = {}
        self._principals: dict[str, Principal] = {}
        self._credentials: dict[str, Credentials] = {}
        self._kept_ids: MutableMapping[str, str] = {}

    def keep_ids(self, kept: MutableMapping[str, str]) -> None:
        """Give each principal the unique id that `kept` has for its ARN, and keep there what it has not.

        Policies name principals by their unique ids, so a twin that goes on after a restart must have the same ones. A
        principal that is made anew in one life of the twin is still another one.
        """
        with self._lock:
            self._kept_ids = kept
            self._principals = {arn: self._known(each) for arn, each in self._principals.items()}
            for key_id, each in self._credentials.items():
                self._credentials[key_id] = replace(each, principal=self._principals[each.principal.arn])

    def _known(self, principal: Principal) -> Principal:
        """Return a principal with its id from before, which is kept from now on if there is none."""
        unique_id = self._kept_ids.get(principal.arn)
        if unique_id is not None:
            return replace(principal, unique_id=unique_id)
        self._kept_ids[principal.arn] = principal.unique_id
        return principal

    def create_account(self, account_id: str, *, name: str) -> AccountId:
        """Add an account of twelve digits. Raises UsageError for another shape or one that exists."""
        if not ACCOUNT_ID.fullmatch(account_id):
            raise UsageError("twin.account-id", f"expected an account id of 12 digits, found {account_id!r}")
        known = AccountId(account_id)
        with self._lock:
            if known in self._accounts:
                raise UsageError("twin.account-exists", f"expected a new account, found {account_id} twice")
            self._accounts[known] = name
        return known

    def create_principal(
        self, account_id: AccountId, kind: PrincipalKind, name: str, *, policies: Sequence[str], trust: str = ""
    ) -> Principal:
        """Add a user or a role; `policies` are JSON texts. A name that exists is replaced by one with a new unique id.

        `trust` is a role's trust policy, which is looked at when somebody assumes it.

        The first of a name in this life of the twin has the id that it had in the last one (`keep_ids`).

        Raises UsageError, or FormatError for a policy.
        """
        if not IAM_NAME.fullmatch(name):
            raise UsageError("twin.principal-name", f"expected 1 to 64 letters, digits or +=,.@-_, found {name!r}")
        unique_id = _unique_id("AIDA" if kind is PrincipalKind.USER else "AROA")
        parsed = tuple(map(parse_identity_policy, policies))
        principal = Principal(account_id, kind, name, unique_id, parsed, tuple(policies), trust)
        with self._lock:
            if account_id not in self._accounts:
                raise UsageError("twin.no-account", f"expected an account of the twin, found {account_id}")
            if principal.arn in self._principals:
                self._kept_ids[principal.arn] = principal.unique_id
            else:
                principal = self._known(principal)
            self._principals[principal.arn] = principal
        return principal

    def add_key(self, principal: Principal, *, access_key_id: str = "", secret_access_key: str = "") -> Credentials:
        """Give a principal a long-term access key: this one, or a random one."""
        credentials = Credentials(
            principal, access_key_id or new_access_key_id(), secret_access_key or secrets.token_urlsafe(30)
        )
        with self._lock:
            if credentials.access_key_id in self._credentials:
                raise UsageError("twin.key-exists", f"expected a new access key id, found {access_key_id} twice")
            self._credentials[credentials.access_key_id] = credentials
        return credentials

    def change_principal(self, arn: str, *, policies: Sequence[str], trust: str) -> None:
        """Give a principal other policies, as IAM takes them: conditions that are not understood never allow anything.

        Whoever has signed in as this principal has them too. Raises FormatError for a policy.
        """
        parsed = tuple(map(parse_identity_policy_leniently, policies))
        with self._lock:
            principal = self._principals[arn]
            self._principals[arn] = replace(principal, policies=parsed, documents=tuple(policies), trust=trust)

    def remove_principal(self, arn: str) -> None:
        """Forget a principal and all his credentials. One that gets this name later is another one."""
        with self._lock:
            del self._principals[arn]
            self._kept_ids.pop(arn, None)
            gone = [key_id for key_id, each in self._credentials.items() if each.principal.arn == arn]
            for key_id in gone:
                del self._credentials[key_id]

    def remove_key(self, access_key_id: str) -> None:
        """Forget an access key."""
        with self._lock:
            del self._credentials[access_key_id]

    def keys_of(self, arn: str) -> list[Credentials]:
        """Return the long-term access keys of a principal."""
        with self._lock:
            return [each for each in self._credentials.values() if each.principal.arn == arn and each.expires is None]

    def principals_of(self, account_id: AccountId) -> list[Principal]:
        """Return the users and roles of an account."""
        with self._lock:
            return [each for each in self._principals.values() if each.account_id == account_id]

    def principal(self, arn: str) -> Principal | None:
        """Return a user or a role by its ARN, if it exists."""
        with self._lock:
            return self._principals.get(arn)

    def open_session(
        self, role: Principal, *, session_name: str, now: datetime, life: timedelta = SESSION_LIFE
    ) -> Credentials:
        """Give temporary credentials for a role, as the metadata service and AssumeRole do."""
        credentials = Credentials(
            role,
            _unique_id("ASIA"),
            secrets.token_urlsafe(30),
            session_name,
            secrets.token_urlsafe(96),
            (now + life).replace(microsecond=0),
            life,
        )
        with self._lock:
            self._credentials[credentials.access_key_id] = credentials
        return credentials

    def accounts(self) -> dict[AccountId, str]:
        """Return the names of all accounts by their ids."""
        with self._lock:
            return dict(self._accounts)

    def first_key(self, account_id: AccountId) -> Credentials | None:
        """Return the long-term access key of an account that was added first, if there is any."""
        with self._lock:
            keys = (each for each in self._credentials.values() if each.principal.account_id == account_id)
            return next((each for each in keys if each.expires is None), None)

    def role(self, account_id: AccountId, name: str) -> Principal:
        """Return a role. Raises UsageError when there is none."""
        arn = f"arn:{PARTITION}:iam::{account_id}:{PrincipalKind.ROLE}/{name}"
        with self._lock:
            found = self._principals.get(arn)
        if found is None:
            raise UsageError("twin.no-role", f"expected a role of the twin, found {arn}")
        return found

    def unique_ids(self) -> dict[str, str]:
        """Return the unique id of every user and role by its ARN, as KMS looks them up when it saves a policy."""
        with self._lock:
            return {arn: principal.unique_id for arn, principal in self._principals.items()}

    def credentials(self, access_key_id: str) -> Credentials | None:
        """Return the credentials with this access key id, if there are any, with the policies that hold now."""
        with self._lock:
            found = self._credentials.get(access_key_id)
            now = self._principals.get(found.principal.arn) if found else None
            if found is None or now is None or now is found.principal or now.unique_id != found.principal.unique_id:
                return found
            return replace(found, principal=now)
