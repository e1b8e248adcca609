# SPDX-License-Identifier: Apache-2.0
"""The commands, a file for each family as Part 3 has chapters. Importing this registers them all."""

from __future__ import annotations

from strongroom.twin.nitrotpm.commands import (
    context,
    creating,
    eviction,
    loading,
    objects,
    primary,
    random_numbers,
    sessions,
    startup,
)
from strongroom.twin.nitrotpm.registry import COMMANDS

__all__ = [
    "COMMANDS",
    "context",
    "creating",
    "eviction",
    "loading",
    "objects",
    "primary",
    "random_numbers",
    "sessions",
    "startup",
]
