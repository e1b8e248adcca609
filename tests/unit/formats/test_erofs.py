# SPDX-License-Identifier: Apache-2.0
"""EROFS: names, modes, owners, links, devices and attributes."""

import stat

import pytest
from tests.small_trees import FILE, FOLDER, LINK, Erofs, dirents, small_erofs, xattr

from strongroom.errors import FormatError
from strongroom.formats import erofs as reader
from strongroom.formats.erofs import parse_erofs, resembles_erofs


def entries(data: bytes):
    return {entry.path: entry for entry in parse_erofs(memoryview(data))}


def refused(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        entries(data)
    return caught.value.code


def rooted(build, **fields) -> bytes:
    """Return a file system whose root holds the inode that `build` adds, as `x`."""
    made = Erofs()
    inode = build(made)
    return made.image(made.folder({b"x": inode}), **fields)


def test_every_kind_of_entry_is_read():
    found = entries(small_erofs())
    assert list(found) == [b"/", b"/link", b"/etc", b"/etc/hard", b"/etc/file", b"/dev"]
    file = found[b"/etc/file"]
    assert (file.uid, file.gid, file.size, file.mode) == (7, 8, 6, FILE)
    assert b"".join(file.parts) == b"canary"
    assert file.attributes == {"security.capability": b"caps", "user.x": b"y"}
    assert found[b"/etc/hard"].nid == file.nid
    assert found[b"/link"].target == b"etc/file"
    assert found[b"/dev"].device == (0x34, 0x105)
    assert stat.S_ISCHR(found[b"/dev"].mode)
    assert resembles_erofs(memoryview(small_erofs()))
    assert not resembles_erofs(memoryview(b""))


def test_contents_lie_in_blocks_behind_the_inode_or_both():
    made = Erofs()
    plain = made.inode(FILE, layout=0, union=16, size=700)
    both = made.inode(FILE, b"tail", layout=2, union=16, size=512 + 4)
    whole = made.inode(FILE, b"t" * 512, layout=2, union=16, size=1024)
    image = bytearray(made.image(made.folder({b"b": both, b"p": plain, b"w": whole}), more=16 * 512))
    image[16 * 512 : 16 * 512 + 700] = b"x" * 700
    found = entries(bytes(image))
    assert [bytes(part) for part in found[b"/p"].parts] == [b"x" * 700]
    assert b"".join(found[b"/b"].parts) == b"x" * 512 + b"tail"
    assert b"".join(found[b"/w"].parts) == b"x" * 512 + b"t" * 512


@pytest.mark.parametrize("layout", [1, 3, 4])
def test_compressed_contents_are_not_given(layout):
    assert entries(rooted(lambda made: made.inode(FILE, layout=layout, size=9)))[b"/x"].parts is None


def test_attributes_may_be_shared():
    made = Erofs()
    shared = xattr(6, b"capability", b"shared")
    place = (Erofs.META * 512 + 0) // 4  # behind nothing: the first inode holds it as its contents
    holder = made.inode(FILE, shared)
    user = made.inode(FILE, b"", attributes=(place + 32 // 4).to_bytes(4, "little"), shared=1)
    found = entries(made.image(made.folder({b"h": holder, b"u": user})))
    assert found[b"/u"].attributes == {"security.capability": b"shared"}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "erofs.superblock"),
        (rooted(lambda made: made.inode(FILE), magic=1), "erofs.superblock"),
        (rooted(lambda made: made.inode(FILE), bits=8), "erofs.superblock"),
        (rooted(lambda made: made.inode(FILE), folder_bits=1), "erofs.superblock"),
        (rooted(lambda made: made.inode(FILE), features=8), "erofs.feature"),
        (rooted(lambda made: 1 << 40), "erofs.bounds"),
        (rooted(lambda made: made.inode(FILE, layout=0, union=1 << 20, size=1)), "erofs.bounds"),
        (rooted(lambda made: made.inode(FILE, size=1 << 62, layout=0, extended=True)), "erofs.bounds"),
        (rooted(lambda made: made.inode(LINK, size=0)), "erofs.link"),
        (rooted(lambda made: made.inode(LINK, b"x" * 5000)), "erofs.link"),
        (rooted(lambda made: made.inode(LINK, b"x", layout=3)), "erofs.link"),
        (rooted(lambda made: made.inode(FOLDER, b"x", layout=3)), "erofs.folder-layout"),
        (rooted(lambda made: made.inode(FOLDER, b"x" * 5)), "erofs.folder"),
        (rooted(lambda made: made.inode(FOLDER, bytes(24))), "erofs.folder"),
        (rooted(lambda made: made.inode(FOLDER, dirents({b"a": 0})[:8] + b"\x0d" + bytes(20))), "erofs.folder"),
        (rooted(lambda made: made.folder({b"a/b": 0})), "erofs.name"),
        (rooted(lambda made: made.folder({b"": 0, b"b": 0})), "erofs.name"),
        (rooted(lambda made: made.folder({b"a\0": 0, b"b": 0})), "erofs.name"),
        (rooted(lambda made: made.inode(FILE, attributes=xattr(0x86, b"capability", b"v"))), "erofs.attribute"),
        (rooted(lambda made: made.inode(FILE, attributes=b"\xff\x06\xff\xff")), "erofs.attribute"),
    ],
)
def test_what_is_wrong_is_named(data, code):
    assert refused(data) == code


def test_a_folder_has_one_name():
    made = Erofs()
    made.folder({b"x": 0})
    assert refused(made.image(0)) == "erofs.folder-twice"


def test_entries_have_a_limit(monkeypatch):
    monkeypatch.setattr(reader, "MAX_ENTRIES", 6)
    assert len(entries(small_erofs())) == 6
    monkeypatch.setattr(reader, "MAX_ENTRIES", 5)
    assert refused(small_erofs()) == "erofs.too-many"
