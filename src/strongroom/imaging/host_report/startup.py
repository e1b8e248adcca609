# SPDX-License-Identifier: Apache-2.0
"""Which units start at boot: everything that the default target pulls in, and what that activates later.

What generators, udev rules and D-Bus add at run time is in no unit file, and not followed here; the report says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from strongroom.imaging.host_report.unit_files import KINDS, Unit, read_unit, wanted_by
from strongroom.imaging.tree.tree import Tree

_PULLS = ("Wants", "Requires", "BindsTo", "Upholds")
_AFTER = ("OnFailure", "OnSuccess")
_ACTIVATES = {".socket": "Service", ".timer": "Unit", ".path": "Unit"}
"""Kinds that start another unit later, and the setting that names it; without it, it has their own name."""
_ALWAYS = ("sysinit.target", "basic.target")
"""What DefaultDependencies= adds to almost every unit (systemd.service(5), systemd.special(7))."""
_FALLBACK = "default.target"


@dataclass(frozen=True)
class Startup:
    """The units that start, by name, in the order in which they were found."""

    units: Mapping[str, Unit]
    after_failures: frozenset[str]
    """Those of them that start only when another one has failed, or has ended."""

    def of_kind(self, kind: str) -> tuple[Unit, ...]:
        """Return those of one kind: `.service`."""
        return tuple(unit for name, unit in self.units.items() if name.endswith(kind))


def startup(tree: Tree, *, target: str = "", wanted: tuple[str, ...] = (), masked: tuple[str, ...] = ()) -> Startup:
    """Follow what starts from the default target on.

    `target`, `wanted` and `masked` are what the kernel command line says with `systemd.unit`, `systemd.wants` and
    `systemd.mask` (kernel-command-line(7)).
    """
    found: dict[str, Unit] = {}
    _follow(tree, [target or _FALLBACK, *_ALWAYS, *wanted], found, masked)
    regular = frozenset(found)
    ends = [name for unit in [*found.values()] for key in _AFTER for name in _names(unit, key)]
    _follow(tree, ends, found, masked)
    return Startup(MappingProxyType(found), frozenset(found) - regular)


def _follow(tree: Tree, names: Sequence[str], found: dict[str, Unit], masked: Collection[str]) -> None:
    """Add units with everything that they pull in to `found`."""
    pending = [*names]
    while pending:
        name = pending.pop(0)
        unit = None if name in masked or name in found else read_unit(tree, name)
        if unit is not None and not unit.masked:
            found[name] = unit
            pending.extend(_pulled_in(tree, unit))


def _names(unit: Unit, key: str) -> Iterator[str]:
    for setting in unit.values(key):
        yield from (word for word in setting.value.split() if word.endswith(KINDS))


def _pulled_in(tree: Tree, unit: Unit) -> Iterator[str]:
    names = {unit.name, unit.path.rpartition("/")[2]} - {""}
    for name in sorted(names):
        yield from wanted_by(tree, name)
    for key in _PULLS:
        yield from _names(unit, key)
    yield from _activated(unit)


def _activated(unit: Unit) -> Iterator[str]:
    stem, dot, kind = unit.name.rpartition(".")
    key = _ACTIVATES.get(dot + kind)
    if dot + kind == ".automount":
        yield f"{stem}.mount"
    elif key is not None:
        own = f"{stem}@.service" if unit.is_on("Accept") else f"{stem}.service"
        yield unit.value(key) or own
