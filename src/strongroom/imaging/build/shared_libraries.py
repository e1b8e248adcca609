# SPDX-License-Identifier: Apache-2.0
"""Which shared libraries a program of a tree needs, read from its files: nothing of the tree runs for it (ld.so(8))."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment

from strongroom.errors import FormatError
from strongroom.imaging.tree.tree import Tree

_FOLDERS = ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib")
"""Where Debian and Fedora's kin keep what their loader finds without a cache."""


def libraries_of(tree: Tree, programs: Sequence[str]) -> tuple[str, ...]:
    """Return the paths of all libraries that programs need, and of their loader, as they are looked for.

    Raises FormatError for a program that is none, and for a library that is not there.
    """
    found: dict[str, None] = {}
    waiting = [*programs]
    while waiting:
        for path in _needed(tree, waiting.pop()):
            if path not in found:
                found[path] = None
                waiting.append(path)
    return tuple(sorted(found))


def _needed(tree: Tree, path: str) -> Iterator[str]:
    try:
        elf = ELFFile(io.BytesIO(tree.view(path)))
        for segment in elf.iter_segments():
            if isinstance(segment, InterpSegment):
                yield segment.get_interp_name()
        section = elf.get_section_by_name(".dynamic")
        tags = section.iter_tags("DT_NEEDED") if isinstance(section, DynamicSection) else ()
        names = [str(getattr(tag, "needed")) for tag in tags]  # noqa: B009 -- pyelftools sets it by name
    except ELFError as error:
        raise FormatError("image.no-program-file", f"expected an ELF program at {path}, found another file") from error
    for name in names:
        yield _place(tree, name, path)


def _place(tree: Tree, name: str, wanted_by: str) -> str:
    for folder in _FOLDERS:
        node = tree.resolve(f"{folder}/{name}")
        if node is not None and node.is_file:
            return f"{folder}/{name}"
    raise FormatError("image.no-library", f"expected {name} in the base, for {wanted_by}, found none")
