# SPDX-License-Identifier: Apache-2.0
"""Attesting what an NV index holds (Part 3, section 31.16)."""

from __future__ import annotations

from strongroom.crypto.tpm import digest
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attest import AttestType
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import Scheme
from strongroom.formats.tpm.wire import sized, u16
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.crypto.signing import SIGNING_SCHEME, chosen_scheme, signer
from strongroom.twin.nitrotpm.crypto.statements import statement
from strongroom.twin.nitrotpm.nv.access import check_read
from strongroom.twin.nitrotpm.parameters import DATA, U16
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import NV_AUTH, NV_INDEX, OBJECT_OR_NULL, Reply, Trait, command
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.entities import Access, NvIndex

_KEY, _INDEX = 1, 3
_BY = 1
"""Who authorizes reading the index: the second handle, counted from 0."""
_SCHEME, _SIZE = 2, 3


@command(
    Cc.NV_CERTIFY,
    DATA,
    SIGNING_SCHEME,
    U16,
    U16,
    handles=(OBJECT_OR_NULL.authorized(), NV_AUTH.authorized(), NV_INDEX),
    traits=Trait.ENCRYPTS,
    access=Access.READ,
)
def nv_certify(chip: Chip, call: Call, extra_data: bytes, asked: Scheme, size_bytes: int, offset: int) -> Reply:
    """Say what is in some bytes of an NV index; of none, from the start: the digest of all of them."""
    key = signer(call, _KEY)
    scheme = chosen_scheme(key, asked, number=_SCHEME)
    index = call.nv_index(_INDEX)
    check_read(index, by=call.handles[_BY])
    if size_bytes + offset > index.public.size_bytes:
        raise Refused(Rc.NV_RANGE)
    if size_bytes > chip.profile.nv_buffer_bytes:
        raise refusal.parameter(Rc.VALUE, _SIZE)
    kind = AttestType.NV if size_bytes or offset else AttestType.NV_DIGEST
    attested = _part(index, size_bytes, offset) if kind is AttestType.NV else _whole(index, scheme)
    return Reply(statement(chip, key, scheme, kind=kind, extra_data=extra_data, attested=attested))


def _part(index: NvIndex, size_bytes: int, offset: int) -> bytes:
    return sized(index.name) + u16(offset) + sized(bytes(index.data[offset : offset + size_bytes]))


def _whole(index: NvIndex, scheme: Scheme) -> bytes:
    found = b"" if scheme.hash is Alg.NULL else digest(scheme.hash, bytes(index.data))
    return sized(index.name) + sized(found)
