# SPDX-License-Identifier: Apache-2.0
"""An initrd is what the kernel makes of it: archives one over the other, each perhaps compressed."""

import gzip
import lzma

import pytest
from tests.small_trees import FOLDER, LINK, cpio, newc

from strongroom.errors import FormatError
from strongroom.imaging.tree import compression, initrd
from strongroom.imaging.tree.initrd import initrd_tree

FIRST = cpio(newc(b"usr/lib", mode=FOLDER), newc(b"lib", b"usr/lib", mode=LINK), newc(b"init", b"old", mode=0o100755))
SECOND = cpio(newc(b"lib/x", b"canary"), newc(b"/init", b"new", uid=3), newc(b"dev/null", mode=0o20666, device=(1, 3)))


def tree(tmp_path, data: bytes):
    return initrd_tree(memoryview(data), tmp_path)


@pytest.mark.parametrize(
    "data",
    [
        FIRST + SECOND,
        FIRST + bytes(512) + SECOND + bytes(100_000),
        gzip.compress(FIRST + SECOND, mtime=0),
        FIRST + gzip.compress(SECOND, mtime=0),
        lzma.compress(FIRST, check=lzma.CHECK_CRC32) + bytes(3) + gzip.compress(SECOND, mtime=0) + bytes(70_000),
    ],
    ids=["plain", "zeros between", "gzip", "gzip behind plain", "xz and gzip"],
)
def test_archives_are_unpacked_over_each_other(tmp_path, data):
    found = tree(tmp_path, data)
    assert found.read("/lib/x") == found.read("/usr/lib/x") == b"canary"
    assert found.nodes["/usr/lib/x"].size == 6
    assert found.read("/init") == b"new"
    assert (found.nodes["/init"].uid, found.nodes["/init"].mode) == (3, 0o100644)
    assert found.nodes["/dev/null"].device == (1, 3)
    assert found.nodes["/dev"].is_folder
    assert not list(tmp_path.iterdir())


def test_names_of_one_file_share_its_contents(tmp_path):
    linked = [newc(name, links=3, inode=5) for name in (b"a", b"b")]
    found = tree(tmp_path, cpio(*linked, newc(b"c", b"all", links=3, inode=5)))
    assert [found.read(f"/{name}") for name in "abc"] == [b"all"] * 3
    found = tree(tmp_path, cpio(newc(b"c", b"all", links=3, inode=5), *linked))
    assert [found.read(f"/{name}") for name in "abc"] == [b"all"] * 3


def test_what_is_of_no_kind_is_left_out(tmp_path):
    assert list(tree(tmp_path, cpio(newc(b"odd", mode=0o644))).nodes) == ["/"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x89LZO" + bytes(9), "compression.kind"),
        (gzip.compress(FIRST, mtime=0)[:-9], "compression.truncated"),
        (b"\x1f\x8b\x07" + bytes(40), "compression.stream"),
        (cpio(newc(b"../x", b"y")), "tree.path"),
        (cpio(newc(b"a", b"y"), newc(b"a/b", b"y")), "tree.path"),
        (cpio(newc(b"l", b"/nowhere", mode=LINK), newc(b"l/b", b"y")), None),
        (cpio(newc(b"l", b"l", mode=LINK), newc(b"l/b", b"y")), "tree.path"),
        (cpio(newc(b"/".join([b"d"] * 300), b"y")), "tree.path"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, data, code):
    if code is None:  # nothing is left out because a link leads nowhere yet
        assert tree(tmp_path, data).read("/nowhere/b") == b"y"
        return
    with pytest.raises(FormatError) as caught:
        tree(tmp_path, data)
    assert caught.value.code == code


def test_what_is_unpacked_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(initrd, "MAX_BYTES", 4_000)
    tree(tmp_path, gzip.compress(FIRST, mtime=0))
    for bomb in (
        gzip.compress(bytes(1 << 22), mtime=0),
        lzma.compress(bytes(1 << 22)),
        gzip.compress(FIRST, mtime=0) * 40,
    ):
        with pytest.raises(FormatError) as caught:
            tree(tmp_path, bomb)
        assert caught.value.code == "compression.too-large"


def test_archives_have_a_limit(tmp_path):
    with pytest.raises(FormatError) as caught:
        tree(tmp_path, cpio() * 70)
    assert caught.value.code == "initrd.too-many"


def test_a_stream_of_several_steps_is_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "_STEP_BYTES", 16)
    for packed in (gzip.compress(FIRST + SECOND, mtime=0), lzma.compress(FIRST + SECOND)):
        assert tree(tmp_path, packed).read("/lib/x") == b"canary"
