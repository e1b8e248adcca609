# SPDX-License-Identifier: Apache-2.0
"""What is asked of loaded objects: public part, sealed data, another authorization value (Part 3, section 12)."""

from __future__ import annotations

from dataclasses import replace

from strongroom.crypto.tpm import qualified_name, without_trailing_zeros
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attributes import ObjectAttributes
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import sized
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.objects.protection import to_private
from strongroom.twin.nitrotpm.objects.templates import check_auth
from strongroom.twin.nitrotpm.parameters import AUTH
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import OBJECT, Reply, Role, Trait, command
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.objects import Sequence, TpmObject

_OBJECT, _PARENT = 1, 2
_AUTH = 1
_IS_KEY = ObjectAttributes.DECRYPT | ObjectAttributes.SIGN_ENCRYPT | ObjectAttributes.RESTRICTED


@command(Cc.READ_PUBLIC, handles=(OBJECT,), traits=Trait.ENCRYPTS)
def read_public(_chip: Chip, call: Call) -> Reply:
    """Return the public area, the name, and the qualified name of an object."""
    if isinstance(call.found[0], Sequence):
        raise Refused(Rc.SEQUENCE)
    found = call.object(_OBJECT)
    return Reply(sized(found.public.encode()) + sized(found.name) + sized(found.qualified_name))


@command(Cc.UNSEAL, handles=(OBJECT.authorized(),), traits=Trait.ENCRYPTS)
def unseal(_chip: Chip, call: Call) -> Reply:
    """Return sealed data: of a keyed hash that is not a key."""
    found = call.object(_OBJECT)
    if found.public.type is not Alg.KEYEDHASH:
        raise refusal.handle(Rc.TYPE, _OBJECT)
    if found.public.attributes & _IS_KEY:
        raise refusal.handle(Rc.ATTRIBUTES, _OBJECT)
    return Reply(sized(found.secret.value))


@command(Cc.OBJECT_CHANGE_AUTH, AUTH, handles=(OBJECT.authorized(Role.ADMIN), OBJECT), traits=Trait.ENCRYPTS)
def object_change_auth(_chip: Chip, call: Call, auth: bytes) -> Reply:
    """Return a private area with another authorization value; what is loaded keeps the one it has."""
    found = call.object(_OBJECT)
    auth = without_trailing_zeros(auth)
    check_auth(found.public, auth, _AUTH)
    parent = call.found[_PARENT - 1]
    if not isinstance(parent, TpmObject) or not _is_under(found, parent):
        raise refusal.handle(Rc.TYPE, _PARENT)
    changed = replace(found.secret, auth=auth)
    return Reply(sized(to_private(changed, found.public.name_alg, found.name, parent)))


def _is_under(found: TpmObject, parent: TpmObject) -> bool:
    """Say whether an object is right under a parent. Qualified names tell; what is external is under nothing."""
    if not parent.is_parent or found.is_external:
        return False
    return qualified_name(found.public.name_alg, parent.qualified_name, found.name) == found.qualified_name
