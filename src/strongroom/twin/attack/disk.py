# SPDX-License-Identifier: Apache-2.0
"""What the owner of an account can do to a volume: files on its EFI system partition, more partitions, other bytes.

Every function changes the disk that it is given: hand it a copy (`copies.sparse_copy`).
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from strongroom.errors import LocalFault
from strongroom.flows.files import map_file
from strongroom.formats.fat import parse_fat
from strongroom.formats.partition_types import EFI_SYSTEM
from strongroom.measure.disk_layout import DiskLayout, DiskPartition, parse_disk
from strongroom.twin.attack.scan import Place
from strongroom.twin.attack.tools import run_tool

SECTOR_BYTES = 512
_MIB = 1 << 20
_NO_PIPE = 0


@dataclass(frozen=True, slots=True)
class NewPartition:
    """A partition to add: its type, what it holds, and the name in the table."""

    kind: uuid.UUID
    contents: bytes
    name: str = "added"


def layout_of(disk: Path) -> DiskLayout:
    """Return how a disk is divided. Raises LocalFault and FormatError."""
    with map_file(disk, maximum_piped_bytes=_NO_PIPE) as view:
        return parse_disk(view)


def system_partition(disk: Path) -> DiskPartition:
    """Return the EFI system partition. Raises LocalFault where there is none, or more than one."""
    found = [partition for partition in layout_of(disk).partitions if partition.is_efi_system]
    if len(found) != 1:
        raise LocalFault("attack.no-esp", f"expected one EFI system partition in {disk}, found {len(found)}")
    return found[0]


def make_disk(path: Path, files: Mapping[str, bytes]) -> None:
    """Make a disk whose only partition is an EFI system partition with these files. Raises LocalFault."""
    room = sum(len(contents) for contents in files.values())
    size_bytes = -(-(room + room // 8) // _MIB) * _MIB + 40 * _MIB
    volume = path.with_name(f"{path.name}.esp")
    try:
        with volume.open("xb") as file:
            file.truncate(size_bytes)
        run_tool("mkfs.vfat", "-F", "32", "--invariant", "-n", "ESP", volume)
        _put(volume, 0, size_bytes, files)
        with path.open("xb") as file:
            file.truncate(size_bytes + 2 * _MIB)
        run_tool("sfdisk", "--quiet", path, stdin=_table(size_bytes))
        _write(path, _MIB, volume.read_bytes())
    except OSError as error:
        raise LocalFault("attack.disk", f"cannot make the disk {path}: {error.strerror}") from error
    finally:
        volume.unlink(missing_ok=True)


def put_on_esp(disk: Path, files: Mapping[str, bytes]) -> None:
    """Put files on the EFI system partition, in the place of those that are there; `/` between folders.

    Raises LocalFault, also where there is no room.
    """
    partition = system_partition(disk)
    _put(disk, partition.offset, partition.size_bytes, files)


def add_partition(disk: Path, new: NewPartition) -> int:
    """Add a partition behind the others, on a disk that grows by it; return its offset in bytes. Raises LocalFault."""
    size_bytes = -(-len(new.contents) // _MIB) * _MIB
    before = {partition.number for partition in layout_of(disk).partitions}
    with disk.open("r+b") as file:
        file.truncate(disk.stat().st_size + size_bytes + 2 * _MIB)
    run_tool("sfdisk", "--quiet", "--relocate", "gpt-bak-std", disk)
    line = f"size={size_bytes // SECTOR_BYTES}, type={new.kind}, name={new.name}\n"
    run_tool("sfdisk", "--quiet", "--append", disk, stdin=line)
    (added,) = (partition for partition in layout_of(disk).partitions if partition.number not in before)
    _write(disk, added.offset, new.contents)
    return added.offset


def flip(disk: Path, offset: int, *, mask: int = 0x01) -> None:
    """Change bits of one byte. Raises LocalFault."""
    with disk.open("r+b") as file:
        file.seek(offset)
        old = file.read(1)
        if not old:
            raise LocalFault("attack.disk", f"expected a byte at {offset} of {disk}, found the end of the disk")
        file.seek(offset)
        file.write(bytes([old[0] ^ mask]))


def places_of_disk(disk: Path, name: str) -> tuple[Place, ...]:
    """Return every byte of a disk as places to search: each partition, and what lies between and around them."""
    places, at = [], 0
    for partition in sorted(layout_of(disk).partitions, key=lambda each: each.offset):
        if partition.offset > at:
            places.append(Place(f"{name}: free space", disk, at, partition.offset))
        at = partition.offset + partition.size_bytes
        places.append(Place(f"{name}: {partition}", disk, partition.offset, at))
    size = disk.stat().st_size
    if at < size:
        places.append(Place(f"{name}: free space", disk, at, size))
    return tuple(places)


def _put(disk: Path, offset: int, size_bytes: int, files: Mapping[str, bytes]) -> None:
    volume = f"{disk}@@{offset}"
    for folder in _missing_folders(disk, offset, size_bytes, files):
        run_tool("mmd", "-i", volume, f"::/{folder}")
    with tempfile.TemporaryDirectory(prefix="strongroom-attack-") as scratch:
        for number, (path, contents) in enumerate(files.items()):
            source = Path(scratch) / f"{number}"
            source.write_bytes(contents)
            run_tool("mcopy", "-o", "-i", volume, source, f"::/{path}")


def _missing_folders(disk: Path, offset: int, size_bytes: int, files: Mapping[str, bytes]) -> list[str]:
    """Return the folders that have to be made, outer ones first."""
    wanted = sorted({str(parent) for path in files for parent in PurePosixPath(path).parents[:-1]})
    with map_file(disk, maximum_piped_bytes=_NO_PIPE) as view, view[offset : offset + size_bytes] as part:
        volume = parse_fat(part)
        return [folder for folder in wanted if volume.find("\\" + folder.replace("/", "\\")) is None]


def _write(disk: Path, offset: int, contents: bytes) -> None:
    with disk.open("r+b") as file:
        file.seek(offset)
        file.write(contents)


def _table(size_bytes: int) -> str:
    return f"label: gpt\nstart={_MIB // SECTOR_BYTES}, size={size_bytes // SECTOR_BYTES}, type={EFI_SYSTEM}\n"
