# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
import struct

import pytest
from tests.fat_volumes import FOLDER, make_fat, short_entry

from strongroom.errors import FormatError
from strongroom.formats import fat
from strongroom.formats.fat import FatVolume, parse_fat
from strongroom.formats.fat_layout import parse_layout
from strongroom.formats.fat_table import parse_table

UKI = random.Random(0).randbytes(3_000)
TREE = {
    "EFI": {"BOOT": {"BOOTX64.EFI": UKI, "a credential.cred": b"secret"}, "EMPTY": b""},
    "loader": {"entries": {}},
    "EXACT": bytes(range(256)) * 2,
}
BOOT = "/EFI/BOOT/BOOTX64.EFI"
VOLUMES = {
    (kind, scattered): make_fat(TREE, kind=kind, scattered=scattered)
    for kind in (12, 16, 32)
    for scattered in (False, True)
}
SMALL = VOLUMES[12, False]


def parsed(data: bytes) -> FatVolume:
    return parse_fat(memoryview(data))


def refused(data: bytes) -> FormatError:
    with pytest.raises(FormatError) as caught:
        parsed(data)
    return caught.value


def contents(volume: FatVolume, path: str) -> bytes:
    entry = volume.find(path)
    assert entry is not None
    return volume.read(entry)


@pytest.mark.parametrize("made", VOLUMES.values(), ids=[f"FAT{k}, {'in pieces' if s else 'whole'}" for k, s in VOLUMES])
def test_files_are_found_and_read(made):
    volume = parsed(made.data)
    assert volume.layout.kind == made.kind
    assert contents(volume, r"\EFI\BOOT\BOOTX64.EFI") == UKI
    assert contents(volume, r"\EFI\BOOT\a credential.cred") == b"secret"
    assert contents(volume, r"\EXACT") == TREE["EXACT"]
    assert contents(volume, r"\EFI\EMPTY") == b""
    entry = volume.find(r"\EFI\BOOT\BOOTX64.EFI")
    assert entry is not None
    assert entry.offset == made.entries[BOOT]
    assert list(volume.table.walk(entry.first_cluster)) == list(made.chains[BOOT])


def test_pieces_that_are_neighbours_are_one_run():
    volume = parsed(SMALL.data)
    entry = volume.find(r"\EFI\BOOT\BOOTX64.EFI")
    assert entry is not None
    assert list(volume.table.runs(entry.first_cluster)) == [(entry.first_cluster, 6)]
    scattered = parsed(VOLUMES[12, True].data)
    entry = scattered.find(r"\EFI\BOOT\BOOTX64.EFI")
    assert entry is not None
    assert [count for _, count in scattered.table.runs(entry.first_cluster)] == [1] * 6


@pytest.mark.parametrize(
    "path", [r"\efi\boot\bootx64.efi", r"EFI\Boot\BOOTX64.EFI", r"\LOADER\ENTRIES", r"\EFI\BOOT\ACRED~2", r"\LOADE~2"]
)
def test_names_are_found_in_any_case_and_by_either_name(path):
    assert parsed(SMALL.data).find(path) is not None


@pytest.mark.parametrize(
    "path", [r"\EFI\BOOT\NONE", r"\NONE\BOOT", r"\EXACT\BOOT", r"\EFI\\BOOT", "", "\\", r"\EFI\..\EFI"]
)
def test_what_is_not_there_is_not_found(path):
    assert parsed(SMALL.data).find(path) is None


def test_folders_are_listed():
    volume = parsed(SMALL.data)
    assert [entry.name for entry in volume.listing("\\")] == ["EFI", "loader", "EXACT"]
    assert [entry.name for entry in volume.listing(r"\efi\boot")] == ["BOOTX64.EFI", "a credential.cred"]
    assert volume.listing(r"\loader\entries") == volume.listing(r"\none") == volume.listing(r"\EXACT") == ()


def test_a_writable_buffer_is_not_copied():
    buffer = bytearray(SMALL.data)
    assert parse_fat(memoryview(buffer)).data.obj is buffer


def test_a_folder_is_not_read_as_a_file():
    volume = parsed(SMALL.data)
    folder = volume.find(r"\EFI")
    assert folder is not None
    with pytest.raises(FormatError) as caught:
        volume.read(folder)
    assert caught.value.code == "fat.folder"


