# SPDX-License-Identifier: Apache-2.0
"""Is a folder in memory? A secret on a volume outlives the instance: whoever owns the account can read the volume."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from strongroom.errors import LocalFault

MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs")
_MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class UnsafeDiskDelivery:
    """Allows delivery to a file system that is not in memory. `reason` says why somebody wants that."""

    reason: str


def expect_memory(descriptor: int, shown: Path, *, unsafe_disk: UnsafeDiskDelivery | None = None) -> None:
    """Raise LocalFault unless the open folder lies on tmpfs or ramfs, or `unsafe_disk` allows otherwise."""
    if unsafe_disk is not None:
        return
    if sys.platform != "linux":
        raise LocalFault(
            "delivery.no-tmpfs",
            f"expected Linux, whose tmpfs keeps a secret off the disk, found {sys.platform}",
            remedy="Deliver inside the instance, or allow UnsafeDiskDelivery for a rehearsal.",
        )
    kind = file_system_of(os.fstat(descriptor).st_dev, mounts=_read_mounts())
    if kind not in MEMORY_FILE_SYSTEMS:
        raise LocalFault(
            "delivery.on-disk",
            f"expected {shown} on {' or '.join(MEMORY_FILE_SYSTEMS)}, found {kind or 'an unknown file system'}",
            remedy="Deliver below /run, or mount a tmpfs there. A secret on a volume can be read from a snapshot.",
        )


def _read_mounts() -> str:
    try:
        return _MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise LocalFault("delivery.no-proc", f"expected {_MOUNTS} to be readable: {error.strerror}") from error


def file_system_of(device: int, *, mounts: str) -> str | None:
    """Return the type of the mounted file system with that device number, from the text of mountinfo (proc(5))."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        mount, _, source = line.partition(" - ")
        fields = mount.split(" ")
        if len(fields) > 2 and fields[2] == wanted:  # noqa: PLR2004 -- proc(5): the third field is major:minor
            return source.split(" ")[0]
    return None
