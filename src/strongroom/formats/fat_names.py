# SPDX-License-Identifier: Apache-2.0
"""Names of FAT directory entries: the short one of 8 and 3 bytes, and the long one in the slots before it.

fatgen103, "Long Directory Entries". Whatever readers are known to resolve differently is refused: a long name that
does not belong to its short one, characters that names must not have, blanks and dots that some readers strip.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from strongroom.errors import FormatError
from strongroom.formats.fat_layout import SPEC

SHORT_NAME_BYTES = 11
MAX_LONG_CHARACTERS = 255

_BASE_BYTES = 8
_LONG = struct.Struct("<B10sBBB12sH4s")
"""LDIR_Ord, Name1, Attr, Type, Chksum, Name2, FstClusLO, Name3."""
_LAST_SLOT = 0x40
_UNIT_END, _UNIT_FILLER = 0x0000, 0xFFFF
_KANJI_E5 = 0x05
_LOWER_BASE, _LOWER_EXTENSION = 0x08, 0x10
_FORBIDDEN_SHORT = frozenset(b'"*+,./:;<=>?[\\]|' + bytes(range(0x20)) + bytes(range(ord("a"), ord("z") + 1)))
_FORBIDDEN_LONG = frozenset('"*/:<>?\\|' + "".join(map(chr, range(0x20))))


def short_name(raw: bytes, *, case: int, offset: int) -> tuple[str, str]:
    """Return the short name of an entry as it is compared, and as it is shown.

    Shown is ASCII in the case that its flags ask for. Bytes beyond ASCII depend on the code page of whoever wrote
    them; code page 437 stands in, so that there is one name. Raises FormatError.
    """
    first = bytes([0xE5]) if raw[0] == _KANJI_E5 else raw[:1]
    base, extension = (first + raw[1:_BASE_BYTES]).rstrip(b" "), raw[_BASE_BYTES:].rstrip(b" ")
    if not base or raw[:1] == b" " or _FORBIDDEN_SHORT.intersection(base + extension):
        raise FormatError(
            "fat.short-name",
            f"expected a short name of upper-case letters, digits and signs, found {raw!r}",
            offset=offset,
            spec=SPEC,
        )
    shown = base.lower() if case & _LOWER_BASE else base, extension.lower() if case & _LOWER_EXTENSION else extension
    return _dotted(base, extension), _dotted(*shown)


def _dotted(base: bytes, extension: bytes) -> str:
    return (base + b"." + extension if extension else base).decode("cp437")


def short_checksum(raw: bytes) -> int:
    """Return the checksum of a short name that its long slots carry (fatgen103, ChkSum)."""
    total = 0
    for byte in raw:
        total = ((total >> 1 | total << 7) + byte) & 0xFF
    return total


def long_name(slots: Sequence[tuple[int, bytes]], *, short: bytes) -> str:
    """Return the long name in `slots` (offset and 32 bytes each, as they stand) before the entry of name `short`.

    Raises FormatError for slots that are out of order, that belong to another entry, or whose name cannot be.
    """
    offset = slots[0][0]
    units: list[int] = []
    checksum = short_checksum(short)
    for number, (at, slot) in enumerate(reversed(slots), 1):
        ordinal, first, _, kind, found, second, cluster, third = _LONG.unpack(slot)
        expected = number | (_LAST_SLOT if number == len(slots) else 0)
        if (ordinal, kind, found, cluster) != (expected, 0, checksum, 0):
            raise _refused(
                "long-name",
                f"expected slot {expected:#04x} of a long name with checksum {checksum:#04x}, as its short name has, "
                f"found slot {ordinal:#04x} with {found:#04x}",
                at,
            )
        units.extend(struct.unpack("<13H", first + second + third))
    return _text(units, offset)


def _text(units: Sequence[int], offset: int) -> str:
    """Join a name: it ends at a zero, which is left out when the last slot is full; after it comes filler only."""
    end = units.index(_UNIT_END) if _UNIT_END in units else len(units)
    if set(units[end + 1 :]) - {_UNIT_FILLER} or end <= len(units) - 13 or end > MAX_LONG_CHARACTERS:
        raise _refused("long-name", "expected a name that ends in its last slot, found another end", offset)
    try:
        name = struct.pack(f"<{end}H", *units[:end]).decode("utf-16-le")
    except UnicodeDecodeError as error:
        raise _refused("long-name", f"expected a name in UTF-16: {error.reason}", offset) from error
    if _FORBIDDEN_LONG.intersection(name) or name != name.strip(" ").rstrip("."):
        raise _refused(
            "long-name",
            f"expected a name without signs that mean something, blanks at its ends or dots at its end, found {name!r}",
            offset,
        )
    return name


def folded(name: str) -> str:
    """Return what a name is compared by: in capitals, by simple mappings, widely.

    EDK II folds ASCII only, others more (the long s to S, the Kelvin sign to K). Names that are the same for any of
    them are the same here, so that two of them in one folder are noticed.
    """
    return "".join(map(_folded, name))


def _folded(character: str) -> str:
    lower = character.lower()
    upper = lower.upper() if len(lower) == 1 else character.upper()
    return upper if len(upper) == 1 else character


def folded_ascii(name: str) -> str:
    """Return what every reader compares a name of ASCII characters by."""
    return "".join(c.upper() if c.isascii() else c for c in name)


def _refused(code: str, message: str, offset: int) -> FormatError:
    return FormatError(f"fat.{code}", message, offset=offset, spec=SPEC)
