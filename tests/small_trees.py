# SPDX-License-Identifier: Apache-2.0
"""Small archives and file systems, made by hand, so that each field can be made wrong."""

from __future__ import annotations

import stat
import struct
from collections.abc import Mapping

FILE, FOLDER, LINK = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777
BLOCK_BYTES = 512


def newc(name: bytes, contents: bytes = b"", *, mode: int = FILE, links: int = 1, inode: int = 0, **fields) -> bytes:
    """Return one entry of a cpio archive. `fields` are uid, gid and device (major, minor)."""
    uid, gid, device = fields.get("uid", 0), fields.get("gid", 0), fields.get("device", (0, 0))
    numbers = (inode, mode, uid, gid, links, 0, len(contents), 0, 0, *device, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % number for number in numbers) + name + b"\0"
    return padded(head, 4) + padded(contents, 4)


def cpio(*entries: bytes) -> bytes:
    """Return an archive of entries, with its trailer."""
    return b"".join((*entries, newc(b"TRAILER!!!")))


def padded(data: bytes, size: int) -> bytes:
    return data + bytes(-len(data) % size)


def tar_entry(name: bytes, contents: bytes = b"", *, kind: bytes = b"0", target: bytes = b"", **fields) -> bytes:
    """Return a ustar entry. `fields` are mode, uid, gid, device, and `size` where it is not that of the contents."""
    header = bytearray(BLOCK_BYTES)
    device = fields.get("device", (0, 0))
    for at, value in ((0, name), (156, kind), (157, target), (257, b"ustar\x0000"), (345, fields.get("prefix", b""))):
        header[at : at + len(value)] = value
    numbers = ((100, "mode", 0o644), (108, "uid", 0), (116, "gid", 0), (329, "", device[0]), (337, "", device[1]))
    for at, key, default in numbers:
        header[at : at + 8] = b"%07o\0" % fields.get(key, default)
    size = fields.get("size", len(contents))
    header[124:136] = size if isinstance(size, bytes) else b"%011o\0" % size
    return summed(bytes(header)) + padded(contents, BLOCK_BYTES)


def summed(header: bytes) -> bytes:
    """Return a tar header with its checksum."""
    total = sum(header) - sum(header[148:156]) + 8 * 32
    return header[:148] + b"%06o\0 " % total + header[156:]


def pax(kind: bytes = b"x", /, **records: bytes) -> bytes:
    """Return an extended header. In names `__` stands for a dot."""
    lines = b""
    for key, value in records.items():
        rest = b" " + key.replace("__", ".").encode() + b"=" + value + b"\n"
        length = len(rest) + 1
        while len(str(length)) + len(rest) != length:
            length += 1
        lines += str(length).encode() + rest
    return tar_entry(b"pax", lines, kind=kind)


def tar(*entries: bytes) -> bytes:
    return b"".join(entries) + bytes(2 * BLOCK_BYTES)


class Erofs:
    """An EROFS of 512-byte blocks: inodes are added one by one, a slot of 32 bytes each as far as they fit.

    Block 0 and 1: nothing; 2: superblock; from 4 on: inodes; contents are all behind their inodes.
    """

    META = 4

    def __init__(self) -> None:
        self.inodes = bytearray()

    def inode(self, mode: int, contents: bytes = b"", **fields) -> int:
        """Add an inode with its contents behind it. Return its number."""
        nid = len(self.inodes) // 32
        attributes = fields.get("attributes", b"")
        count = 1 + (len(attributes) + 3) // 4 if attributes else 0
        layout = fields.get("layout", 2)
        size, union = fields.get("size", len(contents)), fields.get("union", 0)
        uid, gid = fields.get("uid", 0), fields.get("gid", 0)
        if fields.get("extended"):
            head = struct.pack("<HHHHQIIIIQII16x", layout << 1 | 1, count, mode, 0, size, union, 0, uid, gid, 0, 0, 1)
        else:
            head = struct.pack("<HHHHIIIIHHI", layout << 1, count, mode, 1, size, 0, union, 0, uid, gid, 0)
        xattr = bytes([0, 0, 0, 0, fields.get("shared", 0)]) + bytes(7) + padded(attributes, 4) if attributes else b""
        self.inodes += padded(head + xattr + contents, 32)
        return nid

    def folder(self, names: Mapping[bytes, int], **fields) -> int:
        return self.inode(FOLDER, dirents(names), **fields)

    def image(self, root: int, **fields) -> bytes:
        """Return the file system. `fields` are magic, bits, features and folder_bits of the superblock."""
        head = struct.pack(
            "<IIIBBHQQIIII16s16sIHHHBB",
            fields.get("magic", 0xE0F5E1E2), 0, 0, fields.get("bits", 9), 0, root, 1, 0, 0, 0,
            self.META, 0, b"", b"", fields.get("features", 0), 0, 0, 0, fields.get("folder_bits", 0), 0,
        )  # fmt: skip
        return padded(bytes(1024) + padded(head, 1024) + bytes(self.inodes) + bytes(fields.get("more", 0)), 512)


def dirents(names: Mapping[bytes, int]) -> bytes:
    """Return one block of a folder of EROFS."""
    entries, place = b"", 12 * len(names)
    for name, nid in names.items():
        entries += struct.pack("<QHBB", nid, place, 0, 0)
        place += len(name)
    return entries + b"".join(names)


def xattr(prefix: int, name: bytes, value: bytes) -> bytes:
    return padded(struct.pack("<BBH", len(name), prefix, len(value)) + name + value, 4)


def small_erofs() -> bytes:
    """Return a file system with a file, a link, a device and a folder in it."""
    made = Erofs()
    file = made.inode(FILE, b"canary", uid=7, gid=8, attributes=xattr(6, b"capability", b"caps") + xattr(1, b"x", b"y"))
    link = made.inode(LINK, b"etc/file")
    device = made.inode(stat.S_IFCHR | 0o600, union=0x0010_3405, extended=True)
    etc = made.folder({b".": 0, b"..": 0, b"file": file, b"hard": file})
    return made.image(made.folder({b".": 0, b"..": 0, b"dev": device, b"etc": etc, b"link": link}))


def verity_superblock(**fields) -> bytes:
    values = {
        "magic": b"verity\0\0", "version": 1, "hash_type": 1, "algorithm": b"sha256",
        "data": 4096, "hash": 4096, "blocks": 1, "salt": b"salt", "salt_bytes": 4,
    } | fields  # fmt: skip
    kinds = (values["magic"], values["version"], values["hash_type"], b"", values["algorithm"])
    sizes = (values["data"], values["hash"], values["blocks"], values["salt_bytes"], values["salt"])
    return struct.pack("<8sII16s32sIIQH6x256s", *kinds, *sizes)
