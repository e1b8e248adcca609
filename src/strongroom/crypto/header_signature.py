# SPDX-License-Identifier: Apache-2.0
"""Signatures of bundle headers and escrow files (docs/formats/bundle.md section 3): sign and verify.

Only `verify_header` and `verify_escrow` make a `VerifiedHeader` and a `VerifiedEscrow`. They say that a pinned signer
with the right role wrote the fields; whether the bundle is meant for us is decided in `flows.open`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.crypto.signatures import load_p384_key, verify_ed25519, verify_es384
from strongroom.errors import NotAuthentic, NotTrusted, UsageError
from strongroom.formats.bundle import BundleHeader, Escrow
from strongroom.formats.bundle_header import EscrowFields, HeaderFields
from strongroom.formats.bundle_trust import PinnedSigner, SignatureAlgorithm
from strongroom.formats.cose import sig_structure
from strongroom.formats.signed import SIGNATURE_BYTES, SignedKind, SignedObject, encode_protected, encode_signed
from strongroom.ports import HeaderSigner


@dataclass(frozen=True, slots=True)
class VerifiedHeader:
    """An authentic header: `signer` wrote `fields`. Made by `verify_header` only."""

    fields: HeaderFields
    signer: PinnedSigner


@dataclass(frozen=True, slots=True)
class VerifiedEscrow:
    """An authentic escrow file: `signer` wrote `fields`. Made by `verify_escrow` only."""

    fields: EscrowFields
    signer: PinnedSigner


def verify_header(header: BundleHeader, *, signers: Sequence[PinnedSigner]) -> VerifiedHeader:
    """Return the header as authentic. Raises NotAuthentic, or NotTrusted for a signer without the role `bundle`."""
    return VerifiedHeader(header.claimed, verify_signed(header.signed, signers=signers))


def verify_escrow(escrow: Escrow, *, signers: Sequence[PinnedSigner]) -> VerifiedEscrow:
    """Return the escrow file as authentic. Raises NotAuthentic, or NotTrusted for a signer without the role."""
    return VerifiedEscrow(escrow.claimed, verify_signed(escrow.signed, signers=signers))


def verify_signed(signed: SignedObject, *, signers: Sequence[PinnedSigner]) -> PinnedSigner:
    """Return the pinned signer who signed this, in the role that its kind asks for.

    The algorithm is the pinned one: what the object claims is compared with it and chooses nothing (ATTACKS A7).
    Raises NotAuthentic, or NotTrusted for a signer without the role.
    """
    signer = next((known for known in signers if known.key_id == signed.key_id), None)
    if signer is None:
        raise NotAuthentic(
            "bundle.signer",
            f"expected one of {len(signers)} pinned signers, found the key id {signed.key_id.hex()}",
            remedy="The image trusts the signers in its trust.json; sign with one of them.",
        )
    if signed.algorithm is not signer.algorithm:
        raise NotAuthentic(
            "bundle.signer-algorithm",
            f"expected the pinned algorithm {signer.algorithm.name}, found {signed.algorithm.name}",
        )
    _verify_signature(signed, signer)
    if signed.kind.role not in signer.roles:
        raise NotTrusted(
            "bundle.signer-role",
            f"expected a signer with the role {signed.kind.role!s}, found one with {', '.join(sorted(signer.roles))}",
        )
    return signer


def _verify_signature(signed: SignedObject, signer: PinnedSigner) -> None:
    if signer.algorithm is SignatureAlgorithm.ES384:
        verify_es384(signed.signature, signed.signed_bytes(), key=load_p384_key(signer.public_key))
    else:
        verify_ed25519(signed.signature, signed.signed_bytes(), public_key=signer.public_key)


def sign_payload(kind: SignedKind, payload: bytes, *, signer: HeaderSigner) -> bytes:
    """Return preamble and signed envelope around `payload`.

    Raises UsageError for a signer of an unknown kind, FormatError when the envelope is too long.
    """
    protected = encode_protected(kind, _algorithm_of(signer), signer.key_id)
    signature = signer.sign(sig_structure(protected, payload, kind.external_aad))
    return encode_signed(kind, protected=protected, payload=payload, signature=signature)


def signed_length(kind: SignedKind, payload: bytes, *, signer: HeaderSigner) -> int:
    """Return the bytes that `sign_payload` will return for a payload of this length, without signing anything."""
    algorithm = _algorithm_of(signer)
    protected = encode_protected(kind, algorithm, signer.key_id)
    placeholder = bytes(SIGNATURE_BYTES[algorithm])
    return len(encode_signed(kind, protected=protected, payload=payload, signature=placeholder))


_SPKI_PREFIXES = {
    bytes.fromhex("302a300506032b6570032100"): SignatureAlgorithm.EDDSA,
    bytes.fromhex("3076301006072a8648ce3d020106052b8104002203620004"): SignatureAlgorithm.ES384,
}
"""How the SubjectPublicKeyInfo of an Ed25519 key (RFC 8410 section 4) and of a P-384 key (RFC 5480) starts."""


def _algorithm_of(signer: HeaderSigner) -> SignatureAlgorithm:
    for prefix, algorithm in _SPKI_PREFIXES.items():
        if signer.public_key.startswith(prefix):
            return algorithm
    raise UsageError("signer.kind", "expected an Ed25519 or P-384 signer, found one of another kind")
