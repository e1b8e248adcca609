# SPDX-License-Identifier: Apache-2.0
"""What systemd-stub measures: the sections of its image into PCR 11, what it was handed from outside into 12 and 13.

From systemd-stub(7) and boots of version 252 under OVMF. PCR 11 is measured in the order of the sections there. The
kernel's own EFI stub runs next, and measures into PCR 9 what systemd-stub gave it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from strongroom.errors import FormatError
from strongroom.twin.authenticode import Image
from strongroom.twin.tcg_event import Event, EventType, hashed

_MEASURED_SECTIONS = (".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".dtb", ".pcrpkey")
"""Sections that version 252 measures, in its order."""
_LATER_SECTIONS = (".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".dtb", ".uname", ".sbat", ".pcrpkey")
"""The same from version 254 on (systemd-stub(7), "TPM PCR Notes")."""
_LATER = 254
_AMAZON_LINUX_STUB = 252
_MAGIC = re.compile(rb"#### LoaderInfo: systemd-stub (\d{1,4})")


@dataclass(frozen=True, slots=True)
class StubInputs:
    """What reaches the stub from outside the image."""

    load_options: str | None
    credentials: Mapping[str, bytes]
    extensions: Mapping[str, bytes]
    secure_boot: bool


def stub_version(image: Image) -> int:
    """Return the major version. Amazon Linux 2023 ships its stub without the mark; it is 252 (AWS's own rule)."""
    found = _MAGIC.search(image.section(".sdmagic") or b"")
    if found:
        return int(found[1])
    release = image.section(".osrel") or b""
    if b'NAME="Amazon Linux"' in release and b'VERSION="2023"' in release:
        return _AMAZON_LINUX_STUB
    raise FormatError(
        "twin.stub", "expected a systemd-stub with its version in .sdmagic, found none", spec="PE .sdmagic"
    )


def stub_events(image: Image, inputs: StubInputs) -> Iterable[Event]:
    """Return the stub's events in order. With Secure Boot on it ignores a command line from outside."""
    sections = _LATER_SECTIONS if stub_version(image) >= _LATER else _MEASURED_SECTIONS
    for name in sections:
        data = image.section(name)
        if data is not None:
            yield hashed(11, EventType.IPL, name.encode() + b"\0", f"name of section {name}")
            yield hashed(11, EventType.IPL, data, f"section {name}")
    added = _load_options_in_use(image, inputs)
    if added:
        yield hashed(12, EventType.IPL, _utf16(added), "command line from the boot option")
    for name, data in sorted(inputs.credentials.items()):
        yield hashed(12, EventType.IPL, name.encode() + b"\0" + data, f"credential {name}")
    for name, data in sorted(inputs.extensions.items()):
        yield hashed(13, EventType.IPL, name.encode() + b"\0" + data, f"system extension {name}")
    yield from _kernel_events(image, inputs)


def _load_options_in_use(image: Image, inputs: StubInputs) -> str:
    """Return the command line that replaces the image's own, empty where none does."""
    ignores = inputs.secure_boot and image.section(".cmdline") is not None
    return "" if ignores else inputs.load_options or ""


def _kernel_events(image: Image, inputs: StubInputs) -> Iterable[Event]:
    """Return what Linux measures of its inputs (drivers/firmware/efi/libstub/efi-stub-helper.c).

    systemd-stub packs what lies beside the image into cpio archives behind the initrd. Their bytes are not made again
    here: what was found stands for them.
    """
    embedded = (image.section(".cmdline") or b"").rstrip(b"\0\n").decode("utf-8", "replace")
    line = _load_options_in_use(image, inputs) or embedded
    yield hashed(9, EventType.EVENT_TAG, _utf16(line), "command line, measured by the kernel")
    beside = sorted((*inputs.credentials.items(), *inputs.extensions.items()))
    initrd = (image.section(".initrd") or b"") + b"".join(name.encode() + b"\0" + data for name, data in beside)
    if initrd:
        yield hashed(9, EventType.EVENT_TAG, initrd, "initrd, measured by the kernel")


def _utf16(line: str) -> bytes:
    """Encode a command line as UEFI hands it on: UTF-16 with its end."""
    return (line + "\0").encode("utf-16-le")
