# SPDX-License-Identifier: Apache-2.0
"""Parameters that many commands take, by the name that Part 2 gives them."""

from __future__ import annotations

from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.attest import MAX_NAME_BYTES
from strongroom.formats.tpm.handles import read_hierarchy
from strongroom.formats.tpm.pcr_selection import PcrSelection, read_pcr_selections
from strongroom.formats.tpm.public_area import MAX_DIGEST_BYTES, MAX_RSA_KEY_BYTES, PublicArea, read_public_area
from strongroom.formats.tpm.schemes import read_hash
from strongroom.formats.tpm.wire import Reader
from strongroom.twin.nitrotpm.registry import Parameter

MAX_PRIVATE_BYTES = 1230
"""TPM2B_PRIVATE: two digests, and the sensitive area of an RSA key with all that TPMs may keep there."""
MAX_SECRET_BYTES = MAX_RSA_KEY_BYTES
"""TPM2B_ENCRYPTED_SECRET."""
MAX_BUFFER_BYTES = 1024
"""MAX_DIGEST_BUFFER: TPM2B_MAX_BUFFER and TPM2B_EVENT."""


def sized(most_bytes: int, what: str) -> Parameter:
    """Return a TPM2B of at most so many bytes."""
    return Parameter(lambda reader: reader.sized(what, most_bytes=most_bytes), is_sized=True)


def _hash(reader: Reader) -> Alg:
    return read_hash(reader)


def _hash_or_null(reader: Reader) -> Alg:
    return read_hash(reader, null=True)


def _selections(reader: Reader) -> tuple[PcrSelection, ...]:
    return read_pcr_selections(reader, most=len(HASH_BYTES))


def _public(reader: Reader) -> PublicArea:
    return reader.structure(lambda inner: read_public_area(inner, null_name=False), "a public area")


def _public_or_nameless(reader: Reader) -> PublicArea:
    return reader.structure(read_public_area, "a public area")


U8 = Parameter(lambda reader: reader.u8("a byte"))
U16 = Parameter(lambda reader: reader.u16("a number"))
U32 = Parameter(lambda reader: reader.u32("a number"))
U64 = Parameter(lambda reader: reader.u64("a number"))
HANDLE = Parameter(lambda reader: reader.u32("a handle"))
YES_NO = Parameter(lambda reader: reader.yes_no("yes or no"))
HASH = Parameter(_hash)
HASH_OR_NULL = Parameter(_hash_or_null)
HIERARCHY = Parameter(read_hierarchy)
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
