# SPDX-License-Identifier: Apache-2.0
"""A small honest world for the flows: a KMS in memory, a source of evidence, a vendor and an instance."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.crypto.key_transport import encrypt_to_recipient
from strongroom.crypto.signers import Ed25519Signer
from strongroom.errors import KeyRefused
from strongroom.flows.open import InstanceFacts, open_bundle
from strongroom.flows.seal import EscrowTarget, SealedEntry, SealHeader, seal
from strongroom.formats.bundle_header import Purpose, Subject
from strongroom.formats.bundle_trust import BundleTrust, PinnedSigner, SignatureAlgorithm, SignerRole
from strongroom.ids import AccountId, CmsBytes, EvidenceBytes, KeyArn, Region, SpkiDer, TenantId, WrappedKey

NOW = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
VENDOR, CUSTOMER = AccountId("111122223333"), AccountId("444455556666")
KEY = KeyArn(f"arn:aws:kms:eu-central-1:{VENDOR}:key/1234abcd-12ab-34cd-56ef-1234567890ab")
OTHER_KEY = KeyArn(f"arn:aws:kms:eu-central-1:{VENDOR}:key/ffffffff-12ab-34cd-56ef-1234567890ab")
ESCROW_KEY = KeyArn(f"arn:aws:kms:eu-central-1:{VENDOR}:key/eeeeeeee-12ab-34cd-56ef-1234567890ab")
SUBJECT = Subject("example", TenantId("acme"), Purpose.SECRET, "database", 2)
HEADER = SealHeader(SUBJECT, bundle_version=3, accounts=(CUSTOMER,), not_after=NOW + timedelta(days=1))
ENTRIES = (SealedEntry("password", b"correct horse battery staple"), SealedEntry("etc/empty", b"", "text/plain", 0o644))
INSTANCE = InstanceFacts(CUSTOMER, Region("eu-central-1"))
SIGNER = Ed25519Signer.generate()


def pinned(signer=SIGNER, *, roles=frozenset({SignerRole.BUNDLE})):
    return PinnedSigner(signer.key_id, SignatureAlgorithm.EDDSA, signer.public_key, roles)


TRUST = BundleTrust("example", (pinned(),), {"database": 3}, frozenset({VENDOR}), "aws")


class MemoryKms:
    """Wraps as KMS does: under one key, bound to the encryption context. Keeps the documents it was shown."""

    def __init__(self) -> None:
        self.keys: dict[str, bytes] = {}
        self.documents: list[bytes] = []
        self.contexts: list[dict[str, str]] = []
        self.refuse_next: list[KeyRefused] = []

    def _cipher(self, key_arn: str) -> AESGCM:
        return AESGCM(self.keys.setdefault(key_arn, os.urandom(32)))

    def encrypt(self, data_key, *, key_arn, context):
        nonce = os.urandom(12)
        aad = json.dumps(dict(context), sort_keys=True).encode()
        return WrappedKey(nonce + self._cipher(key_arn).encrypt(nonce, data_key, aad))

    def decrypt_unattested(self, wrapped_key, *, key_arn, context):
        self.contexts.append(dict(context))
        aad = json.dumps(dict(context), sort_keys=True).encode()
        try:
            return self._cipher(key_arn).decrypt(wrapped_key[:12], wrapped_key[12:], aad)
        except InvalidTag as error:
            raise KeyRefused("kms.invalid-ciphertext", "another key or context") from error

    def decrypt(self, wrapped_key, *, key_arn, context, recipient) -> CmsBytes:
        self.documents.append(recipient)
        if self.refuse_next:
            raise self.refuse_next.pop(0)
        plaintext = self.decrypt_unattested(wrapped_key, key_arn=key_arn, context=context)
        return encrypt_to_recipient(SpkiDer(recipient), plaintext)


@dataclass
class KeyOnlyEvidence:
    """Evidence that is the public key and nothing else: policies on documents are tested elsewhere."""

    asked: list[SpkiDer] = field(default_factory=list)

    def attest(self, *, public_key=None, nonce=None, user_data=None) -> EvidenceBytes:
        assert public_key is not None
        assert nonce is None
        assert user_data is None
        self.asked.append(public_key)
        return EvidenceBytes(bytes(public_key))


@dataclass
class World:
    kms: MemoryKms = field(default_factory=MemoryKms)
    evidence: KeyOnlyEvidence = field(default_factory=KeyOnlyEvidence)

    def seal(self, entries=ENTRIES, *, header=HEADER, key_arn=KEY, signer=SIGNER, now=NOW):
        target = EscrowTarget(self.kms, ESCROW_KEY)
        return seal(
            entries,
            header=header,
            signer=signer,
            kms=self.kms,
            key_arn=key_arn,
            escrow=target,
            now=now,
            entropy=os.urandom,
        )

    def open(self, bundle, *, name="database", trust=TRUST, instance=INSTANCE, now=NOW, kms=None):
        return open_bundle(
            bundle,
            name=name,
            trust=trust,
            instance=instance,
            now=now,
            evidence_source=self.evidence,
            kms=self.kms if kms is None else kms,
        )


def contents(opened):
    return [(e.info.name, e.info.media_type, e.info.mode, e.content) for e in opened.entries]
