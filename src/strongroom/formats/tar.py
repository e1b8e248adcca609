# SPDX-License-Identifier: Apache-2.0
"""Strict reader of tar archives: POSIX.1-2017 (ustar and pax) and GNU's long names, links and large numbers.

Input is hostile (ATTACKS B19). Nothing is unpacked: entries are views into the archive. Sparse files are refused,
as are headers with a wrong checksum; what follows the end mark of two empty blocks is not looked at.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from strongroom.errors import FormatError

SPEC = "POSIX.1-2017 pax"
BLOCK_BYTES = 512
MAX_HEADER_BYTES = 1 << 20
"""Of one extended header or long name."""
MAX_ENTRIES = 2_000_000
XATTR = "SCHILY.xattr."
"""How the names of extended attributes begin in pax headers."""


class TarKind(enum.StrEnum):
    """What an entry is, by its typeflag."""

    FILE = "0"
    HARD_LINK = "1"
    LINK = "2"
    CHARACTER_DEVICE = "3"
    BLOCK_DEVICE = "4"
    FOLDER = "5"
    PIPE = "6"


_BASE_256 = 0x80
_KINDS = {**{kind.value.encode(): kind for kind in TarKind}, b"\0": TarKind.FILE, b"7": TarKind.FILE}
_WITHOUT_CONTENTS = frozenset(TarKind) - {TarKind.FILE}


@dataclass(frozen=True, slots=True)
class TarEntry:
    """One entry, as it is stored, with its extended headers applied."""

    name: bytes
    kind: TarKind
    mode: int
    """Permissions alone, of 12 bits."""
    uid: int
    gid: int
    target: bytes
    """Of a link; of a hard link the name of an earlier entry."""
    device: tuple[int, int]
    contents: memoryview
    attributes: Mapping[str, bytes]
    """Extended attributes of its file system, by name."""
    offset: int
    """Of its header in the archive, in bytes."""


@dataclass(slots=True)
class _Extended:
    """What extended headers say about the entry that follows."""

    records: dict[str, bytes] = field(default_factory=dict)
    name: bytes | None = None
    target: bytes | None = None


def parse_tar(data: memoryview) -> Iterator[TarEntry]:
    """Yield the entries of an archive, to its end mark or its end. Raises FormatError."""
    everywhere: dict[str, bytes] = {}
    extended = _Extended(dict(everywhere))
    at = count = 0
    while at < len(data) and any(header := _header(data, at)):
        kind, size = header[156:157], _number(header, 124, 12, at)
        if kind in b"xgLK":
            contents = bytes(_contents(data, at, size, MAX_HEADER_BYTES))
            if kind == b"g":
                everywhere |= _records(contents, at)
            _extend(extended, kind, contents, at)
        else:
            entry = _entry(data, at, header, extended)
            yield entry
            extended, size = _Extended(dict(everywhere)), len(entry.contents)
        at += BLOCK_BYTES + -(-size // BLOCK_BYTES) * BLOCK_BYTES
        count += 1
        if count > MAX_ENTRIES:
            raise _refused("too-many", f"expected at most {MAX_ENTRIES} entries, found more", at)


def _header(data: memoryview, at: int) -> bytes:
    header = bytes(data[at : at + BLOCK_BYTES])
    if len(header) < BLOCK_BYTES:
        raise _refused("truncated", f"expected a header of {BLOCK_BYTES} bytes, found {len(header)}", at)
    if any(header) and _number(header, 148, 8, at) != sum(header) - sum(header[148:156]) + 8 * 32:
        raise _refused("checksum", "expected a header with its checksum, found another sum", at)
    return header


def _entry(data: memoryview, at: int, header: bytes, extended: _Extended) -> TarEntry:
    kind = _KINDS.get(header[156:157])
    if kind is None or any(key.startswith("GNU.sparse.") for key in extended.records):
        raise _refused("kind", f"expected an entry of a known kind, found {header[156:157]!r} or a sparse file", at)
    records = extended.records
    name = extended.name or records.get("path") or _ustar_name(header)
    size = _decimal(records, "size", at) if "size" in records else _number(header, 124, 12, at)
    if kind is TarKind.FILE and header[156:157] != b"7" and name.endswith(b"/"):
        kind = TarKind.FOLDER  # as archives had them before POSIX
    return TarEntry(
        name=name,
        kind=kind,
        mode=_number(header, 100, 8, at) & 0o7777,
        uid=_decimal(records, "uid", at) if "uid" in records else _number(header, 108, 8, at),
        gid=_decimal(records, "gid", at) if "gid" in records else _number(header, 116, 8, at),
        target=extended.target or records.get("linkpath") or _text(header, 157, 100),
        device=(_number(header, 329, 8, at), _number(header, 337, 8, at)),
        contents=_contents(data, at, 0 if kind in _WITHOUT_CONTENTS else size, len(data)),
        attributes={key.removeprefix(XATTR): value for key, value in records.items() if key.startswith(XATTR)},
        offset=at,
    )


def _contents(data: memoryview, at: int, size: int, maximum_bytes: int) -> memoryview:
    start = at + BLOCK_BYTES
    if size > maximum_bytes:
        raise _refused("too-large", f"expected at most {maximum_bytes} bytes, found {size}", at + 124)
    if start + size > len(data):
        raise _refused("truncated", f"expected {size} bytes of contents, found the archive to end before", at + 124)
    return data[start : start + size]


def _extend(extended: _Extended, kind: bytes, contents: bytes, at: int) -> None:
    if kind == b"L":
        extended.name = contents.rstrip(b"\0")
    elif kind == b"K":
        extended.target = contents.rstrip(b"\0")
    else:  # of the two pax headers, the one for a single entry counts more, and stands behind the other
        extended.records |= _records(contents, at)


def _records(contents: bytes, at: int) -> dict[str, bytes]:
    """Read the records of a pax header: `length key=value` and a line feed, each."""
    records = {}
    place = 0
    while place < len(contents):
        digits, _, _ = contents[place : place + 8].partition(b" ")
        length = int(digits) if digits.isdigit() else 0
        record = contents[place + len(digits) + 1 : place + length]
        key, sign, value = record.removesuffix(b"\n").partition(b"=")
        if not sign or not record.endswith(b"\n") or place + length > len(contents):
            raise _refused("pax", "expected records `length key=value`, found something else", at)
        records[key.decode("utf-8", "surrogateescape")] = value
        place += max(length, 1)
    return records


def _ustar_name(header: bytes) -> bytes:
    name, prefix = _text(header, 0, 100), _text(header, 345, 155)
    is_posix = header[257:263] == b"ustar\0"
    return prefix + b"/" + name if is_posix and prefix else name


def _text(header: bytes, start: int, size: int) -> bytes:
    return header[start : start + size].partition(b"\0")[0]


def _number(header: bytes, start: int, size: int, at: int) -> int:
    """Read a number: octal, or with the first bit set, as GNU has large ones, in base 256."""
    taken = header[start : start + size]
    if taken[0] == _BASE_256:
        return int.from_bytes(taken[1:], "big")
    digits = taken.strip(b" \0")
    if digits.strip(b"01234567"):
        raise _refused("number", f"expected an octal number, found {taken!r}", at + start)
    return int(digits or b"0", 8)


def _decimal(records: Mapping[str, bytes], key: str, at: int) -> int:
    digits = records[key]
    if not digits.isdigit() or len(digits) > 19:  # noqa: PLR2004 -- what 63 bits take
        raise _refused("number", f"expected a decimal number for {key}, found {digits[:20]!r}", at)
    return int(digits)


def _refused(code: str, message: str, offset: int) -> FormatError:
    return FormatError(f"tar.{code}", message, offset=offset, spec=SPEC)
