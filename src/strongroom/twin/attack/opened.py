# SPDX-License-Identifier: Apache-2.0
"""Opens an arena: a twin of its own on free ports, a vendor on it, and a folder that is gone afterwards."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from strongroom.twin.attack.arena import Arena
from strongroom.twin.attack.canary import Canary
from strongroom.twin.attack.target import open_target
from strongroom.twin.attack.tools import expect_tools
from strongroom.twin.attack.vendor import TwinVendor
from strongroom.twin.qemu.programs import expect_qemu
from strongroom.twin.server import Twin


@contextmanager
def opened_arena(image: Path, cache: Path, slots: threading.BoundedSemaphore) -> Iterator[Arena]:
    """Return where an image is attacked. `cache` keeps Debian's packages, `slots` is how many machines may run.

    Raises LocalFault for a program that is missing, and what `open_target` raises.
    """
    expect_tools()
    expect_qemu()
    with tempfile.TemporaryDirectory(prefix="strongroom-attack-") as scratch, Twin() as twin:
        folder, canary = Path(scratch), Canary.make()
        yield Arena(
            twin=twin,
            target=open_target(image, scratch=folder),
            vendor=TwinVendor(twin, canary),
            canary=canary,
            folder=folder,
            cache=cache,
            slots=slots,
        )
