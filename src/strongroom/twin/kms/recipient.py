# SPDX-License-Identifier: Apache-2.0
"""The Recipient parameter: an attestation document that must be authentic, young and carry an RSA key.

KMS API Reference, RecipientInfo; KMS Developer Guide, "Cryptographic attestation support". Error names and sentences
are assumptions where docs/twin.md says so: AWS documents none that is specific to attestation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from strongroom.appraisal.endorsements import NitroRoots
from strongroom.appraisal.evidence import VerifiedEvidence, verify_evidence
from strongroom.crypto.key_transport import encrypt_to_recipient, load_recipient
from strongroom.errors import FormatError, NotAuthentic
from strongroom.ids import CmsBytes, EvidenceBytes, SpkiDer
from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.parameters import Parameters

MAX_AGE = timedelta(minutes=5)
"""ASSUMED to count from the document's timestamp (docs/twin.md, row `five-minutes`)."""
MAX_DOCUMENT_BYTES = 262_144
ALGORITHM = "RSAES_OAEP_SHA_256"


@dataclass(frozen=True, slots=True)
class Recipient:
    """An authentic document, and the key to encrypt the answer to."""

    evidence: VerifiedEvidence
    public_key: SpkiDer

    def encrypt(self, plaintext: bytes) -> CmsBytes:
        """Return CiphertextForRecipient."""
        return encrypt_to_recipient(self.public_key, plaintext)


def read_recipient(parameters: Parameters, *, roots: NitroRoots, now: datetime) -> Recipient | None:
    """Return the verified recipient, or None when the call has none. Raises AwsFault (ValidationException)."""
    member = parameters.nested("Recipient")
    if member is None:
        return None
    algorithm = member.text("KeyEncryptionAlgorithm")
    if algorithm != ALGORITHM:
        raise AwsFault("ValidationException", f"KeyEncryptionAlgorithm: expected {ALGORITHM}, found {algorithm[:64]}")
    document = EvidenceBytes(member.blob("AttestationDocument", maximum_bytes=MAX_DOCUMENT_BYTES))
    try:
        evidence = verify_evidence(document, roots=roots, at=now)
    except (FormatError, NotAuthentic) as error:
        raise AwsFault("ValidationException", f"KMS cannot parse the attestation document: {error}") from error
    if now - evidence.timestamp > MAX_AGE:
        raise AwsFault("ValidationException", "The attestation document exceeded the five-minute age limit.")
    return Recipient(evidence, _public_key(evidence))


def _public_key(evidence: VerifiedEvidence) -> SpkiDer:
    if evidence.public_key is None:
        raise AwsFault("ValidationException", "The attestation document carries no public key.")
    public_key = SpkiDer(evidence.public_key)
    try:
        load_recipient(public_key)
    except FormatError as error:
        raise AwsFault("ValidationException", f"The public key in the attestation document: {error}") from error
    return public_key
