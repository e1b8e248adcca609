# SPDX-License-Identifier: Apache-2.0
"""The envelope of bundle headers and escrow files: preamble and COSE_Sign1 (docs/formats/bundle.md 1.1 and 3).

Parsed, nothing here may be believed: `crypto.header_signature` verifies it.
"""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.errors import FormatError
from strongroom.formats import cbor, cose
from strongroom.formats.bundle_trust import SignatureAlgorithm, SignerRole
from strongroom.formats.cbor import CborItem, Profile
from strongroom.ids import KeyId

PREAMBLE_BYTES = 16
LAYOUT_VERSION = 1
MAX_SIGNED_BYTES = 65_536
KEY_ID_BYTES = 32
SIGNATURE_BYTES = {SignatureAlgorithm.EDDSA: 64, SignatureAlgorithm.ES384: 96}
"""RFC 9053 section 2.2 and 2.1."""

_SPEC_PREAMBLE = "docs/formats/bundle.md section 1.1"
_SPEC = "docs/formats/bundle.md section 3"
_MAGIC_BYTES = 8


@dataclass(frozen=True, slots=True)
class SignedKind:
    """What sets one kind of signed object apart, so that no signature can pass for one of another kind."""

    magic: bytes
    content_type: str
    external_aad: bytes
    role: SignerRole


BUNDLE_HEADER = SignedKind(
    magic=b"\x89SRB\r\n\x1a\n",
    content_type="application/vnd.strongroom.bundle-header.v1+cbor",
    external_aad=b"strongroom/bundle-header/v1",
    role=SignerRole.BUNDLE,
)
BUNDLE_ESCROW = SignedKind(
    magic=b"\x89SRE\r\n\x1a\n",
    content_type="application/vnd.strongroom.bundle-escrow.v1+cbor",
    external_aad=b"strongroom/bundle-escrow/v1",
    role=SignerRole.BUNDLE,
)


@dataclass(frozen=True, slots=True)
class SignedObject:
    """A parsed envelope, unverified. `payload_offset` and `end` are bytes from the start of the file."""

    kind: SignedKind
    algorithm: SignatureAlgorithm
    key_id: KeyId
    protected: bytes
    payload: bytes
    signature: bytes
    payload_offset: int
    end: int

    def signed_bytes(self) -> bytes:
        """Return the bytes that the signature covers."""
        return cose.sig_structure(self.protected, self.payload, self.kind.external_aad)


def parse_signed(data: bytes, kind: SignedKind) -> SignedObject:
    """Parse preamble and envelope at the start of `data`; what follows them is left alone. Raises FormatError."""
    end = PREAMBLE_BYTES + _parse_preamble(data[:PREAMBLE_BYTES], kind)
    if end > len(data):
        raise FormatError(
            "bundle.truncated",
            f"expected a header of {end - PREAMBLE_BYTES} bytes, found {len(data) - PREAMBLE_BYTES}",
            offset=len(data),
            spec=_SPEC_PREAMBLE,
        )
    envelope = cose.parse_cose_sign1(
        data[PREAMBLE_BYTES:end],
        Profile.DETERMINISTIC,
        base_offset=PREAMBLE_BYTES,
        maximum_bytes=MAX_SIGNED_BYTES,
    )
    algorithm, key_id = _parse_protected(envelope.protected, kind, data.index(envelope.protected, PREAMBLE_BYTES))
    if len(envelope.signature) != SIGNATURE_BYTES[algorithm]:
        raise FormatError(
            "bundle.signature-length",
            f"expected a signature of {SIGNATURE_BYTES[algorithm]} bytes, found {len(envelope.signature)}",
            offset=end - len(envelope.signature),
            spec=_SPEC,
        )
    return SignedObject(
        kind,
        algorithm,
        key_id,
        envelope.protected,
        envelope.payload,
        envelope.signature,
        envelope.payload_offset,
        end,
    )


