# SPDX-License-Identifier: Apache-2.0
"""Whether an entity admits a password or HMAC, or a policy, for what a command does (Part 1, section 17.2)."""

from __future__ import annotations

from strongroom.formats.tpm.attributes import NvAttributes, ObjectAttributes
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import CommandSpec, Role
from strongroom.twin.nitrotpm.state.entities import Access, Entity, NvIndex
from strongroom.twin.nitrotpm.state.objects import TpmObject

_BY_AUTH = {Access.READ: NvAttributes.AUTH_READ, Access.WRITE: NvAttributes.AUTH_WRITE}
_BY_POLICY = {Access.READ: NvAttributes.POLICY_READ, Access.WRITE: NvAttributes.POLICY_WRITE}


def check_available(entity: Entity, spec: CommandSpec, role: Role, *, by_policy: bool) -> None:
    """Raise Refused where the entity does not admit this kind of authorization for the command."""
    if not by_policy and _wants_policy(entity, role):
        raise Refused(Rc.AUTH_TYPE)
    admits = _admits_policy if by_policy else _admits_auth
    # An object without a policy admits one, and it is never satisfied; others do not admit it.
    has_policy = isinstance(entity, TpmObject) or entity.policy.digest
    if not admits(entity, spec, role) or (by_policy and not has_policy):
        raise Refused(Rc.AUTH_UNAVAILABLE)


def _wants_policy(entity: Entity, role: Role) -> bool:
    """Say whether nothing but a policy will do (Part 1, section 17.2)."""
    if role is Role.ADMIN:
        return isinstance(entity, NvIndex) or (
            isinstance(entity, TpmObject) and entity.has(ObjectAttributes.ADMIN_WITH_POLICY)
        )
    return role is Role.DUP


def _admits_auth(entity: Entity, spec: CommandSpec, role: Role) -> bool:
    if isinstance(entity, TpmObject):
        if entity.sensitive is None:  # what nobody knows the authorization value of, nobody can authorize
            return False
        return role is not Role.USER or entity.has(ObjectAttributes.USER_WITH_AUTH)
    if isinstance(entity, NvIndex):
        return spec.access is None or entity.public.has(_BY_AUTH[spec.access])
    return True


def _admits_policy(entity: Entity, spec: CommandSpec, role: Role) -> bool:
    if isinstance(entity, TpmObject):
        return entity.sensitive is not None
    if isinstance(entity, NvIndex) and role is Role.USER and spec.access is not None:
        return entity.public.has(_BY_POLICY[spec.access])
    return True
