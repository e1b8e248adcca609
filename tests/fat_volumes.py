# SPDX-License-Identifier: Apache-2.0
"""Hand-made FAT volumes, written independently of the code under test: whole, and easy to break in one place."""

import itertools
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Union

Tree = Mapping[str, Union[bytes, "Tree"]]
LEAST_CLUSTERS = {12: 60, 16: 4_085, 32: 65_525}
MEDIA = 0xF8
FOLDER, LABEL, ARCHIVE, LONG = 0x10, 0x08, 0x20, 0x0F


@dataclass(frozen=True)
class Volume:
    """The bytes, and where things are: what a test needs to break one of them."""

    data: bytes
    kind: int
    cluster_bytes: int
    table_offsets: tuple[int, ...]
    data_offset: int
    root_offset: int
    entries: Mapping[str, int]
    """Path to the offset of its short entry."""
    long_slots: Mapping[str, tuple[int, ...]]
    chains: Mapping[str, tuple[int, ...]]

    def place(self, cluster: int) -> int:
        return self.data_offset + (cluster - 2) * self.cluster_bytes

    def patched(self, offset: int, replacement: bytes) -> bytes:
        return self.data[:offset] + replacement + self.data[offset + len(replacement) :]

    def linked(self, cluster: int, value: int, *, copies: int | None = None) -> bytes:
        """The same volume with another entry of the table, in all copies or the first `copies`."""
        changed = bytearray(self.data)
        for table in self.table_offsets[:copies]:
            _put(changed, table, self.kind, cluster, value)
        return bytes(changed)


