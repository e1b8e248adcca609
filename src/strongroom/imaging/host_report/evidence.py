# SPDX-License-Identifier: Apache-2.0
"""What the report looks at: the image's parts, what starts in it, and its text files, each read once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from strongroom.errors import FormatError
from strongroom.formats.agent_config import AgentConfig, parse_agent_config
from strongroom.formats.image_paths import CONFIG_FILE, PYTHON_FOLDER
from strongroom.imaging.audit.subject import Subject
from strongroom.imaging.audit.systemd.reach import Started, reach_of
from strongroom.imaging.audit.systemd.unit_file import Unit
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import Tree

AGENT_CONFIG = CONFIG_FILE
MAX_TEXT_BYTES = 1 << 20
"""Larger files are not configuration that somebody wrote."""
_HEAD_BYTES = 4_096
_CONFIGURED = ("/etc", "/opt", "/srv", "/usr/local", "/usr/lib/strongroom", "/usr/lib/systemd/system")
_FOREIGN = ("/etc/ssl/certs/", "/etc/alternatives/", "/etc/mime.types", "/etc/services", "/etc/protocols")
"""Lists that say nothing of this image: certificates, links, names of ports."""
_CODE = (f"{PYTHON_FOLDER}/",)


@dataclass(frozen=True)
class Evidence:
    """An image with a root file system, as the report sees it."""

    subject: Subject

    @property
    def tree(self) -> Tree:
        """The root file system."""
        return self.subject.files

    @cached_property
    def started(self) -> tuple[Started, ...]:
        """The units that start, as the kernel command line has it, in the order of their names."""
        return tuple(reach_of(self.tree, self.subject.arguments).all_running())

    def units(self, kind: str) -> tuple[Unit, ...]:
        """Return those of one kind: `service`."""
        return tuple(each.unit for each in self.started if each.unit.kind == kind)

    def starts(self, name: str) -> bool:
        """Tell whether a unit starts."""
        return any(each.name == name for each in self.started)

    def systemd_words(self, name: str) -> tuple[str | None, ...]:
        """Return what the kernel command line says with `systemd.NAME` (kernel-command-line(7)), in order."""
        return self.subject.values(f"systemd.{name}")

    @cached_property
    def agent_config(self) -> AgentConfig | None:
        """What agent.toml says; None where there is none, or one that the agent would not take."""
        if not self.has(AGENT_CONFIG):
            return None
        try:
            return parse_agent_config(self.tree.read(AGENT_CONFIG))
        except FormatError:
            return None

    @cached_property
    def configuration(self) -> tuple[tuple[Node, str], ...]:
        """Text files that somebody may have written for this image, with what they hold."""
        return tuple(self._texts())

    def _texts(self) -> Iterator[tuple[Node, str]]:
        for folder in _CONFIGURED:
            for node in self.tree.below(folder):
                if node.is_file and not node.path.startswith((*_FOREIGN, *_CODE)):
                    contents = self.tree.view(node.path)
                    if len(contents) <= MAX_TEXT_BYTES and 0 not in bytes(contents[:_HEAD_BYTES]):
                        yield node, bytes(contents).decode("utf-8", "replace")

    def has(self, path: str) -> bool:
        """Tell whether there is a file that a path leads to."""
        node = self.tree.resolve(path)
        return node is not None and node.is_file
