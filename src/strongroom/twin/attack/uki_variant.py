# SPDX-License-Identifier: Apache-2.0
"""Other versions of an image: what a vendor would have shipped who left a guard out, or had released earlier.

The stub and the kernel are the image's own; a section is replaced and everything is put together anew, without the
signature. Such an image has measurements of its own, which the twin's vendor admits.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping

from strongroom.formats.uki import MEASURABLE_SECTIONS, Uki, assemble_uki, parse_uki

_SECTIONS_AT = 6
"""NumberOfSections in the COFF header (PE Format)."""
_INITIALISED_AT = 8
"""SizeOfInitializedData in the optional header: it counts the payload, too."""
_PAYLOAD = tuple(name for name in MEASURABLE_SECTIONS if name not in {".sbat", ".sdmagic"})
"""What no stub brings along; it has those two from its own build."""


def command_line_variant(image: bytes, *, drop: str = "", add: str = "") -> bytes:
    """Return the image with another command line: without the words that match `drop`, and with `add` at its end."""
    words = [word for word in parse_uki(image).command_line.split() if not drop or not re.fullmatch(drop, word)]
    return variant(image, {".cmdline": " ".join([*words, *add.split()]).encode()})


def older_variant(image: bytes) -> bytes:
    """Return the image as an earlier release: all is the same but for a line in its os-release."""
    release = bytes(parse_uki(image).section(".osrel") or b"").rstrip(b"\0\n")
    return variant(image, {".osrel": release + b"\nIMAGE_VERSION=before\n"})


def variant(image: bytes, changes: Mapping[str, bytes]) -> bytes:
    """Return the image with these sections in the place of its own. Raises FormatError for what is no UKI."""
    uki = parse_uki(image)
    sections = {name: _contents(uki, name) for name in _payload_names(uki)} | dict(changes)
    return assemble_uki(_stub(uki), list(sections.items()))


def _contents(uki: Uki, name: str) -> bytes:
    return bytes(next(uki.image.contents(each) for each in uki.image.sections if each.name == name))


def _payload_names(uki: Uki) -> list[str]:
    return [section.name for section in uki.image.sections[_stub_sections(uki) :]]


def _stub_sections(uki: Uki) -> int:
    """Return how many sections are the stub's own: every assembler puts the payload behind them."""
    names = [section.name for section in uki.image.sections]
    return min(names.index(name) for name in _PAYLOAD if name in names)


def _stub(uki: Uki) -> bytes:
    count = _stub_sections(uki)
    end = max(section.raw_offset + section.raw_size for section in uki.image.sections[:count])
    stub = bytearray(uki.image.data[:end])
    struct.pack_into("<H", stub, uki.image.coff_offset + _SECTIONS_AT, count)
    at = uki.image.optional_offset + _INITIALISED_AT
    (initialised,) = struct.unpack_from("<I", stub, at)
    added = sum(section.raw_size for section in uki.image.sections[count:])
    struct.pack_into("<I", stub, at, max(0, initialised - added))
    return bytes(stub)
