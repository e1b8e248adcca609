# SPDX-License-Identifier: Apache-2.0
"""What boots, and what the key admits: read from files, or a stand-in where nobody has named an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from strongroom.cli.image_file import read_image_file
from strongroom.cli.policy_file import read_measurements_file
from strongroom.cli.stand_in import build_image, stand_in_parts, this_architecture
from strongroom.errors import Finding, UsageError
from strongroom.formats.measurements import Measurements
from strongroom.formats.pcrs import PcrIndex
from strongroom.formats.uki import parse_uki
from strongroom.measure.predict import measure_image

_CHANGEABLE = (".cmdline", ".osrel", ".linux")
"""Sections in which one bit may be another and the image still boots in the twin, the most telling one first."""

_STAND_IN = "it has the form of a unified kernel image and nothing of yours in it; --image FILE boots one"
_STAND_IN = "it has the form of a unified kernel image and nothing of yours in it; --image FILE boots one"


@dataclass(frozen=True, slots=True)
class BootImage:
    """What boots."""

    name: str
    """What people are told that it is, in a few words."""
    data: bytes
    stands_in: bool = False
    """Whether it is none of the user's."""
    about: str = ""
    """What else they should know of it."""
    findings: tuple[Finding, ...] = ()
    """What lies beside it on its disk and would change a boot there."""


def stand_in(named: str | None) -> BootImage:
    """Return an image where there is none: because nobody named one, or for one that nobody has built."""
    parts = stand_in_parts(this_architecture(), origin="a stand-in")
    name = f"a stand-in for {named}" if named else "a stand-in"
    return BootImage(name, build_image(parts, trust=b"{}\n"), about=_STAND_IN, stands_in=True)


def read_image(path: Path) -> BootImage:
    """Read a unified kernel image, or the one that a disk boots. Raises FormatError, LocalFault."""
    found = read_image_file(path)
    with found.named():
        parse_uki(found.image)
    return BootImage(str(path), bytes(found.image), findings=found.findings)


def admitted_by(image: BootImage, files: Sequence[Path]) -> Mapping[str, Measurements]:
    """Return what the key opens for, by name: the measurements that were given, or those of this image.

    Raises UsageError for Secure Boot, FormatError, LocalFault, and NotTrusted for an image that cannot be predicted.
    """
    if not files:
        return {image.name: measure_image(image.data, secure_boot=None)}
    given = {str(path): read_measurements_file(path) for path in files}
    for name, measurements in given.items():
        if PcrIndex(7) in measurements.gates:
            raise UsageError(
                "exec.secure-boot",
                f"expected measurements of boots with Secure Boot off, found a gate on PCR 7 in {name}",
                remedy="The twin boots with Secure Boot off here: measure the image without keys.",
            )
    return given


def with_a_byte_changed(image: BootImage) -> BootImage:
    """Return the image with one bit flipped in what it is told, or in what it runs."""
    uki = parse_uki(image.data)
    section = next(s for name in _CHANGEABLE for s in uki.image.sections if s.name == name)
    place = section.raw_offset if section.name != ".linux" else section.raw_offset + section.virtual_size - 1
    changed = bytearray(image.data)
    changed[place] ^= 1
    about = f"{image.about}; with byte {place} changed, in {section.name}".removeprefix("; ")
    return replace(image, data=bytes(changed), about=about)
