# SPDX-License-Identifier: Apache-2.0
"""Disks with an EROFS that Debian's mkfs.erofs wrote, compared down to the file and the byte."""

import os
import subprocess
import uuid

import pytest
from tests.disks import ESP, gpt_disk, partition
from tests.fat_volumes import make_fat
from tests.images import make_uki
from tests.processes import program

from strongroom.imaging.compare.outputs import compare_outputs

pytestmark = pytest.mark.slow

ROOT, HASHES = (
    uuid.UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709"),
    uuid.UUID("2c7357ed-ebd2-46d9-aec1-23d437ec2bf5"),
)
TRUST = "usr/lib/strongroom/trust.json"
FIRST_HASH, SECOND_HASH = "a1" * 16 + "b2" * 16, "c3" * 16 + "d4" * 16


def erofs(folder, *, epoch=1_700_000_000, **files: bytes) -> bytes:
    """A compressed file system; equal files make equal bytes."""
    tree = folder / "tree"
    contents = {"etc/hostname": b"room\n", TRUST: b'{"profile": "production"}\n' * 900} | files
    for path, data in contents.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(data)
    for found, _, _ in os.walk(tree):
        os.utime(found, (0, 0))
    image = folder / "root.erofs"
    options = [f"-T{epoch}", "-U11111111-2222-3333-4444-555555555555", "-zlz4", "--all-root"]
    subprocess.run([program("mkfs.erofs"), *options, image, tree], check=True, capture_output=True)
    return bytes(image.read_bytes())


def build(folder, *, root_hash=FIRST_HASH, hashes=b"hash tree", extra=None, epoch=1_700_000_000, **files: bytes):
    """An output folder with a disk in it, laid out as the images that are built here."""
    folder.mkdir()
    root = erofs(folder, epoch=epoch, **files)
    image = make_uki(cmdline=f"quiet roothash={root_hash}".encode())
    loader = make_fat({"EFI": {"BOOT": {"BOOTX64.EFI": image}}, **(extra or {})}, kind=16).data
    halves = uuid.UUID(root_hash[:32]), uuid.UUID(root_hash[32:])
    at, parts = 64, []
    for number, (content, kind) in enumerate([(loader, ESP), (root, ROOT), (hashes.ljust(4_096, b"\0"), HASHES)]):
        unique = halves[number - 1] if number else None
        parts.append(partition(content, first=at, kind=kind, name=("esp", "root", "verity")[number], unique=unique))
        at = parts[-1].last + 1
    output = folder / "output"
    output.mkdir()
    (output / "disk.raw").write_bytes(gpt_disk(*parts))
    (output / "image.efi").write_bytes(image)
    return output


def test_two_equal_builds_do_not_differ(tmp_path):
    assert compare_outputs(build(tmp_path / "a"), build(tmp_path / "b")) == ()


def test_another_trust_file_is_the_one_difference_and_all_else_follows_from_it(tmp_path):
    other = b'{"profile": "rehearsal"}\n' * 900
    right = build(tmp_path / "b", root_hash=SECOND_HASH, hashes=b"another tree", **{TRUST: other})
    found = compare_outputs(build(tmp_path / "a"), right)
    (cause,) = [each for each in found if not each.follows]
    assert cause.place == ("disk.raw", 'partition 2 ("root")', f"/{TRUST}")
    assert (cause.offset, bytes.fromhex(cause.left + cause.right)) == (13, b"pr")
    assert {each.follows for each in found[1:]} >= {"the root hash", 'partition 2 ("root")', "the partition table"}
    assert {each.place[1] for each in found if each.place[0] == "disk.raw"} >= {
        'partition 1 ("esp")',
        'partition 3 ("verity")',
        "outside of its partitions",
    }


def test_a_file_more_on_the_system_partition_is_named(tmp_path):
    found = compare_outputs(build(tmp_path / "a"), build(tmp_path / "b", extra={"note.txt": b"hello"}))
    assert [(each.place[1:], each.follows) for each in found] == [(('partition 1 ("esp")', "\\note.txt"), "")]


def test_a_byte_that_belongs_to_no_file_is_found(tmp_path):
    (found, *_) = compare_outputs(build(tmp_path / "a"), build(tmp_path / "b", epoch=1_700_000_001))
    assert found.place[1:] == ('partition 2 ("root")', "outside of its files")
    assert found.offset == 1_024 + 4, "the checksum of the superblock: it holds the time"


def test_hashes_that_differ_without_the_root_are_a_difference_by_themselves(tmp_path):
    (found,) = compare_outputs(build(tmp_path / "a"), build(tmp_path / "b", hashes=b"hash TREE"))
    assert (found.place[1], found.offset, found.follows) == ('partition 3 ("verity")', 5, "")


@pytest.mark.parametrize(("at", "where"), [(100, "outside of its partitions"), (None, None)])
def test_what_no_partition_holds_is_compared_too(tmp_path, at, where):
    left, right = build(tmp_path / "a"), build(tmp_path / "b")
    disk = bytearray((right / "disk.raw").read_bytes())
    if at is None:
        disk[512:520] = b"NO TABLE"
    else:
        disk[at] ^= 1
    (right / "disk.raw").write_bytes(disk)
    (found,) = compare_outputs(left, right)
    assert found.place == ("disk.raw", where)[: 1 + (where is not None)]
    assert bool(found.note) == (at is None)
