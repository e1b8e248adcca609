# SPDX-License-Identifier: Apache-2.0
"""Volumes made by mkfs.vfat and filled by mtools: mtools and our reader find the same files with the same contents."""

import random
import shutil
import string
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from tests.mtools import make_volume, run

from strongroom.formats.fat import FatVolume, parse_fat
from strongroom.formats.fat_names import folded

pytestmark = pytest.mark.slow

MEBIBYTE = 1 << 20
FORMATS = {
    "fat12": (2 * MEBIBYTE, "-F", 12),
    "fat12 of one table": (2 * MEBIBYTE, "-F", 12, "-f", 1),
    "fat12, clusters of 4 KiB": (8 * MEBIBYTE, "-F", 12, "-s", 8),
    "fat16": (9 * MEBIBYTE, "-F", 16, "-s", 1),
    "fat16, sectors of 1 KiB": (16 * MEBIBYTE, "-F", 16, "-S", 1024, "-s", 1),
    "fat16, sectors of 4 KiB": (64 * MEBIBYTE, "-F", 16, "-S", 4096, "-s", 1),
    "fat16, a large root": (20 * MEBIBYTE, "-F", 16, "-r", 4096),
    "fat32": (40 * MEBIBYTE, "-F", 32, "-s", 1),
    "fat32, clusters of 2 KiB": (140 * MEBIBYTE, "-F", 32, "-s", 4),
    "fat32, sectors of 4 KiB": (270 * MEBIBYTE, "-F", 32, "-S", 4096, "-s", 1),
    "as mkfs.vfat likes it": (48 * MEBIBYTE, "-n", "ESP"),
}
LETTERS = "abcXYZ019_-"
OTHER_CASE = str.maketrans(
    string.ascii_lowercase + string.ascii_uppercase, string.ascii_uppercase + string.ascii_lowercase
)
NAMES = st.one_of(
    st.from_regex(r"\A[A-Z0-9]{1,8}(\.[A-Z0-9]{1,3})?\Z"),
    st.from_regex(r"\A[a-z]{1,8}(\.[A-Z]{1,3})?\Z"),
    st.text(LETTERS + " .+,=éÜßΩж", min_size=1, max_size=40),
    st.text(LETTERS, min_size=60, max_size=120),  # mtools gives up on longer ones in clusters of 512 bytes
).filter(lambda name: name == name.strip(" ").rstrip("."))
FOLDERS = st.lists(NAMES, max_size=3).map(lambda parts: PurePosixPath("/", *parts))
STEPS = st.lists(
    st.tuples(FOLDERS, NAMES, st.integers(0, 20_000), st.sampled_from(["write", "write", "write", "delete"])),
    max_size=12,
)


def play(volume: Path, steps: list[tuple[PurePosixPath, str, int, str]], scratch: Path) -> None:
    """Write and delete files as the steps say, where that is possible: holes make later files lie in pieces."""
    folders, files = {PurePosixPath("/")}, dict[PurePosixPath, str]()
    for folder, name, size, what in [(PurePosixPath("/"), "FIRST", 1, "write"), *steps]:
        taken = {folded(path.as_posix()) for path in (*folders, *files)}
        for path in [*reversed(folder.parents), folder]:
            if path not in folders:
                assume(folded(path.as_posix()) not in taken)
                run("mmd", "-i", volume, f"::{path}")
                folders.add(path)
        if what == "delete":
            for path in list(files)[1:2]:
                run("mdel", "-i", volume, f"::{path}")
                del files[path]
        elif folded((folder / name).as_posix()) not in taken | {folded(p.as_posix()) for p in folders}:
            scratch.write_bytes(random.Random(f"{name} {size}").randbytes(size))
            run("mcopy", "-i", volume, scratch, f"::{folder / name}")
            files[folder / name] = name


