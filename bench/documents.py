# SPDX-License-Identifier: Apache-2.0
"""Documents of the twin's Nitro PKI, which has the shapes of AWS's: a new leaf for each, one bundle above them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.appraisal.endorsements import NitroRoots
from strongroom.crypto.certificates import sha256_fingerprint
from strongroom.formats.attestation_document import PROTECTED_ES384, encode_nitrotpm_payload
from strongroom.formats.cose import encode_cose_sign1, sig_structure
from strongroom.formats.pcrs import SECURE_BOOT_OFF_PCR7_SHA384, SEPARATOR_ONLY_SHA384, ZERO_SHA384, PcrDigests
from strongroom.ids import EvidenceBytes, InstanceId, Region
from strongroom.twin.pki import NitroPki, create_root

MADE_AT = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
ES384 = ec.ECDSA(SHA384())
_INSTANCE = InstanceId("i-0123456789abcdef0")
_PCRS = PcrDigests.of(
    {
        **dict.fromkeys(range(24), ZERO_SHA384),
        **dict.fromkeys((2, 3, 6), SEPARATOR_ONLY_SHA384),
        **dict.fromkeys(range(17, 23), b"\xff" * 48),
        4: bytes(range(48)),
        7: SECURE_BOOT_OFF_PCR7_SHA384,
    }
)


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """A document, and apart from it what a bare verification of its own signature takes."""

    evidence: EvidenceBytes
    leaf_key: ec.EllipticCurvePublicKey
    message: bytes
    signature: bytes
    """In DER, as `cryptography` takes it."""


@dataclass(frozen=True, slots=True)
class Documents:
    """What the rows about verification work on."""

    roots: NitroRoots
    signed: Sequence[SignedDocument]

    @classmethod
    def make(cls, count: int) -> Documents:
        """Make documents as an instance would send them before an attested Decrypt: nonce and RSA-2048 key."""
        pki = NitroPki(create_root(MADE_AT))
        key = generate_private_key(65537, 2048).public_key()
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        roots = NitroRoots(frozenset({sha256_fingerprint(pki.root)}))
        return cls(roots, [_document(pki, index.to_bytes(32), spki) for index in range(count)])


def _document(pki: NitroPki, nonce: bytes, public_key: bytes) -> SignedDocument:
    module = f"{_INSTANCE}-tpm0000000000000000"
    signer = pki.signer(module, instance_id=_INSTANCE, region=Region("eu-west-1"), at=MADE_AT)
    payload = encode_nitrotpm_payload(
        module_id=module,
        timestamp=MADE_AT,
        pcrs=_PCRS,
        certificate=signer.certificate,
        cabundle=signer.cabundle,
        public_key=public_key,
        user_data=None,
        nonce=nonce,
    )
    message = sig_structure(PROTECTED_ES384, payload)
    signature = signer.key.sign(message, ES384)
    r, s = decode_dss_signature(signature)
    evidence = encode_cose_sign1(PROTECTED_ES384, payload, r.to_bytes(48) + s.to_bytes(48))
    return SignedDocument(EvidenceBytes(evidence), signer.key.public_key(), message, signature)
