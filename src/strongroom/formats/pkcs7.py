# SPDX-License-Identifier: Apache-2.0
"""PKCS#7 SignedData (RFC 5652 section 5), as far as EC2 uses it for instance identity documents.

EC2 writes it in BER with indefinite lengths: one signer, the content attached, signed attributes, certificates absent
or beside the point. Certificates and revocation lists inside are not even read: the signer's certificate is pinned
elsewhere. Signed attributes are required, so a signature over attributes cannot be passed off as one over content.

The encoding half writes the same shape, for whoever stands in for EC2. Nothing is verified here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from strongroom.errors import FormatError
from strongroom.formats.ber import CONSTRUCTED, BerElement, encode_definite, encode_indefinite, parse_ber

MAX_SIGNED_DATA_BYTES = 65_536
"""Genuine ones have less than 4 KiB."""

INTEGER, OCTET_STRING, NULL, OID, UTC_TIME, SEQUENCE, SET = 0x02, 0x04, 0x05, 0x06, 0x17, 0x30, 0x31
_EXPLICIT_0 = 0xA0
_CERTIFICATES, _REVOCATION_LISTS, _SIGNED_ATTRIBUTES, _UNSIGNED_ATTRIBUTES = 0xA0, 0xA1, 0xA0, 0xA1

OID_DATA = bytes.fromhex("2a864886f70d010701")
OID_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
OID_CONTENT_TYPE = bytes.fromhex("2a864886f70d010903")
OID_MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010904")
OID_SIGNING_TIME = bytes.fromhex("2a864886f70d010905")
OID_SHA256 = bytes.fromhex("608648016503040201")
OID_RSA = bytes.fromhex("2a864886f70d010101")
OID_SHA256_WITH_RSA = bytes.fromhex("2a864886f70d01010b")
"""RFC 5652 sections 4, 5.1 and 11; RFC 5754 sections 2.2 and 3.2."""

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
    root = parse_ber(data, maximum_bytes=MAX_SIGNED_DATA_BYTES)
    kind, wrapper = _members(root, SEQUENCE, (OID, _EXPLICIT_0))
    _expect_oid(kind, OID_SIGNED_DATA, "signedData")
    (body,) = _members(wrapper, _EXPLICIT_0, (SEQUENCE,))
    version, _digests, encapsulated, *optional, signers = _open(body, SEQUENCE, minimum=4)
    _expect_tag(version, INTEGER)
    for element, tag in zip(optional, _optional_tags(optional), strict=True):
        _expect_tag(element, tag)
    return _signer(_only_signer(signers), _content(encapsulated))


def _optional_tags(optional: Sequence[BerElement]) -> tuple[int, ...]:
    """Certificates come before revocation lists, and each at most once (RFC 5652 section 5.1)."""
    if len(optional) == 1 and optional[0].tag == _REVOCATION_LISTS:
        return (_REVOCATION_LISTS,)
    return (_CERTIFICATES, _REVOCATION_LISTS, SEQUENCE)[: len(optional)]


def _content(encapsulated: BerElement) -> bytes:
    kind, wrapper = _members(encapsulated, SEQUENCE, (OID, _EXPLICIT_0))
    _expect_oid(kind, OID_DATA, "data")
    (octets,) = _open(wrapper, _EXPLICIT_0, minimum=1, maximum=1)
    if octets.tag == OCTET_STRING:
        return octets.content
    parts = _open(octets, OCTET_STRING | CONSTRUCTED, minimum=1)
    for part in parts:
        _expect_tag(part, OCTET_STRING)
    return b"".join(part.content for part in parts)


def _only_signer(signers: BerElement) -> BerElement:
    (signer,) = _open(signers, SET, minimum=1, maximum=1)
    return signer


def _signer(signer: BerElement, content: bytes) -> SignedData:
    version, _identifier, digest, attributes, algorithm, signature, *_unsigned = _open(
        signer, SEQUENCE, minimum=6, maximum=7
    )
    _expect_tag(version, INTEGER)
    _expect_tag(signature, OCTET_STRING)
    values = _attributes(attributes)
    _expect_oid(_single(values, OID_CONTENT_TYPE, OID, attributes), OID_DATA, "data")
    return SignedData(
        content=content,
        digest_algorithm=_algorithm(digest),
        signature_algorithm=_algorithm(algorithm),
        signed_attributes=bytes([SET]) + attributes.raw[1:],
        message_digest=_single(values, OID_MESSAGE_DIGEST, OCTET_STRING, attributes).content,
        signature=signature.content,
    )


def _attributes(attributes: BerElement) -> dict[bytes, BerElement]:
    """Return the signed attributes: OID to the set of values. None stands twice (RFC 5652 section 5.3)."""
    found: dict[bytes, BerElement] = {}
    for attribute in _open(attributes, _SIGNED_ATTRIBUTES, minimum=1):
        kind, values = _members(attribute, SEQUENCE, (OID, SET))
        if kind.content in found:
            raise FormatError(
                "pkcs7.duplicate-attribute", "expected each attribute once", offset=kind.offset, spec=_SPEC
            )
        found[kind.content] = values
    return found


def _single(values: dict[bytes, BerElement], oid: bytes, tag: int, where: BerElement) -> BerElement:
    if oid not in values:
        raise FormatError(
            "pkcs7.missing-attribute",
            f"expected the signed attribute {oid.hex()}, found none",
            offset=where.offset,
            spec=_SPEC,
        )
    (value,) = _members(values[oid], SET, (tag,))
    return value


def _algorithm(identifier: BerElement) -> bytes:
    """Return the OID of an AlgorithmIdentifier whose parameters are absent or NULL."""
    oid, *parameters = _open(identifier, SEQUENCE, minimum=1, maximum=2)
    _expect_tag(oid, OID)
    for parameter in parameters:
        _expect_tag(parameter, NULL)
    return oid.content


def _open(element: BerElement, tag: int, *, minimum: int, maximum: int = 16) -> tuple[BerElement, ...]:
    _expect_tag(element, tag)
    if not minimum <= len(element.children) <= maximum:
        raise FormatError(
            "pkcs7.wrong-length",
            f"expected {minimum} to {maximum} members, found {len(element.children)}",
            offset=element.offset,
            spec=_SPEC,
        )
    return element.children


def _members(element: BerElement, tag: int, tags: Sequence[int]) -> tuple[BerElement, ...]:
    children = _open(element, tag, minimum=len(tags), maximum=len(tags))
    for child, wanted in zip(children, tags, strict=True):
        _expect_tag(child, wanted)
    return children


def _expect_tag(element: BerElement, tag: int) -> None:
    if element.tag != tag:
        raise FormatError(
            "pkcs7.wrong-tag",
            f"expected the tag 0x{tag:02x}, found 0x{element.tag:02x}",
            offset=element.offset,
            spec=_SPEC,
        )


def _expect_oid(element: BerElement, oid: bytes, name: str) -> None:
    if element.content != oid:
        raise FormatError(
            "pkcs7.wrong-type",
            f"expected {name}, found the OID {element.content.hex()}",
            offset=element.offset,
            spec=_SPEC,
        )


def encode_signed_attributes(*, message_digest: bytes, signing_time: datetime) -> bytes:
    """Encode the attributes that EC2 signs, as the DER SET OF that the signature covers. `signing_time` is UTC."""
    time = encode_definite(UTC_TIME, signing_time.strftime("%y%m%d%H%M%SZ").encode("ascii"))
    attributes = (
        _attribute(OID_CONTENT_TYPE, encode_definite(OID, OID_DATA)),
        _attribute(OID_SIGNING_TIME, time),
        _attribute(OID_MESSAGE_DIGEST, encode_definite(OCTET_STRING, message_digest)),
    )
    return encode_definite(SET, b"".join(sorted(attributes)))


def _attribute(oid: bytes, value: bytes) -> bytes:
    return encode_definite(SEQUENCE, encode_definite(OID, oid) + encode_definite(SET, value))


def _algorithm_identifier(oid: bytes) -> bytes:
    return encode_definite(SEQUENCE, encode_definite(OID, oid) + encode_definite(NULL, b""))


def encode_signed_data(
    content: bytes, *, signed_attributes: bytes, signature: bytes, issuer: bytes, serial_number: int
) -> bytes:
    """Encode a SignedData in EC2's shape: BER, the content attached, no certificates, SHA-256 with RSA.

    `signed_attributes` is from `encode_signed_attributes`; `issuer` is the DER Name of the signer's certificate.
    """
    serial = serial_number.to_bytes(serial_number.bit_length() // 8 + 1, signed=True)
    signer = encode_definite(
        SEQUENCE,
        encode_definite(INTEGER, b"\x01")
        + encode_definite(SEQUENCE, issuer + encode_definite(INTEGER, serial))
        + _algorithm_identifier(OID_SHA256)
        + bytes([_SIGNED_ATTRIBUTES])
        + signed_attributes[1:]
        + _algorithm_identifier(OID_RSA)
        + encode_definite(OCTET_STRING, signature),
    )
    octets = encode_indefinite(OCTET_STRING, encode_definite(OCTET_STRING, content))
    encapsulated = encode_indefinite(SEQUENCE, encode_definite(OID, OID_DATA) + encode_indefinite(_EXPLICIT_0, octets))
    body = encode_indefinite(
        SEQUENCE,
        encode_definite(INTEGER, b"\x01")
        + encode_definite(SET, _algorithm_identifier(OID_SHA256))
        + encapsulated
        + encode_definite(SET, signer),
    )
    return encode_indefinite(SEQUENCE, encode_definite(OID, OID_SIGNED_DATA) + encode_indefinite(_EXPLICIT_0, body))
