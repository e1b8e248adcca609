# SPDX-License-Identifier: Apache-2.0
"""Object identifiers in words and in dotted form, for messages. X.690 section 8.19; names as in their RFCs."""

from __future__ import annotations

from typing import Final

_MAX_BYTES: Final = 32
"""Of what is written out in full: identifiers in use are a third of that, and hostile ones as long as they like."""
_NAMES: Final = {
    "1.2.840.113549.1.1.1": "RSA",
    "1.2.840.113549.1.1.5": "RSA with SHA-1",
    "1.2.840.113549.1.1.10": "RSASSA-PSS",
    "1.2.840.113549.1.1.11": "RSA with SHA-256",
    "1.2.840.10040.4.3": "DSA with SHA-1",
    "1.2.840.10045.4.3.2": "ECDSA with SHA-256",
    "1.2.840.10045.4.3.3": "ECDSA with SHA-384",
    "1.3.14.3.2.26": "SHA-1",
    "2.16.840.1.101.3.4.2.1": "SHA-256",
    "2.16.840.1.101.3.4.2.2": "SHA-384",
    "2.16.840.1.101.3.4.2.3": "SHA-512",
}
"""RFC 3279, 4055, 5758 and 8017."""


def describe_oid(content: bytes) -> str:
    """Return the contents octets of an OBJECT IDENTIFIER as a name and dotted, or what they are in hex."""
    if not content or content[-1] & 0x80 or len(content) > _MAX_BYTES:
        more = "…" if len(content) > _MAX_BYTES else ""
        return f"no object identifier in use ({content[:_MAX_BYTES].hex()}{more})"
    dotted = ".".join(map(str, _arcs(content)))
    return f"{_NAMES[dotted]} ({dotted})" if dotted in _NAMES else dotted


def _arcs(content: bytes) -> list[int]:
    numbers, value = [], 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)  # the first two arcs share a number
    return [first, numbers[0] - 40 * first, *numbers[1:]]
