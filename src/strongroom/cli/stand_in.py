# SPDX-License-Identifier: Apache-2.0
"""Assembles an image for the twin from its pieces, and makes pieces where there are none: right in form, of no use."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from strongroom.formats.minimal_stub import minimal_kernel, minimal_stub
from strongroom.formats.uki import Architecture, assemble_uki
from strongroom.twin.initrd import build_initrd, file_entry, folder_entry, program_entry

COMMAND_LINE = "console=ttyS0 rd.shell=0 lockdown=integrity nohibernate"
_STUB_VERSION = "252.39"
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


def this_architecture() -> Architecture:
    """Return the architecture of this machine."""
    return _ARCHITECTURES.get(platform.machine(), Architecture.X86_64)


def stand_in_parts(architecture: Architecture, *, origin: str) -> Parts:
    """Return pieces that are right in form and do not boot. The twin measures them like any other."""
    return Parts(
        architecture=architecture,
        stub=minimal_stub(architecture, version=_STUB_VERSION),
        kernel=minimal_kernel(architecture, release="demo"),
        busybox=None,
        origin=origin,
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
