# SPDX-License-Identifier: Apache-2.0
"""What the demo boots: a UKI of Debian's kernel and stub where they can be had, a stand-in of the same form elsewhere.

The trust file lies in the initrd, so it is measured with the rest: an image that trusts somebody else is another image.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable

from strongroom.cli.cache_folder import cache_folder
from strongroom.cli.stand_in import COMMAND_LINE, Parts, build_image, stand_in_parts, this_architecture
from strongroom.errors import LocalFault, NotTrusted, ServiceFault
from strongroom.formats.minimal_stub import minimal_kernel
from strongroom.formats.uki import Architecture
from strongroom.measure.predict import measure_image
from strongroom.twin.debian import fetch_debian_uki_parts

CHANGED_COMMAND_LINE = f"{COMMAND_LINE} init=/bin/sh"


def find_parts(progress: Callable[[str], None]) -> Parts:
    """Return Debian's pieces, fetched without root on the first run, or stand-ins where there are none to be had."""
    architecture = this_architecture()
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return _stand_in(architecture, reason="this is not Debian")
    try:
        found = fetch_debian_uki_parts(cache_folder(), progress=progress, architecture=architecture)
    except (LocalFault, ServiceFault) as fault:
        return _stand_in(architecture, reason=str(fault))
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    parts = Parts(
        architecture=architecture,
        stub=found.stub.read_bytes(),
        kernel=found.kernel.read_bytes(),
        busybox=found.busybox.read_bytes(),
        origin=f"assembled from Debian's packages: {versions}",
        missing="",
    )
    return _attestable(parts)


def _attestable(parts: Parts) -> Parts:
    """Return these pieces, or stand-ins where the stub is none that an image can be predicted with."""
    try:
        measure_image(build_image(parts, trust=b"{}"), secure_boot=None)
    except NotTrusted as refusal:  # Debian 12's stub for arm64 names no version
        return _stand_in(parts.architecture, reason=str(refusal))
    return parts


def _stand_in(architecture: Architecture, *, reason: str) -> Parts:
    origin = f"a stand-in that the assembler generates, since Debian's packages cannot be had here ({reason})"
    return stand_in_parts(architecture, origin=origin)


def build_driver(parts: Parts) -> bytes:
    """Return a small EFI program of somebody else's, to be run before the image."""
    return minimal_kernel(parts.architecture, release="a driver that nobody asked for")
