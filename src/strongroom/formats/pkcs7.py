# SPDX-License-Identifier: Apache-2.0
"""PKCS#7 SignedData (RFC 5652 section 5), as far as EC2 uses it for instance identity documents.

EC2 writes it in BER with indefinite lengths: one signer, the content attached, signed attributes, certificates absent
or beside the point. Certificates and revocation lists inside are not even read: the signer's certificate is pinned
elsewhere. Signed attributes are required, so a signature over attributes cannot be passed off as one over content.

Nothing is verified here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.formats.ber import (
    CONSTRUCTED,
    INTEGER,
    NULL,
    OCTET_STRING,
    OID,
    SEQUENCE,
    SET,
    BerElement,
    parse_ber,
)

MAX_SIGNED_DATA_BYTES = 65_536
"""Genuine ones have less than 4 KiB."""
MAX_ATTRIBUTES = 16
"""Genuine ones have three."""
MAX_PARTS = 16
"""Of the content; genuine ones have one."""

_EXPLICIT_0 = 0xA0
_CERTIFICATES, _REVOCATION_LISTS, _SIGNED_ATTRIBUTES = 0xA0, 0xA1, 0xA0

OID_DATA = bytes.fromhex("2a864886f70d010701")
OID_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
OID_CONTENT_TYPE = bytes.fromhex("2a864886f70d010903")
OID_MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010904")
OID_SHA1 = bytes.fromhex("2b0e03021a")
OID_SHA256 = bytes.fromhex("608648016503040201")
OID_RSA = bytes.fromhex("2a864886f70d010101")
OID_SHA256_WITH_RSA = bytes.fromhex("2a864886f70d01010b")
OID_DSA_WITH_SHA1 = bytes.fromhex("2a8648ce380403")
"""RFC 5652 sections 4, 5.1 and 11; RFC 3370 sections 2.1 and 3.1; RFC 5754 sections 2.2 and 3.2."""

_SPEC = "RFC 5652 section 5"


@dataclass(frozen=True, slots=True)
class SignedData:
    """A parsed SignedData with one signer, unverified. Algorithms are OIDs in DER, without tag and length."""

    content: bytes
    digest_algorithm: bytes
    signature_algorithm: bytes
    signed_attributes: bytes
    """What the signature covers: the attributes as a DER SET OF (RFC 5652 section 5.4)."""
    message_digest: bytes
    signature: bytes


def parse_signed_data(data: bytes) -> SignedData:
    """Parse a SignedData with attached content and exactly one signer. Raises FormatError."""
    root = parse_ber(data, maximum_bytes=MAX_SIGNED_DATA_BYTES, spec=_SPEC)
    kind, wrapper = root.unpack(SEQUENCE, (OID, _EXPLICIT_0))
    kind.expect_content(OID_SIGNED_DATA, "the type signedData")
    (body,) = wrapper.unpack(_EXPLICIT_0, (SEQUENCE,))
    version, digests, encapsulated, *optional, signers = body.open(SEQUENCE, minimum=4, maximum=6)
    _expect_version_1(version)
    digests.expect_tag(SET)
    for element, tag in zip(optional, _optional_tags(optional), strict=True):
        element.expect_tag(tag)
    (signer,) = signers.unpack(SET, (SEQUENCE,))
    return _signer(signer, _content(encapsulated))


def _optional_tags(optional: Sequence[BerElement]) -> tuple[int, ...]:
    """Certificates come before revocation lists, and each at most once (RFC 5652 section 5.1)."""
    if len(optional) == 1 and optional[0].tag == _REVOCATION_LISTS:
        return (_REVOCATION_LISTS,)
    return (_CERTIFICATES, _REVOCATION_LISTS)[: len(optional)]


def _content(encapsulated: BerElement) -> bytes:
    kind, wrapper = encapsulated.unpack(SEQUENCE, (OID, _EXPLICIT_0))
    kind.expect_content(OID_DATA, "content of type data")
    (octets,) = wrapper.open(_EXPLICIT_0, minimum=1, maximum=1)
    if octets.tag == OCTET_STRING:
        return octets.content
    parts = octets.open(OCTET_STRING | CONSTRUCTED, minimum=1, maximum=MAX_PARTS)
    for part in parts:
        part.expect_tag(OCTET_STRING)
    return b"".join(part.content for part in parts)


def _signer(signer: BerElement, content: bytes) -> SignedData:
    version, identifier, digest, attributes, algorithm, signature, *_unsigned = signer.open(
        SEQUENCE, minimum=6, maximum=7
    )
    _expect_version_1(version)
    identifier.expect_tag(SEQUENCE)  # issuer and serial number, unread
    signature.expect_tag(OCTET_STRING)
    values = _attributes(attributes)
    _single(values, OID_CONTENT_TYPE, OID, attributes).expect_content(OID_DATA, "content of type data")
    return SignedData(
        content=content,
        digest_algorithm=_algorithm(digest),
        signature_algorithm=_algorithm(algorithm),
        signed_attributes=bytes([SET]) + attributes.raw[1:],
        message_digest=_single(values, OID_MESSAGE_DIGEST, OCTET_STRING, attributes).content,
        signature=signature.content,
    )


def _expect_version_1(version: BerElement) -> None:
    """Return for 1: nothing newer than PKCS#7, and signers named by issuer and serial (RFC 5652 sections 5.1, 5.3)."""
    version.expect_tag(INTEGER)
    version.expect_content(b"\x01", "version 1")


def _attributes(attributes: BerElement) -> dict[bytes, BerElement]:
    """Return the signed attributes: OID to the set of values. None stands twice (RFC 5652 section 5.3)."""
    found: dict[bytes, BerElement] = {}
    for attribute in attributes.open(_SIGNED_ATTRIBUTES, minimum=1, maximum=MAX_ATTRIBUTES):
        kind, values = attribute.unpack(SEQUENCE, (OID, SET))
        if kind.content in found:
            raise kind.refused("pkcs7.duplicate-attribute", "expected each attribute once")
        found[kind.content] = values
    return found


def _single(values: dict[bytes, BerElement], oid: bytes, tag: int, where: BerElement) -> BerElement:
    if oid not in values:
        raise where.refused("pkcs7.missing-attribute", f"expected the signed attribute {oid.hex()}, found none")
    (value,) = values[oid].unpack(SET, (tag,))
    return value


def _algorithm(identifier: BerElement) -> bytes:
    """Return the OID of an AlgorithmIdentifier whose parameters are absent or NULL."""
    oid, *parameters = identifier.open(SEQUENCE, minimum=1, maximum=2)
    oid.expect_tag(OID)
    for parameter in parameters:
        parameter.expect_tag(NULL)
    return oid.content
