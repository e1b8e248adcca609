# SPDX-License-Identifier: Apache-2.0
"""The entry table of a bundle, decrypted (docs/formats/bundle.md 7)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.errors import FormatError
from strongroom.formats import cbor
from strongroom.formats.bundle_layout import ciphertext_bytes
from strongroom.formats.cbor import CborItem, Profile
from strongroom.formats.names import ENTRY_NAME

MAX_ENTRIES = 1024
MAX_NAME_CHARACTERS = 255
MAX_ENTRY_BYTES = 1 << 40
MAX_MODE = 0o777

_SPEC = "docs/formats/bundle.md section 7"
_MEDIA_TYPE = re.compile(r"[\x21-\x7e]{1,127}")


@dataclass(frozen=True, slots=True)
class EntryInfo:
    """One file: a relative path, its media type, permission bits, and size in bytes."""

    name: str
    media_type: str
    mode: int
    size_bytes: int


def parse_table(plaintext: bytes) -> tuple[EntryInfo, ...]:
    """Parse a decrypted entry table; offsets in errors count from its first byte. Raises FormatError."""
    item = cbor.decode(plaintext, Profile.DETERMINISTIC)
    entries = tuple(map(_entry, item.array(minimum=1, maximum=MAX_ENTRIES)))
    _expect_distinct([entry.name for entry in entries], item)
    return entries


def _fail(code: str, message: str, item: CborItem) -> FormatError:
    return FormatError(f"bundle.{code}", message, offset=item.offset, spec=_SPEC)


def _entry(item: CborItem) -> EntryInfo:
    record = item.record(("name", "media-type", "mode", "size"))
    entry = EntryInfo(
        name=record["name"].text(minimum=1, maximum=MAX_NAME_CHARACTERS),
        media_type=record["media-type"].text(),
        mode=record["mode"].uint(),
        size_bytes=record["size"].uint(),
    )
    if not ENTRY_NAME.fullmatch(entry.name):
        raise _fail("entry-name", f"expected a relative path of plain names, found {entry.name!r}", record["name"])
    if not _MEDIA_TYPE.fullmatch(entry.media_type):
        raise _fail("media-type", "expected 1 to 127 visible ASCII characters, found others", record["media-type"])
    if entry.mode > MAX_MODE:
        raise _fail("mode", f"expected permission bits up to 0o777, found {entry.mode:#o}", record["mode"])
    if entry.size_bytes > MAX_ENTRY_BYTES:
        raise _fail("entry-size", f"expected at most {MAX_ENTRY_BYTES} bytes, found {entry.size_bytes}", record["size"])
    return entry


def _expect_distinct(names: Sequence[str], item: CborItem) -> None:
    """Refuse a name that occurs twice or is a folder of another: they become paths. Raises FormatError."""
    taken = set(names)
    folders = {folder for name in names for folder in itertools.accumulate(name.split("/")[:-1], "{}/{}".format)}
    if len(taken) != len(names):
        raise _fail("entry-twice", "expected every entry name once, found one twice", item)
    if taken & folders:
        name = min(taken & folders)
        raise _fail("entry-folder", f"expected {name!r} to be a file or a folder, found both", item)


def encode_table(entries: Sequence[EntryInfo]) -> bytes:
    """Encode an entry table. What `parse_table` would refuse is refused here. Raises FormatError."""
    plaintext = cbor.encode(
        [
            {"name": entry.name, "media-type": entry.media_type, "mode": entry.mode, "size": entry.size_bytes}
            for entry in entries
        ]
    )
    parse_table(plaintext)
    return plaintext


def expect_body_length(entries: Sequence[EntryInfo], *, chunk_log2: int, body_length: int) -> None:
    """Refuse a table that describes a body of another length than the header. Raises FormatError."""
    total = sum(ciphertext_bytes(entry.size_bytes, chunk_log2) for entry in entries)
    if total != body_length:
        raise FormatError(
            "bundle.sizes",
            f"expected entries that fill a body of {body_length} bytes, found {total}",
            spec=_SPEC,
        )
