# SPDX-License-Identifier: Apache-2.0
"""Folders for what readers unpack, gone when the audit is over."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from strongroom.imaging.tree.part_of_disk import write_part


@dataclass
class Scratch:
    """A folder that hands out new names in it."""

    root: Path
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


@contextmanager
def scratch_space(parent: Path | None = None) -> Iterator[Scratch]:
    """Give folders below `parent`, or where temporary files go. They are removed at the end."""
    with tempfile.TemporaryDirectory(prefix="strongroom-audit-", dir=parent) as folder:
        yield Scratch(Path(folder))
