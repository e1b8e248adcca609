# SPDX-License-Identifier: Apache-2.0
"""A small attestable disk, made by hand: an ESP with a UKI, an EROFS root, and dm-verity's superblock beside it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from tests.disks import LINUX, Part, gpt_disk
from tests.fat_volumes import make_fat
from tests.images import make_uki
from tests.small_trees import FILE, Erofs, cpio, newc, verity_superblock

from strongroom.formats.verity import parse_verity
from strongroom.measure.verity import measure_root_hash

OS_RELEASE = b"ID=test\nVARIANT_ID=production\n"
FILES = {
    "etc/os-release": OS_RELEASE,
    "etc/canary": b"found",
    "usr/lib/modules/6.1.0-test/config": b'# CONFIG_A is not set\nCONFIG_KEXEC=y\nCONFIG_NAME="a b"\n',
}
INITRD = cpio(newc(b"init", b"#!/bin/sh\n", mode=0o100755))
BLOCK_BYTES = 512


def erofs_of(files: Mapping[str, bytes]) -> bytes:
    """Return a file system with these files."""
    made = Erofs()

    def folder(names: Mapping[str, bytes]) -> int:
        inside: dict[str, dict[str, bytes]] = {}
        numbers: dict[bytes, int] = {}
        for path, contents in names.items():
            first, _, rest = path.partition("/")
            if rest:
                inside.setdefault(first, {})[rest] = contents
            else:
                numbers[first.encode()] = made.inode(FILE, contents)
        numbers |= {name.encode(): folder(below) for name, below in inside.items()}
        return made.folder({name: numbers[name] for name in sorted(numbers)})

    return made.image(folder(files))


def audited_disk(
    files: Mapping[str, bytes] = FILES,
    *,
    command_line: str = "roothash={roothash}",
    initrd: bytes = INITRD,
    os_release: bytes = OS_RELEASE,
    root: bytes | None = None,
    verity: bool = True,
) -> bytes:
    """Return a disk. In its command line `{roothash}` stands for the right one."""
    system = erofs_of(files) if root is None else root
    blocks = len(system) // BLOCK_BYTES
    superblock = verity_superblock(data=BLOCK_BYTES, hash=BLOCK_BYTES, blocks=blocks)
    root_hash = measure_root_hash(memoryview(system), parse_verity(memoryview(superblock)))
    sections = {".osrel": os_release, ".cmdline": command_line.format(roothash=root_hash).encode(), ".initrd": initrd}
    uki = make_uki({".linux": b"kernel", ".uname": b"6.1.0-test", **{k: v for k, v in sections.items() if v}})
    volume = make_fat({"EFI": {"BOOT": {"BOOTX64.EFI": uki}}}).data
    parts = [(volume, None, None), (system, LINUX, root_hash[:32])]
    parts += [(superblock, LINUX, root_hash[-32:])] if verity else []
    return gpt_disk(*_laid_out(parts))


def _laid_out(parts) -> list[Part]:
    first, found = 34, []
    for content, kind, unique in parts:
        sectors = -(-len(content) // BLOCK_BYTES)
        named = {} if kind is None else {"kind": kind, "unique": uuid.UUID(unique)}
        found.append(Part(first, first + sectors - 1, content=content, **named))
        first += sectors
    return found
