# SPDX-License-Identifier: Apache-2.0
"""Parameters that many commands take, by the name that Part 2 gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.attest import MAX_NAME_BYTES
from strongroom.formats.tpm.handles import HIERARCHIES, Rh
from strongroom.formats.tpm.pcr_selection import PcrSelection, read_pcr_selections
from strongroom.formats.tpm.public_area import MAX_DIGEST_BYTES, RSA_KEY_BITS, PublicArea, read_public_area
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import read_hash
from strongroom.formats.tpm.wire import Reader
from strongroom.twin.nitrotpm.registry import Parameter

T = TypeVar("T")
MAX_PRIVATE_BYTES = 1230
"""TPM2B_PRIVATE: two digests, and the sensitive area of an RSA key with all that TPMs may keep there."""
MAX_SECRET_BYTES = max(RSA_KEY_BITS) // 8
"""TPM2B_ENCRYPTED_SECRET."""
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


def structure(reader: Reader, read: Callable[[Reader], T], what: str) -> T:
    """Take a structure with its size in front off, a TPM2B that may not be empty.

    It is read first and compared with its size then, as other TPMs do: so a wrong size is SIZE, not INSUFFICIENT.
    """
    size_bytes = reader.u16(f"the size of {what}")
    if size_bytes == 0:
        raise reader.refused(Rc.SIZE, f"expected {what}, found nothing")
    start = reader.offset
    found = read(reader)
    if reader.offset - start != size_bytes:
        raise reader.refused(Rc.SIZE, f"expected {what} of {size_bytes} bytes, found {reader.offset - start}")
    return found


def _public(reader: Reader) -> PublicArea:
    return structure(reader, lambda inner: read_public_area(inner, null_name=False), "a public area")


def _public_or_nameless(reader: Reader) -> PublicArea:
    return structure(reader, read_public_area, "a public area")


def _hierarchy(reader: Reader) -> Rh:
    found = reader.u32("a hierarchy")
    if found not in HIERARCHIES:
        raise reader.refused(Rc.VALUE, f"expected a hierarchy, found {found:#010x}")
    return Rh(found)


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
PUBLIC_OR_NAMELESS = Parameter(_public_or_nameless, is_sized=True)
"""With no name: only what is loaded from outside may be like that."""
NAME = sized(MAX_NAME_BYTES, "a name")
PRIVATE = sized(MAX_PRIVATE_BYTES, "a private area")
SECRET = sized(MAX_SECRET_BYTES, "an encrypted secret")
