# SPDX-License-Identifier: Apache-2.0
"""What the flows need from the outside world: one or two methods each.

Real AWS, real TPMs and the twin all come in through these; nothing else about a flow changes. Every method raises
only errors of `strongroom.errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from strongroom.ids import (
    AccountId,
    CertificateDer,
    CmsBytes,
    EvidenceBytes,
    ImageId,
    InstanceId,
    KeyArn,
    KeyId,
    SpkiDer,
    WrappedKey,
)


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the current time, timezone-aware, in UTC."""


class TpmTransport(Protocol):
    """A way to a TPM 2.0: Linux's device, or whoever stands in for one."""

    def transmit(self, command: bytes) -> bytes:
        """Return the TPM's response to a command; both are whole (TPM 2.0 Library, Part 1, section 18).

        What comes back is not looked at. Raises TpmFault when nothing does.
        """


class EvidenceSource(Protocol):
    """A NitroTPM, or whoever stands in for one (RFC 9334: the Attester's attesting environment)."""

    def attest(
        self, *, public_key: SpkiDer | None = None, nonce: bytes | None = None, user_data: bytes | None = None
    ) -> EvidenceBytes:
        """Return a fresh attestation document that carries the three fields, each at most 1,024 bytes."""


class AttestedKms(Protocol):
    """KMS as the agent uses it. There is no way to ask it for plaintext."""

    def decrypt(
        self, wrapped_key: WrappedKey, *, key_arn: KeyArn, context: Mapping[str, str], recipient: EvidenceBytes
    ) -> CmsBytes:
        """Return the data key, encrypted to the RSA public key inside the `recipient` document.

        Raises KeyRefused with code `kms.document-expired` when the document is older than KMS accepts,
        `kms.access-denied` when a policy said no, and other `kms.*` codes for what else KMS answers.
        """


class SealingKms(Protocol):
    """KMS as the vendor's sealer uses it: it may wrap, and may not open."""

    def encrypt(self, data_key: bytes, *, key_arn: KeyArn, context: Mapping[str, str]) -> WrappedKey:
        """Return `data_key` (at most 4,096 bytes) encrypted under the key, bound to `context`."""


class EscrowKms(Protocol):
    """KMS as the vendor's escrow holder uses it, for escrow keys only, outside any instance."""

    def decrypt_unattested(self, wrapped_key: WrappedKey, *, key_arn: KeyArn, context: Mapping[str, str]) -> bytes:
        """Return the plaintext data key. No tenant key's policy allows this (docs/formats/key-policy.md)."""


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What KMS tells about a key, in its own words (KMS API Reference, KeyMetadata)."""

    arn: KeyArn
    enabled: bool
    state: str
    origin: str
    multi_region: bool


class KeyAdmin(Protocol):
    """KMS as whoever owns keys and their policies uses it. It neither wraps nor opens anything."""

    def create_key(self, *, policy: str, description: str, tags: Mapping[str, str]) -> KeyFacts:
        """Create a symmetric key under this policy (JSON), with these tags from its first moment."""

    def describe_key(self, key_arn: KeyArn) -> KeyFacts:
        """Return what KMS says about a key."""

    def key_policy(self, key_arn: KeyArn) -> str:
        """Return the key's policy as JSON text; KMS may have written it anew with the same meaning."""

    def put_key_policy(self, key_arn: KeyArn, policy: str) -> None:
        """Replace the key's policy. Raises KeyRefused with code `kms.malformed-policy` for one that locks us out."""

    def key_grants(self, key_arn: KeyArn) -> str:
        """Return all grants on the key as JSON text, as `aws kms list-grants` prints them."""


class KeyInventory(Protocol):
    """The keys of one account and Region, as whoever looks for one of them sees them."""

    def find_keys(self, tags: Mapping[str, str]) -> tuple[KeyArn, ...]:
        """Return the keys that have all of these tags, whatever their state.

        Keys whose tags are closed to us are not looked at: a key of ours lets its account read them.
        """

    def expect_tags(self, key_arn: KeyArn, tags: Mapping[str, str]) -> None:
        """Raise KeyRefused where the tags of a key are closed to us, NotTrusted where it lacks one of these."""

    def name_key(self, key_arn: KeyArn, alias: str) -> KeyArn:
        """Give a key an alias, for people, and return the key that has it: another one, if it was taken."""


class TrialKms(Protocol):
    """KMS as whoever tries a policy out on a key that guards nothing."""

    def encrypt(self, data_key: bytes, *, key_arn: KeyArn, context: Mapping[str, str]) -> WrappedKey:
        """Return `data_key` encrypted under the key, bound to `context`."""

    def would_decrypt(
        self, wrapped_key: WrappedKey, *, key_arn: KeyArn, context: Mapping[str, str], recipient: EvidenceBytes | None
    ) -> None:
        """Ask with DryRun whether KMS would decrypt, with a document or without one. Raises KeyRefused if not."""

    def schedule_deletion(self, key_arn: KeyArn) -> None:
        """Let the key be deleted after the shortest waiting period, 7 days. It is unusable at once."""


class KeyReader(Protocol):
    """KMS as whoever examines a key uses it. It changes nothing."""

    def key_policy(self, key_arn: KeyArn) -> str:
        """Return the key's policy as JSON text; KMS may have written it anew with the same meaning."""

    def key_grants(self, key_arn: KeyArn) -> str:
        """Return all grants on the key as JSON text, as `aws kms list-grants` prints them."""


@dataclass(frozen=True, slots=True)
class IdentityDocumentBytes:
    """What the instance metadata service says about us, unverified: the JSON and its RSA-2048 PKCS#7 (DER)."""

    document: bytes
    rsa2048: bytes


class IdentitySource(Protocol):
    """The instance metadata service (IMDSv2)."""

    def identity_document(self) -> IdentityDocumentBytes:
        """Return the instance identity document and its signature, neither of them verified."""


@dataclass(frozen=True, slots=True)
class Ec2Instance:
    """What EC2 answers about an instance, in its own words (EC2 API Reference, Instance); empty where it is silent."""

    account_id: AccountId
    instance_id: InstanceId
    image_id: ImageId
    instance_type: str
    availability_zone: str
    architecture: str
    state: str


class InstanceDirectory(Protocol):
    """EC2 in one Region, with the credentials of one account. It changes nothing."""

    def describe_instance(self, instance_id: InstanceId) -> Ec2Instance | None:
        """Return what EC2 says about an instance of the account, None when there is no such instance."""


class HeaderSigner(Protocol):
    """Holds a private signing key: a file now, a KMS key later."""

    @property
    def public_key(self) -> SpkiDer:
        """The public half."""

    @property
    def key_id(self) -> KeyId:
        """SHA-256 of `public_key`."""

    def sign(self, message: bytes) -> bytes:
        """Return the raw COSE signature over `message` (RFC 9053: EdDSA 64 bytes, ES384 r||s 96 bytes)."""


class BundleSource(Protocol):
    """Where bundles lie: a folder now, S3 later. What it returns is hostile until its signature is verified."""

    def fetch(self, name: str) -> bytes:
        """Return the bytes of the bundle called `name`."""


class ImageSigner(Protocol):
    """An RSA key that Secure Boot knows by a certificate: in a file, or in KMS."""

    @property
    def certificate(self) -> CertificateDer:
        """The certificate that goes with every signature."""

    def sign_digest(self, digest: bytes) -> bytes:
        """Return the RSASSA-PKCS1-v1_5 signature over a SHA-256 digest of 32 bytes (RFC 8017, section 8.2)."""
