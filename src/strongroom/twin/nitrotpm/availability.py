# SPDX-License-Identifier: Apache-2.0
"""Whether an entity admits a password or HMAC, or a policy, for what a command does (Part 1, section 17.2)."""

from __future__ import annotations

from strongroom.formats.tpm.attributes import NvAttributes, ObjectAttributes
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm.entities import Access, Entity, NvIndex
from strongroom.twin.nitrotpm.objects import TpmObject
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import CommandSpec, Role

_BY_AUTH = {Access.READ: NvAttributes.AUTH_READ, Access.WRITE: NvAttributes.AUTH_WRITE}
_BY_POLICY = {Access.READ: NvAttributes.POLICY_READ, Access.WRITE: NvAttributes.POLICY_WRITE}


def check_available(entity: Entity, spec: CommandSpec, role: Role, *, by_policy: bool) -> None:
    """Raise Refused (AUTH_UNAVAILABLE) where the entity does not admit this kind of authorization for the command."""
    admits = _admits_policy if by_policy else _admits_auth
    if not admits(entity, spec, role):
        raise Refused(Rc.AUTH_UNAVAILABLE)


def _admits_auth(entity: Entity, spec: CommandSpec, role: Role) -> bool:
    if isinstance(entity, TpmObject):
        if entity.sensitive is None:  # what nobody knows the authorization value of, nobody can authorize
            return False
        if role is Role.USER:
            return entity.has(ObjectAttributes.USER_WITH_AUTH)
        return role is Role.ADMIN and not entity.has(ObjectAttributes.ADMIN_WITH_POLICY)
    if isinstance(entity, NvIndex):
        if role is not Role.USER:
            return False
        return spec.access is None or entity.public.has(_BY_AUTH[spec.access])
    return True


def _admits_policy(entity: Entity, spec: CommandSpec, role: Role) -> bool:
    if isinstance(entity, TpmObject):
        return entity.sensitive is not None
    if isinstance(entity, NvIndex) and role is Role.USER and spec.access is not None:
        return entity.public.has(_BY_POLICY[spec.access])
    return True
