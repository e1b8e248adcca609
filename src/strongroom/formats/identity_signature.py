# SPDX-License-Identifier: Apache-2.0
"""Signatures of identity documents as files: base64 as the metadata service serves them, with or without PEM armour.

The service writes base64 in lines. AWS's instructions put PEM lines around it, for OpenSSL (EC2 User Guide, "Verify the
instance identity document"). Bytes that are not text are taken as they are: DER of a PKCS#7, or a bare signature.
"""

from __future__ import annotations

import base64
import binascii

from strongroom.errors import FormatError
from strongroom.formats.pkcs7 import MAX_SIGNED_DATA_BYTES

MAX_SIGNATURE_FILE_BYTES = 2 * MAX_SIGNED_DATA_BYTES
"""Base64 takes 4 bytes for 3, and lines have ends."""

_BEGIN, _END = b"-----BEGIN PKCS7-----", b"-----END PKCS7-----"
_SPEC = "RFC 7468 section 3"


def decode_signature_file(data: bytes) -> bytes:
    """Return the bytes of a signature that was saved from the metadata service. Raises FormatError."""
    if len(data) > MAX_SIGNATURE_FILE_BYTES:
        raise FormatError(
            "identity.signature-too-large",
            f"expected at most {MAX_SIGNATURE_FILE_BYTES} bytes of a signature, found {len(data)}",
            spec=_SPEC,
        )
    # A PKCS#7 has a length above 127 in its second byte; a bare signature below 128 in all its bytes will not be met.
    decoded = _decode_text(data) if data.isascii() else data
    if not decoded:
        raise FormatError("identity.signature-empty", "expected a signature, found none", offset=0, spec=_SPEC)
    return decoded


def _decode_text(text: bytes) -> bytes:
    joined = b"".join(_without_armour(text).split())
    try:
        decoded = base64.b64decode(joined, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _not_base64(f"other text: {error}") from error
    if base64.b64encode(decoded) != joined:
        raise _not_base64("a second way to write the same bytes (RFC 4648 section 3.5)")
    return decoded


def _not_base64(found: str) -> FormatError:
    return FormatError(
        "identity.signature-not-base64", f"expected a signature in base64, found {found}", spec="RFC 4648 section 4"
    )


def _without_armour(text: bytes) -> bytes:
    lines = [line.strip() for line in text.split(b"\n") if line.strip()]
    if not any(line.startswith(b"-") for line in lines):
        return text
    if (lines[0], lines[-1]) != (_BEGIN, _END):
        raise FormatError(
            "identity.signature-armour",
            f"expected {_BEGIN.decode()} as the first line and {_END.decode()} as the last, found other lines",
            spec=_SPEC,
            remedy="The metadata service serves the base64 alone; it is read without such lines, too.",
        )
    return b"\n".join(lines[1:-1])
