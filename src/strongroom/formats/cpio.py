# SPDX-License-Identifier: Apache-2.0
"""Strict reader, and writer, of cpio archives in the kernel's format, "newc" (Linux, driver-api/early-userspace).

Input is hostile (ATTACKS B19). An initrd may hold several archives, one after another, with zeros between them; where
one ends is for its reader to tell, so this returns it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from strongroom.errors import FormatError

SPEC = "Linux buffer-format"
MAGICS = (b"070701", b"070702")
"""Without and with checksums (which Linux does not look at either, but for files)."""
TRAILER = b"TRAILER!!!"
MAX_NAME_BYTES = 4_096
"""PATH_MAX of Linux, with the zero at its end."""
MAX_ENTRIES = 1_000_000

_HEADER_BYTES = 110
_FIELDS = re.compile(rb"[0-9A-Fa-f]{104}")


@dataclass(frozen=True, slots=True)
class CpioEntry:
    """One entry, as it is stored."""

    name: bytes
    """With or without a leading slash."""
    inode: tuple[int, int, int]
    """Major and minor of a device, and a number: entries that share it are links to one file."""
    mode: int
    uid: int
    gid: int
    links: int
    device: tuple[int, int]
    contents: memoryview
    """Of a file, or the target of a symbolic link."""


@dataclass(frozen=True, slots=True)
class CpioArchive:
    """Entries in their order. `end` is where the archive ends, behind its trailer: in bytes from the start."""

    entries: tuple[CpioEntry, ...]
    end: int


def parse_cpio(data: memoryview) -> CpioArchive:
    """Read the archive at the start of `data`, to its trailer. Raises FormatError."""
    entries: list[CpioEntry] = []
    at = 0
    while True:
        entry, at = _entry(data, at)
        if entry.name == TRAILER:
            return CpioArchive(tuple(entries), at)
        entries.append(entry)
        if len(entries) > MAX_ENTRIES:
            raise _refused("too-many", f"expected at most {MAX_ENTRIES} entries, found more", at)


def encode_cpio(entries: Iterable[tuple[str, int, bytes]]) -> bytes:
    """Return an archive of entries: name, mode with kind, contents or a link's target. Owners and times are zero."""
    archive = bytearray()
    for number, (name, mode, contents) in enumerate((*entries, (TRAILER.decode(), 0, b"")), 1):
        encoded = name.encode("utf-8", "surrogateescape") + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(contents), 0, 0, 0, 0, len(encoded), 0)
        archive += MAGICS[0] + b"".join(b"%08X" % field for field in fields) + encoded
        archive += bytes(-len(archive) % 4) + contents
        archive += bytes(-len(archive) % 4)
    return bytes(archive)


def _entry(data: memoryview, at: int) -> tuple[CpioEntry, int]:
    header = bytes(data[at : at + _HEADER_BYTES])
    if header[:6] not in MAGICS or not _FIELDS.fullmatch(header[6:]):
        raise _refused("header", "expected the header of an entry, and found something else", at)
    numbers = [int(header[place : place + 8], 16) for place in range(6, _HEADER_BYTES, 8)]
    inode, mode, uid, gid, links, _, size, major, minor, device_major, device_minor, name_bytes, _ = numbers
    if not 1 < name_bytes <= MAX_NAME_BYTES:
        raise _refused("name", f"expected a name of 2 to {MAX_NAME_BYTES} bytes, found {name_bytes}", at + 94)
    name_at = at + _HEADER_BYTES
    start = _up(name_at + name_bytes)
    end = start + size
    if end > len(data):
        raise _refused("truncated", f"expected {size} bytes of contents, found the archive to end before", at + 54)
    name = bytes(data[name_at : name_at + name_bytes])
    if name.find(b"\0") != name_bytes - 1:
        raise _refused("name", "expected a name with one zero, at its end", name_at)
    entry = CpioEntry(
        name=name[:-1],
        inode=(major, minor, inode),
        mode=mode,
        uid=uid,
        gid=gid,
        links=links,
        device=(device_major, device_minor),
        contents=data[start:end],
    )
    return entry, min(_up(end), len(data))


def _up(offset: int) -> int:
    return -(-offset // 4) * 4


def _refused(code: str, message: str, offset: int) -> FormatError:
    return FormatError(f"cpio.{code}", message, offset=offset, spec=SPEC)
