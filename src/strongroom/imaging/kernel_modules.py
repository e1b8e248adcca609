# SPDX-License-Identifier: Apache-2.0
"""Kernel modules of an unpacked package, in the order in which they can be loaded (modules.builtin, modinfo)."""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


def find_modules(tree: Path) -> Mapping[str, Path]:
    """Return the modules below a folder by their names, with `-` for `_`."""
    return {path.name.partition(".")[0].replace("_", "-"): path for path in sorted(tree.glob("**/kernel/**/*.ko*"))}


def in_order(wanted: Iterable[str], modules: Mapping[str, Path]) -> Mapping[str, bytes]:
    """Return the wanted modules, unpacked, each behind those that it needs.

    Names that are no modules are left out: what they name is built into the kernel, or not to be had.
    """
    order: dict[str, bytes] = {}
    for name in wanted:
        _load(name, modules, order)
    return order


def _load(name: str, modules: Mapping[str, Path], order: dict[str, bytes]) -> None:
    plain = name.replace("_", "-")
    if plain in order or plain not in modules:
        return
    packed = modules[plain].read_bytes()
    contents = lzma.decompress(packed) if modules[plain].suffix == ".xz" else packed
    needed = _DEPENDS.search(contents)
    for each in (needed[1].decode("ascii", "replace") if needed else "").split(","):
        _load(each, modules, order)
    order[plain] = contents
