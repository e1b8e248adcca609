# SPDX-License-Identifier: Apache-2.0
"""One entry of a file tree, as its file system has it."""

from __future__ import annotations

import stat
from dataclasses import dataclass

CAPABILITIES = "security.capability"
"""The extended attribute that gives a program capabilities (capabilities(7), "File capabilities")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One entry. Owners are those inside the image, whoever reads it."""

    path: str
    """Absolute, without `.`, `..`, doubled or trailing slashes; the root is `/`."""
    mode: int
    """Kind and permissions, as `st_mode` has them (inode(7))."""
    uid: int = 0
    gid: int = 0
    size: int = 0
    """Of a file's contents, in bytes."""
    target: str = ""
    """Where a symbolic link leads, as it is written."""
    device: tuple[int, int] | None = None
    """Major and minor number of a device node."""
    capabilities: bytes = b""
    """The value of the extended attribute `security.capability`, empty where there is none."""

    @property
    def name(self) -> str:
        """The last part of the path; empty for the root."""
        return self.path.rpartition("/")[2]

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.mode)

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.mode)

    @property
    def is_executable(self) -> bool:
        """Whether it is a file that somebody may execute."""
        return self.is_file and bool(self.mode & 0o111)

    @property
    def is_setuid(self) -> bool:
        """Whether it is a file that runs with its owner's rights."""
        return self.is_file and bool(self.mode & stat.S_ISUID)

    @property
    def is_setgid(self) -> bool:
        """Whether it is a file that runs with its group's rights."""
        return self.is_file and bool(self.mode & stat.S_ISGID)

    @property
    def is_world_writable(self) -> bool:
        """Whether everybody may write it: a link's own mode says nothing, and a sticky folder keeps others' files."""
        if self.is_link or (self.is_folder and self.mode & stat.S_ISVTX):
            return False
        return bool(self.mode & stat.S_IWOTH)

    def __str__(self) -> str:
        return self.path
