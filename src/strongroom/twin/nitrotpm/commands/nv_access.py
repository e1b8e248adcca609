# SPDX-License-Identifier: Apache-2.0
"""NV indices: reading, writing and locking what they hold (Part 3, section 31)."""

from __future__ import annotations

from strongroom.crypto.tpm import digest
from strongroom.formats.tpm.attributes import NvAttributes, NvType
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.frame import MAX_FRAME_BYTES
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import sized, u64
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.nv.access import check_read, check_write
from strongroom.twin.nitrotpm.nv.attributes import with_attributes
from strongroom.twin.nitrotpm.nv.memory import first_count, store
from strongroom.twin.nitrotpm.parameters import BUFFER, U16, U64
from strongroom.twin.nitrotpm.parameters import sized as sized_parameter
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import DONE, NV_AUTH, NV_INDEX, OWNER_OR_PLATFORM, Reply, Trait, command
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.entities import Access, NvIndex

_HANDLES = (NV_AUTH.authorized(), NV_INDEX)
_INDEX = 2
_PIECE = sized_parameter(MAX_FRAME_BYTES, "a piece of an NV index")
"""TPM2B_MAX_NV_BUFFER: how long it may be, the profile says."""
_WHOLE = 1 << 64


@command(Cc.NV_WRITE, _PIECE, U16, handles=_HANDLES, traits=Trait.NV, access=Access.WRITE)
def nv_write(chip: Chip, call: Call, data: bytes, offset: int) -> Reply:
    """Write some bytes."""
    if len(data) > chip.profile.nv_buffer_bytes:
        raise refusal.parameter(Rc.SIZE, 1)
    index = call.nv_index(_INDEX)
    check_write(index, by=call.handles[0])
    if index.public.nv_type != NvType.ORDINARY:
        raise Refused(Rc.ATTRIBUTES)
    size_bytes = index.public.size_bytes
    if offset > size_bytes:
        raise refusal.parameter(Rc.VALUE, 2)
    if len(data) > size_bytes - offset or (index.public.has(NvAttributes.WRITE_ALL) and len(data) < size_bytes):
        raise Refused(Rc.NV_RANGE)
    store(chip, index, data, offset)
    return DONE


@command(Cc.NV_READ, U16, U16, handles=_HANDLES, traits=Trait.NV | Trait.ENCRYPTS, access=Access.READ)
def nv_read(chip: Chip, call: Call, size_bytes: int, offset: int) -> Reply:
    """Read some bytes."""
    index = call.nv_index(_INDEX)
    check_read(index, by=call.handles[0])
    if size_bytes > chip.profile.nv_buffer_bytes:
        raise refusal.parameter(Rc.VALUE, 1)
    if offset > index.public.size_bytes:
        raise refusal.parameter(Rc.VALUE, 2)
    if size_bytes > index.public.size_bytes - offset:
        raise Refused(Rc.NV_RANGE)
    return Reply(sized(bytes(index.data[offset : offset + size_bytes])))


@command(Cc.NV_INCREMENT, handles=_HANDLES, traits=Trait.NV, access=Access.WRITE)
def nv_increment(chip: Chip, call: Call) -> Reply:
    """Count one more."""
    index = _of_kind(call, NvType.COUNTER)
    before = int.from_bytes(index.data) if index.is_written else first_count(chip)
    store(chip, index, u64((before + 1) % _WHOLE))
    return DONE


@command(Cc.NV_EXTEND, BUFFER, handles=_HANDLES, traits=Trait.NV, access=Access.WRITE)
def nv_extend(chip: Chip, call: Call, data: bytes) -> Reply:
    """Extend what is there as a PCR."""
    index = _of_kind(call, NvType.EXTEND)
    before = bytes(index.data) if index.is_written else bytes(index.public.size_bytes)
    store(chip, index, digest(index.public.name_alg, before, data))
    return DONE


@command(Cc.NV_SET_BITS, U64, handles=_HANDLES, traits=Trait.NV, access=Access.WRITE)
def nv_set_bits(chip: Chip, call: Call, bits: int) -> Reply:
    """Set bits; nothing clears them."""
    index = _of_kind(call, NvType.BITS)
    before = int.from_bytes(index.data) if index.is_written else 0
    store(chip, index, u64(before | bits))
    return DONE


def _of_kind(call: Call, kind: NvType) -> NvIndex:
    index = call.nv_index(_INDEX)
    check_write(index, by=call.handles[0])
    if index.public.nv_type != kind:
        raise refusal.handle(Rc.ATTRIBUTES, _INDEX)
    return index


@command(Cc.NV_WRITE_LOCK, handles=_HANDLES, traits=Trait.NV, access=Access.WRITE)
def nv_write_lock(chip: Chip, call: Call) -> Reply:
    """Lock an index against writing: until the next start, or for good."""
    index = call.nv_index(_INDEX)
    try:
        check_write(index, by=call.handles[0])
    except Refused as refused:
        if refused.rc != Rc.NV_LOCKED:
            raise
        return DONE
    if not (index.public.has(NvAttributes.WRITE_DEFINE) or index.public.has(NvAttributes.WRITE_ST_CLEAR)):
        raise refusal.handle(Rc.ATTRIBUTES, _INDEX)
    _lock(chip, index, NvAttributes.WRITE_LOCKED)
    return DONE


@command(Cc.NV_READ_LOCK, handles=_HANDLES, traits=Trait.NV, access=Access.READ)
def nv_read_lock(chip: Chip, call: Call) -> Reply:
    """Lock an index against reading until the next start, written or not."""
    index = call.nv_index(_INDEX)
    try:
        check_read(index, by=call.handles[0])
    except Refused as refused:
        if refused.rc == Rc.NV_LOCKED:
            return DONE
        if refused.rc != Rc.NV_UNINITIALIZED:
            raise
    if not index.public.has(NvAttributes.READ_ST_CLEAR):
        raise refusal.handle(Rc.ATTRIBUTES, _INDEX)
    _lock(chip, index, NvAttributes.READ_LOCKED)
    return DONE


@command(Cc.NV_GLOBAL_WRITE_LOCK, handles=(OWNER_OR_PLATFORM.authorized(),), traits=Trait.NV)
def nv_global_write_lock(chip: Chip, _call: Call) -> Reply:
    """Lock every index against writing that was defined to take part in this."""
    for index in chip.permanent.nv.values():
        if index.public.has(NvAttributes.GLOBAL_LOCK):
            _lock(chip, index, NvAttributes.WRITE_LOCKED)
    return DONE


def _lock(chip: Chip, index: NvIndex, attribute: NvAttributes) -> None:
    index.public = with_attributes(index.public, add=attribute)
    chip.changed = True