def test_a_file_beyond_what_the_caller_takes_is_not_read():
    volume = parsed(SMALL.data)
    entry = volume.find(r"\EFI\BOOT\BOOTX64.EFI")
    assert entry is not None
    assert volume.read(entry, maximum_bytes=3_000) == UKI
    with pytest.raises(FormatError) as caught:
        volume.read(entry, maximum_bytes=2_999)
    assert caught.value.code == "fat.file-too-large"


def test_a_root_of_fat32_may_have_several_clusters():
    tree = {f"FILE{number}": b"x" for number in range(100)}
    volume = parsed(make_fat(tree, kind=32, scattered=True).data)
    assert len(volume.listing("\\")) == 100


@pytest.mark.parametrize("kind", [12, 16, 32])
@pytest.mark.parametrize("tables", [1, 3])
def test_one_table_is_enough_and_all_have_to_agree(kind, tables):
    made = make_fat(TREE, kind=kind, tables=tables)
    assert contents(parsed(made.data), BOOT.replace("/", "\\")) == UKI
    for copies in range(1, tables):
        error = refused(made.linked(made.chains[BOOT][0], made.chains[BOOT][2], copies=copies))
        assert (error.code, error.offset) == ("fat.tables-differ", made.table_offsets[copies])


def test_tables_may_not_differ_where_no_file_is_either():
    assert refused(SMALL.linked(61, 0xFFF, copies=1)).code == "fat.tables-differ"


def chain_fault(made, value: int) -> bytes:
    """The boot file's third cluster names another one than the fourth."""
    return bytes(made.linked(made.chains[BOOT][2], value))


@pytest.mark.attack("B19")
@pytest.mark.parametrize("kind", [12, 16, 32])
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (lambda made: chain_fault(made, 0), "fat.cluster"),
        (lambda made: chain_fault(made, 1), "fat.cluster"),
        (lambda made: chain_fault(made, made.clusters_end), "fat.cluster"),
        (lambda made: chain_fault(made, made.end - 8), "fat.cluster"),
        (lambda made: chain_fault(made, made.end - 7), "fat.file-size"),
        (lambda made: chain_fault(made, made.end), "fat.file-size"),
        (lambda made: chain_fault(made, made.chains[BOOT][0]), "fat.cluster-twice"),
        (lambda made: chain_fault(made, made.chains[BOOT][2]), "fat.cluster-twice"),
        (lambda made: chain_fault(made, made.chains["/EFI"][0]), "fat.cluster-twice"),
        (lambda made: chain_fault(made, made.chains["/EXACT"][0]), "fat.cluster-twice"),
        (lambda made: chain_fault(made, made.chains["/loader/entries"][0]), "fat.cluster-twice"),
    ],
    ids=["free", "one", "beyond", "bad", "ended early", "ended early, too", "loop", "loop of one", "a folder above",
         "another file", "another folder"],
)  # fmt: skip
def test_a_chain_with_a_fault_is_refused(kind, fault, code):
    made = VOLUMES[kind, False]

    class Faulty:
        end = (1 << min(kind, 28)) - 1
        clusters_end = parsed(made.data).layout.last_cluster + 1
        chains = made.chains
        linked = staticmethod(made.linked)

    assert refused(fault(Faulty)).code == code


@pytest.mark.attack("B19")
def test_a_walk_ends_whatever_the_table_says():
    first, *_, last = SMALL.chains[BOOT]
    data = memoryview(SMALL.linked(last, first))
    table = parse_table(data, parse_layout(data))
    with pytest.raises(FormatError) as caught:
        list(table.walk(first))
    assert caught.value.code == "fat.loop"
    with pytest.raises(FormatError):
        list(table.runs(first))


def test_the_upper_bits_of_an_entry_of_fat32_do_not_count():
    made = VOLUMES[32, False]
    data = bytearray(made.data)
    for table in made.table_offsets:
        data[table + made.chains[BOOT][0] * 4 + 3] |= 0xF0
    assert contents(parsed(bytes(data)), r"\EFI\BOOT\BOOTX64.EFI") == UKI


def sized(path: str, size: int) -> bytes:
    return SMALL.patched(SMALL.entries[path] + 28, struct.pack("<I", size))


def placed(path: str, cluster: int) -> bytes:
    return SMALL.patched(SMALL.entries[path] + 26, struct.pack("<H", cluster))


