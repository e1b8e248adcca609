# SPDX-License-Identifier: Apache-2.0
"""Names for strings and bytes that must not be mixed up. Only parsers and adapters make them."""

from typing import NewType

# Strings
AccountId = NewType("AccountId", str)
"""Twelve decimal digits."""
InstanceId = NewType("InstanceId", str)
"""`i-` and 8 or 17 lower-case hex digits."""
ImageId = NewType("ImageId", str)
"""An AMI id."""
KeyArn = NewType("KeyArn", str)
"""The full ARN of a KMS key, never an alias: `arn:PARTITION:kms:REGION:ACCOUNT:key/ID`."""
SnapshotId = NewType("SnapshotId", str)
"""An EBS snapshot, such as `snap-0123456789abcdef0`."""
Region = NewType("Region", str)
TenantId = NewType("TenantId", str)
"""`[a-z0-9][a-z0-9-]{0,62}`: it goes into key policies."""

# Bytes
EvidenceBytes = NewType("EvidenceBytes", bytes)
"""An attestation document as it came, nothing read from it yet."""
CmsBytes = NewType("CmsBytes", bytes)
"""CiphertextForRecipient: a CMS EnvelopedData in BER, as KMS sends it."""
WrappedKey = NewType("WrappedKey", bytes)
"""A CiphertextBlob of KMS holding a data key."""
Nonce = NewType("Nonce", bytes)
KeyId = NewType("KeyId", bytes)
"""SHA-256 of a DER SubjectPublicKeyInfo, 32 bytes."""
SpkiDer = NewType("SpkiDer", bytes)
"""A public key as DER SubjectPublicKeyInfo (RFC 5280 section 4.1)."""
CertificateDer = NewType("CertificateDer", bytes)
