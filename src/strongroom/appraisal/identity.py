# SPDX-License-Identifier: Apache-2.0
"""Instance identity documents: which account, instance and image EC2 says this is.

`verify_identity_document` takes these steps; the code repeats their numbers:

 1. parse the JSON, for one reason: to learn which Region it claims
 2. take the pinned certificate of that Region; certificates inside the PKCS#7 are never looked at
 3. parse the PKCS#7 and require SHA-256 with RSA
 4. the signed content must be the document, byte for byte
 5. the signed attributes must carry the SHA-256 of the content
 6. the signature over the signed attributes must be one of the pinned RSA-2048 key
 7. only then hand out what the document says

Such a document has no nonce and no age: whoever saw it can show it again, for ever. It becomes proof of who we are only
together with our own attestation document, which names the same instance (DESIGN 4).
Source: EC2 User Guide, "Verify the instance identity document using the RSA-2048 signature".
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import InitVar, dataclass
from importlib import resources
from types import MappingProxyType
from typing import Final

from strongroom.crypto.certificates import parse_pem_certificates
from strongroom.crypto.signatures import verify_rsa2048_sha256
from strongroom.errors import NotAuthentic
from strongroom.formats.identity_document import IdentityDocument, parse_identity_document
from strongroom.formats.pkcs7 import OID_RSA, OID_SHA256, OID_SHA256_WITH_RSA, SignedData, parse_signed_data
from strongroom.ids import AccountId, CertificateDer, ImageId, InstanceId, Region
from strongroom.ports import IdentityDocumentBytes

_VOUCHER: Final = object()
_FOLDER = ("data", "identity-certificates")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedIdentity:
    """What EC2 says about an instance. Only this module can make one: the constructor asks for a private object."""

    account_id: AccountId
    instance_id: InstanceId
    image_id: ImageId
    region: Region
    availability_zone: str
    instance_type: str
    architecture: str
    pending_time: str
    """When the instance was last started, RFC 3339 in UTC."""
    voucher: InitVar[object]

    def __post_init__(self, voucher: object) -> None:
        if voucher is not _VOUCHER:
            raise RuntimeError("a verified identity is made by verify_identity_document only")


@functools.cache
def aws_identity_certificates() -> Mapping[Region, CertificateDer]:
    """Return the RSA-2048 certificates that AWS publishes, one per Region, as packaged."""
    folder = resources.files("strongroom").joinpath(*_FOLDER)
    return MappingProxyType(
        {
            Region(file.name.removesuffix(".pem")): parse_pem_certificates(file.read_bytes())[0]
            for file in folder.iterdir()
            if file.name.endswith(".pem")
        }
    )


def verify_identity_document(
    identity: IdentityDocumentBytes, *, certificates: Mapping[Region, CertificateDer]
) -> VerifiedIdentity:
    """Return what an identity document says, once it is signed with its Region's pinned certificate.

    `identity.rsa2048` is DER or BER, not base64. Raises FormatError, NotAuthentic.
    """
    document = parse_identity_document(identity.document)  # step 1
    certificate = _pinned_certificate(document.region, certificates)  # step 2
    signed = parse_signed_data(identity.rsa2048)  # step 3
    _expect_sha256_with_rsa(signed)
    _expect_same_content(signed, identity.document)  # steps 4 and 5
    verify_rsa2048_sha256(signed.signature, signed.signed_attributes, certificate=certificate)  # step 6
    return _vouched(document)  # step 7


def _pinned_certificate(region: Region, certificates: Mapping[Region, CertificateDer]) -> CertificateDer:
    if region not in certificates:
        raise NotAuthentic(
            "identity.unknown-region", f"expected a document of a Region with a pinned certificate, found {region}"
        )
    return certificates[region]


def _expect_sha256_with_rsa(signed: SignedData) -> None:
    if signed.digest_algorithm != OID_SHA256 or signed.signature_algorithm not in (OID_RSA, OID_SHA256_WITH_RSA):
        raise NotAuthentic(
            "identity.wrong-algorithm",
            "expected SHA-256 with RSA, found the OIDs "
            f"{signed.digest_algorithm.hex()} and {signed.signature_algorithm.hex()}",
            remedy="Ask the metadata service for `rsa2048`; its `pkcs7` and `signature` are of older kinds.",
        )


def _expect_same_content(signed: SignedData, document: bytes) -> None:
    if signed.content != document:
        raise NotAuthentic("identity.other-content", "expected the PKCS#7 to hold this document, found another one")
    if signed.message_digest != hashlib.sha256(document).digest():
        raise NotAuthentic("identity.wrong-digest", "expected the SHA-256 of the document, found another digest")


def _vouched(document: IdentityDocument) -> VerifiedIdentity:
    return VerifiedIdentity(
        account_id=document.account_id,
        instance_id=document.instance_id,
        image_id=document.image_id,
        region=document.region,
        availability_zone=document.availability_zone,
        instance_type=document.instance_type,
        architecture=document.architecture,
        pending_time=document.pending_time,
        voucher=_VOUCHER,
    )
