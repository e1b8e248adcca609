# SPDX-License-Identifier: Apache-2.0
"""Unified Kernel Images (UAPI group specification "Unified Kernel Image"): reading one, and putting one together.

A UKI is a small EFI program, the stub, with kernel, initrd and kernel command line as further PE sections. What the
stub does with them, and what of it is measured, is the business of `strongroom.measure`.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from strongroom.errors import FormatError
from strongroom.formats.pe import (
    DIRECTORY_ENTRY_BYTES,
    MACHINE_AARCH64,
    MACHINE_X86_64,
    MAX_IMAGE_BYTES,
    SECTION_HEADER_BYTES,
    PeImage,
    Section,
    parse_pe,
)

_SPEC = "UAPI Unified Kernel Image"
_PE_SPEC = "PE Format"
_PAGE_BYTES = 4_096
_SECTOR_BYTES = 512
_NAME_BYTES = 8
_INITIALISED_READABLE = 0x4000_0040  # IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ

PAYLOAD_SECTIONS = (
    ".linux",
    ".osrel",
    ".cmdline",
    ".initrd",
    ".ucode",
    ".splash",
    ".dtb",
    ".uname",
    ".sbat",
    ".pcrsig",
    ".pcrpkey",
    ".sdmagic",
)
"""What a stub reads. Each at most once: images with several profiles (systemd 257) repeat them; refused."""
MEASURABLE_SECTIONS = (*PAYLOAD_SECTIONS, ".profile", ".dtbauto", ".hwids", ".efifw")
"""The same with what newer stubs read beside it, and measure into PCR 11 (systemd-stub(7))."""


class Architecture(enum.StrEnum):
    """Processor architectures, spelled as in AWS's RegisterImage."""

    X86_64 = "x86_64"
    ARM64 = "arm64"


_MACHINES = {MACHINE_X86_64: Architecture.X86_64, MACHINE_AARCH64: Architecture.ARM64}


@dataclass(frozen=True, slots=True)
class Uki:
    """A PE image with a kernel inside. Views into the input, no copies."""

    image: PeImage
    architecture: Architecture

    def section(self, name: str) -> memoryview | None:
        """Return what the payload section `name` holds, without padding; None where there is none."""
        for section in self.image.sections:
            if section.name == name:
                return self.image.contents(section)
        return None

    @property
    def kernel(self) -> memoryview:
        """The contents of `.linux`."""
        return self.image.contents(self._kernel)

    @property
    def kernel_offset(self) -> int:
        """Where the kernel starts in the image, in bytes."""
        return self._kernel.raw_offset

    @property
    def _kernel(self) -> Section:
        return next(section for section in self.image.sections if section.name == ".linux")

    @property
    def command_line(self) -> str:
        """The kernel command line, empty where there is none."""
        return bytes(self.section(".cmdline") or b"").rstrip(b"\0\n").decode("utf-8", "replace")

    @property
    def root_hash(self) -> str:
        """The dm-verity root hash that the command line asks for, in lower-case hex, or an empty string."""
        for word in self.command_line.split():
            key, _, value = word.partition("=")
            if key in {"roothash", "usrhash"} and value and not value.strip("0123456789abcdefABCDEF"):
                return value.lower()
        return ""


def parse_uki(data: bytes | memoryview) -> Uki:
    """Read a UKI. Raises FormatError for a broken PE image, one without kernel, or one with ambiguous sections."""
    image = parse_pe(data)
    if image.machine not in _MACHINES:
        raise FormatError(
            "uki.architecture",
            f"expected x86_64 (0x8664) or aarch64 (0xaa64), found machine {image.machine:#06x}",
            offset=image.coff_offset + 4,
            spec=_SPEC,
        )
    if all(section.name != ".linux" for section in image.sections):
        raise FormatError(
            "uki.no-kernel",
            "expected a section .linux, found none: this is an EFI program, but no unified kernel image",
            spec=_SPEC,
            remedy="Give the image that the firmware boots, with kernel, initrd and command line inside.",
        )
    for section in _payload(image):
        _expect_plain(section)
    return Uki(image, _MACHINES[image.machine])


def _payload(image: PeImage) -> Iterator[Section]:
    seen: set[str] = set()
    for section in image.sections:
        if section.name in seen:
            raise FormatError(
                "uki.duplicate-section",
                f"expected one section {section.name}, found another",
                offset=section.header_offset,
                spec=_SPEC,
                remedy="Images with several profiles are not read by this version: build one image for each profile.",
            )
        if section.name in PAYLOAD_SECTIONS:
            seen.add(section.name)
            yield section


