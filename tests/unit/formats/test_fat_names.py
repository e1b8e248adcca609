# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from tests.fat_volumes import checksum, long_slots

from strongroom.errors import FormatError
from strongroom.formats.fat_names import folded, folded_ascii, long_name, short_checksum, short_name

SHORT = b"ALONGN~1TXT"


def slots(name: str, *, short: bytes = SHORT) -> list[tuple[int, bytes]]:
    return [(1000 + 32 * number, slot) for number, slot in enumerate(long_slots(name, short))]


def changed(name: str, slot: int, offset: int, value: int) -> list[tuple[int, bytes]]:
    """The slots of a name with one byte of one of them changed."""
    found = slots(name)
    at, data = found[slot]
    found[slot] = (at, data[:offset] + bytes([value]) + data[offset + 1 :])
    return found


def code_of(found: list[tuple[int, bytes]], *, short: bytes = SHORT) -> str:
    with pytest.raises(FormatError) as caught:
        long_name(found, short=short)
    return caught.value.code


@pytest.mark.parametrize(
    ("raw", "case", "compared", "shown"),
    [
        (b"BOOTX64 EFI", 0, "BOOTX64.EFI", "BOOTX64.EFI"),
        (b"BOOTX64 EFI", 0x08, "BOOTX64.EFI", "bootx64.EFI"),
        (b"BOOTX64 EFI", 0x10, "BOOTX64.EFI", "BOOTX64.efi"),
        (b"BOOTX64 EFI", 0x18, "BOOTX64.EFI", "bootx64.efi"),
        (b"LOADER     ", 0, "LOADER", "LOADER"),
        (b"A B     C  ", 0, "A B.C", "A B.C"),
        (b"\x05BC        ", 0, "\u03c3BC", "\u03c3BC"),
        (b"\x90       A  ", 0x18, "É.A", "É.a"),
        (b"!#$%&'()-@^", 0, "!#$%&'().-@^", "!#$%&'().-@^"),
    ],
)
def test_a_short_name_is_compared_in_capitals_and_shown_in_its_case(raw, case, compared, shown):
    assert short_name(raw, case=case, offset=0) == (compared, shown)


@pytest.mark.parametrize(
    "raw",
    [b"           ", b" OOTX64 EFI", b"bOOTX64 EFI", b"BOOTX64 eFI", b"BOOT.64 EFI", b"BOOT/64 EFI", b"BOOT\\64 EF",
     b"BOOT\x0064 EFI", b"BOOT\x1b64 EFI", b".          ", b"..         ", b"BOOT*64 EFI", b"        EFI"],
)  # fmt: skip
def test_a_short_name_that_cannot_be_is_refused(raw):
    with pytest.raises(FormatError) as caught:
        short_name(raw, case=0, offset=77)
    assert (caught.value.code, caught.value.offset) == ("fat.short-name", 77)


def test_the_checksum_is_the_specifications():
    assert short_checksum(SHORT) == checksum(SHORT)
    assert short_checksum(b"\xff" * 11) == checksum(b"\xff" * 11)


@pytest.mark.parametrize(
    "name",
    ["a", "a long name.txt", "thirteen char", "fourteen chars", "x" * 26, "y" * 255, ".hidden", "é Ω ж",
     "\U0001f600.txt", "a.b.c", "a+b,c;d=[e]"],
)  # fmt: skip
def test_a_long_name_is_put_together_from_its_slots(name):
    assert long_name(slots(name), short=SHORT) == name


LONG = "a rather long name.txt"


@pytest.mark.attack("B19")
@pytest.mark.parametrize(
    "found",
    [
        changed(LONG, 0, 0, 0x02),
        changed(LONG, 0, 0, 0x43),
        changed(LONG, 1, 0, 0x41),
        changed(LONG, 1, 0, 0x02),
        changed(LONG, 1, 12, 1),
        changed(LONG, 1, 13, 0),
        changed(LONG, 1, 26, 1),
        slots(LONG)[:1],
        slots(LONG)[1:],
        slots(LONG)[::-1],
        slots(LONG) + slots(LONG),
        slots(LONG, short=b"OTHER   TXT"),
        slots("z" * 255) + slots("z"),
        slots("z" * 256),
        slots("thirteen char" + "\0"),
        changed("short", 0, 1, 0),
        changed("short", 0, 16, 1),
        changed("short", 0, 31, 0),
    ],
    ids=["no last mark", "a slot too many", "two last marks", "another number", "a type", "checksum", "a cluster",
         "the first lost", "the last lost", "backwards", "twice", "of another entry", "21 slots", "256 characters",
         "an empty last slot", "no name", "more after the end", "other filler"],
)  # fmt: skip
def test_a_long_name_that_does_not_belong_or_does_not_end_is_refused(found):
    assert code_of(found) == "fat.long-name"


@pytest.mark.parametrize(
    "name",
    [
        "a/b",
        "a\\b",
        "a:b",
        'a"b',
        "a*b",
        "a?b",
        "a<b",
        "a>b",
        "a|b",
        "a\x01b",
        "a\nb",
        " a",
        "a ",
        "a.",
        ".",
        "..",
        "   ",
    ],
)
def test_a_name_that_readers_resolve_differently_is_refused(name):
    assert code_of(slots(name)) == "fat.long-name"


def test_half_a_character_is_refused():
    found = slots("ab")
    at, slot = found[0]
    assert code_of([(at, slot[:1] + b"\x00\xd8" + slot[3:])]) == "fat.long-name"


@pytest.mark.parametrize(
    ("one", "other"),
    [("bootx64.efi", "BOOTX64.EFI"), ("\u017f", "S"), ("\u212a", "k"), ("\u0131", "I"), ("é", "É"), ("ω", "Ω")],
)
def test_names_that_are_the_same_for_some_reader_are_folded_alike(one, other):
    assert folded(one) == folded(other)


@pytest.mark.parametrize(("one", "other"), [("ß", "SS"), ("a", "b"), ("ﬁ", "FI"), ("a.b", "ab")])
def test_names_that_are_the_same_for_no_reader_are_not(one, other):
    assert folded(one) != folded(other)


def test_folding_ascii_leaves_the_rest():
    assert folded_ascii("a\u017fé.Efi") == "A\u017fé.EFI"
