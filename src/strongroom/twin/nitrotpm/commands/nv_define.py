# SPDX-License-Identifier: Apache-2.0
"""NV indices: defining and removing them, and what everybody may know of them (Part 3, section 31)."""

from __future__ import annotations

from strongroom.crypto.tpm import without_trailing_zeros
from strongroom.formats.tpm.algorithms import HASH_BYTES
from strongroom.formats.tpm.attributes import NvAttributes
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.nv_public import NvPublic, read_sized_nv_public
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import sized
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.nv.memory import remove_index
from strongroom.twin.nitrotpm.nv.rules import check_definition
from strongroom.twin.nitrotpm.parameters import AUTH
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import (
    DONE,
    NV_INDEX,
    OWNER_OR_PLATFORM,
    Parameter,
    Reply,
    Role,
    Trait,
    command,
    permanent,
)
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.entities import NvIndex

_ERASED = 0xFF
"""Parts that nobody wrote read like this, as in flash memory; orderly indices are in RAM and read as zeros."""


@command(
    Cc.NV_DEFINE_SPACE,
    AUTH,
    Parameter(read_sized_nv_public, is_sized=True),
    handles=(OWNER_OR_PLATFORM.authorized(),),
    traits=Trait.NV,
)
def nv_define_space(chip: Chip, call: Call, auth: bytes, public: NvPublic) -> Reply:
    """Make room under a handle."""
    check_definition(chip, public, auth, by=call.handles[0])
    if public.index in chip.permanent.nv:
        raise Refused(Rc.NV_DEFINED)
    if len(chip.permanent.nv) >= chip.profile.nv_indices:
        raise Refused(Rc.NV_SPACE)
    empty = 0 if public.has(NvAttributes.ORDERLY) else _ERASED
    data = bytearray([empty]) * public.size_bytes
    chip.permanent.nv[public.index] = NvIndex(public, without_trailing_zeros(auth), data)
    chip.changed = True
    return DONE


@command(Cc.NV_UNDEFINE_SPACE, handles=(OWNER_OR_PLATFORM.authorized(), NV_INDEX), traits=Trait.NV)
def nv_undefine_space(chip: Chip, call: Call) -> Reply:
    """Remove an index: the owner's by the owner, any by the platform."""
    public = call.nv_index(2).public
    if public.has(NvAttributes.POLICY_DELETE):
        raise refusal.handle(Rc.ATTRIBUTES, 2)
    if public.has(NvAttributes.PLATFORM_CREATE) and call.handles[0] == Rh.OWNER:
        raise Refused(Rc.NV_AUTHORIZATION)
    remove_index(chip, public.index)
    return DONE


@command(
    Cc.NV_UNDEFINE_SPACE_SPECIAL,
    handles=(NV_INDEX.authorized(Role.ADMIN), permanent(Rh.PLATFORM).authorized()),
    traits=Trait.NV,
)
def nv_undefine_space_special(chip: Chip, call: Call) -> Reply:
    """Remove an index that only its own policy lets go."""
    index = call.nv_index(1)
    if not index.public.has(NvAttributes.POLICY_DELETE):
        raise refusal.handle(Rc.ATTRIBUTES, 1)
    remove_index(chip, index.public.index)
    for authorization in call.authorizations.each:
        if authorization.entity is index:  # what is gone has no authorization value to sign the response with
            authorization.with_auth = False
    return DONE


@command(Cc.NV_READ_PUBLIC, handles=(NV_INDEX,), traits=Trait.ENCRYPTS)
def nv_read_public(_chip: Chip, call: Call) -> Reply:
    """Return the public area of an index, and its name."""
    index = call.nv_index(1)
    return Reply(sized(index.public.encode()) + sized(index.name))


@command(Cc.NV_CHANGE_AUTH, AUTH, handles=(NV_INDEX.authorized(Role.ADMIN),), traits=Trait.NV)
def nv_change_auth(chip: Chip, call: Call, auth: bytes) -> Reply:
    """Give an index another authorization value, which takes its policy."""
    index = call.nv_index(1)
    auth = without_trailing_zeros(auth)
    if len(auth) > HASH_BYTES[index.public.name_alg]:
        raise refusal.parameter(Rc.SIZE, 1)
    index.auth = auth
    chip.changed = True
    return DONE