@pytest.mark.attack("B19")
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (sized(BOOT, 3_073), "fat.file-size"),
        (sized(BOOT, 2_560), "fat.file-size"),
        (sized(BOOT, 0), "fat.file-size"),
        (sized(BOOT, 0xFFFF_FFFF), "fat.file-size"),
        (sized("/EFI/EMPTY", 1), "fat.file-size"),
        (placed(BOOT, 0), "fat.file-size"),
        (placed(BOOT, 1), "fat.cluster"),
        (placed(BOOT, 62), "fat.cluster"),
        (placed("/EXACT", SMALL.chains[BOOT][-1]), "fat.cluster-twice"),
        (placed("/EFI/EMPTY", 61), "fat.cluster"),
        (placed("/loader", 0), "fat.cluster"),
        (placed("/loader", SMALL.chains["/EFI"][0]), "fat.cluster-twice"),
        (placed("/loader/entries", SMALL.chains["/loader"][0]), "fat.cluster-twice"),
        (placed("/loader", SMALL.chains["/loader/entries"][0]), "fat.dots"),
        (placed("/loader", SMALL.chains["/EXACT"][0]), "fat.cluster-twice"),
    ],
)
def test_an_entry_with_a_fault_is_refused(data, code):
    assert refused(data).code == code


def test_a_file_may_end_anywhere_in_its_last_cluster():
    for size in (2_561, 3_072):
        assert len(contents(parsed(sized(BOOT, size)), r"\EFI\BOOT\BOOTX64.EFI")) == size


def test_a_directory_fault_is_placed_on_the_volume():
    error = refused(SMALL.patched(SMALL.entries[BOOT], b"bootx64"))
    assert (error.code, error.offset) == ("fat.short-name", SMALL.entries[BOOT])


@pytest.mark.parametrize("kind", [12, 16, 32])
def test_what_a_folder_of_the_root_calls_its_parent(kind):
    made = VOLUMES[kind, False]
    parent = made.place(made.chains["/EFI"][0]) + 32
    above = made.place(made.chains["/EFI/BOOT"][0]) + 32
    itself = short_entry(b"..         ", FOLDER, 2)
    if kind == 32:  # some writers name the root's cluster, others zero
        parsed(made.patched(parent, itself))
    else:
        assert refused(made.patched(parent, itself)).code == "fat.dots"
    assert refused(made.patched(above, short_entry(b"..         ", FOLDER, 0))).code == "fat.dots"


@pytest.mark.attack("B19")
def test_the_number_of_files_and_folders_is_bounded(monkeypatch):
    tree = {f"{number}": {} for number in range(20)}
    monkeypatch.setattr(fat, "MAX_ENTRIES", 19)
    assert refused(make_fat(tree).data).code == "fat.too-many"
    monkeypatch.setattr(fat, "MAX_ENTRIES", 20)
    parsed(make_fat(tree).data)


@pytest.mark.attack("B19")
def test_a_directory_grows_to_a_bound(monkeypatch):
    monkeypatch.setattr(fat, "MAX_DIRECTORY_BYTES", 1_024)
    large = make_fat({"LARGE": {f"{number}": b"" for number in range(30)}})
    parsed(large.data)
    larger = make_fat({"LARGE": {f"{number}": b"" for number in range(31)}})
    assert refused(larger.data).code == "fat.directory-too-large"


@pytest.mark.attack("B19")
def test_folders_may_be_nested_as_deeply_as_there_is_room():
    volume = parsed(make_nested(3_000))
    assert len(volume.folders) == 3_001
    assert volume.find("\\D" * 3_000) is not None


def make_nested(depth: int) -> bytes:
    """A chain of folders, each in the one before: written by hand, as the writer recurses."""
    made = make_fat({}, kind=16)
    data = bytearray(made.data)
    data[made.root_offset : made.root_offset + 32] = short_entry(b"D          ", FOLDER, 2)
    for number in range(depth):
        place, cluster = made.place(2 + number), 2 + number
        data[place : place + 32] = short_entry(b".          ", FOLDER, cluster)
        data[place + 32 : place + 64] = short_entry(b"..         ", FOLDER, cluster - 1 if number else 0)
        if number < depth - 1:
            data[place + 64 : place + 96] = short_entry(b"D          ", FOLDER, cluster + 1)
        for table in made.table_offsets:
            struct.pack_into("<H", data, table + 2 * cluster, 0xFFFF)
    return bytes(data)


@pytest.mark.attack("B19")
def test_a_name_that_only_some_readers_take_for_the_one_asked_for_is_refused():
    made = make_fat({"EF\u0131": {"BOOT": {}}})
    with pytest.raises(FormatError) as caught:
        parsed(made.data).find(r"\EFI\BOOT")
    assert caught.value.code == "fat.lookalike"
    assert parsed(made.data).find("\\EF\u0131\\boot") is not None
