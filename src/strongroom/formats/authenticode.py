# SPDX-License-Identifier: Apache-2.0
"""Authenticode signatures as they are written: PKCS#7 SignedData in DER, and the place for it in a PE image.

Microsoft, "Windows Authenticode Portable Executable Signature Format"; RFC 2315, sections 9.1 and 9.2. Nothing is
signed here. No signing time goes in: the same image, key and certificate make the same bytes.
"""

from __future__ import annotations

import hashlib
import struct

from strongroom.errors import FormatError
from strongroom.formats.ber import INTEGER, NULL, OCTET_STRING, OID, SEQUENCE, SET, encode_definite
from strongroom.formats.certificate_parts import parse_certificate_parts
from strongroom.formats.pe import CERTIFICATE_PKCS7, PeImage
from strongroom.formats.pkcs7 import (
    OID_CONTENT_TYPE,
    OID_DATA,
    OID_MESSAGE_DIGEST,
    OID_RSA,
    OID_SHA256,
    OID_SIGNED_DATA,
)
from strongroom.ids import CertificateDer

_OID_INDIRECT_DATA = bytes.fromhex("2b060104018237020104")
_OID_PE_IMAGE_DATA = bytes.fromhex("2b06010401823702010f")
"""SPC_INDIRECT_DATA_OBJID and SPC_PE_IMAGE_DATAOBJ: 1.3.6.1.4.1.311.2.1.4 and .15."""
_EXPLICIT_0, _EXPLICIT_2, _BMP_0, _BIT_STRING = 0xA0, 0xA2, 0x80, 0x03
_OBSOLETE = "<<<Obsolete>>>"
"""What SpcPeImageData has as the file ("Windows Authenticode …", SpcPeImageData)."""
_REVISION = 0x0200
_ALIGNMENT = 8
"""Of the certificate table and of each entry in it ("PE Format", The Attribute Certificate Table)."""


def encode_indirect_data(digest: bytes) -> bytes:
    """Return the SpcIndirectDataContent that names an image by its SHA-256 Authenticode digest."""
    link = encode_definite(_EXPLICIT_2, encode_definite(_BMP_0, _OBSOLETE.encode("utf-16-be")))
    image_data = _sequence(encode_definite(_BIT_STRING, b"\0"), encode_definite(_EXPLICIT_0, link))
    kind = _sequence(encode_definite(OID, _OID_PE_IMAGE_DATA), image_data)
    return _sequence(kind, _sequence(_algorithm(OID_SHA256), encode_definite(OCTET_STRING, digest)))


def encode_signed_attributes(indirect_data: bytes) -> bytes:
    """Return what the signature covers: type and digest of the content, as a DER SET OF (RFC 2315, section 9.2).

    The digest is over the content without its own tag and length (section 9.3).
    """
    content = _inside(indirect_data)
    attributes = (
        _attribute(OID_CONTENT_TYPE, encode_definite(OID, _OID_INDIRECT_DATA)),
        _attribute(OID_MESSAGE_DIGEST, encode_definite(OCTET_STRING, hashlib.sha256(content).digest())),
    )
    return encode_definite(SET, b"".join(sorted(attributes)))


def encode_image_signature(
    indirect_data: bytes, *, attributes: bytes, signature: bytes, certificate: CertificateDer
) -> bytes:
    """Return the PKCS#7 of an image: a ContentInfo with one signer, an RSA key, and its certificate."""
    content = _sequence(encode_definite(OID, _OID_INDIRECT_DATA), encode_definite(_EXPLICIT_0, indirect_data))
    signed_data = _signed_data(content, certificate, encode_definite(_EXPLICIT_0, _inside(attributes)), signature)
    return _sequence(encode_definite(OID, OID_SIGNED_DATA), encode_definite(_EXPLICIT_0, signed_data))


def encode_detached_signature(*, signature: bytes, certificate: CertificateDer) -> bytes:
    """Return the SignedData of an `.auth` file: content elsewhere, no attributes, no ContentInfo around it.

    UEFI 2.10, section 8.2.2. EDK II before 2019 looks for the digest's algorithm at an offset that a ContentInfo moves.
    """
    return _signed_data(_sequence(encode_definite(OID, OID_DATA)), certificate, b"", signature)


def attach_signature(image: PeImage, pkcs7: bytes) -> bytes:
    """Return an image with a certificate table of one entry. Its length has to be a multiple of 8.

    Raises FormatError for an image that is signed already, or has no place for a signature.
    """
    if image.certificate_entry_offset is None or image.certificate_table != (0, 0) or len(image.data) % _ALIGNMENT:
        raise FormatError(
            "pe.not-signable",
            "expected an unsigned image of whole 8 bytes with an entry for a certificate table, found another",
            spec="PE Format",
        )
    length = 8 + len(pkcs7)
    entry = struct.pack("<IHH", length, _REVISION, CERTIFICATE_PKCS7) + pkcs7
    table = entry + bytes(-len(entry) % _ALIGNMENT)
    signed = bytearray(image.data)
    struct.pack_into("<II", signed, image.certificate_entry_offset, len(signed), len(table))
    return bytes(signed + table)


def _signed_data(content: bytes, certificate: CertificateDer, attributes: bytes, signature: bytes) -> bytes:
    """Return a SignedData of version 1 (RFC 2315, section 9.1). `attributes` is the field [0], or nothing."""
    parts = parse_certificate_parts(certificate)
    version = encode_definite(INTEGER, b"\x01")
    signer = _sequence(
        version,
        _sequence(parts.issuer, parts.serial),
        _algorithm(OID_SHA256),
        attributes,
        _algorithm(OID_RSA),
        encode_definite(OCTET_STRING, signature),
    )
    return _sequence(
        version,
        encode_definite(SET, _algorithm(OID_SHA256)),
        content,
        encode_definite(_EXPLICIT_0, certificate),
        encode_definite(SET, signer),
    )


def _inside(element: bytes) -> bytes:
    """Return the content of a DER element that was written here."""
    first = element[1]
    long_form = 0x80
    return element[2:] if first < long_form else element[2 + first - long_form :]


def _sequence(*members: bytes) -> bytes:
    return encode_definite(SEQUENCE, b"".join(members))


def _algorithm(oid: bytes) -> bytes:
    """Return an AlgorithmIdentifier with NULL (RFC 3370 section 3.2, RFC 5754 section 2)."""
    return _sequence(encode_definite(OID, oid), encode_definite(NULL, b""))


def _attribute(oid: bytes, value: bytes) -> bytes:
    return _sequence(encode_definite(OID, oid), encode_definite(SET, value))
