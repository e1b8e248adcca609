# SPDX-License-Identifier: Apache-2.0
"""Programs that add units at boot, before all others (systemd.generator(7)), and what those of systemd would add.

What the one for old start scripts makes of /etc/init.d is left out: those services have no unit file to look at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from strongroom.imaging.audit.systemd.arguments import Arguments, given, is_off, is_on
from strongroom.imaging.audit.systemd.units import Units, is_mask
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import Tree

_FOLDERS = (
    "/etc/systemd/system-generators",
    "/usr/local/lib/systemd/system-generators",
    "/usr/lib/systemd/system-generators",
    "/lib/systemd/system-generators",
)
GETTY, GPT_AUTO, DEBUG = "systemd-getty-generator", "systemd-gpt-auto-generator", "systemd-debug-generator"
RUN, FSTAB, CLOUD_INIT = "systemd-run-generator", "systemd-fstab-generator", "cloud-init-generator"
_NO_TERMINAL = re.compile(r"(tty\d*|null|ttynull\d*)")
"""Consoles for which no getty is made: the screen has its own."""
_RUNLEVELS: Mapping[str, str] = {
    **dict.fromkeys(("rescue", "single", "s", "S", "1"), "rescue.target"),
    **dict.fromkeys(("emergency", "-b"), "emergency.target"),
    **dict.fromkeys(("2", "3", "4"), "multi-user.target"),
    "5": "graphical.target",
}
"""Words of the command line that stand for a target (systemd(1), "Kernel command line")."""


def generators(tree: Tree) -> Mapping[str, Node]:
    """Return by name the generators that would run: of equal names the first one, and none that is masked."""
    found: dict[str, Node] = {}
    for folder in _FOLDERS:
        for node in tree.children(folder):
            found.setdefault(node.name, node)
    return {name: node for name, node in found.items() if not is_mask(tree, node) and _runs(tree, node)}


def _runs(tree: Tree, node: Node) -> bool:
    resolved = tree.resolve(node.path)
    return resolved is not None and resolved.is_executable


def default_target(units: Units, arguments: Arguments, *, initrd: bool = False) -> str:
    """Return what systemd starts. A command line may name it; an image without any falls back to rescue.target."""
    named = "initrd.target" if initrd else "default.target"
    for key, value in arguments:
        if key == ("rd.systemd.unit" if initrd else "systemd.unit"):
            named = value or named
        elif key in _RUNLEVELS and value is None and not initrd:
            named = _RUNLEVELS[key]
    if not units.exists(named):
        return "rescue.target"
    unit = units.load(named)
    return named if unit is None else unit.name


def generated(units: Units, arguments: Arguments, *, initrd: bool = False) -> Iterator[tuple[str, str]]:
    """Yield (unit that pulls in, unit pulled in) for what generators add."""
    present = generators(units.tree)
    if GETTY in present:
        yield from _gettys(arguments)
    if DEBUG in present:
        yield from _asked_for(units, arguments, initrd=initrd)
    if RUN in present and any(given(arguments, "systemd.run")):
        yield "system-update.target" if initrd else "default.target", "kernel-command-line.service"
    if FSTAB in present and not initrd:
        yield "local-fs.target", "systemd-remount-fs.service"
    if CLOUD_INIT in present:
        yield "multi-user.target", "cloud-init.target"


def _gettys(arguments: Arguments) -> Iterator[tuple[str, str]]:
    if is_off(arguments, "systemd.getty_auto"):
        return
    for value in given(arguments, "console"):
        terminal = (value or "").partition(",")[0]
        if terminal and not _NO_TERMINAL.fullmatch(terminal):
            yield "getty.target", f"serial-getty@{terminal}.service"


def _asked_for(units: Units, arguments: Arguments, *, initrd: bool) -> Iterator[tuple[str, str]]:
    start = default_target(units, arguments, initrd=initrd)
    for name in given(arguments, "systemd.wants", initrd=initrd):
        if name:
            yield start, name
    if is_on(arguments, "systemd.debug_shell", initrd=initrd) or any(
        value and value.startswith("tty") for value in given(arguments, "systemd.debug_shell", initrd=initrd)
    ):
        yield start, "debug-shell.service"
