# SPDX-License-Identifier: Apache-2.0
"""What the demo boots: a UKI of Debian's kernel and stub where they can be had, a stand-in of the same form elsewhere.

The trust file lies in the initrd, so it is measured with the rest: an image that trusts somebody else is another image.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from strongroom.errors import LocalFault, NotTrusted, ServiceFault
from strongroom.formats.minimal_stub import minimal_kernel, minimal_stub
from strongroom.formats.uki import Architecture, assemble_uki
from strongroom.measure.predict import measure_image
from strongroom.twin.debian import fetch_debian_uki_parts
from strongroom.twin.initrd import build_initrd, file_entry, folder_entry, program_entry

COMMAND_LINE = "console=ttyS0 rd.shell=0 lockdown=integrity nohibernate"
CHANGED_COMMAND_LINE = f"{COMMAND_LINE} init=/bin/sh"
_STAND_IN_STUB = "252.39"
_OS_RELEASE = b'ID=strongroom-demo\nNAME="Strongroom demo"\nVERSION_ID="1"\n'
_ARCHITECTURES = {"aarch64": Architecture.ARM64, "arm64": Architecture.ARM64}
_TRUST_FOLDERS = ("usr", "usr/lib", "usr/lib/strongroom")


@dataclass(frozen=True, slots=True)
class Parts:
    """The pieces of the image, and where they are from, in a sentence for people."""

    architecture: Architecture
    stub: bytes
    kernel: bytes
    busybox: bytes | None
    origin: str
    missing: str
    """What cannot be shown with these pieces; empty for Debian's."""


def cache_folder() -> Path:
    """Return where downloads are kept between runs (XDG Base Directory Specification).

    Raises LocalFault for a user without a home folder.
    """
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "strongroom"
    except RuntimeError as error:
        raise LocalFault("demo.no-home", "expected a home folder to keep downloads in, found none") from error


def find_parts(progress: Callable[[str], None]) -> Parts:
    """Return Debian's pieces, fetched without root on the first run, or stand-ins where there are none to be had."""
    architecture = _ARCHITECTURES.get(platform.machine(), Architecture.X86_64)
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return stand_in_parts(architecture, reason="this is not Debian")
    try:
        found = fetch_debian_uki_parts(cache_folder(), progress=progress, architecture=architecture)
    except (LocalFault, ServiceFault) as fault:
        return stand_in_parts(architecture, reason=str(fault))
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
        return stand_in_parts(parts.architecture, reason=str(refusal))
    return parts


def stand_in_parts(architecture: Architecture, *, reason: str) -> Parts:
    """Return pieces that are right in form and do not boot. The twin measures them like any other."""
    return Parts(
        architecture=architecture,
        stub=minimal_stub(architecture, version=_STAND_IN_STUB),
        kernel=minimal_kernel(architecture, release="demo"),
        busybox=None,
        origin=f"a stand-in that the assembler generates, since Debian's packages cannot be had here ({reason})",
        missing="The stand-in has the form of a UKI and is measured like one, but it would not boot on a real machine.",
    )


def build_image(parts: Parts, *, trust: bytes, command_line: str = COMMAND_LINE) -> bytes:
    """Return the UKI with this command line, and with the trust file in its initrd."""
    entries = [*map(folder_entry, _TRUST_FOLDERS), file_entry("usr/lib/strongroom/trust.json", trust)]
    if parts.busybox is not None:
        entries += [folder_entry("bin"), program_entry("bin/busybox", parts.busybox)]
    sections = [
        (".osrel", _OS_RELEASE),
        (".cmdline", command_line.encode() + b"\0"),
        (".initrd", build_initrd(entries)),
        (".linux", parts.kernel),
    ]
    return assemble_uki(parts.stub, sections)


def build_driver(parts: Parts) -> bytes:
    """Return a small EFI program of somebody else's, to be run before the image."""
    return minimal_kernel(parts.architecture, release="a driver that nobody asked for")
