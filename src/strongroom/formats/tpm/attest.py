# SPDX-License-Identifier: Apache-2.0
"""TPMS_ATTEST: what a TPM signs about itself, and how a quote reads (Part 2, section 10.12)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from strongroom.formats.tpm.pcr_selection import PcrSelection, encode_pcr_selections, read_pcr_selections
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader, sized, u8, u16, u32, u64

GENERATED = 0xFF544347
"""TPM_GENERATED_VALUE. No digest that someone hands to a restricted key for signing may begin with it."""
MAX_NAME_BYTES = 66
MAX_EXTRA_DATA_BYTES = 64


class AttestType(enum.IntEnum):
    """TPM_ST of attestation structures (Part 2, section 6.9)."""

    NV = 0x8014
    CERTIFY = 0x8017
    QUOTE = 0x8018
    TIME = 0x8019
    CREATION = 0x801A
    NV_DIGEST = 0x801C


@dataclass(frozen=True, slots=True)
class ClockInfo:
    """TPMS_CLOCK_INFO. `clock` is in milliseconds of powered time."""

    clock: int
    reset_count: int
    restart_count: int
    safe: bool

    def encode(self) -> bytes:
        """Return the bytes."""
        return u64(self.clock) + u32(self.reset_count) + u32(self.restart_count) + u8(self.safe)


@dataclass(frozen=True, slots=True)
class Attest:
    """TPMS_ATTEST with the part that depends on its type still in bytes."""

    type: AttestType
    signer: bytes
    """Qualified name of the signing key."""
    extra_data: bytes
    """What the caller asked to be signed with it: a nonce, or the digest of what it belongs to."""
    clock_info: ClockInfo
    firmware_version: int
    attested: bytes

    def encode(self) -> bytes:
        """Return the bytes, which are what is signed."""
        head = u32(GENERATED) + u16(self.type) + sized(self.signer) + sized(self.extra_data)
        return head + self.clock_info.encode() + u64(self.firmware_version) + self.attested


@dataclass(frozen=True, slots=True)
class Quote:
    """TPMS_QUOTE_INFO: which PCRs, and the digest over their values in that order."""

    selections: tuple[PcrSelection, ...]
    digest: bytes

    def encode(self) -> bytes:
        """Return the bytes."""
        return encode_pcr_selections(self.selections) + sized(self.digest)


def parse_attest(data: bytes) -> Attest:
    """Read an attestation structure. Raises TpmFormatError for anything that a TPM did not make, by its look."""
    reader = Reader(data)
    magic = reader.u32("a magic number")
    if magic != GENERATED:
        raise reader.refused(Rc.VALUE, f"expected TPM_GENERATED_VALUE {GENERATED:#010x}, found {magic:#010x}")
    kind = AttestType(reader.choice(set(AttestType), Rc.TAG, "attestation type"))
    signer = reader.sized("the name of the signing key", most_bytes=MAX_NAME_BYTES)
    extra = reader.sized("extra data", most_bytes=MAX_EXTRA_DATA_BYTES)
    clock = ClockInfo(
        reader.u64("a clock"), reader.u32("a count"), reader.u32("a count"), reader.yes_no("whether the clock is safe")
    )
    return Attest(kind, signer, extra, clock, reader.u64("a firmware version"), reader.rest())


def parse_quote(attest: Attest) -> Quote:
    """Read what a quote says about PCRs. Raises TpmFormatError where it is no quote."""
    reader = Reader(attest.attested)
    if attest.type is not AttestType.QUOTE:
        raise reader.refused(Rc.TAG, f"expected a quote, found {attest.type.name}")
    selections = read_pcr_selections(reader)
    quote = Quote(selections, reader.sized("the digest of the PCRs"))
    reader.expect_end("the quote")
    return quote
