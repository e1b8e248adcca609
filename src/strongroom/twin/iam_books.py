# SPDX-License-Identifier: Apache-2.0
"""moto's books of users, roles and access keys, and the directory: each is brought to what the other knows.

This reads and writes moto's own objects, for which it has no other interface. It is loaded with the first call to IAM.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from strongroom.errors import FormatError
from strongroom.ids import AccountId
from strongroom.keypolicy.model import parse_identity_policy_leniently
from strongroom.twin.accounts import PARTITION, Directory, Principal, PrincipalKind
from strongroom.twin.fault import AwsFault

if TYPE_CHECKING:
    from moto.iam.models import Group, IAMBackend, ManagedPolicy, Role, User

_NOBODY = json.dumps({"Version": "2012-10-17", "Statement": []})
"""The trust policy that IAM shows of a role without one. It is no trust policy of IAM's own: nobody can give it."""
_ACTIVE = "Active"
_REGION = "us-east-1"
"""IAM has no region; moto wants one to find the partition."""


class IamBooks:
    """Both sides of every account."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def enter(self, account: AccountId) -> None:
        """Enter in moto what the directory has and moto has not."""
        backend = _backend(account)
        ids = {role.id for role in _roles(backend)} | {user.id for user in _users(backend)}
        for principal in self._directory.principals_of(account):
            if principal.unique_id in ids:
                continue
            if principal.kind is PrincipalKind.ROLE:
                _enter_role(backend, principal)
            else:
                self._enter_user(backend, principal)

    def expect_readable(self, account: AccountId, policy_arn: str) -> None:
        """Refuse a managed policy that our evaluation cannot read: some of AWS's are beyond 32 KB. Raises AwsFault."""
        policy = _backend(account).managed_policies.get(policy_arn)
        try:
            if policy is not None:  # moto says so of one that does not exist
                parse_identity_policy_leniently(_current(policy))
        except FormatError as error:
            raise AwsFault("InvalidInput", f"The twin cannot read {policy_arn}: {error}") from error

    def role_of_profile(self, account: AccountId, named: str) -> Principal:
        """Return the role in an instance profile. Raises AwsFault."""
        backend = _backend(account)
        prefix = f"arn:{PARTITION}:iam::{account}:instance-profile/"
        name = named.removeprefix(prefix)
        profile = backend.instance_profiles.get(name)
        if profile is None and any(role.name == name for role in _roles(backend)):
            backend.create_instance_profile(name, "/", [name])
            profile = backend.instance_profiles[name]
        role = profile.roles[0].name if profile is not None and profile.roles else ""
        principal = self._directory.principal(f"arn:{PARTITION}:iam::{account}:{PrincipalKind.ROLE}/{role}")
        if principal is None:
            raise AwsFault(
                "InvalidParameterValue",
                f"Value ({named}) for parameter iamInstanceProfile is invalid. Invalid IAM Instance Profile",
            )
        return principal

    def take_over(self, account: AccountId, reply: Response) -> Response:
        """Bring the directory to what moto has after a call; return its reply with our unique ids in it."""
        backend = _backend(account)
        taken = [
            *(self._take_over_role(backend, role, account) for role in _roles(backend)),
            *(self._take_over_user(backend, user, account) for user in _users(backend)),
        ]
        for principal, moto_id in taken:
            if moto_id != principal.unique_id:
                reply.set_data(reply.get_data().replace(moto_id.encode(), principal.unique_id.encode()))
        there = {principal.arn for principal, _ in taken}
        for principal in self._directory.principals_of(account):
            if principal.arn not in there:
                self._directory.remove_principal(principal.arn)
        return reply

    def _enter_user(self, backend: IAMBackend, principal: Principal) -> None:
        backend.users.pop(principal.name, None)  # an earlier one of this name, who is another
        user = backend.create_user(_REGION, principal.name)
        user.id = principal.unique_id
        user.policies = _named(principal.documents)
        for key in self._directory.keys_of(principal.arn):
            entered = backend.create_access_key(principal.name)
            del backend.access_keys[entered.access_key_id]
            entered.access_key_id, entered.secret_access_key = key.access_key_id, key.secret_access_key
            backend.access_keys[entered.access_key_id] = entered

    def _take_over_role(self, backend: IAMBackend, role: Role, account: AccountId) -> tuple[Principal, str]:
        """Take over one role. Return it, and the id that moto's reply has for it."""
        trust = "" if role.assume_role_policy_document == _NOBODY else role.assume_role_policy_document
        principal = self._known(account, PrincipalKind.ROLE, role.name)
        self._change(principal, tuple(_documents(backend, role)), trust)
        moto_id, role.id = role.id, principal.unique_id
        backend.roles[role.id] = backend.roles.pop(moto_id)
        return principal, moto_id

    def _take_over_user(self, backend: IAMBackend, user: User, account: AccountId) -> tuple[Principal, str]:
        """Take over one user with his keys. Return him, and the id that moto's reply has for him."""
        principal = self._known(account, PrincipalKind.USER, user.name)
        self._change(principal, tuple(_documents(backend, user)), "")
        self._take_over_keys(user, principal)
        moto_id, user.id = user.id, principal.unique_id
        return principal, moto_id

    def _known(self, account: AccountId, kind: PrincipalKind, name: str) -> Principal:
        known = self._directory.principal(f"arn:{PARTITION}:iam::{account}:{kind}/{name}")
        return known or self._directory.create_principal(account, kind, name, policies=())

    def _change(self, principal: Principal, documents: tuple[str, ...], trust: str) -> None:
        if (principal.documents, principal.trust) != (documents, trust):
            self._directory.change_principal(principal.arn, policies=documents, trust=trust)

    def _take_over_keys(self, user: User, principal: Principal) -> None:
        active = {key.access_key_id: key.secret_access_key for key in user.access_keys if key.status == _ACTIVE}
        known = {key.access_key_id for key in self._directory.keys_of(principal.arn)}
        for key_id in known - active.keys():
            self._directory.remove_key(key_id)
        for key_id in active.keys() - known:
            self._directory.add_key(principal, access_key_id=key_id, secret_access_key=active[key_id])


