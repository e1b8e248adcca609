# SPDX-License-Identifier: Apache-2.0
"""Which file system of a disk is the root, and its tree.

With dm-verity the command line's root hash names the partitions: their GUIDs are its two halves (UAPI Discoverable
Partitions Specification). Otherwise it is the partition of a root's type, or else the largest with a file system that
holds `/etc` or `/usr`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.errors import FormatError
from strongroom.formats.verity import MAGIC as VERITY_MAGIC
from strongroom.formats.verity import parse_verity
from strongroom.imaging.audit.scratch import Scratch
from strongroom.imaging.tree.file_systems import file_system_tree
from strongroom.imaging.tree.kinds import FileSystem, guess_file_system
from strongroom.imaging.tree.tree import Tree
from strongroom.measure.disk_layout import DiskLayout, DiskPartition
from strongroom.measure.verity import measure_root_hash

_USR_TYPES = frozenset({"8484680c-9521-48c6-9c11-b0720656f69e", "b0e01050-ee5f-4390-949a-9101b17104e9"})
"""/usr of x86_64 and of arm64: the root is made anew at each boot, and all that is measured is in there."""
_ROOT_TYPES = _USR_TYPES | {"4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "b921b045-1df0-41c3-af44-4c6f280d3fae"}


@dataclass(frozen=True, slots=True)
class RootFileSystem:
    """A root file system. `root_hash` is that of dm-verity over it, empty without a hash tree."""

    tree: Tree
    partition: DiskPartition
    kind: FileSystem
    root_hash: str

    def __str__(self) -> str:
        return f"{self.kind} on {self.partition}"


def find_root(disk: memoryview, layout: DiskLayout, named_hash: str, scratch: Scratch) -> RootFileSystem:
    """Return the root file system of a disk. `named_hash` is what the command line asks for, or empty.

    Raises FormatError where there is none, or it cannot be read; LocalFault where a program is missing.
    """
    candidates = [*_candidates(disk, layout, named_hash)]
    if not candidates:
        known = ", ".join(FileSystem)
        raise FormatError("audit.no-root", f"expected a root file system ({known}) on the disk, found none")
    for partition, kind in candidates:
        tree = file_system_tree(_view(disk, partition), kind, scratch.file, scratch.folder, linux=scratch.linux)
        tree = tree.moved("/usr") if _is_usr(partition, tree) else tree
        if len(candidates) == 1 or tree.resolve("/etc") or tree.resolve("/usr"):
            return RootFileSystem(tree, partition, kind, _root_hash(disk, layout, partition, named_hash))
    raise FormatError("audit.no-root", f"expected /etc or /usr on one of {len(candidates)} file systems, found neither")


def _is_usr(partition: DiskPartition, tree: Tree) -> bool:
    """Tell whether a file system is mounted on /usr: by its type, or by what is in it."""
    if partition.kind in _USR_TYPES:
        return True
    is_root = any(tree.resolve(path) for path in ("/usr", "/etc"))
    return not is_root and tree.resolve("/lib/os-release") is not None


def _candidates(disk: memoryview, layout: DiskLayout, named_hash: str) -> Iterator[tuple[DiskPartition, FileSystem]]:
    """Yield what may be the root, most likely first; where the command line names it, nothing else."""
    found = [(each, kind) for each in layout.partitions if (kind := guess_file_system(_view(disk, each))) is not None]
    half = _guid(named_hash, 0)
    named = [each for each in found if half and each[0].unique == half]
    yield from named or sorted(found, key=lambda each: (each[0].kind not in _ROOT_TYPES, -each[0].size_bytes))


def _root_hash(disk: memoryview, layout: DiskLayout, root: DiskPartition, named_hash: str) -> str:
    trees = [each for each in layout.partitions if bytes(_view(disk, each)[: len(VERITY_MAGIC)]) == VERITY_MAGIC]
    named = [each for each in trees if named_hash and each.unique == _guid(named_hash, -1)]
    for partition in named or (trees if len(trees) == 1 else []):
        return measure_root_hash(_view(disk, root), parse_verity(_view(disk, partition)))
    return ""


def _guid(named_hash: str, half: int) -> str:
    """Return the first or last 128 bits of a hash in hex as a GUID."""
    digits = named_hash[:32] if half == 0 else named_hash[-32:]
    return str(uuid.UUID(digits)) if len(digits) == 32 else ""  # noqa: PLR2004 -- hex digits of a GUID


def _view(disk: memoryview, partition: DiskPartition) -> memoryview:
    return disk[partition.offset : partition.offset + partition.size_bytes]
