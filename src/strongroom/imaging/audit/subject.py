# SPDX-License-Identifier: Apache-2.0
"""What is audited: the parts of an image as far as they are there."""

from __future__ import annotations

import enum
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from strongroom.formats.partition import Profile
from strongroom.formats.trust import Trust
from strongroom.formats.uki import Uki
from strongroom.imaging.tree.tree import Tree
from strongroom.measure.disk import BootFile
from strongroom.measure.disk_layout import DiskLayout

_T = TypeVar("_T")

OS_RELEASE = "/etc/os-release"
TRUST = "/usr/lib/strongroom/trust.json"


class Part(enum.StrEnum):
    """A part of an image, in the words in which reports name it."""

    TREE = "root file system"
    INITRD = "initrd"
    UKI = "unified kernel image"
    COMMAND_LINE = "kernel command line"
    DISK = "disk"
    KERNEL_CONFIG = "kernel configuration"


@dataclass(frozen=True, slots=True)
class Problem:
    """A part that could not be read, or does not belong to the others."""

    part: Part
    message: str


@dataclass(frozen=True)
class Subject:
    """An image under audit. What is None was not there, and rules that need it are reported as not applied."""

    profile: Profile
    """What it is audited as."""
    tree: Tree | None = None
    """The root file system."""
    initrd: Tree | None = None
    """All its archives, unpacked over each other as the kernel does."""
    uki: Uki | None = None
    command_line: str | None = None
    """That of the UKI; of an image without one, what its boot loader's entries say is not looked for."""
    disk: DiskLayout | None = None
    boot: BootFile | None = None
    """What firmware boots from the disk, with what lies beside it."""
    kernel_config: Mapping[str, str] | None = None
    """Values by name: {"CONFIG_KEXEC": "y"}. What is not set stands for "n"."""
    trust: Trust | None = None
    """What trust.json says; None also where there is none, or it is broken."""
    root_hash: str = ""
    """Of dm-verity over the root file system, computed from the file system; empty where no hash tree is beside it."""
    problems: tuple[Problem, ...] = ()
    """What could not be read."""

    def has(self, part: Part) -> bool:
        """Tell whether a part is there to be looked at."""
        return {
            Part.TREE: self.tree,
            Part.INITRD: self.initrd,
            Part.UKI: self.uki,
            Part.COMMAND_LINE: self.command_line,
            Part.DISK: self.disk,
            Part.KERNEL_CONFIG: self.kernel_config,
        }[part] is not None

    @property
    def files(self) -> Tree:
        """The root file system, for rules that need it."""
        return _there(self.tree)

    @property
    def first_files(self) -> Tree:
        """The initrd, for rules that need it."""
        return _there(self.initrd)

    @cached_property
    def arguments(self) -> tuple[tuple[str, str | None], ...]:
        """The words of the command line, split at their first `=`, in order; None for a word without one."""
        words = _kernel_words(self.command_line or "")
        return tuple((key, value if sign else None) for key, sign, value in (word.partition("=") for word in words))

    def values(self, key: str) -> tuple[str | None, ...]:
        """Return every value that the command line gives for a word, in order. Most readers take the last one."""
        return tuple(value for name, value in self.arguments if name == key)

    def option(self, name: str) -> str:
        """Return an option of the kernel's configuration: `y`, `m`, `n` or a value. Needs KERNEL_CONFIG."""
        return _there(self.kernel_config).get(name, "n")

    @cached_property
    def os_release(self) -> Mapping[str, str]:
        """What os-release(5) says in the root file system; empty where there is none."""
        if self.tree is None:
            return {}
        return dict(_assignments(self.tree, OS_RELEASE)) or dict(_assignments(self.tree, "/usr/lib/os-release"))


def _there(part: _T | None) -> _T:
    if part is None:
        raise RuntimeError("a rule looked at a part that it does not say it needs")
    return part


def _kernel_words(line: str) -> Iterator[str]:
    """Split as the kernel does: at blanks outside of double quotes (lib/cmdline.c, next_arg)."""
    word, quoted = "", False
    for sign in line:
        quoted ^= sign == '"'
        if sign.isspace() and not quoted:
            if word:
                yield word
            word = ""
        elif sign != '"':
            word += sign
    if word:
        yield word


def _assignments(tree: Tree, path: str) -> Iterator[tuple[str, str]]:
    for _, line in tree.lines(path):
        key, sign, value = line.strip().partition("=")
        if sign and not key.startswith("#"):
            yield key, _unquoted(value)


def _unquoted(value: str) -> str:
    try:
        return "".join(shlex.split(value))
    except ValueError:  # a quote that is never closed
        return value
