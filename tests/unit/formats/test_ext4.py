# SPDX-License-Identifier: Apache-2.0
"""ext2 to ext4: names, modes, owners, links, devices, attributes, and contents however they are stored."""

import struct

import pytest
from tests.ext4_images import (
    ENCRYPTED,
    INLINE,
    Ext4,
    attribute_entries,
    dirents,
    extents,
    in_block,
    in_inode,
    small_ext4,
)
from tests.small_trees import FILE, FOLDER, LINK

from strongroom.errors import FormatError
from strongroom.formats import ext4 as reader
from strongroom.formats import ext4_blocks
from strongroom.formats.ext4 import parse_ext4
from strongroom.formats.ext4_blocks import Extent, read_extents


def entries(data: bytes):
    return {entry.path: entry for entry in parse_ext4(memoryview(data))}


def refused(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        read_all(data)
    return caught.value.code


def read_all(data: bytes) -> None:
    for entry in parse_ext4(memoryview(data)):
        if entry.mode == FILE:
            entry.contents.read()


def holding(build) -> bytes:
    """Return a file system whose root holds the inode that `build` adds, as `x`."""
    made = Ext4()
    return made.root({b"x": build(made)})


def test_every_kind_of_entry_is_read():
    found = entries(small_ext4())
    file = found[b"/etc/file"]
    assert (file.uid, file.gid, file.size, file.mode) == (0x1_0007, 0x2_0008, 6, FILE)
    assert file.attributes == {"security.capability": b"caps"}
    assert bytes(file.contents.read()) == b"canary"
    assert found[b"/etc/hard"].inode == found[b"/folded/one"].inode == file.inode
    assert found[b"/etc/blocked"].attributes == {"user.x": b"y", "security.capability": b"caps"}
    assert found[b"/link"].target == b"etc/file"
    assert found[b"/long"].target == b"x" * 70
    assert found[b"/dev"].device == (0x34, 0x105)
    assert found[b"/blk"].device == (8, 1)
    assert found[b"/etc"].mode == FOLDER
    assert set(found) > {b"/", b"/etc", b"/folded"}


def test_contents_are_read_however_they_are_stored():
    found = entries(small_ext4())
    tail = b"tail" + bytes(1020)
    assert bytes(found[b"/holes"].contents.read()) == bytes(1024) + tail + bytes(1024 + 9)
    assert bytes(found[b"/deep"].contents.read()) == b"tail"
    assert bytes(found[b"/mapped"].contents.read()) == tail + bytes(11 * 1024) + tail
    assert bytes(found[b"/etc/inline"].contents.read()) == b"i" * 60 + b"more"


def test_maps_of_three_levels_are_followed():
    made = Ext4(blocks=128)
    block = made.block(b"end")
    third = made.block(struct.pack("<I", made.block(struct.pack("<I", made.block(struct.pack("<I", block))))))
    second = made.block(struct.pack("<II", 0, made.block(struct.pack("<I", block))))
    first = 12 + 256 + 256 * 256
    pointers = struct.pack("<15I", *[0] * 13, second, third)
    inode = made.inode(FILE, block=pointers, size=first * 1024 + 3, flags=0)
    entry = entries(made.root({b"x": inode}))[b"/x"]
    found = read_extents(memoryview(made.data), entry.contents.layout, entry.contents.inode)
    assert found == (Extent(12 + 256 + 256, block, 1), Extent(first, block, 1))


def test_an_old_revision_has_small_inodes():
    made = Ext4()
    made.data[2 * 1024 + 8 : 2 * 1024 + 12] = struct.pack("<I", 3)
    raw = struct.pack("<HHI", FOLDER, 0, 0)
    made.root({})
    data = bytearray(made.image(revision=0, inode_bytes=7))
    data[3 * 1024 + 128 : 3 * 1024 + 256] = raw.ljust(128, b"\0")
    assert list(entries(bytes(data))) == [b"/"]


def test_wide_descriptors_have_high_halves():
    made = Ext4()
    made.root({b"x": made.inode(FILE, b"y")})
    data = bytearray(made.image(features=0x42 | 0x80, wide=64))
    assert list(entries(bytes(data))) == [b"/", b"/x"]
    data[2 * 1024 + 40] = 1
    assert refused(bytes(data)) == "ext.bounds"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"magic": 1}, "ext.superblock"),
        ({"bits": 7}, "ext.superblock"),
        ({"per_group": 0}, "ext.superblock"),
        ({"inode_bytes": 100}, "ext.superblock"),
        ({"features": 0x42 | 0x10}, "ext.feature"),
        ({"features": 0x42 | 0x4}, "ext.unclean"),
        ({"features": 0x42 | 0x80, "wide": 32}, "ext.descriptor"),
    ],
)
def test_a_wrong_superblock_is_named(fields, code):
    made = Ext4(blocks=12)
    made.root({})
    assert refused(made.image(**fields)) == code


def attribute(*rows, **fields):
    return lambda made: made.inode(FILE, extra=struct.pack("<I", 0xEA02_0000) + attribute_entries(rows, **fields))


