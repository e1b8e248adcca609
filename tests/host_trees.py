# SPDX-License-Identifier: Apache-2.0
"""Small file trees for the host report: a system whose services are a few lines each, and what a test plants in it."""

from __future__ import annotations

import stat
from collections.abc import Mapping

from tests.unit.formats.test_trust import trust

from strongroom.formats.partition import Profile
from strongroom.formats.trust import Trust
from strongroom.imaging.audit.subject import Subject
from strongroom.imaging.host_report.fact import Basis, Fact, Topic
from strongroom.imaging.host_report.report import host_report
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import Tree, memory_tree

UNITS = "/usr/lib/systemd/system"
WANTS = "/etc/systemd/system/multi-user.target.wants"
LINK = "-> "
"""Begins the content that stands for a symbolic link to the rest."""
SYSTEM = {
    f"{UNITS}/default.target": f"{LINK}multi-user.target",
    f"{UNITS}/multi-user.target": "[Unit]\nRequires=basic.target\n",
    f"{UNITS}/basic.target": "[Unit]\nRequires=sysinit.target\nWants=sockets.target timers.target\n",
    f"{UNITS}/sockets.target": "[Unit]\nDescription=Sockets\n",
    f"{UNITS}/timers.target": "[Unit]\nDescription=Timers\n",
    f"{UNITS}/sysinit.target": "[Unit]\nDescription=Beginning\n",
}
AGENT = """version = 1
bundles-from = "user-data"

[bundles.database]
"""


def make_tree(files: Mapping[str, str | bytes], *, modes: Mapping[str, int] | None = None) -> Tree:
    """A tree with these files; text that begins with `-> ` is a link. `modes` are permissions other than 0644."""
    nodes = []
    for path, content in files.items():
        if isinstance(content, str) and content.startswith(LINK):
            nodes.append((Node(path=path, mode=stat.S_IFLNK | 0o777, target=content.removeprefix(LINK)), b""))
            continue
        data = content.encode() if isinstance(content, str) else content
        mode = stat.S_IFREG | (modes or {}).get(path, 0o644)
        nodes.append((Node(path=path, mode=mode, size=len(data)), data))
    return memory_tree(nodes)


def service(name: str, text: str) -> dict[str, str]:
    """A service that multi-user.target wants."""
    return {f"{UNITS}/{name}": text, f"{WANTS}/{name}": f"{LINK}{UNITS}/{name}"}


def subject(
    planted: Mapping[str, str | bytes],
    *,
    command_line: str | None = "console=ttyS0 ro",
    modes: Mapping[str, int] | None = None,
    trusts: Trust | None = None,
) -> Subject:
    """The system with files planted in it. It has a trust file if it has settings of the agent."""
    files = {**SYSTEM, **planted}
    has_agent = any("agent.toml" in path for path in planted)
    return Subject(
        Profile.PRODUCTION,
        tree=make_tree(files, modes=modes),
        command_line=command_line,
        trust=trusts or (trust() if has_agent else None),
    )


def facts(topic: Topic, image: Subject) -> tuple[Fact, ...]:
    """What the whole report says about one topic, its order included."""
    return host_report(image).about(topic)


def texts(topic: Topic, image: Subject, basis: Basis | None = None) -> list[str]:
    """The words of these statements, of one basis or of all."""
    return [fact.text for fact in facts(topic, image) if basis in {None, fact.basis}]
