# SPDX-License-Identifier: Apache-2.0
"""Who could log in to a tree: passwd(5) and shadow(5)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.imaging.tree.tree import Tree

PASSWD, SHADOW = "/etc/passwd", "/etc/shadow"
_FIELDS_PASSWD, _FIELDS_SHADOW = 7, 2
_NO_SHELLS = frozenset({"nologin", "false", "true", "sync", "halt", "shutdown", "git-shell"})
_LOCKED = ("!", "*")
_IN_SHADOW = "x"
"""What stands in passwd where the password is in shadow."""


@dataclass(frozen=True, slots=True)
class Account:
    """One line of passwd, with what shadow has for it."""

    name: str
    password: str
    """What a password is compared with: a hash; empty where none is asked for; what starts with ! or * fits none."""
    uid: str
    home: str
    shell: str
    path: str
    """Of the file with the password."""
    line: int

    @property
    def has_shell(self) -> bool:
        """Whether a log-in would end in a shell. No shell at all stands for /bin/sh (passwd(5))."""
        return posixpath.basename(self.shell) not in _NO_SHELLS

    @property
    def needs_no_password(self) -> bool:
        """Whether an empty field lets everybody in."""
        return not self.password

    @property
    def has_password(self) -> bool:
        """Whether some password fits."""
        return bool(self.password) and not self.password.startswith(_LOCKED) and self.password != _IN_SHADOW

    @property
    def lets_in(self) -> bool:
        """Whether somebody could log in by a password, or without."""
        return self.has_shell and (self.needs_no_password or self.has_password)


def accounts(tree: Tree) -> tuple[Account, ...]:
    """Return the accounts of a tree, in the order of passwd. Lines that are not whole are passed over."""
    shadow = {name: (password, number) for name, password, number in _shadow(tree)}
    return tuple(_accounts(tree, shadow))


def _shadow(tree: Tree) -> Iterator[tuple[str, str, int]]:
    for number, line in tree.lines(SHADOW):
        fields = line.split(":")
        if len(fields) >= _FIELDS_SHADOW:
            yield fields[0], fields[1], number


def _accounts(tree: Tree, shadow: dict[str, tuple[str, int]]) -> Iterator[Account]:
    for number, line in tree.lines(PASSWD):
        fields = line.split(":")
        if len(fields) != _FIELDS_PASSWD:
            continue
        name, password, uid, _, _, home, shell = fields
        path, where = PASSWD, number
        if password == _IN_SHADOW and name in shadow:
            (password, where), path = shadow[name], SHADOW
        yield Account(name, password, uid, home, shell.strip(), path, where)