def _expect_plain(section: Section) -> None:
    """Refuse a payload that is longer in memory than in the file, or empty: stubs and tools disagree about those."""
    if not 0 < section.virtual_size <= section.raw_size:
        raise FormatError(
            "uki.section-size",
            f"expected section {section.name} to hold 1 to {section.raw_size} bytes (SizeOfRawData), "
            f"found VirtualSize {section.virtual_size}",
            offset=section.header_offset + 8,
            spec=_SPEC,
        )


def assemble_uki(stub: bytes, sections: Sequence[tuple[str, bytes]]) -> bytes:
    """Return a UKI made of an EFI stub and named sections, in this order. Equal input gives equal bytes.

    Works for stubs of any architecture. The stub's signature and its COFF symbol and string tables are left out: those
    tables would lie between sections, where measuring tools disagree about the Authenticode digest. The PE checksum is
    zero, as firmware does not look at it. Raises FormatError for a stub that cannot take the sections.
    """
    image = parse_pe(stub)
    _expect_fitting(image, sections)
    end = max(image.header_size, *(section.end for section in image.sections))
    output = bytearray(image.data[:end])
    output.extend(bytes(-end % _SECTOR_BYTES))
    stub_bytes = len(output)
    address = _up(max(s.virtual_address + max(s.virtual_size, s.raw_size) for s in image.sections), _memory_step(image))
    header = image.section_table_offset + len(image.sections) * SECTION_HEADER_BYTES
    for name, contents in sections:
        raw_size = _up(len(contents), _SECTOR_BYTES)
        row = (name.encode(), len(contents), address, raw_size, len(output), 0, 0, 0, 0, _INITIALISED_READABLE)
        struct.pack_into("<8sIIIIIIHHI", output, header, *row)
        header += SECTION_HEADER_BYTES
        output.extend(contents)
        output.extend(bytes(raw_size - len(contents)))
        address = _up(address + len(contents), _memory_step(image))
    _write_headers(output, image, added=len(sections), added_bytes=len(output) - stub_bytes, end=address)
    return bytes(output)


def _up(value: int, step: int) -> int:
    return -(-value // step) * step


def _memory_step(image: PeImage) -> int:
    return max(image.section_alignment, _PAGE_BYTES)


def _write_headers(output: bytearray, image: PeImage, *, added: int, added_bytes: int, end: int) -> None:
    struct.pack_into("<H", output, image.coff_offset + 6, len(image.sections) + added)
    struct.pack_into("<II", output, image.coff_offset + 12, 0, 0)  # PointerToSymbolTable, NumberOfSymbols
    (initialised,) = struct.unpack_from("<I", output, image.optional_offset + 8)
    struct.pack_into("<I", output, image.optional_offset + 8, (initialised + added_bytes) & 0xFFFF_FFFF)
    struct.pack_into("<I", output, image.optional_offset + 56, end)  # SizeOfImage
    struct.pack_into("<I", output, image.checksum_offset, 0)
    if image.certificate_entry_offset is not None:
        start = image.certificate_entry_offset
        output[start : start + DIRECTORY_ENTRY_BYTES] = bytes(DIRECTORY_ENTRY_BYTES)


def _expect_fitting(image: PeImage, sections: Sequence[tuple[str, bytes]]) -> None:
    room = (image.header_size - image.section_table_offset) // SECTION_HEADER_BYTES - len(image.sections)
    if len(sections) > room:
        raise FormatError(
            "uki.no-header-room",
            f"expected a stub with room for {len(sections)} more sections, found room for {room}",
            offset=image.section_table_offset,
            spec=_PE_SPEC,
        )
    if image.section_alignment & (image.section_alignment - 1) or _SECTOR_BYTES % max(image.file_alignment, 1):
        raise FormatError(
            "uki.alignment",
            "expected a section alignment that is a power of two and a file alignment that divides 512, "
            f"found {image.section_alignment} and {image.file_alignment}",
            offset=image.optional_offset + 32,
            spec=_PE_SPEC,
        )
    taken = {section.name for section in image.sections}
    for name, contents in sections:
        _expect_section(name, contents, taken)
        taken.add(name)
    if len(image.data) + sum(len(contents) + _SECTOR_BYTES for _, contents in sections) > MAX_IMAGE_BYTES:
        raise FormatError("pe.too-large", f"expected a UKI of at most {MAX_IMAGE_BYTES} bytes", spec=_PE_SPEC)


def _expect_section(name: str, contents: bytes, taken: set[str]) -> None:
    if name in taken:
        raise FormatError("uki.duplicate-section", f"expected one section {name}, found another", spec=_SPEC)
    if not (name.isascii() and name.isprintable() and 1 < len(name) <= _NAME_BYTES and name.startswith(".")):
        raise FormatError(
            "uki.section-name", f"expected a dot and 1 to 7 ASCII characters, found {name[:20]!r}", spec=_PE_SPEC
        )
    if not contents:
        raise FormatError("uki.section-size", f"expected content for section {name}, found none", spec=_SPEC)