@pytest.mark.parametrize(
    ("build", "code"),
    [
        (lambda made: 33, "ext.inode"),
        (lambda made: made.inode(FILE, flags=ENCRYPTED), "ext.encrypted"),
        (lambda made: made.inode(LINK), "ext.link"),
        (lambda made: made.inode(LINK, size=5000, block=extents()), "ext.link"),
        (lambda made: made.inode(FOLDER, b"\1\0\0\0\7\0\1\0a" + bytes(1015)), "ext.folder"),
        (lambda made: made.inode(FOLDER, b"\1\0\0\0\x0e\0\1\0a" + bytes(1015)), "ext.folder"),
        (lambda made: made.inode(FOLDER, b"\1\0\0\0\xfc\x0f\1\0a" + bytes(1015)), "ext.folder"),
        (lambda made: made.folder({b"a/b": 11}), "ext.name"),
        (lambda made: made.folder({b"a\0b": 11}), "ext.name"),
        (lambda made: made.folder({b"": 11}), "ext.name"),
        (lambda made: made.folder({b"up": 2}), "ext.folder-twice"),
        (lambda made: made.inode(FILE, block=extents(magic=1), size=1), "ext.extents"),
        (lambda made: made.inode(FILE, block=extents(depth=6), size=1), "ext.extents"),
        (lambda made: made.inode(FILE, block=extents(entries=5), size=1), "ext.extents"),
        (lambda made: made.inode(FILE, block=extents((0, 11, 0)), size=1), "ext.extents"),
        (lambda made: made.inode(FILE, block=extents((0, made.block(extents()), 0), depth=1), size=1), "ext.extents"),
        (lambda made: made.inode(FILE, block=extents((1, 11, 1), (1, 12, 1)), size=1), "ext.order"),
        (lambda made: made.inode(FILE, block=extents((0, 9_999, 1)), size=1), "ext.bounds"),
        (lambda made: made.inode(FILE, block=extents((0, 9_999, 0), depth=1), size=1), "ext.bounds"),
        (lambda made: made.inode(FILE, size=1 << 40), "ext.sparse"),
        (lambda made: made.inode(FILE, block=b"", size=1 << 40, flags=0), "ext.sparse"),
        (lambda made: made.inode(FILE, attribute_block=9_999), "ext.attribute"),
        (lambda made: made.inode(FILE, attribute_block=made.block(in_block(magic=1))), "ext.attribute"),
        (attribute((6, b"a", b"v"), start=0, end=2_000), "ext.attribute"),
        (attribute((6, b"a", b"v"), start=0, end=92, elsewhere=5), "ext.attribute"),
        (lambda made: made.inode(FILE, extra=struct.pack("<I", 0xEA02_0000) + b"\1" * 92), "ext.attribute"),
    ],
)
def test_what_is_wrong_is_named(build, code):
    assert refused(holding(build)) == code


def test_attributes_that_never_end_are_refused():
    rows = [(1, b"", b"")] * 5
    full = struct.pack("<I", 0xEA02_0000) + b"".join(
        struct.pack("<BBHIII", 0, prefix, 0, 0, 0, 0) for prefix, _, _ in rows
    )
    assert refused(holding(lambda made: made.inode(FILE, extra=full.ljust(96, b"\1")))) == "ext.attribute"


def test_too_short_a_file_system_is_refused():
    assert refused(small_ext4()[:2_000]) == "ext.superblock"


def test_entries_and_folders_and_maps_have_a_limit(monkeypatch):
    monkeypatch.setattr(reader, "MAX_ENTRIES", 15)
    assert len(entries(small_ext4())) == 15
    monkeypatch.setattr(reader, "MAX_ENTRIES", 14)
    assert refused(small_ext4()) == "ext.too-many"
    monkeypatch.setattr(reader, "MAX_ENTRIES", 99)
    monkeypatch.setattr(ext4_blocks, "MAX_MAPPED_BLOCKS", 12)
    assert refused(small_ext4()) == "ext.sparse"
    monkeypatch.setattr(ext4_blocks, "MAX_MAPPED_BLOCKS", 99)
    monkeypatch.setattr(reader, "MAX_FOLDER_BYTES", 1_500)
    assert refused(small_ext4()) == "ext.folder-twice"


def test_names_that_are_gone_are_left_out():
    made = Ext4()
    names = {b"kept": made.inode(FILE, b"y"), b"gone": 0}
    assert dirents(names)
    assert list(entries(made.root(names))) == [b"/", b"/kept"]


def test_inline_folders_go_on_in_an_attribute():
    made = Ext4()
    file = made.inode(FILE, b"y")
    block = (struct.pack("<IIHBB", 2, file, 56, 3, 0) + b"one").ljust(60, b"\0")
    more = struct.pack("<IHBB", file, 12, 3, 0) + b"two\0"
    folder = made.inode(FOLDER, block=block, size=72, flags=INLINE, extra=in_inode((7, b"data", more)))
    assert {*entries(made.root({b"d": folder}))} == {b"/", b"/d", b"/d/one", b"/d/two"}