def _backend(account: AccountId) -> IAMBackend:
    from moto.core.config import default_user_config  # noqa: PLC0415 -- as in `moto`
    from moto.iam.models import iam_backends  # noqa: PLC0415 -- as above

    default_user_config["iam"] = {"load_aws_managed_policies": True}  # else nothing of AWS's can be attached
    return iam_backends[account][PARTITION]


def _roles(backend: IAMBackend) -> list[Role]:
    return list(backend.roles.values())


def _users(backend: IAMBackend) -> list[User]:
    return list(backend.users.values())


def _enter_role(backend: IAMBackend, principal: Principal) -> None:
    for earlier in [role for role in _roles(backend) if role.name == principal.name]:  # of this name, and another
        del backend.roles[earlier.id]
    role = backend.create_role(
        role_name=principal.name,
        assume_role_policy_document=principal.trust or _NOBODY,
        path="/",
        permissions_boundary=None,
        description="",
        tags=[],
        max_session_duration=None,
    )
    role.policies = _named(principal.documents)
    backend.roles[principal.unique_id] = backend.roles.pop(role.id)
    role.id = principal.unique_id


def _named(documents: tuple[str, ...]) -> dict[str, str]:
    return {f"policy-{number}": text for number, text in enumerate(documents, start=1)}


def _documents(backend: IAMBackend, holder: Role | User) -> Iterator[str]:
    """Yield the policies of a user or a role, its own and those of its groups."""
    groups = [group for group in backend.groups.values() if holder in group.users]
    holders: list[Role | User | Group] = [holder, *groups]
    for each in holders:
        yield from each.policies.values()
        for policy in each.managed_policies.values():
            yield _current(policy)


def _current(policy: ManagedPolicy) -> str:
    return str(next(each.document for each in policy.versions if each.version_id == policy.default_version_id))
