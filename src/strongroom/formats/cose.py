# SPDX-License-Identifier: Apache-2.0
"""COSE_Sign1 (RFC 9052 section 4.2): the envelope of attestation documents and of bundle headers."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.errors import FormatError
from strongroom.formats import cbor
from strongroom.formats.cbor import CborItem, Profile

TAG_COSE_SIGN1 = 0xD2
"""CBOR tag 18, in its one-byte encoding."""
HEADER_ALG = 1
HEADER_CONTENT_TYPE = 3
HEADER_KID = 4
"""RFC 9052 section 3.1, common COSE header parameters."""

_SPEC = "RFC 9052 section 4.2"
_SIGNATURE1 = b"\x84" + cbor.encode("Signature1")
"""How the array of four begins that a signature covers."""


@dataclass(frozen=True, slots=True)
class CoseSign1:
    """A parsed COSE_Sign1, unverified. `payload_offset` is where the payload's bytes stand in the input."""

    protected: bytes
    payload: bytes
    signature: bytes
    payload_offset: int = 0

    def signed_bytes(self, external_aad: bytes = b"") -> bytes:
        """Return the Sig_structure that the signature covers (RFC 9052 section 4.4)."""
        return sig_structure(self.protected, self.payload, external_aad)


def sig_structure(protected: bytes, payload: bytes, external_aad: bytes = b"") -> bytes:
    """Encode ["Signature1", protected, external_aad, payload] (RFC 9052 section 4.4)."""
    before = (_SIGNATURE1, cbor.encode(protected), cbor.encode(external_aad), cbor.byte_string_head(len(payload)))
    return b"".join((*before, payload))  # which is copied once: it is nearly all of a document


def parse_cose_sign1(
    data: bytes, profile: Profile, *, base_offset: int = 0, maximum_bytes: int = cbor.MAX_INPUT_BYTES
) -> CoseSign1:
    """Parse a COSE_Sign1. The AWS profile also takes the tagged form; our own formats are never tagged.

    `base_offset` is where `data` stands in the input. The unprotected header must be an empty map: nothing
    unsigned is read (ATTACKS A7).
    Raises FormatError.
    """
    tagged = profile is Profile.AWS and data[:1] == bytes([TAG_COSE_SIGN1])
    start = 1 if tagged else 0
    if not data[start:]:
        raise FormatError("cose.empty", "expected a COSE_Sign1, found nothing", offset=base_offset, spec=_SPEC)
    item = cbor.decode(data[start:], profile, base_offset=base_offset + start, maximum_bytes=maximum_bytes)
    protected, unprotected, payload, signature = _members(item)
    if unprotected.map():
        raise FormatError(
            "cose.unprotected",
            "expected an empty unprotected header, found parameters nobody signed",
            offset=unprotected.offset,
            spec=_SPEC,
        )
    body = payload.bytes(minimum=1)
    return CoseSign1(
        protected=protected.bytes(minimum=1),
        payload=body,
        signature=signature.bytes(minimum=1, maximum=1024),
        payload_offset=signature.offset - len(body),
    )


def _members(item: CborItem) -> tuple[CborItem, CborItem, CborItem, CborItem]:
    protected, unprotected, payload, signature = item.array(minimum=4, maximum=4)
    return protected, unprotected, payload, signature


def encode_cose_sign1(protected: bytes, payload: bytes, signature: bytes) -> bytes:
    """Encode an untagged COSE_Sign1 with an empty unprotected header."""
    return cbor.encode([protected, {}, payload, signature])