def make_fat(
    tree: Tree,
    *,
    kind: int = 12,
    sector: int = 512,
    cluster_sectors: int = 1,
    clusters: int | None = None,
    tables: int = 2,
    root_entries: int = 32,
    scattered: bool = False,
) -> Volume:
    """A volume with these files. `scattered` leaves no two clusters of a file side by side."""
    clusters = LEAST_CLUSTERS[kind] if clusters is None else clusters
    reserved = 32 if kind == 32 else 1
    root_entries = 0 if kind == 32 else root_entries
    table_sectors = -(-(clusters + 2) * kind // 8 // sector) + 1
    root_sectors = -(-root_entries * 32 // sector)
    total = reserved + tables * table_sectors + root_sectors + clusters * cluster_sectors
    data = bytearray(total * sector)
    small = (total if total < 1 << 16 else 0) if kind != 32 else 0
    struct.pack_into("<3s8sHBHBHHBHHHII", data, 0, b"\xeb\x3c\x90", b"handmade", sector, cluster_sectors, reserved,
                     tables, root_entries, small, MEDIA, 0 if kind == 32 else table_sectors, 63, 255, 0,
                     0 if small else total)  # fmt: skip
    if kind == 32:
        struct.pack_into("<IHHIHH", data, 36, table_sectors, 0, 0, 2, 1, 6)
    data[510:512] = b"\x55\xaa"
    table_offsets = tuple((reserved + number * table_sectors) * sector for number in range(tables))
    root_offset = (reserved + tables * table_sectors) * sector
    numbers = range(2, clusters + 2)
    order = iter([*numbers[::2], *numbers[1::2]] if scattered else numbers)
    writer = _Writer(data, kind, cluster_sectors * sector, root_offset + root_sectors * sector, order)
    writer.root(tree, None if kind == 32 else (root_offset, root_entries))
    end = (1 << min(kind, 28)) - 1
    for table in table_offsets:
        for cluster, value in {0: end - 255 + MEDIA, 1: end, **writer.links}.items():
            _put(data, table, kind, cluster, end if value is None else value)
    return Volume(
        bytes(data), kind, cluster_sectors * sector, table_offsets, root_offset + root_sectors * sector, root_offset,
        writer.entries, writer.long_slots, writer.chains,
    )  # fmt: skip


class _Writer:
    def __init__(self, data: bytearray, kind: int, cluster: int, start: int, numbers: Iterator[int]) -> None:
        self.data, self.kind, self.cluster, self.start, self.free = data, kind, cluster, start, numbers
        self.links: dict[int, int | None] = {}
        self.entries: dict[str, int] = {}
        self.long_slots: dict[str, tuple[int, ...]] = {}
        self.chains: dict[str, tuple[int, ...]] = {}

    def chain(self, path: str, size: int) -> tuple[int, ...]:
        taken = tuple(next(self.free) for _ in range(-(-size // self.cluster)))
        self.links |= dict(itertools.pairwise((*taken, None)))  # type: ignore[arg-type]
        self.chains[path] = taken
        return taken

    def places(self, chain: tuple[int, ...]) -> list[int]:
        return [self.start + (number - 2) * self.cluster for number in chain]

    def root(self, tree: Tree, fixed: tuple[int, int] | None) -> None:
        if fixed:
            slots = [fixed[0] + 32 * number for number in range(fixed[1])]
        else:
            chain = self.chain("", max(32 * needed(tree), 1))
            slots = [place + at for place in self.places(chain) for at in range(0, self.cluster, 32)]
        self.fill("", tree, iter(slots), 0)

    def folder(self, path: str, tree: Tree, parent: int) -> int:
        chain = self.chain(path, 32 * (2 + needed(tree)))
        slots = iter([place + at for place in self.places(chain) for at in range(0, self.cluster, 32)])
        self.put(next(slots), short_entry(b".          ", FOLDER, chain[0]))
        self.put(next(slots), short_entry(b"..         ", FOLDER, parent))
        self.fill(path, tree, slots, chain[0])
        return chain[0]

    def file(self, path: str, content: bytes) -> int:
        chain = self.chain(path, len(content))
        for number, place in enumerate(self.places(chain)):
            self.put(place, content[number * self.cluster : (number + 1) * self.cluster])
        return chain[0] if chain else 0

    def fill(self, path: str, tree: Tree, slots: Iterator[int], own: int) -> None:
        for number, (name, below) in enumerate(tree.items(), 1):
            inner = f"{path}/{name}"
            short = short_of(name, number)
            places = []
            for slot in long_slots(name, short):
                places.append(next(slots))
                self.put(places[-1], slot)
            self.long_slots[inner] = tuple(places)
            self.entries[inner] = next(slots)
            folder = not isinstance(below, bytes)
            first = self.folder(inner, below, own) if not isinstance(below, bytes) else self.file(inner, below)
            size = 0 if not isinstance(below, bytes) else len(below)
            self.put(self.entries[inner], short_entry(short, FOLDER if folder else ARCHIVE, first, size))

    def put(self, place: int, content: bytes) -> None:
        self.data[place : place + len(content)] = content


def needed(tree: Tree) -> int:
    """How many slots a folder with these names takes."""
    return sum(1 + len(long_slots(name, b" " * 11)) for name in tree)


def is_short(name: str) -> bool:
    base, _, extension = name.partition(".")
    return 0 < len(base) <= 8 and len(extension) <= 3 and name == name.upper() and name.isascii() and " " not in name


def short_of(name: str, number: int) -> bytes:
    if is_short(name):
        base, _, extension = name.partition(".")
        return base.ljust(8).encode() + extension.ljust(3).encode()
    letters = "".join(c for c in name.upper() if c.isascii() and c.isalnum())[:5]
    return f"{letters}~{number}".ljust(8).encode()[:8] + b"   "


def checksum(short: bytes) -> int:
    total = 0
    for byte in short:
        total = (((total & 1) << 7) + (total >> 1) + byte) % 256
    return total


def long_slots(name: str, short: bytes) -> list[bytes]:
    if is_short(name):
        return []
    units = name.encode("utf-16-le")
    if len(units) % 26:
        units = (units + b"\0\0").ljust(-(-len(units) // 26) * 26, b"\xff")
    pieces = [units[at : at + 26] for at in range(0, len(units), 26)]
    slots = [
        bytes([number | (0x40 if number == len(pieces) else 0)])
        + piece[:10]
        + bytes([LONG, 0, checksum(short)])
        + piece[10:22]
        + b"\0\0"
        + piece[22:]
        for number, piece in enumerate(pieces, 1)
    ]
    return slots[::-1]


def short_entry(name: bytes, attributes: int, cluster: int, size: int = 0) -> bytes:
    return name + struct.pack("<BBBHHHHHHHI", attributes, 0, 0, 0, 0, 0, cluster >> 16, 0, 0, cluster & 0xFFFF, size)


def _put(data: bytearray, table: int, kind: int, cluster: int, value: int) -> None:
    if kind == 12:
        place = table + cluster * 3 // 2
        (old,) = struct.unpack_from("<H", data, place)
        new = (old & 0x000F) | value << 4 if cluster % 2 else (old & 0xF000) | value
        struct.pack_into("<H", data, place, new)
    else:
        struct.pack_into("<H" if kind == 16 else "<I", data, table + cluster * kind // 8, value)
