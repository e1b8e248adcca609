# SPDX-License-Identifier: Apache-2.0
"""The root as an erofs file system, and its hash tree (dm-verity, Linux admin-guide/device-mapper/verity)."""

from __future__ import annotations

import re
import shlex
import uuid
from dataclasses import dataclass
from pathlib import Path

from strongroom.errors import LocalFault
from strongroom.imaging.bases.archive import write_archive
from strongroom.imaging.build.workshop import Workshop
from strongroom.imaging.provenance import digest_file
from strongroom.imaging.tree.tree import Tree

COMPRESSION = "lz4"
_NAMES = uuid.UUID("9b1f6a0e-6f0e-5b7e-9f5e-2f6a1c7d4e10")
"""For what has to have a UUID and shall have the same in each build."""
_ROOT_HASH = re.compile(r"^Root hash:\s+([0-9a-f]{64})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class VerityRoot:
    """Two files: the file system, and its hash tree; and the hash of that, in lower-case hex."""

    data: Path
    hashes: Path
    root_hash: str


def fixed_uuid(name: str) -> uuid.UUID:
    """Return a UUID that follows from a name."""
    return uuid.uuid5(_NAMES, name)


def make_root(tree: Tree, name: str, workshop: Workshop) -> VerityRoot:
    """Write a tree as erofs with its hash tree, for an image of this name. Raises LocalFault."""
    archive = workshop.folder / "composed.tar"
    write_archive(tree, archive, epoch=workshop.epoch)
    data, hashes = workshop.folder / "root.erofs", workshop.folder / "verity"
    unpacked = workshop.make("root")
    workshop.run(
        "writing the root file system",
        ["fakeroot", "--", "sh", "-ec", _script(archive, unpacked, data, name=name, epoch=workshop.epoch)],
    )
    salt = digest_file(data, data.name).sha256.hex()
    said = workshop.run(
        "hashing the root file system",
        [
            "veritysetup",
            "format",
            f"--salt={salt}",
            f"--uuid={fixed_uuid(f'{name} verity')}",
            "--hash=sha256",
            str(data),
            str(hashes),
        ],
    )
    found = _ROOT_HASH.search(said)
    if found is None:
        raise LocalFault(
            "image.no-root-hash",
            "expected veritysetup to print a root hash, found none",
            remedy=f"Its log: {workshop.log}",
        )
    return VerityRoot(data, hashes, found[1])


def _script(archive: Path, unpacked: Path, image: Path, *, name: str, epoch: int) -> str:
    """Return what runs under fakeroot: whoever owns a file is known only within one such session."""
    unpack = ["tar", "--numeric-owner", "--same-permissions", "-C", str(unpacked), "-xf", str(archive)]
    options = [f"-z{COMPRESSION}", f"-T{epoch}", f"-U{fixed_uuid(f'{name} root')}", "--quiet"]
    return f"{shlex.join(unpack)}; {shlex.join(['mkfs.erofs', *options, str(image), str(unpacked)])}"
