# SPDX-License-Identifier: Apache-2.0
"""Accounts that could log in, and programs that run with other rights than those of who starts them."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.imaging.host_report.evidence import Evidence
from strongroom.imaging.host_report.fact import Basis, Fact, Topic
from strongroom.imaging.tree.tree import Tree

_PASSWD_FIELDS, _SHADOW_FIELDS = 7, 2
_NO_SHELL = ("/nologin", "/false", "/sync")


def users(evidence: Evidence) -> Iterator[Fact]:
    """Yield accounts with a shell or a password, keys that let somebody in, and programs with rights of their own."""
    tree = evidence.tree
    passwords = dict(_passwords(tree))
    for number, line in tree.lines("/etc/passwd"):
        fields = line.split(":")
        if len(fields) == _PASSWD_FIELDS:
            yield from _account(fields, passwords.get(fields[0], ""), number)
    for place in ("/root/.ssh/authorized_keys*", "/home/*/.ssh/authorized_keys*", "/etc/ssh/authorized_keys/*"):
        for node in tree.glob(place):
            yield Fact(Topic.USERS, Basis.POSSIBLE, "keys that sshd would let in", node.path)
    for place in ("/etc/sudoers", "/etc/sudoers.d/*", "/etc/doas.conf"):
        for node in tree.glob(place):
            yield Fact(Topic.USERS, Basis.POSSIBLE, "says who may become another user", node.path)
    yield from _programs(tree)


def _passwords(tree: Tree) -> Iterator[tuple[str, str]]:
    for _, line in tree.lines("/etc/shadow"):
        fields = line.split(":")
        if len(fields) >= _SHADOW_FIELDS:
            yield fields[0], fields[1]


def _account(fields: list[str], shadow: str, number: int) -> Iterator[Fact]:
    name, password, uid, shell = fields[0], fields[1], fields[2], fields[6]
    password = shadow if password == "x" else password  # noqa: S105 -- passwd(5): it stands in /etc/shadow
    locked = password.startswith(("!", "*"))
    how = "no password works" if locked else ("an empty password works" if not password else "a password works")
    if not locked or (uid == "0" and name != "root"):
        text = f"{name} (uid {uid}): {how}, shell {shell or '/bin/sh'}"
        yield Fact(Topic.USERS, Basis.STATED, text, "/etc/passwd", number)
    elif not shell.endswith(_NO_SHELL):
        text = f"{name} (uid {uid}) has the shell {shell or '/bin/sh'}, and {how}"
        yield Fact(Topic.USERS, Basis.STATED, text, "/etc/passwd", number)


def _programs(tree: Tree) -> Iterator[Fact]:
    for node in tree.files:
        if node.is_setuid or node.is_setgid:
            kind = f"user {node.uid}" if node.is_setuid else f"group {node.gid}"
            yield Fact(Topic.USERS, Basis.STATED, f"runs as {kind}, whoever starts it", node.path)
        elif node.capabilities:
            yield Fact(Topic.USERS, Basis.STATED, "has capabilities, whoever starts it", node.path)
