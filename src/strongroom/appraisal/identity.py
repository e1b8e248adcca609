# SPDX-License-Identifier: Apache-2.0
"""Instance identity documents: which account, instance and image EC2 says this is.

The metadata service serves three signatures of a document. `verify_identity_document` verifies `rsa2048`, and is all
that the agent uses. `verify_unsafe_legacy_pkcs7` (DSA-1024 with SHA-1) and `verify_unsafe_legacy_signature` (RSA-1024
with SHA-256) are for documents that come with nothing better; what they return is of another type. All take these
steps; the code repeats their numbers:

 1. parse the JSON, for one reason: to learn which Region it claims
 2. take the pinned certificate of that Region; certificates inside a PKCS#7 are never looked at
 3. parse the PKCS#7 and require the kind's algorithms                                     (not for `signature`)
 4. the signed content must be the document, byte for byte                                (not for `signature`)
 5. the signed attributes must carry the digest of the content                            (not for `signature`)
 6. the signature must be one of the pinned key: over the signed attributes, for `signature` over the document
 7. only then hand out what the document says

Such a document has no nonce and no age: whoever saw it can show it again, for ever. It says who an instance is, not
what it runs, and becomes proof of who *we* are only together with our own attestation document, which names the same
instance (docs/identity.md).
Source: EC2 User Guide, "Verify the instance identity document".
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import InitVar, dataclass
from typing import Final, TypeAlias, TypeVar

from strongroom.crypto.identity_signatures import (
    verify_rsa2048_sha256,
    verify_unsafe_legacy_dsa1024_sha1,
    verify_unsafe_legacy_rsa1024_sha256,
)
from strongroom.errors import NotAuthentic
from strongroom.formats.identity_document import IdentityDocument, parse_identity_document
from strongroom.formats.oids import describe_oid
from strongroom.formats.pkcs7 import (
    OID_DSA_WITH_SHA1,
    OID_RSA,
    OID_SHA1,
    OID_SHA256,
    OID_SHA256_WITH_RSA,
    SignedData,
    parse_signed_data,
)
from strongroom.ids import AccountId, CertificateDer, ImageId, InstanceId, Region
from strongroom.ports import IdentityDocumentBytes

_VOUCHER: Final = object()


class IdentityKind(enum.StrEnum):
    """Which signature vouches for a document. The values are the metadata service's names for them."""

    RSA2048 = "rsa2048"
    PKCS7 = "pkcs7"
    SIGNATURE = "signature"

    @property
    def algorithm(self) -> str:
        """What AWS signs it with."""
        return _ALGORITHMS[self]


