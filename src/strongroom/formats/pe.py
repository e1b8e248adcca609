# SPDX-License-Identifier: Apache-2.0
"""Strict reader of PE/COFF images (Microsoft "PE Format" specification), as far as UEFI and Authenticode need them.

Input is hostile (ATTACKS B19). The reader looks at headers only, keeps a view of the input instead of copies, and
refuses what firmware and measuring tools are known to read in different ways: overlapping sections, sections outside
the file, certificates that are not at the very end. Gaps between sections and lengths that are no multiple of 8 are
allowed: they occur, and their Authenticode digest is well defined.
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass, field

from strongroom.errors import FormatError

MAX_IMAGE_BYTES = 1 << 30
"""A UKI is 20 to 200 MB; more than this is a mistake."""
MAX_SECTIONS = 96
"""What Windows' loader accepts ("PE Format", NumberOfSections); a UKI has about 20."""
SECTION_HEADER_BYTES = 40
DIRECTORY_ENTRY_BYTES = 8

MACHINE_X86_64 = 0x8664
MACHINE_AARCH64 = 0xAA64

CERTIFICATE_DIRECTORY = 4
"""Index of the attribute certificate table; its "address" is an offset in the file."""
CERTIFICATE_PKCS7 = 0x0002
_CERTIFICATE_REVISION = 0x0200
_CERTIFICATE_HEADER_BYTES = 8

_SPEC = "PE Format"
_LFANEW_OFFSET = 0x3C
_COFF_BYTES = 24  # with the signature in front
_PE32, _PE32_PLUS = 0x10B, 0x20B
_DIRECTORIES_OFFSET = {_PE32: 96, _PE32_PLUS: 112}  # in the optional header
_MAX_DIRECTORIES = 16
_PRINTABLE = range(0x21, 0x7F)


@dataclass(frozen=True, slots=True)
class Section:
    """One row of the section table. Sizes and offsets in bytes."""

    name: str
    header_offset: int
    virtual_address: int
    virtual_size: int
    raw_offset: int
    raw_size: int

    @property
    def end(self) -> int:
        """Offset in the file of the byte after the section's raw data."""
        return self.raw_offset + self.raw_size


@dataclass(frozen=True, slots=True)
class PeImage:
    """The headers of a PE image and a view of all its bytes."""

    data: memoryview = field(repr=False)
    machine: int
    coff_offset: int
    """Of the `PE\\0\\0` signature."""
    optional_offset: int
    section_table_offset: int
    section_alignment: int
    file_alignment: int
    header_size: int
    """SizeOfHeaders."""
    checksum_offset: int
    certificate_entry_offset: int | None
    """Of the directory entry that names the certificate table, None where the header has no such entry."""
    certificate_table: tuple[int, int]
    """Offset and size, (0, 0) where there is none."""
    sections: tuple[Section, ...]

    def contents(self, section: Section) -> memoryview:
        """Return what the section holds: raw data without its padding, min(VirtualSize, SizeOfRawData) bytes."""
        return self.data[section.raw_offset : section.raw_offset + min(section.virtual_size, section.raw_size)]

    def raw(self, section: Section) -> memoryview:
        """Return the section's raw data, padding included."""
        return self.data[section.raw_offset : section.end]


def parse_pe(data: bytes | memoryview) -> PeImage:
    """Read the headers of a PE image. Nothing but headers is looked at or copied. Raises FormatError."""
    view = memoryview(data).cast("B").toreadonly()
    if len(view) > MAX_IMAGE_BYTES:
        raise FormatError("pe.too-large", f"expected at most {MAX_IMAGE_BYTES} bytes, found {len(view)}", spec=_SPEC)
    coff = _coff_offset(view)
    machine, count = _unpack("<HH", view, coff + 4)
    (optional_size,) = _unpack("<H", view, coff + 20)
    optional = coff + _COFF_BYTES
    alignments = _unpack("<II", view, optional + 32)
    header_size = _header_size(view, optional, optional + optional_size + count * SECTION_HEADER_BYTES)
    entry = _certificate_entry(view, optional, optional_size)
    table = (0, 0) if entry is None else _unpack("<II", view, entry)
    sections = _sections(view, optional + optional_size, count, header_size)
    _expect_apart(sections)
    _expect_certificates_last(len(view), (table[0], table[1]), max([header_size, *(s.end for s in sections)]), entry)
    return PeImage(
        data=view,
        machine=machine,
        coff_offset=coff,
        optional_offset=optional,
        section_table_offset=optional + optional_size,
        section_alignment=alignments[0],
        file_alignment=alignments[1],
        header_size=header_size,
        checksum_offset=optional + 64,
        certificate_entry_offset=entry,
        certificate_table=(table[0], table[1]),
        sections=sections,
    )


