# SPDX-License-Identifier: Apache-2.0
"""Parameters that many commands take, by the name that Part 2 gives them."""

from __future__ import annotations

from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.handles import HIERARCHIES, Rh
from strongroom.formats.tpm.pcr_selection import PcrSelection, read_pcr_selections
from strongroom.formats.tpm.public_area import MAX_DIGEST_BYTES, PublicArea, read_public_area
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import read_hash
from strongroom.formats.tpm.wire import Reader
from strongroom.twin.nitrotpm.registry import Parameter

MAX_BUFFER_BYTES = 1024
"""MAX_DIGEST_BUFFER: TPM2B_MAX_BUFFER and TPM2B_EVENT."""


def sized(most_bytes: int, what: str) -> Parameter:
    """Return a TPM2B of at most so many bytes."""
    return Parameter(lambda reader: reader.sized(what, most_bytes=most_bytes), is_sized=True)


def _yes_no(reader: Reader) -> bool:
    found = reader.u8("yes or no")
    if found > 1:
        raise reader.refused(Rc.VALUE, f"expected 0 or 1, found {found}")
    return bool(found)


def _hash(reader: Reader) -> Alg:
    return read_hash(reader)


def _hash_or_null(reader: Reader) -> Alg:
    return read_hash(reader, null=True)


def _selections(reader: Reader) -> tuple[PcrSelection, ...]:
    return read_pcr_selections(reader, most=len(HASH_BYTES))


def _hierarchy(reader: Reader) -> Rh:
    found = reader.u32("a hierarchy")
    if found not in HIERARCHIES:
        raise reader.refused(Rc.VALUE, f"expected a hierarchy, found {found:#010x}")
    return Rh(found)


def _public(reader: Reader) -> PublicArea:
    body = Reader(reader.sized("a public area"))
    public = read_public_area(body)
    body.expect_end("the public area")
    return public


U8 = Parameter(lambda reader: reader.u8("a byte"))
U16 = Parameter(lambda reader: reader.u16("a number"))
U32 = Parameter(lambda reader: reader.u32("a number"))
U64 = Parameter(lambda reader: reader.u64("a number"))
HANDLE = Parameter(lambda reader: reader.u32("a handle"))
YES_NO = Parameter(_yes_no)
HASH = Parameter(_hash)
HASH_OR_NULL = Parameter(_hash_or_null)
HIERARCHY = Parameter(_hierarchy)
"""TPMI_RH_HIERARCHY, with NULL."""
DIGEST = sized(MAX_DIGEST_BYTES, "a digest")
AUTH = sized(MAX_DIGEST_BYTES, "an authorization value")
NONCE = sized(MAX_DIGEST_BYTES, "a nonce")
DATA = sized(MAX_DIGEST_BYTES + 2, "data")
"""TPM2B_DATA: as long as a hash algorithm and a digest."""
BUFFER = sized(MAX_BUFFER_BYTES, "a buffer")
PCR_SELECTIONS = Parameter(_selections)
PUBLIC = Parameter(_public, is_sized=True)