def read_by_us(volume: FatVolume) -> dict[str, bytes | None]:
    """Every path with its contents, None for a folder."""
    found: dict[str, bytes | None] = {}
    waiting = [("", 0)]
    while waiting:
        path, cluster = waiting.pop()
        for entry in volume.folders[cluster]:
            inner = f"{path}/{entry.name}"
            assert volume.find(inner.replace("/", "\\").translate(OTHER_CASE)) == entry
            if entry.is_folder:
                waiting.append((inner, entry.first_cluster))
            found[inner] = None if entry.is_folder else volume.read(entry)
    return found


def read_by_mtools(volume: Path, scratch: Path) -> dict[str, bytes | None]:
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    run("mcopy", "-s", "-n", "-i", volume, "::/", scratch)
    return {
        f"/{path.relative_to(scratch)}": path.read_bytes() if path.is_file() else None for path in scratch.rglob("*")
    }


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=10, phases=[Phase.explicit, Phase.reuse, Phase.generate])  # shrinking would start 1000s of tools
@given(steps=STEPS)
def test_mtools_and_our_reader_find_the_same_tree(name, steps, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fat")
    volume = make_volume(folder / "volume", *FORMATS[name])
    play(volume, steps, folder / "scratch")
    found = read_by_us(parse_fat(memoryview(volume.read_bytes())))
    assert found == read_by_mtools(volume, folder / "read")
    listed = run("mdir", "-b", "-/", "-i", volume).splitlines()
    assert sorted(line.removeprefix("::").rstrip("/") for line in listed) == sorted(found)
    shutil.rmtree(folder)


def test_a_file_in_many_pieces_is_read_whole(tmp_path):
    """A hundred files of one cluster, every other one deleted: what is written next fills the holes."""
    volume = make_volume(tmp_path / "volume", 160 * 1024, "-F", 12, "-s", 1)
    small = [tmp_path / f"S{number}" for number in range(100)]
    for path in small:
        path.write_bytes(b"x" * 512)
    run("mcopy", "-i", volume, *small, "::/")
    filler = tmp_path / "FILLER"
    filler.write_bytes(bytes(90_000))
    run("mcopy", "-i", volume, filler, "::/")
    run("mdel", "-i", volume, *(f"::/{path.name}" for path in small[::2]))
    content = random.Random(1).randbytes(28_000)
    (tmp_path / "LARGE").write_bytes(content)
    run("mcopy", "-i", volume, tmp_path / "LARGE", "::/")
    read = parse_fat(memoryview(volume.read_bytes()))
    entry = read.find(r"\large")
    assert entry is not None
    assert len(list(read.table.runs(entry.first_cluster))) > 30
    assert read.read(entry) == content


def test_the_longest_name_is_read(tmp_path):
    volume = make_volume(tmp_path / "volume", 9 * MEBIBYTE, "-F", 16, "-s", 4)
    (tmp_path / "file").write_bytes(b"content")
    for length in (254, 255):
        run("mcopy", "-i", volume, tmp_path / "file", f"::/{'n' * length}")
    found = read_by_us(parse_fat(memoryview(volume.read_bytes())))
    assert found == {f"/{'n' * length}": b"content" for length in (254, 255)}


def test_qemus_own_fat_is_read(tmp_path):
    from strongroom.formats.mbr import parse_mbr

    tree = tmp_path / "tree"
    (tree / "EFI/BOOT").mkdir(parents=True)
    (tree / "EFI/BOOT/BOOTX64.EFI").write_bytes(random.Random(2).randbytes(70_000))
    (tree / "loader/credentials").mkdir(parents=True)
    (tree / "loader/credentials/a name of some length.cred").write_bytes(b"secret")
    (tree / "empty").touch()
    run("qemu-img", "convert", "-O", "raw", f"fat:{tree}", tmp_path / "disk")
    disk = memoryview((tmp_path / "disk").read_bytes())
    (record,) = parse_mbr(disk)
    found = read_by_us(parse_fat(disk[record.first_lba * 512 :]))
    assert {path: content for path, content in found.items() if content is not None} == {
        f"/{path.relative_to(tree)}": path.read_bytes() for path in tree.rglob("*") if path.is_file()
    }
