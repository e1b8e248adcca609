# SPDX-License-Identifier: Apache-2.0
"""Bundle and escrow files, version 1 (docs/formats/bundle.md): bytes to frozen types and back.

A `Bundle` is parsed and nothing more. `crypto.header_signature.verify_header` makes its fields believable.
"""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.errors import FormatError, UsageError
from strongroom.formats.bundle_header import (
    EscrowFields,
    HeaderFields,
    Placement,
    parse_escrow_fields,
    parse_header_fields,
)
from strongroom.formats.bundle_layout import hash_table_bytes
from strongroom.formats.signed import BUNDLE_ESCROW, BUNDLE_HEADER, SignedObject, parse_signed

MAX_BUNDLE_BYTES = (1 << 30) + (1 << 24)
"""What this implementation opens at once: 1 GiB of plaintext and what a bundle adds to it."""

_SPEC = "docs/formats/bundle.md section 1"


@dataclass(frozen=True, slots=True)
class BundleHeader:
    """A parsed header, unverified: `signed` is what the signature covers, `claimed` is what it says."""

    signed: SignedObject
    claimed: HeaderFields


@dataclass(frozen=True, slots=True)
class Bundle:
    """A parsed bundle with its body in the same file, unverified. The two views share memory with the input."""

    header: BundleHeader
    body: memoryview
    hash_table: memoryview


@dataclass(frozen=True, slots=True)
class Escrow:
    """A parsed escrow file, unverified."""

    signed: SignedObject
    claimed: EscrowFields


def parse_bundle_header(data: bytes) -> BundleHeader:
    """Parse the header at the start of a bundle; the first 65,552 bytes of a file are enough. Raises FormatError."""
    signed = parse_signed(data, BUNDLE_HEADER)
    return BundleHeader(signed, parse_header_fields(signed.payload, base_offset=signed.payload_offset))


def parse_bundle(data: bytes) -> Bundle:
    """Parse a whole bundle with an inline body.

    Raises FormatError; UsageError with the code `bundle.detached` for a bundle whose body is in another file, and
    `bundle.too-large` for one that is too large to be opened at once.
    """
    if len(data) > MAX_BUNDLE_BYTES:
        raise UsageError("bundle.too-large", f"expected a bundle of at most {MAX_BUNDLE_BYTES} bytes, found more")
    header = parse_bundle_header(data)
    content = header.claimed.content
    if content.placement is Placement.DETACHED:
        raise UsageError(
            "bundle.detached",
            "expected a bundle with its body inside, found a header whose body is in another file",
            remedy="This version opens inline bundles only: seal again without a detached body.",
        )
    body_end = header.signed.end + content.body_length
    table_length = 0 if content.root is None else hash_table_bytes(content.body_length, content.chunk_log2)
    if len(data) != body_end + table_length:
        raise FormatError(
            "bundle.length",
            f"expected a file of {body_end + table_length} bytes, found {len(data)}",
            offset=min(len(data), body_end + table_length),
            spec=_SPEC,
        )
    view = memoryview(data)
    return Bundle(header, view[header.signed.end : body_end], view[body_end:])


def parse_escrow(data: bytes) -> Escrow:
    """Parse an escrow file. Raises FormatError."""
    signed = parse_signed(data, BUNDLE_ESCROW)
    if signed.end != len(data):
        raise FormatError(
            "bundle.length", f"expected a file of {signed.end} bytes, found {len(data)}", offset=signed.end, spec=_SPEC
        )
    return Escrow(signed, parse_escrow_fields(signed.payload, base_offset=signed.payload_offset))
