# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from tests.fat_volumes import ARCHIVE, FOLDER, LABEL, long_slots, short_entry

from strongroom.errors import FormatError
from strongroom.formats.fat_directory import FatEntry, parse_directory
from strongroom.formats.fat_layout import FatKind

FILE = short_entry(b"FILE    TXT", ARCHIVE, 9, 1234)
OTHER = short_entry(b"OTHER   TXT", ARCHIVE, 7, 1)
DOT, DOTS = short_entry(b".          ", FOLDER, 5), short_entry(b"..         ", FOLDER, 3)
END = bytes(32)
DELETED = b"\xe5" + FILE[1:]
LINKS = (frozenset({5}), frozenset({3}))
SHORT = b"ALONGN~1TXT"
LONG = [*long_slots("a long name.txt", SHORT), short_entry(SHORT, ARCHIVE, 11, 5)]


def read(*slots: bytes, kind: FatKind = FatKind.FAT16, links=None) -> tuple[FatEntry, ...]:
    return parse_directory([(100 + 32 * n, slot) for n, slot in enumerate(slots)], kind=kind, links=links)


def refused(*slots: bytes, links=None) -> FormatError:
    with pytest.raises(FormatError) as caught:
        read(*slots, links=links)
    return caught.value


def test_files_and_folders_are_read_in_order():
    entries = read(FILE, short_entry(b"FOLDER     ", FOLDER, 8, 99), *LONG, END)
    assert [entry.name for entry in entries] == ["FILE.TXT", "FOLDER", "a long name.txt"]
    file, folder, long = entries
    assert (file.first_cluster, file.size_bytes, file.offset, file.is_folder) == (9, 1234, 100, False)
    assert (folder.first_cluster, folder.size_bytes, folder.is_folder) == (8, 0, True)
    assert (long.short_name, long.offset) == ("ALONGN~1.TXT", 100 + 32 * 4)
    assert long.known_as == {"A LONG NAME.TXT", "ALONGN~1.TXT"}


def test_a_full_directory_needs_no_end_mark():
    assert len(read(FILE, OTHER)) == 2
    assert read() == ()


def test_deleted_slots_and_the_volume_label_are_left_out():
    label = short_entry(b"ESP        ", LABEL, 0)
    assert [e.name for e in read(DELETED, label, b"\xe5" + LONG[0][1:], FILE, DELETED, END)] == ["FILE.TXT"]


@pytest.mark.parametrize("kind", list(FatKind))
def test_the_upper_half_of_a_cluster_counts_for_fat32_only(kind):
    (entry,) = read(short_entry(b"FILE       ", ARCHIVE, 0x12_0009), kind=kind)
    assert entry.first_cluster == (0x12_0009 if kind is FatKind.FAT32 else 9)


def test_a_folder_begins_with_itself_and_its_parent():
    assert [entry.name for entry in read(DOT, DOTS, FILE, END, links=LINKS)] == ["FILE.TXT"]


@pytest.mark.attack("B19")
@pytest.mark.parametrize(
    ("slots", "code", "place"),
    [
        ([FILE, END, OTHER], "fat.after-end", 2),
        ([FILE, END, DELETED], "fat.after-end", 2),
        ([FILE, END, END, b"\0" + bytes(30) + b"\1"], "fat.after-end", 3),
        ([FILE, b"\0" + OTHER[1:]], "fat.after-end", 1),
        ([b"\0" + short_entry(b"ESP        ", LABEL, 0)[1:], OTHER], "fat.after-end", 0),
        ([FILE, FILE], "fat.duplicate-name", 1),
        ([*LONG[:-1], LONG[-1], *LONG], "fat.duplicate-name", 5),
        ([*LONG, *long_slots("A LONG name.TXT", b"OTHER   TXT"), OTHER], "fat.duplicate-name", 5),
        ([OTHER, *long_slots("other.txt", SHORT), LONG[-1]], "fat.duplicate-name", 2),
        ([*LONG, *long_slots("alongn~1.txt", b"OTHER   TXT"), OTHER], "fat.duplicate-name", 4),
        ([*long_slots("other name", SHORT), LONG[-1], LONG[-1]], "fat.duplicate-name", 2),
        (
            [*long_slots("file\u212a.txt", SHORT), LONG[-1], short_entry(b"FILEK   TXT", ARCHIVE, 0)],
            "fat.duplicate-name",
            2,
        ),
        (LONG[:1], "fat.orphan-name", 0),
        ([FILE, *LONG[:-1], END], "fat.orphan-name", 1),
        ([*LONG[:-1], DELETED], "fat.orphan-name", 0),
        ([*LONG[:-1], FILE], "fat.long-name", 1),
        ([LONG[0], LONG[-1]], "fat.long-name", 0),
        ([LONG[1], LONG[-1]], "fat.long-name", 0),
        ([*LONG[:-1], short_entry(b"ESP        ", LABEL, 0), FILE], "fat.label", 2),
        ([short_entry(b"ESP        ", LABEL | FOLDER, 0)], "fat.label", 0),
        ([short_entry(b"file    txt", ARCHIVE, 0)], "fat.short-name", 0),
        ([DOT, DOTS, FILE], "fat.short-name", 0),
    ],
)
def test_one_fault_each(slots, code, place):
    error = refused(*slots)
    assert (error.code, error.offset) == (code, 100 + 32 * place)


@pytest.mark.parametrize(
    "slots",
    [
        [],
        [DOT],
        [DOT, END],
        [DOTS, DOT],
        [FILE, OTHER],
        [FILE, DOT, DOTS],
        [DOT, FILE, DOTS],
        [short_entry(b".          ", FOLDER, 6), DOTS],
        [DOT, short_entry(b"..         ", FOLDER, 0)],
        [short_entry(b".          ", ARCHIVE, 5), DOTS],
    ],
)
def test_a_folder_without_its_two_links_is_refused(slots):
    assert refused(*slots, links=LINKS).code == "fat.dots"


def test_a_third_link_is_no_name():
    assert refused(DOT, DOTS, DOTS, links=LINKS).code == "fat.short-name"
