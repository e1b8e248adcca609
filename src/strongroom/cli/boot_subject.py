# SPDX-License-Identifier: Apache-2.0
r"""What `image boot` boots: the folder of a build, a raw disk, or a UKI, which gets a disk of its own.

With it comes what it is expected to measure, from the file beside it or computed, or why nothing is expected.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from strongroom.cli.image_file import read_image_file
from strongroom.cli.paths import named
from strongroom.cli.secure_boot_options import read_variables
from strongroom.errors import FormatError, NotTrusted, UsageError
from strongroom.flows.files import read_file
from strongroom.formats.edk2_store import MAX_FILE_BYTES
from strongroom.formats.efi_variables import EfiVariables
from strongroom.formats.measurements import MAX_FILE_BYTES as MAX_MEASUREMENTS_BYTES
from strongroom.formats.measurements import Measurements, parse_measurements
from strongroom.formats.uki import Architecture, parse_uki
from strongroom.imaging.audit.rules.variant import variant_of
from strongroom.measure.predict import measure_image
from strongroom.measure.uefi_variables import keys_of_predicted_boot
from strongroom.twin.attack.disk import make_disk
from strongroom.twin.attack.target import BOOT_PATH, BUILT_DISK
from strongroom.twin.qemu.hardware import NO_VARIABLES

MEASUREMENTS_NAME = "pcr_measurements.json"
UEFI_DATA_NAME = "uefi-data.b64"


@dataclass(frozen=True, slots=True)
class BootSubject:
    """A disk that boots, its UEFI variables, and what is expected of it."""

    disk: Path
    variables: EfiVariables
    variant: str
    """VARIANT_ID of the image: `production`, `rehearsal`, `debug`, or empty where it says nothing."""
    expected: Measurements | None
    source: str
    """Where the expected measurements come from, or why there are none."""


def read_subject(path: Path, uefi_data: Path | None, scratch: Path) -> BootSubject:
    """Return what is booted. `scratch` takes the disk of a UKI; `uefi_data` is used in place of the build's own.

    Raises FormatError for what holds no image, UsageError for another architecture than x86_64, LocalFault.
    """
    found = read_image_file(path / BUILT_DISK if path.is_dir() else path)
    image = bytes(found.image)
    with found.named():
        uki = parse_uki(image)
    if uki.architecture is not Architecture.X86_64:
        raise UsageError(
            "boot.architecture",
            f"expected an image for x86_64, found one for {uki.architecture.value}",
            remedy="The machine of the twin is one for x86_64.",
        )
    disk = found.file
    if found.boots is None:
        disk = scratch / BUILT_DISK
        make_disk(disk, {BOOT_PATH: image})
    variables = _variables(path, uefi_data)
    expected, source = _expected(path, image, variables)
    variant = variant_of(bytes(uki.section(".osrel") or b""))
    return BootSubject(disk, variables, variant, expected, source)


def _variables(path: Path, given: Path | None) -> EfiVariables:
    built = path / UEFI_DATA_NAME
    file = given or (built if path.is_dir() and built.exists() else None)
    if file is None:
        return NO_VARIABLES
    with named(file):
        return read_variables(read_file(file, maximum_bytes=MAX_FILE_BYTES))


def _expected(path: Path, image: bytes, variables: EfiVariables) -> tuple[Measurements | None, str]:
    beside = (path if path.is_dir() else path.parent) / MEASUREMENTS_NAME
    if beside.exists():
        with named(beside):
            return parse_measurements(read_file(beside, maximum_bytes=MAX_MEASUREMENTS_BYTES)), str(beside)
    try:
        return measure_image(image, secure_boot=keys_of_predicted_boot(variables)), "computed"
    except (FormatError, NotTrusted) as error:  # a boot of it is looked at all the same
        return None, str(error)
