# SPDX-License-Identifier: Apache-2.0
"""What the report consists of: statements about an image, each with the file that it was read from."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Topic(enum.StrEnum):
    """What a statement is about. The values are keys of `--json`, and stable."""

    PROGRAMS = "programs"
    LISTENERS = "listeners"
    ENDPOINTS = "endpoints"
    PERMISSIONS = "permissions"
    METADATA = "metadata"
    STORAGE = "storage"
    OUTPUT = "output"
    USERS = "users"
    STOPPING = "stopping"


QUESTIONS = {
    Topic.PROGRAMS: "What starts at boot?",
    Topic.LISTENERS: "What listens to the network?",
    Topic.ENDPOINTS: "Whom does it talk to?",
    Topic.PERMISSIONS: "Which permissions does its role need?",
    Topic.METADATA: "What does it read of the instance's metadata?",
    Topic.STORAGE: "Which disks does it write?",
    Topic.OUTPUT: "What reaches the console and logs?",
    Topic.USERS: "Who can be somebody in it?",
    Topic.STOPPING: "How is it stopped?",
}
"""What the customer wants to know, in the order of the report."""


class Basis(enum.StrEnum):
    """How well a statement stands."""

    STATED = "stated"
    """A file that is used at boot says so."""
    POSSIBLE = "possible"
    """What it takes is there; nothing that was read says that it happens."""
    RULED_OUT = "ruled-out"
    """A setting that is used at boot keeps it from happening."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement."""

    topic: Topic
    basis: Basis
    text: str
    """In one sentence, without a full stop."""
    path: str = ""
    """The file that it was read from; empty for what is no file of the tree."""
    line: int | None = None
    """Of that file, from 1."""
