# SPDX-License-Identifier: Apache-2.0
"""Kernel modules, of an unpacked package or of a tree, in the order in which they can be loaded (modinfo(8))."""

from __future__ import annotations

import lzma
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from strongroom.errors import FormatError
from strongroom.imaging.tree.tree import Tree

Modules: TypeAlias = Mapping[str, Callable[[], bytes]]
"""By name, with `-` for `_`, what reads a module as it is stored."""
_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")
_ELF, _XZ = b"\x7fELF", b"\xfd7zXZ"


def find_modules(folder: Path) -> Modules:
    """Return the modules below a folder."""
    return {_plain(path.name): path.read_bytes for path in sorted(folder.glob("**/kernel/**/*.ko*"))}


def modules_of_tree(tree: Tree, folder: str) -> Modules:
    """Return the modules below a folder of a tree."""

    def reader(path: str) -> Callable[[], bytes]:
        return lambda: bytes(tree.view(path))

    return {_plain(node.name): reader(node.path) for node in tree.glob(f"{folder}/**.ko*") if node.is_file}


def in_order(wanted: Iterable[str], modules: Modules) -> Mapping[str, bytes]:
    """Return the wanted modules, unpacked, each behind those that it needs.

    Names that are no modules are left out: what they name is built into the kernel, or not to be had. Raises
    FormatError for a module that is compressed otherwise than by xz.
    """
    order: dict[str, bytes] = {}
    for name in wanted:
        _load(name, modules, order)
    return order


def _plain(name: str) -> str:
    return name.partition(".")[0].replace("_", "-")


def _load(name: str, modules: Modules, order: dict[str, bytes]) -> None:
    plain = _plain(name)
    if plain in order or plain not in modules:
        return
    contents = _unpacked(plain, modules[plain]())
    needed = _DEPENDS.search(contents)
    for each in (needed[1].decode("ascii", "replace") if needed else "").split(","):
        _load(each, modules, order)
    order[plain] = contents


def _unpacked(name: str, stored: bytes) -> bytes:
    contents = lzma.decompress(stored) if stored.startswith(_XZ) else stored
    if not contents.startswith(_ELF):
        raise FormatError(
            "image.module", f"expected the kernel module {name} as it is or compressed by xz, found another file"
        )
    return contents
