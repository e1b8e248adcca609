# SPDX-License-Identifier: Apache-2.0
"""Units that the first boot enables (systemd.preset(5), machine-id(5)).

An image without a machine id, or with the word `uninitialized` in it, boots for the first time each time; systemd then
enables what its presets say, which without a preset is everything that can be enabled. That needs an /etc that
can be written. An empty file is no first boot.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from strongroom.imaging.audit.systemd.arguments import Arguments, given
from strongroom.imaging.audit.systemd.units import Units, is_mask
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import Tree

MACHINE_ID = "/etc/machine-id"
_FOLDERS = ("/etc/systemd/system-preset", "/usr/local/lib/systemd/system-preset", "/usr/lib/systemd/system-preset")
_VOLATILE_ETC = frozenset({"overlay", "yes", "true", "1", "on"})


def enabled_at_first_boot(units: Units, arguments: Arguments) -> Iterator[tuple[str, str]]:
    """Yield (unit that pulls in, unit pulled in) for what presets enable; nothing unless the image has a first boot."""
    if not (is_first_boot(units.tree) and etc_is_writable(arguments)):
        return
    lines = tuple(_lines(units.tree))
    for name in units.names():
        unit = units.load(name)
        if unit is not None and not unit.masked and unit.name == name and _is_enabled(name, lines):
            for key in ("WantedBy", "RequiredBy", "UpheldBy"):
                yield from ((owner, name) for owner in unit.words("Install", key))


def is_first_boot(tree: Tree) -> bool:
    """Tell whether each boot of the image is a first one to systemd."""
    node = tree.resolve(MACHINE_ID)
    return node is None or not node.is_file or tree.read(MACHINE_ID).strip() == b"uninitialized"


def etc_is_writable(arguments: Arguments) -> bool:
    """Tell whether /etc can be written: by an overlay in memory, or as the root is not under dm-verity at all."""
    volatile = list(given(arguments, "systemd.volatile"))
    if volatile and (volatile[-1] or "yes") in _VOLATILE_ETC:
        return True
    protected = any(name in {"roothash", "usrhash"} for name, _ in arguments)
    return bool(arguments) and not protected


def _is_enabled(name: str, lines: tuple[tuple[str, str], ...]) -> bool:
    return next((verb == "enable" for verb, pattern in lines if fnmatchcase(name, pattern)), True)


def _lines(tree: Tree) -> Iterator[tuple[str, str]]:
    found: dict[str, Node] = {}
    for folder in _FOLDERS:
        for node in tree.glob(f"{folder}/*.preset"):
            found.setdefault(node.name, node)
    for _, node in sorted(found.items()):
        if is_mask(tree, node):
            continue
        for _, line in tree.lines(node.path):
            words = line.split()
            if len(words) > 1 and words[0] in {"enable", "disable"}:
                yield words[0], words[1]
