# SPDX-License-Identifier: Apache-2.0
"""Parts of a certificate as they stand in it: what its signature covers, its names and its serial number.

A signature is verified over the bytes that came, and a certificate names its issuer by the bytes that the issuer has
as its subject. Taking names apart and encoding the whole again says nothing more, and takes longer than any other step
of a path but its signatures.

Certificate and TBSCertificate: RFC 5280 section 4.1, in DER. Whoever calls has had the certificate parsed; this finds
some of its fields and reads no further.
"""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.errors import FormatError
from strongroom.ids import CertificateDer

_SPEC = "RFC 5280 section 4.1"
_VERSION = 0xA0
"""The tag of the first field, which version 1 leaves out."""
_FIELDS = 6
"""Version, serial number, signature algorithm, issuer, validity, subject; five in version 1."""
_LONG_FORM = 0x80
"""ITU-T X.690 section 8.1.3.5: from here on, how many bytes of length follow."""


@dataclass(frozen=True, slots=True)
class CertificateParts:
    """`signed` is the TBSCertificate; each name is an RDNSequence, where one string type is not another."""

    signed: bytes
    issuer: bytes
    subject: bytes
    serial: bytes
    """The serial number as an INTEGER, with its tag."""


def parse_certificate_parts(der: CertificateDer) -> CertificateParts:
    """Return the parts of a certificate. Raises FormatError."""
    start, _ = _element(der, 0)
    position, end = _element(der, start)
    signed = der[start:end]
    has_version = der[position : position + 1] == bytes([_VERSION])
    ends = [position]
    for _ in range(_FIELDS if has_version else _FIELDS - 1):
        _, position = _element(der, position)
        ends.append(position)
    return CertificateParts(
        signed,
        issuer=der[ends[-4] : ends[-3]],
        subject=der[ends[-2] : ends[-1]],
        serial=der[ends[-6] : ends[-5]],
    )


def _element(der: bytes, start: int) -> tuple[int, int]:
    """Return where the content of the element at `start` begins, and where it ends."""
    content = start + 2
    first = length = der[start + 1] if content <= len(der) else _LONG_FORM
    if first > _LONG_FORM:
        content += first - _LONG_FORM
        length = int.from_bytes(der[start + 2 : content])
    if first == _LONG_FORM or content + length > len(der):
        raise FormatError(
            "certificate.field",
            f"expected a field of a certificate in DER, found {len(der) - start} bytes that are none",
            offset=start,
            spec=_SPEC,
        )
    return content, content + length
