# SPDX-License-Identifier: Apache-2.0
"""`strongroom inspect`: any file, put into words for a terminal and into JSON for machines."""

import json
from pathlib import Path

from tests import nitro_pki
from tests.boot.variables import write_variables
from tests.event_logs import RICH_BOOT, SMALL_BOOT
from tests.fuzz.target import Target
from tests.fuzz.targets import console, disks, files, identity, images, uefi
from tests.uefi_blobs import aws_blob
from tests.unit.formats.test_edk2_store import empty_store

from strongroom.cli.inspect import inspect
from strongroom.cli.terminal import printable


def file(data: bytes) -> None:
    """What is shown has no control character, and what machines get is JSON."""
    found = inspect(memoryview(data), path=Path("file"))
    assert all(printable(line).isprintable() for line in found.lines)
    assert json.loads(json.dumps({"kind": found.kind, **found.facts}))


def all_kinds() -> list[bytes]:
    return [
        nitro_pki.document(),
        RICH_BOOT,
        SMALL_BOOT,
        identity.DOCUMENT,
        *identity.signed(),
        *console.consoles()[:2],
        write_variables(empty_store(), uefi.ROWS),
        aws_blob(uefi.ROWS),
        *files.measurement_files(),
        *images.ukis(),
        *disks.disks(),
    ]


def worst() -> list[bytes]:
    return [*console.many_records(), *uefi.bombs(), *disks.crowded()]


TARGETS = (Target("inspection.file", file, all_kinds, max_bytes=12_288, worst=worst),)
