# SPDX-License-Identifier: Apache-2.0
"""What an image mounts, and swaps to: fstab(5), mount and swap units, and what is known of its mapped devices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from strongroom.imaging.audit.systemd.arguments import Arguments, given
from strongroom.imaging.audit.systemd.reach import reach_of
from strongroom.imaging.tree.tree import Tree

_FIELDS = 2
_DISKS = ("/dev/", "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=", "ID=")
_IN_MEMORY = ("/dev/zram", "/dev/ram", "/dev/loop")
_RANDOM = ("/dev/urandom", "/dev/random", "/dev/hw_random")


@dataclass(frozen=True, slots=True)
class Mount:
    """One entry. `where` is a folder, or empty for swap."""

    what: str
    where: str
    kind: str
    options: frozenset[str]
    path: str
    line: int | None = None

    @property
    def is_from_disk(self) -> bool:
        """Whether it comes from a disk that nothing protects, as far as its name tells."""
        if self.what.startswith(_IN_MEMORY) or self.what.startswith("/dev/mapper/"):
            return False
        return self.what.startswith(_DISKS)


@lru_cache(maxsize=4)
def mounts_of(tree: Tree, arguments: Arguments) -> tuple[Mount, ...]:
    """Return what is mounted and swapped to at boot. What is never mounted by itself (noauto) is left out."""
    return tuple(each for each in (*_fstab(tree), *_units(tree, arguments), *_extra(arguments)) if _is_used(each))


def _is_used(mount: Mount) -> bool:
    return "noauto" not in mount.options or "x-systemd.automount" in mount.options


def _fstab(tree: Tree) -> Iterator[Mount]:
    for number, line in tree.lines("/etc/fstab"):
        fields = line.split()
        if len(fields) > _FIELDS and not fields[0].startswith("#"):
            what, where, kind = fields[:3]
            options = frozenset(fields[3].split(",")) if len(fields) > _FIELDS + 1 else frozenset[str]()
            yield Mount(what, "" if kind == "swap" else where, kind, options, "/etc/fstab", number)


def _units(tree: Tree, arguments: Arguments) -> Iterator[Mount]:
    for started in reach_of(tree, arguments).all_running():
        unit = started.unit
        if unit.kind in {"mount", "swap"}:
            section = unit.kind.capitalize()
            options = frozenset(",".join(unit.words(section, "Options")).split(","))
            kind = "swap" if unit.kind == "swap" else unit.last(section, "Type", "auto")
            where = "" if unit.kind == "swap" else unit.last(section, "Where")
            yield Mount(unit.last(section, "What"), where, kind, options, unit.path)


def _extra(arguments: Arguments) -> Iterator[Mount]:
    """Yield what the command line mounts (systemd-fstab-generator(8): systemd.mount-extra=, systemd.swap-extra=)."""
    for value in given(arguments, "systemd.mount_extra"):
        what, _, rest = (value or "").partition(":")
        where, _, rest = rest.partition(":")
        kind, _, options = rest.partition(":")
        yield Mount(what, where, kind or "auto", frozenset(options.split(",")), "")
    for value in given(arguments, "systemd.swap_extra"):
        yield Mount((value or "").partition(":")[0], "", "swap", frozenset(), "")


def random_keyed(tree: Tree) -> frozenset[str]:
    """Return the names of mapped devices that crypttab(5) opens with a key made anew at each boot."""
    found = set()
    for _, line in tree.lines("/etc/crypttab"):
        fields = line.split()
        if len(fields) > _FIELDS and not line.lstrip().startswith("#") and fields[2] in _RANDOM:
            found.add(fields[0])
    return frozenset(found)