def _parse_preamble(preamble: bytes, kind: SignedKind) -> int:
    """Return the length of the header in bytes."""
    if preamble[:_MAGIC_BYTES] != kind.magic:
        raise FormatError(
            "bundle.magic",
            f"expected the magic {kind.magic.hex()}, found {preamble[:_MAGIC_BYTES].hex()}",
            offset=0,
            spec=_SPEC_PREAMBLE,
        )
    if len(preamble) < PREAMBLE_BYTES:
        raise FormatError(
            "bundle.truncated",
            f"expected {PREAMBLE_BYTES} bytes, found {len(preamble)}",
            offset=len(preamble),
            spec=_SPEC_PREAMBLE,
        )
    layout = int.from_bytes(preamble[8:12])
    if layout != LAYOUT_VERSION << 16:
        raise FormatError(
            "bundle.layout",
            f"expected layout version {LAYOUT_VERSION} and two zero bytes, found {preamble[8:12].hex()}",
            offset=8,
            spec=_SPEC_PREAMBLE,
            remedy="A newer Strongroom may have written this file.",
        )
    length = int.from_bytes(preamble[12:])
    if not 1 <= length <= MAX_SIGNED_BYTES:
        raise FormatError(
            "bundle.header-length",
            f"expected a header of 1 to {MAX_SIGNED_BYTES} bytes, found {length}",
            offset=12,
            spec=_SPEC_PREAMBLE,
        )
    return length


_PROTECTED_KEYS = (cose.HEADER_ALG, cose.HEADER_CONTENT_TYPE, cose.HEADER_KID)


def _parse_protected(protected: bytes, kind: SignedKind, offset: int) -> tuple[SignatureAlgorithm, KeyId]:
    pairs = cbor.decode(protected, Profile.DETERMINISTIC, base_offset=offset).map()
    if tuple(key.scalar for key, _ in pairs) != _PROTECTED_KEYS:
        raise FormatError(
            "bundle.protected",
            f"expected the protected parameters {_PROTECTED_KEYS}, found {tuple(key.scalar for key, _ in pairs)}",
            offset=offset,
            spec=_SPEC,
        )
    (_, algorithm), (_, content_type), (_, key_id) = pairs
    if content_type.text(maximum=100) != kind.content_type:
        raise FormatError(
            "bundle.content-type",
            f"expected the content type {kind.content_type!r}, found {content_type.scalar!r}",
            offset=content_type.offset,
            spec=_SPEC,
        )
    return _parse_algorithm(algorithm), KeyId(key_id.bytes(minimum=KEY_ID_BYTES, maximum=KEY_ID_BYTES))


def _parse_algorithm(item: CborItem) -> SignatureAlgorithm:
    number = item.integer()
    if number not in tuple(SignatureAlgorithm):
        raise FormatError(
            "bundle.algorithm",
            f"expected alg -8 (EdDSA) or -35 (ES384), found {number}",
            offset=item.offset,
            spec=_SPEC,
        )
    return SignatureAlgorithm(number)


def encode_protected(kind: SignedKind, algorithm: SignatureAlgorithm, key_id: KeyId) -> bytes:
    """Encode the protected header."""
    return cbor.encode(
        {
            cose.HEADER_ALG: int(algorithm),
            cose.HEADER_CONTENT_TYPE: kind.content_type,
            cose.HEADER_KID: bytes(key_id),
        }
    )


def encode_signed(kind: SignedKind, *, protected: bytes, payload: bytes, signature: bytes) -> bytes:
    """Encode preamble and envelope. Raises FormatError when the header is too long."""
    header = cose.encode_cose_sign1(protected, payload, signature)
    if len(header) > MAX_SIGNED_BYTES:
        raise FormatError(
            "bundle.header-length",
            f"expected a header of at most {MAX_SIGNED_BYTES} bytes, found {len(header)}",
            spec=_SPEC_PREAMBLE,
            remedy="Seal fewer entries, or shorter names, in one bundle.",
        )
    return kind.magic + (LAYOUT_VERSION << 16).to_bytes(4) + len(header).to_bytes(4) + header
