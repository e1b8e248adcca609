# SPDX-License-Identifier: Apache-2.0
"""A program for the sandbox: writes the folder `tree` into `archive`, with owners, devices and extended attributes.

Its text is handed to a Python inside (`packing_command`). It runs as whom fakeroot makes it, so it sees the owners and
device nodes that an unpacking program before it believes to have made, and imports nothing but the standard library.
"""

from __future__ import annotations

import os
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

TREE, ARCHIVE = "tree", "archive"


def packing_command(python: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command that packs, in the folder where `tree` lies."""
    return (*python, "-c", Path(__file__).read_text(encoding="utf-8"), TREE, ARCHIVE)


def pack(folder: str, archive: str) -> None:
    """Write a folder's contents as a pax archive. Raises OSError."""
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape") as tar:
        tar.add(folder, arcname=".", filter=_with_attributes(folder))


def _with_attributes(folder: str) -> Callable[[tarfile.TarInfo], tarfile.TarInfo]:
    def add(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        path = os.path.join(folder, entry.name)  # noqa: PTH118 -- names may hold anything
        values = {name: os.getxattr(path, name, follow_symlinks=False) for name in _names(path)}
        written = {f"SCHILY.xattr.{name}": value.decode("utf-8", "surrogateescape") for name, value in values.items()}
        entry.pax_headers = {**entry.pax_headers, **written}
        return entry

    return add


def _names(path: str) -> list[str]:
    try:
        return os.listxattr(path, follow_symlinks=False)
    except OSError:  # a file system without attributes
        return []


if __name__ == "__main__":
    pack(*sys.argv[1:])
