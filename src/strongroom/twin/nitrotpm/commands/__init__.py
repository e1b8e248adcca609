# SPDX-License-Identifier: Apache-2.0
"""The commands, a file for each family as Part 3 has chapters. Importing this registers them all."""

from __future__ import annotations

from strongroom.twin.nitrotpm.commands import (
    asymmetric,
    attestation,
    context,
    creating,
    credentials,
    duplication,
    eviction,
    loading,
    nv_certify,
    objects,
    primary,
    random_numbers,
    sessions,
    signing,
    startup,
    symmetric,
)
from strongroom.twin.nitrotpm.registry import COMMANDS

__all__ = [
    "COMMANDS",
    "asymmetric",
    "attestation",
    "context",
    "creating",
    "credentials",
    "duplication",
    "eviction",
    "loading",
    "nv_certify",
    "objects",
    "primary",
    "random_numbers",
    "sessions",
    "signing",
    "startup",
    "symmetric",
]
