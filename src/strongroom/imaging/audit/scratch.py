# SPDX-License-Identifier: Apache-2.0
"""Folders for what readers unpack, gone when the audit is over."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from strongroom.imaging.apt import Progress
from strongroom.imaging.tree.file_systems import Linux
from strongroom.imaging.tree.guest import guest_tree
from strongroom.imaging.tree.guest_parts import guest_parts
from strongroom.imaging.tree.kinds import FileSystem
from strongroom.imaging.tree.part_of_disk import write_part
from strongroom.imaging.tree.tree import Tree

_MEMORY = Path("/dev/shm")  # noqa: S108 -- a new folder is made in it, for its owner alone
_TIMES = 16
"""How often an image has to fit: packed trees grow when they are unpacked, and others need memory, too."""
_STAT_BLOCK_BYTES = 512
"""What `st_blocks` counts in (inode(7))."""


@dataclass
class Scratch:
    """A folder that hands out new names in it."""

    root: Path
    cache: Path | None = None
    """Where the parts of a helper guest are kept; None: there is no helper guest."""
    progress: Progress = lambda _: None
    _numbers: Iterator[int] = field(default_factory=count)

    def folder(self) -> Path:
        """Make a new, empty folder."""
        made = self.root / str(next(self._numbers))
        made.mkdir()
        return made

    def file(self, contents: memoryview) -> Path:
        """Make a new file with these contents."""
        made = self.root / str(next(self._numbers))
        write_part(contents, made)
        return made

    @property
    def linux(self) -> Linux | None:
        """Linux's own drivers in a helper guest, where there is a cache for its parts."""
        return None if self.cache is None else self._by_guest

    def _by_guest(self, image: Path, kind: FileSystem) -> Tree:
        if self.cache is None:
            raise RuntimeError("a helper guest needs a cache")
        parts = guest_parts(self.cache, progress=self.progress)
        self.progress(f"reading {kind} in a helper guest")
        return guest_tree(image, kind, parts, self.folder())


def room_in_memory(image: Path) -> Path | None:
    """Return a folder whose files stay in memory, where an image and what it unpacks to have ample room in it.

    Thousands of files are written there in a fraction of the time. None where there is no such folder.
    """
    try:
        taken = image.stat().st_blocks * _STAT_BLOCK_BYTES
        fits = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _TIMES * taken
    except OSError:
        return None
    return _MEMORY if fits and image.is_file() and os.access(_MEMORY, os.W_OK) else None


@contextmanager
def scratch_space(
    parent: Path | None = None, *, cache: Path | None = None, progress: Progress = lambda _: None
) -> Iterator[Scratch]:
    """Give folders below `parent`, or where temporary files go. They are removed at the end."""
    with tempfile.TemporaryDirectory(prefix="strongroom-audit-", dir=parent) as folder:
        yield Scratch(Path(folder), cache, progress)
