# SPDX-License-Identifier: Apache-2.0
"""Issuer and subject of a certificate as they stand in it: bytes, for paths that compare whole names.

A certificate names its issuer by the same bytes that the issuer has as its subject. Taking names apart says nothing
more, and takes longer than any other step of a path but its signatures.

The input is what the signature covers: the TBSCertificate of RFC 5280 section 4.1, in DER. Whoever calls has had the
certificate parsed; this finds two of its fields and reads no further.
"""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.errors import FormatError

_SPEC = "RFC 5280 section 4.1"
_VERSION = 0xA0
"""The tag of the first field, which version 1 leaves out."""
_FIELDS = 6
"""Version, serial number, signature algorithm, issuer, validity, subject; five in version 1."""
_LONG_FORM = 0x80
"""ITU-T X.690 section 8.1.3.5: from here on, how many bytes of length follow."""


@dataclass(frozen=True, slots=True)
class CertificateNames:
    """Two names, each an encoded RDNSequence. Equal names are equal bytes: one string type is not another."""

    issuer: bytes
    subject: bytes


def parse_certificate_names(tbs_certificate: bytes) -> CertificateNames:
    """Return the names in a TBSCertificate. Raises FormatError."""
    position, _ = _element(tbs_certificate, 0)
    has_version = tbs_certificate[position : position + 1] == bytes([_VERSION])
    fields = []
    for _ in range(_FIELDS if has_version else _FIELDS - 1):
        start = position
        _, position = _element(tbs_certificate, start)
        fields.append(tbs_certificate[start:position])
    return CertificateNames(issuer=fields[-3], subject=fields[-1])


def _element(der: bytes, start: int) -> tuple[int, int]:
    """Return where the content of the element at `start` begins, and where it ends."""
    first = int.from_bytes(der[start + 1 : start + 2])
    content = start + 2 + (first - _LONG_FORM if first > _LONG_FORM else 0)
    length = int.from_bytes(der[start + 2 : content]) if first > _LONG_FORM else first
    if first == _LONG_FORM or content + length > len(der):
        raise FormatError(
            "certificate.field",
            f"expected a field of a certificate in DER, found {len(der) - start} bytes that are none",
            offset=start,
            spec=_SPEC,
        )
    return content, content + length
