# SPDX-License-Identifier: Apache-2.0
"""Authenticode SHA-384 and the sections of a PE image, read the way the twin's firmware reads them.

Written from "Windows Authenticode Portable Executable Signature Format" (Microsoft, 2008), "Calculating the PE Image
Hash", and from the PE format specification; it shares nothing with `strongroom.measure`, so that the two can be
compared. Tolerant where UEFI firmware is: it hashes what it would load.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from strongroom.errors import FormatError

_CERTIFICATE_TABLE = 4
"""Index of the certificate table in the data directories (PE format, "Optional Header Data Directories")."""
_DIRECTORIES_AT = {0x10B: 96, 0x20B: 112}
"""Offset of the data directories in the optional header, by its magic: PE32 and PE32+."""
_CHECKSUM_AT = 64
_SIZE_OF_HEADERS_AT = 60
_SPEC = "PE format, optional header"


@dataclass(frozen=True, slots=True)
class Section:
    """A section header: where its bytes lie in the file, and how many of them are meant."""

    name: str
    virtual_size_bytes: int
    file_offset: int
    file_size_bytes: int


@dataclass(frozen=True, slots=True)
class Image:
    """A PE image, with the positions that Authenticode leaves out."""

    data: bytes
    checksum_offset: int
    certificate_entry_offset: int
    certificate_table: tuple[int, int]
    headers_size_bytes: int
    sections: tuple[Section, ...]

    def section(self, name: str) -> bytes | None:
        """Return the first section of that name, without the padding of the file."""
        for section in self.sections:
            if section.name == name:
                size = min(section.virtual_size_bytes, section.file_size_bytes)
                return self.data[section.file_offset : section.file_offset + size]
        return None


def read_image(data: bytes) -> Image:
    """Read the headers. Raises FormatError for what firmware would not load."""
    try:
        return _read(data)
    except struct.error as error:
        raise FormatError("twin.image", "expected a PE image, found one that ends early", offset=0) from error


def _read(data: bytes) -> Image:
    (pe,) = struct.unpack_from("<I", data, 0x3C)
    if data[:2] != b"MZ" or data[pe : pe + 4] != b"PE\0\0":
        raise FormatError("twin.image", "expected a PE image (MZ, PE), found something else", offset=0, spec=_SPEC)
    count, optional_size = struct.unpack_from("<H12xH", data, pe + 6)
    optional = pe + 24
    (magic,) = struct.unpack_from("<H", data, optional)
    if magic not in _DIRECTORIES_AT:
        raise FormatError("twin.image", f"expected PE32 or PE32+, found magic {magic:#x}", offset=optional, spec=_SPEC)
    directories = optional + _DIRECTORIES_AT[magic]
    (directory_count,) = struct.unpack_from("<I", data, directories - 4)
    entry = directories + 8 * _CERTIFICATE_TABLE
    has_entry = directory_count > _CERTIFICATE_TABLE
    return Image(
        data=data,
        checksum_offset=optional + _CHECKSUM_AT,
        certificate_entry_offset=entry if has_entry else 0,
        certificate_table=struct.unpack_from("<II", data, entry) if has_entry else (0, 0),
        headers_size_bytes=struct.unpack_from("<I", data, optional + _SIZE_OF_HEADERS_AT)[0],
        sections=tuple(_section(data, optional + optional_size + 40 * index) for index in range(count)),
    )


def _section(data: bytes, offset: int) -> Section:
    name, virtual_size, size, where = struct.unpack_from("<8sI4xII", data, offset)
    return Section(name.rstrip(b"\0").decode("latin-1"), virtual_size, where, size)


def authenticode_sha384(image: Image) -> bytes:
    """Return the digest of the image without its checksum, its certificate table entry and the certificates."""
    data = image.data
    digest = hashlib.sha384(data[: image.checksum_offset])
    after_checksum = image.checksum_offset + 4
    if image.certificate_entry_offset:
        digest.update(data[after_checksum : image.certificate_entry_offset])
        after_checksum = image.certificate_entry_offset + 8
    digest.update(data[after_checksum : image.headers_size_bytes])
    hashed = image.headers_size_bytes
    for section in sorted(image.sections, key=lambda section: section.file_offset):
        if section.file_size_bytes:
            digest.update(data[section.file_offset : section.file_offset + section.file_size_bytes])
            hashed += section.file_size_bytes
    _, certificates_size = image.certificate_table
    if len(data) > hashed:
        digest.update(data[hashed : len(data) - certificates_size])
    return digest.digest()
