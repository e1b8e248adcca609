# SPDX-License-Identifier: Apache-2.0
"""What an NV index must look like to be defined (Part 3, section 31.3)."""

from __future__ import annotations

from strongroom.crypto.tpm import without_trailing_zeros
from strongroom.formats.tpm.algorithms import HASH_BYTES
from strongroom.formats.tpm.attributes import NvAttributes, NvType
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.nv_public import NvPublic
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.state.chip import Chip

_AUTH, _PUBLIC = 1, 2
_KINDS = (NvType.ORDINARY, NvType.COUNTER, NvType.BITS, NvType.EXTEND)
"""Without PIN indices, which count the uses of a password (docs/twin.md)."""
_NUMBER_BYTES = 8
_READ = NvAttributes.OWNER_READ | NvAttributes.PP_READ | NvAttributes.AUTH_READ | NvAttributes.POLICY_READ
_WRITE = NvAttributes.OWNER_WRITE | NvAttributes.PP_WRITE | NvAttributes.AUTH_WRITE | NvAttributes.POLICY_WRITE
_MADE_BY_USE = NvAttributes.WRITTEN | NvAttributes.WRITE_LOCKED | NvAttributes.READ_LOCKED


def check_definition(chip: Chip, public: NvPublic, auth: bytes, *, by: int) -> None:
    """Raise Refused for an index that must not be. `by`: the hierarchy that defines it."""
    digest_bytes = HASH_BYTES[public.name_alg]
    if public.policy and len(public.policy) != digest_bytes:
        raise refusal.parameter(Rc.SIZE, _PUBLIC)
    if len(without_trailing_zeros(auth)) > digest_bytes:
        raise refusal.parameter(Rc.SIZE, _AUTH)
    if by == Rh.PLATFORM and not chip.volatile.platform_nv_enabled:
        raise refusal.handle(Rc.HIERARCHY, 1)
    _check_kind(chip, public, digest_bytes)
    if not _makes_sense(public):
        raise refusal.parameter(Rc.ATTRIBUTES, _PUBLIC)
    _check_owner(public, by)
    if public.has(NvAttributes.WRITE_ALL) and public.size_bytes > chip.profile.nv_buffer_bytes:
        raise refusal.parameter(Rc.SIZE, _PUBLIC)


def _check_kind(chip: Chip, public: NvPublic, digest_bytes: int) -> None:
    if public.nv_type not in set(NvType):
        raise refusal.parameter(Rc.ATTRIBUTES, _PUBLIC)
    if not _fits(chip, public, digest_bytes):
        raise refusal.parameter(Rc.SIZE, _PUBLIC)
    if public.nv_type not in _KINDS:
        raise refusal.parameter(Rc.ATTRIBUTES, _PUBLIC)


def _check_owner(public: NvPublic, by: int) -> None:
    if public.has(NvAttributes.PLATFORM_CREATE) != (by == Rh.PLATFORM):
        raise refusal.handle(Rc.ATTRIBUTES, 1)
    if public.has(NvAttributes.POLICY_DELETE) and by != Rh.PLATFORM:
        raise refusal.parameter(Rc.ATTRIBUTES, _PUBLIC)


def _fits(chip: Chip, public: NvPublic, digest_bytes: int) -> bool:
    if public.nv_type == NvType.ORDINARY:
        return public.size_bytes <= chip.profile.nv_index_bytes
    return public.size_bytes == (digest_bytes if public.nv_type == NvType.EXTEND else _NUMBER_BYTES)


def _makes_sense(public: NvPublic) -> bool:
    """Say whether somebody can read and write it, and what is cleared at each start is no counter and not for good."""
    if public.attributes & _MADE_BY_USE or not public.attributes & _READ or not public.attributes & _WRITE:
        return False
    lasting = public.nv_type == NvType.COUNTER or public.has(NvAttributes.WRITE_DEFINE)
    return not (public.has(NvAttributes.CLEAR_ST_CLEAR) and lasting)
