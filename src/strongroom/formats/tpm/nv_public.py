# SPDX-License-Identifier: Apache-2.0
"""TPMS_NV_PUBLIC: what everybody may know of an NV index (Part 2, section 13.5)."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attributes import NV_ATTRIBUTES, NV_TYPE_MASK, NV_TYPE_SHIFT, NvAttributes
from strongroom.formats.tpm.handles import HandleType, handle_type
from strongroom.formats.tpm.public_area import MAX_DIGEST_BYTES
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import read_hash
from strongroom.formats.tpm.wire import Reader, sized, u16, u32


@dataclass(frozen=True, slots=True)
class NvPublic:
    """The public area of an NV index. `attributes` is the whole word, with the four bits of the type."""

    index: int
    name_alg: Alg
    attributes: int
    policy: bytes
    size_bytes: int

    @property
    def nv_type(self) -> int:
        """TPM_NT; not every value has a meaning."""
        return (self.attributes & NV_TYPE_MASK) >> NV_TYPE_SHIFT

    def has(self, attribute: NvAttributes) -> bool:
        """Say whether an attribute is set."""
        return bool(self.attributes & attribute)

    def encode(self) -> bytes:
        """Return the bytes, without a size in front."""
        head = u32(self.index) + u16(self.name_alg) + u32(self.attributes)
        return head + sized(self.policy) + u16(self.size_bytes)


def parse_nv_public(data: bytes) -> NvPublic:
    """Read the public area of an NV index that fills all of `data`. Raises TpmFormatError."""
    reader = Reader(data)
    public = read_nv_public(reader)
    reader.expect_end("the public area of the NV index")
    return public


def read_sized_nv_public(reader: Reader) -> NvPublic:
    """Take TPM2B_NV_PUBLIC off. Raises TpmFormatError."""
    return reader.structure(read_nv_public, "the public area of an NV index")


def read_nv_public(reader: Reader) -> NvPublic:
    """Take a public area off. Raises TpmFormatError."""
    index = reader.u32("an NV index")
    if handle_type(index) != HandleType.NV_INDEX:
        raise reader.refused(Rc.VALUE, f"expected the handle of an NV index, found {index:#010x}")
    name_alg = read_hash(reader)
    attributes = reader.u32("NV attributes")
    if attributes & ~NV_ATTRIBUTES:
        raise reader.refused(Rc.RESERVED_BITS, f"expected no reserved attribute, found {attributes:#010x}")
    policy = reader.sized("a policy", most_bytes=MAX_DIGEST_BYTES)
    return NvPublic(index, name_alg, attributes, policy, reader.u16("the size of an NV index"))
