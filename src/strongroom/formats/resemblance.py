# SPDX-License-Identifier: Apache-2.0
"""Names what a file looks like from its first bytes, so that "this is not X" can add what it is instead.

A guess for people, nothing else: no parser decides anything by it. The signatures are those of the formats' own
specifications: PEM (RFC 7468), JSON (RFC 8259), PE/COFF, gzip (RFC 1952), ELF, ZIP, Zstandard (RFC 8878), DER (X.690).
"""

from __future__ import annotations

import re

_DOCUMENT_IN_BASE64 = b"hEShATgi"
"""84 44 a1 01 38 22: how every genuine attestation document begins, in base64."""
_DOCUMENT_IN_HEX = b"8444a10138"
_SAMPLE_BYTES = 512

_PREFIXES: tuple[tuple[bytes, str], ...] = (
    (b"-----BEGIN CERTIFICATE", "a PEM certificate"),
    (b"-----BEGIN ", "a PEM file"),
    (_DOCUMENT_IN_BASE64, "an attestation document in base64 text: decode it first (base64 -d)"),
    (_DOCUMENT_IN_HEX, "an attestation document in hex text: decode it first (xxd -r -p)"),
    (b"MZ", "a PE image (an EFI program or a unified kernel image)"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x7fELF", "an ELF program"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (b"\x30\x80", "BER: perhaps a CMS or PKCS#7 message"),
    (b"\x30\x82", "DER: perhaps a certificate, a key or a PKCS#7 message"),
    (b"\xd2\x84", "a tagged COSE_Sign1 message"),
    (b"\x84", "a COSE_Sign1 message (an attestation document, or a Strongroom bundle)"),
)
_TEXTS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\s*[\[{]\s*[\"\]}\[{]"), "JSON text"),
    (re.compile(rb"(?:[0-9a-fA-F]{2}\s*){8,}"), "hex text"),
    (re.compile(rb"(?:[A-Za-z0-9+/_-]{16,}=*\s*)+"), "base64 text"),
    (re.compile(rb"[\t\n\r\x20-\x7e]+"), "plain text"),
)


def resemblance(data: bytes) -> str:
    """Return what `data` looks like, as words that can follow "this looks like"."""
    sample = data[:_SAMPLE_BYTES]
    if not sample:
        return "an empty file"
    for prefix, name in _PREFIXES:
        if sample.startswith(prefix):
            return name
    for pattern, name in _TEXTS:
        if pattern.fullmatch(sample) or (name == "JSON text" and pattern.match(sample)):
            return name
    return "no format that Strongroom knows"
