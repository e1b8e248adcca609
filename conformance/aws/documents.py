# SPDX-License-Identifier: Apache-2.0
"""The attestation documents that a run was given, sorted by what can be asked with them.

A run cannot make documents: only a NitroTPM does. Whoever has an instance hands some over, and each probe that needs
one takes one that fits. They are parsed and never trusted: KMS is who judges them.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from strongroom.formats.attestation_document import UnverifiedClaims, parse_nitrotpm_document, unverified_claims
from strongroom.ids import EvidenceBytes

YOUNG = timedelta(minutes=4)
OLD = timedelta(minutes=6)
"""On either side of the five minutes, with room for clocks that differ."""


_LONG_RSA = (3072, 4096)


class Need(enum.StrEnum):
    """What a document has to be for a probe. The value is how the summary asks for it."""

    ANY = "a document"
    FRESH = "a document with an RSA key, younger than four minutes when it is asked for"
    OLD = "a document with an RSA key, older than six minutes, whose certificate is still valid"
    EXPIRED = "a document with an RSA key whose certificate has expired (three hours)"
    LONG_RSA = "a document with an RSA key of 3,072 or 4,096 bits, younger than four minutes"
    WITHOUT_RSA = "a document without a public key, or with one that is not RSA, younger than four minutes"


@dataclass(frozen=True)
class Document:
    """A document as it is, and what it says of itself."""

    data: bytes
    claims: UnverifiedClaims
    leaf: x509.Certificate

    @property
    def recipient(self) -> dict[str, object]:
        """The Recipient of a call with this document."""
        return {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": self.data}

    @property
    def key_id(self) -> bytes:
        """How an answer names the document's key: the SHA-256 of its SubjectPublicKeyInfo."""
        return hashlib.sha256(self.claims.public_key or b"").digest()

    def serves(self, need: Need, now: datetime) -> bool:
        """Say whether a probe with this need can use the document."""
        age, valid = now - self.claims.timestamp, now < self.leaf.not_valid_after_utc
        return {
            Need.ANY: True,
            Need.FRESH: self._has_rsa and age < YOUNG,
            Need.OLD: self._has_rsa and age > OLD and valid,
            Need.EXPIRED: self._has_rsa and not valid,
            Need.LONG_RSA: self._rsa_bits in _LONG_RSA and age < YOUNG,
            Need.WITHOUT_RSA: not self._has_rsa and age < YOUNG,
        }[need]

    @property
    def _has_rsa(self) -> bool:
        return self._rsa_bits > 0

    @property
    def _rsa_bits(self) -> int:
        """The length of an RSA key, and 0 where there is none."""
        try:
            key = load_der_public_key(self.claims.public_key or b"")
        except (ValueError, UnsupportedAlgorithm):
            return 0
        return key.key_size if isinstance(key, RSAPublicKey) else 0


@dataclass(frozen=True)
class Documents:
    """All documents of a run."""

    all: tuple[Document, ...] = ()

    def lacking(self, needs: Sequence[Need], now: datetime) -> tuple[Need, ...]:
        """Return the needs that no document serves."""
        return tuple(need for need in needs if not any(each.serves(need, now) for each in self.all))

    def one(self, need: Need, now: datetime) -> Document:
        """Return the youngest document that serves. Raises LookupError when there is none any more."""
        found = [each for each in self.all if each.serves(need, now)]
        if not found:
            raise LookupError(f"needs {need}")
        return max(found, key=lambda each: each.claims.timestamp)


def read_documents(files: Sequence[Path]) -> Documents:
    """Read documents. Raises OSError, and FormatError for what is no NitroTPM document."""
    return Documents(tuple(_read(file.read_bytes()) for file in files))


def _read(data: bytes) -> Document:
    parsed = parse_nitrotpm_document(EvidenceBytes(data))
    return Document(data, unverified_claims(parsed), x509.load_der_x509_certificate(parsed.certificate))