_ALGORITHMS: Final = {
    IdentityKind.RSA2048: "RSA-2048 with SHA-256",
    IdentityKind.PKCS7: "DSA-1024 with SHA-1",
    IdentityKind.SIGNATURE: "RSA-1024 with SHA-256",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Identity:
    """What EC2 says about an instance. Only this module can make one: the constructor asks for a private object."""

    kind: IdentityKind
    account_id: AccountId
    instance_id: InstanceId
    image_id: ImageId
    region: Region
    availability_zone: str
    instance_type: str
    architecture: str
    pending_time: str
    """When the instance was last started, RFC 3339 in UTC."""
    certificate: CertificateDer
    """The pinned one that the signature was verified with."""
    voucher: InitVar[object]

    def __post_init__(self, voucher: object) -> None:
        if voucher is not _VOUCHER:
            raise RuntimeError("a verified identity is made by the verify functions of this module only")


class VerifiedIdentity(_Identity):
    """What EC2 says about an instance, signed with RSA-2048 and SHA-256."""

    __slots__ = ()


class UnsafeLegacyIdentity(_Identity):
    """What EC2 says about an instance, signed with an algorithm that is weak today. `kind` says which."""

    __slots__ = ()


AnyIdentity: TypeAlias = VerifiedIdentity | UnsafeLegacyIdentity
_Strength = TypeVar("_Strength", bound=_Identity)


def verify_identity_document(
    identity: IdentityDocumentBytes, *, certificates: Mapping[Region, CertificateDer]
) -> VerifiedIdentity:
    """Return what an identity document says, once its `rsa2048` fits its Region's pinned certificate.

    `identity.rsa2048` is DER or BER, not base64. Raises FormatError, NotAuthentic.
    """
    document = parse_identity_document(identity.document)  # step 1
    certificate = _pinned_certificate(document.region, certificates)  # step 2
    signed = parse_signed_data(identity.rsa2048)  # step 3
    _expect_algorithms(signed, digest=OID_SHA256, signature=(OID_RSA, OID_SHA256_WITH_RSA), kind=IdentityKind.RSA2048)
    _expect_same_content(signed, identity.document, hashlib.sha256(identity.document).digest())  # steps 4 and 5
    verify_rsa2048_sha256(signed.signature, signed.signed_attributes, certificate=certificate)  # step 6
    return _vouched(document, certificate, IdentityKind.RSA2048, VerifiedIdentity)  # step 7


def verify_unsafe_legacy_pkcs7(
    document: bytes, pkcs7: bytes, *, certificates: Mapping[Region, CertificateDer]
) -> UnsafeLegacyIdentity:
    """Return what an identity document says, once its `pkcs7` (DER or BER) fits its Region's DSA certificate.

    Weak: DSA with 1,024 bits and SHA-1. Raises FormatError, NotAuthentic.
    """
    parsed = parse_identity_document(document)  # step 1
    certificate = _pinned_certificate(parsed.region, certificates)  # step 2
    signed = parse_signed_data(pkcs7)  # step 3
    _expect_algorithms(signed, digest=OID_SHA1, signature=(OID_DSA_WITH_SHA1,), kind=IdentityKind.PKCS7)
    _expect_same_content(signed, document, hashlib.sha1(document).digest())  # noqa: S324 -- EC2's; steps 4 and 5
    verify_unsafe_legacy_dsa1024_sha1(  # step 6
        signed.signature, signed.signed_attributes, certificate=certificate
    )
    return _vouched(parsed, certificate, IdentityKind.PKCS7, UnsafeLegacyIdentity)  # step 7


def verify_unsafe_legacy_signature(
    document: bytes, signature: bytes, *, certificates: Mapping[Region, CertificateDer]
) -> UnsafeLegacyIdentity:
    """Return what an identity document says, once its `signature` (128 bytes) fits its Region's RSA certificate.

    Weak: RSA with 1,024 bits. AWS replaces these certificates every few years; none is packaged. Raises FormatError,
    NotAuthentic.
    """
    parsed = parse_identity_document(document)  # step 1
    certificate = _pinned_certificate(parsed.region, certificates)  # step 2
    verify_unsafe_legacy_rsa1024_sha256(signature, document, certificate=certificate)  # step 6
    return _vouched(parsed, certificate, IdentityKind.SIGNATURE, UnsafeLegacyIdentity)  # step 7


def _pinned_certificate(region: Region, certificates: Mapping[Region, CertificateDer]) -> CertificateDer:
    if region not in certificates:
        raise NotAuthentic(
            "identity.unknown-region",
            f"expected a document of a Region with a pinned certificate, found {region}",
            remedy="AWS publishes each Region's certificates in the EC2 User Guide (regions-certs): hand over the one "
            "of this kind, as `--certificate` on the command line.",
        )
    return certificates[region]


def _expect_algorithms(signed: SignedData, *, digest: bytes, signature: tuple[bytes, ...], kind: IdentityKind) -> None:
    if signed.digest_algorithm != digest or signed.signature_algorithm not in signature:
        raise NotAuthentic(
            "identity.wrong-algorithm",
            f"expected {kind.algorithm}, found "
            f"{describe_oid(signed.digest_algorithm)} and {describe_oid(signed.signature_algorithm)}",
            remedy="The metadata service serves three signatures, `rsa2048`, `pkcs7` and `signature`. Is this the "
            f"one called `{kind}`?",
        )


def _expect_same_content(signed: SignedData, document: bytes, digest: bytes) -> None:
    if signed.content != document:
        raise NotAuthentic(
            "identity.other-content",
            "expected the PKCS#7 to hold this document, found another one",
            remedy="Save the document byte for byte (curl -o): a newline that an editor adds makes it another one.",
        )
    if signed.message_digest != digest:
        raise NotAuthentic("identity.wrong-digest", "expected the digest of the document, found another digest")


def _vouched(
    document: IdentityDocument, certificate: CertificateDer, kind: IdentityKind, strength: type[_Strength]
) -> _Strength:
    return strength(
        kind=kind,
        account_id=document.account_id,
        instance_id=document.instance_id,
        image_id=document.image_id,
        region=document.region,
        availability_zone=document.availability_zone,
        instance_type=document.instance_type,
        architecture=document.architecture,
        pending_time=document.pending_time,
        certificate=certificate,
        voucher=_VOUCHER,
    )
