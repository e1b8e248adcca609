# SPDX-License-Identifier: Apache-2.0
"""Which units run, and why: those that the default target leads to.

Followed are the dependencies that start a unit (Wants, Requires, BindsTo, Upholds, their folders), what timers, sockets
and paths trigger, what starts when another unit fails, what udev starts for a device, what generators add, and what a
first boot enables. A masked unit leads nowhere. Not followed is what a log-in or a call over D-Bus would start: whoever
makes those is inside already.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from strongroom.imaging.audit.systemd.arguments import Arguments, given
from strongroom.imaging.audit.systemd.conditions import failed_condition
from strongroom.imaging.audit.systemd.generators import default_target, generated
from strongroom.imaging.audit.systemd.presets import enabled_at_first_boot
from strongroom.imaging.audit.systemd.unit_file import Unit
from strongroom.imaging.audit.systemd.units import Units, units_of
from strongroom.imaging.tree.tree import Tree

_PULLS = ("Wants", "Requires", "BindsTo", "Upholds")
_FOLDERS = ("wants", "requires", "upholds")
_ALWAYS = ("sysinit.target", "basic.target")
"""What services depend on by default."""
_DEVICE_WANTS = re.compile(r'ENV\{SYSTEMD_WANTS\}\+?="([^"]*)"')
_UDEV_RULES = ("/etc/udev/rules.d/*.rules", "/usr/local/lib/udev/rules.d/*.rules", "/usr/lib/udev/rules.d/*.rules")


@dataclass(frozen=True, slots=True)
class Started:
    """A unit that something starts. `by` is the name of what does; empty for where the boot begins."""

    name: str
    unit: Unit
    by: str
    only_on_failure: bool
    """Whether something has to fail before it starts."""


class Reach:
    """The units of one tree that run under one command line."""

    def __init__(self, units: Units, arguments: Arguments, *, initrd: bool = False) -> None:
        """Work out what runs. Without a command line (no arguments) the image's own default target is taken."""
        self.units = units
        self.arguments = arguments
        self._added: dict[str, list[str]] = {}
        for owner, name in (
            *generated(units, arguments, initrd=initrd),
            *(() if initrd else enabled_at_first_boot(units, arguments)),
        ):
            self._added.setdefault(owner, []).append(name)
        self.start = default_target(units, arguments, initrd=initrd)
        self.masked = frozenset(name for name in given(arguments, "systemd.mask", initrd=initrd) if name)
        self.started: Mapping[str, Started] = self._walk()

    def running(self, name: str) -> Started | None:
        """Return a unit by its name, or an alias, where it starts and nothing in the image keeps it from running."""
        unit = self.units.load(name)
        found = self.started.get(unit.name if unit is not None else name)
        if found is None or failed_condition(found.unit, self.units.tree, self.arguments) is not None:
            return None
        return found

    def all_running(self) -> Iterator[Started]:
        """Yield every unit that runs, in the order of names."""
        found = (self.running(name) for name in sorted(self.started))
        return (each for each in found if each is not None)

    def chain(self, started: Started) -> str:
        """Say what leads to a unit: `graphical.target, multi-user.target, ssh.service`."""
        names = [started.name]
        while started.by:
            started = self.started[started.by]
            names.append(started.name)
        return ", ".join(reversed(names))

    def _walk(self) -> Mapping[str, Started]:
        found: dict[str, Started] = {}
        # What starts only after a failure waits until all that starts anyway is known.
        now: deque[tuple[str, str]] = deque([(self.start, "")])
        later: deque[tuple[str, str]] = deque()
        for only_on_failure, pending in ((False, now), (True, later)):
            while pending:
                name, by = pending.popleft()
                unit = self.units.load(name)
                if unit is None or unit.masked or self.masked & {name, unit.name} or unit.name in found:
                    continue
                found[unit.name] = Started(unit.name, unit, by, only_on_failure)
                pending.extend((each, unit.name) for each in self._pulled(unit, name, is_start=not by))
                later.extend((each, unit.name) for each in unit.words("Unit", "OnFailure"))
        return found

    def _pulled(self, unit: Unit, name: str, *, is_start: bool) -> Iterator[str]:
        for key in _PULLS:
            yield from unit.words("Unit", key)
        yield from unit.words("Unit", "OnSuccess")
        for owner in dict.fromkeys((name, unit.name, *(("default.target",) if is_start else ()))):
            for folder in _FOLDERS:
                yield from (link for link, _ in self.units.linked(owner, folder))
            yield from self._added.get(owner, ())
        yield from _triggered(unit)
        if is_start:
            yield from _ALWAYS
            yield from device_wants(self.units.tree)


def _triggered(unit: Unit) -> Iterator[str]:
    """Yield what a timer, path, socket or automount starts, and the sockets of a service."""
    stem = unit.name.rpartition(".")[0]
    if unit.kind in {"timer", "path"}:
        yield unit.last(unit.kind.capitalize(), "Unit", f"{stem}.service")
    elif unit.kind == "socket":
        accepts = unit.last("Socket", "Accept").lower() in {"yes", "true", "1", "on"}
        yield unit.last("Socket", "Service", f"{stem}@.service" if accepts else f"{stem}.service")
    elif unit.kind == "automount":
        yield f"{stem}.mount"
    elif unit.kind == "service":
        yield from unit.words("Service", "Sockets")


def device_wants(tree: Tree) -> Iterator[str]:
    """Yield the units that udev rules start for devices. The owner attaches devices, so all of them count."""
    for pattern in _UDEV_RULES:
        for node in tree.glob(pattern):
            for _, line in tree.lines(node.path):
                if not line.lstrip().startswith("#"):
                    for names in _DEVICE_WANTS.findall(line):
                        yield from names.split()


@lru_cache(maxsize=8)
def reach_of(tree: Tree, arguments: Arguments, *, initrd: bool = False) -> Reach:
    """Return what runs in a tree: worked out once for the same tree and command line, as many rules ask."""
    return Reach(units_of(tree), arguments, initrd=initrd)
