# SPDX-License-Identifier: Apache-2.0
"""What images hold: archives, file systems, hash trees, and the waivers of their audits."""

import stat
import struct

from tests.ext4_images import Ext4, extents, small_ext4
from tests.fuzz.target import Target
from tests.small_trees import (
    FILE,
    FOLDER,
    LINK,
    Erofs,
    cpio,
    dirents,
    newc,
    pax,
    small_erofs,
    tar,
    tar_entry,
    verity_superblock,
)

from strongroom.formats.audit_waivers import parse_waivers
from strongroom.formats.cpio import parse_cpio
from strongroom.formats.erofs import parse_erofs
from strongroom.formats.ext4 import parse_ext4
from strongroom.formats.tar import parse_tar
from strongroom.formats.verity import parse_verity
from strongroom.formats.zstd_frame import zstd_frame_end
from strongroom.imaging.tree.archives import cpio_tree, tar_tree
from strongroom.measure.verity import measure_root_hash

WAIVERS = '[[waivers]]\nrule = "audit.sshd"\nreason = "why"\nexpires = 2030-12-31\n'


def read_cpio(data: bytes) -> None:
    """Whatever is in it lies in the tree; none of it outside."""
    archive = parse_cpio(memoryview(data))
    assert archive.end <= len(data)
    tree = cpio_tree([archive])
    assert all(path.startswith("/") and ".." not in path.split("/") for path in tree.nodes)


def read_tar(data: bytes) -> None:
    for entry in parse_tar(memoryview(data)):
        assert len(entry.contents) <= len(data)
    tree = tar_tree(memoryview(data))
    assert all(path.startswith("/") and ".." not in path.split("/") for path in tree.nodes)


def read_erofs(data: bytes) -> None:
    for entry in parse_erofs(memoryview(data)):
        assert entry.path.startswith(b"/")
        assert entry.parts is None or sum(map(len, entry.parts)) == entry.size


def read_ext4(data: bytes) -> None:
    for entry in parse_ext4(memoryview(data)):
        if stat.S_ISREG(entry.mode):
            assert len(entry.contents.read()) <= entry.size


def read_zstd(data: bytes) -> None:
    assert zstd_frame_end(memoryview(data)) <= len(data)


def read_verity(data: bytes) -> None:
    superblock = parse_verity(memoryview(data))
    measure_root_hash(memoryview(data), superblock)


def read_waivers(data: bytes) -> None:
    parse_waivers(data.decode("utf-8", "replace"), name="waivers.toml")


def archives() -> list[bytes]:
    linked = newc(b"a", links=2, inode=5), newc(b"b", b"both", links=2, inode=5)
    return [cpio(newc(b"lib", b"usr/lib", mode=LINK), newc(b"usr/lib", mode=FOLDER), newc(b"lib/x", b"y"), *linked)]


def tars() -> list[bytes]:
    long = tar_entry(b"././@LongLink", b"long\0", kind=b"L")
    attribute = pax(SCHILY__xattr__security__capability=b"\x01")
    plain = tar(tar_entry(b"a", b"x"), tar_entry(b"b", kind=b"1", target=b"a"), tar_entry(b"l", kind=b"2", target=b"."))
    return [plain, tar(long, tar_entry(b"s")), tar(attribute, tar_entry(b"p", b"y")), tar(pax(b"g", uid=b"1"))]


def frames() -> list[bytes]:
    block = (1 | 3 << 3).to_bytes(3, "little") + b"abc"
    return [b"\x28\xb5\x2f\xfd\x20\x03" + block, b"\x28\xb5\x2f\xfd\xe7" + bytes(12) + block + bytes(4)]


def hash_trees() -> list[bytes]:
    small = {"data": 512, "hash": 512}
    return [verity_superblock(**small) + bytes(512), verity_superblock(**small, blocks=2, hash_type=0) + bytes(1024)]


def many_members() -> list[bytes]:
    """As many entries, and as many folders in each other, as fit."""
    deep = [newc(b"/".join([b"d"] * depth), mode=FOLDER) for depth in range(1, 200)]
    return [cpio(*(newc(b"%d" % number) for number in range(500))), cpio(*deep), newc(b"/".join([b"d"] * 2_000))]


def many_blocks() -> list[bytes]:
    return [
        tar(*(tar_entry(b"%d" % number) for number in range(120))),
        tar(tar_entry(b"d", b"6 a=b\n" * 9_000, kind=b"x")),
    ]


def looped() -> list[bytes]:
    """Trees of extents and maps that lead to the same blocks again and again."""
    found = []
    for depth, rows in ((4, 4), (1, 80)):
        made = Ext4()
        block = made.block(extents((0, 11, 1)))
        for level in range(1, depth):
            block = made.block(extents(*[(0, block, 0)] * 80, depth=level))
        top = extents(*[(0, block, 0)] * min(rows, 4), depth=depth)
        found.append(made.root({b"%d" % n: made.inode(FILE, block=top, size=1 << 40) for n in range(9)}))
    made = Ext4()
    zeros = made.block(bytes(1024))
    level = made.block(struct.pack("<256I", *[zeros] * 256))
    level = made.block(struct.pack("<256I", *[level] * 256))
    pointers = struct.pack("<15I", *[0] * 14, level)
    return [*found, made.root({b"x": made.inode(FILE, block=pointers, size=1 << 30, flags=0)})]


def crowded() -> list[bytes]:
    """A folder that is its own child in many ways, and one file of many names."""
    made = Erofs()
    file = made.inode(FILE, b"x")
    folder = made.inode(FOLDER, dirents({b"%02d" % number: file for number in range(30)}) * 100)
    return [made.image(made.folder({b"a": folder, b"b": folder})), struct.pack("<1024sI", b"", 0xE0F5E1E2) * 30]


TARGETS = (
    Target("trees.cpio", read_cpio, archives, max_bytes=4_096, worst=many_members),
    Target("trees.tar", read_tar, tars, max_bytes=8_192, worst=many_blocks),
    Target("trees.erofs", read_erofs, lambda: [small_erofs()], max_bytes=8_192, worst=crowded),
    Target("trees.ext4", read_ext4, lambda: [small_ext4()], max_bytes=65_536, worst=looped),
    Target("trees.zstd", read_zstd, frames),
    Target("trees.verity", read_verity, hash_trees),
    Target("trees.waivers", read_waivers, lambda: [b"version = 1\n" + WAIVERS.encode()]),
)