def parse_certificate_table(image: PeImage) -> tuple[memoryview, ...]:
    """Return the PKCS#7 blobs (DER) of the image's signatures, in order; none when unsigned. Raises FormatError.

    "PE Format", The Attribute Certificate Table: WIN_CERTIFICATE records, each padded to 8 bytes.
    """
    offset, size = image.certificate_table
    end = offset + size
    blobs: list[memoryview] = []
    while offset < end:
        length, revision, kind = _unpack("<IHH", image.data, offset)
        if not _CERTIFICATE_HEADER_BYTES < length <= end - offset or revision != _CERTIFICATE_REVISION:
            raise FormatError(
                "pe.certificate",
                f"expected a WIN_CERTIFICATE of revision 2.0 within {end - offset} bytes, "
                f"found revision {revision:#06x} and {length} bytes",
                offset=offset,
                spec=_SPEC,
            )
        if kind != CERTIFICATE_PKCS7:
            raise FormatError(
                "pe.certificate-kind",
                f"expected a PKCS#7 signature (type 2), found type {kind}",
                offset=offset + 6,
                spec=_SPEC,
            )
        blobs.append(image.data[offset + _CERTIFICATE_HEADER_BYTES : offset + length])
        offset += -(-length // 8) * 8
    return tuple(blobs)


def _unpack(layout: str, data: memoryview, offset: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(layout, data, offset)
    except struct.error as error:
        needed = struct.calcsize(layout)
        raise FormatError(
            "pe.truncated",
            f"expected {needed} more bytes of header, found the end of the file ({len(data)} bytes)",
            offset=min(offset, len(data)),
            spec=_SPEC,
        ) from error


def _coff_offset(data: memoryview) -> int:
    if bytes(data[:2]) != b"MZ":
        raise FormatError("pe.no-mz", 'expected a PE image (first bytes "MZ"), found other bytes', offset=0, spec=_SPEC)
    (coff,) = _unpack("<I", data, _LFANEW_OFFSET)
    if bytes(data[coff : coff + 4]) != b"PE\0\0":
        raise FormatError(
            "pe.no-signature",
            'expected "PE" and two zero bytes, found other bytes',
            offset=min(coff, len(data)),
            spec=_SPEC,
        )
    return coff


def _header_size(data: memoryview, optional: int, table_end: int) -> int:
    (header_size,) = _unpack("<I", data, optional + 60)
    if not table_end <= header_size <= len(data):
        raise FormatError(
            "pe.header-size",
            f"expected SizeOfHeaders from {table_end} (end of the section table) to {len(data)} (length of the file), "
            f"found {header_size}",
            offset=optional + 60,
            spec=_SPEC,
        )
    return header_size


def _certificate_entry(data: memoryview, optional: int, optional_size: int) -> int | None:
    (magic,) = _unpack("<H", data, optional)
    if magic not in _DIRECTORIES_OFFSET:
        raise FormatError(
            "pe.magic", f"expected PE32 (0x10b) or PE32+ (0x20b), found {magic:#x}", offset=optional, spec=_SPEC
        )
    directories = _DIRECTORIES_OFFSET[magic]
    (count,) = _unpack("<I", data, optional + directories - 4)
    if count > _MAX_DIRECTORIES or directories + count * DIRECTORY_ENTRY_BYTES > optional_size:
        raise FormatError(
            "pe.directories",
            f"expected at most {_MAX_DIRECTORIES} data directories within an optional header of {optional_size} bytes, "
            f"found {count}",
            offset=optional + directories - 4,
            spec=_SPEC,
        )
    return (
        optional + directories + CERTIFICATE_DIRECTORY * DIRECTORY_ENTRY_BYTES
        if count > CERTIFICATE_DIRECTORY
        else None
    )


def _sections(data: memoryview, table: int, count: int, header_size: int) -> tuple[Section, ...]:
    if not 1 <= count <= MAX_SECTIONS:
        raise FormatError("pe.section-count", f"expected 1 to {MAX_SECTIONS} sections, found {count}", spec=_SPEC)
    return tuple(_section(data, table + index * SECTION_HEADER_BYTES, header_size) for index in range(count))


def _section(data: memoryview, offset: int, header_size: int) -> Section:
    virtual_size, address, raw_size, raw_offset = _unpack("<IIII", data, offset + 8)
    section = Section(_name(data, offset), offset, address, virtual_size, raw_offset, raw_size)
    if raw_size and not (header_size <= raw_offset and section.end <= len(data)):
        raise FormatError(
            "pe.section-bounds",
            f"expected section {section.name} between the headers ({header_size}) and the end of the file "
            f"({len(data)}), found it from {raw_offset} to {section.end}",
            offset=offset + 16,
            spec=_SPEC,
        )
    return section


def _name(data: memoryview, offset: int) -> str:
    name = bytes(data[offset : offset + 8]).rstrip(b"\0")
    if not all(byte in _PRINTABLE for byte in name):
        raise FormatError(
            "pe.section-name",
            "expected a section name of printable ASCII, found other bytes",
            offset=offset,
            spec=_SPEC,
        )
    return name.decode("ascii")


def _expect_apart(sections: tuple[Section, ...]) -> None:
    """Refuse sections that share bytes: no linker writes them, and they would be hashed once for each name."""
    placed = sorted((s for s in sections if s.raw_size), key=lambda s: s.raw_offset)
    for before, after in itertools.pairwise(placed):
        if after.raw_offset < before.end:
            raise FormatError(
                "pe.overlap",
                f"expected sections apart, found {after.name} at {after.raw_offset} inside {before.name}",
                offset=after.header_offset + 20,
                spec=_SPEC,
            )


def _expect_certificates_last(length: int, table: tuple[int, int], earliest: int, entry: int | None) -> None:
    offset, size = table
    if size and not (offset >= earliest and offset + size == length):
        raise FormatError(
            "pe.certificate-table",
            f"expected the certificate table after the sections ({earliest}) and up to the end of the file ({length}), "
            f"found it from {offset} to {offset + size}",
            offset=entry,
            spec="Windows Authenticode Portable Executable Signature Format",
        )
