# SPDX-License-Identifier: Apache-2.0
r"""What is attacked: a disk image, the folder of a build, or a unified kernel image alone.

An image alone lies on a disk of its own for the boots, as `\EFI\BOOT\BOOTX64.EFI`; rows about a root partition then
have nothing to attack, and say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from strongroom.errors import UsageError
from strongroom.flows.files import map_file, read_file
from strongroom.formats.measurements import Measurements
from strongroom.formats.pcrs import PcrDigests
from strongroom.formats.pe import MAX_IMAGE_BYTES
from strongroom.formats.uki import Architecture, Uki, parse_uki
from strongroom.measure.disk import boot_image
from strongroom.measure.predict import measure_image
from strongroom.twin.attack.disk import make_disk

BUILT_DISK = "disk.raw"
"""The disk in the folder of a build."""
BOOT_PATH = "EFI/BOOT/BOOTX64.EFI"
_NO_PIPE = 0
_PE_MARK = b"MZ"


@dataclass(frozen=True, slots=True)
class Target:
    """An image that boots, and what it is predicted to measure with Secure Boot off."""

    disk: Path
    """Never written to."""
    image: bytes
    measurements: Measurements
    has_root: bool
    """Whether the disk has more than the system partition."""

    @property
    def uki(self) -> Uki:
        """The image, read."""
        return parse_uki(self.image)

    @property
    def pcrs(self) -> PcrDigests:
        """What it is predicted to measure."""
        return self.measurements.pcrs


def open_target(path: Path, *, scratch: Path) -> Target:
    """Return what is attacked. `scratch` takes the disk of an image alone.

    Raises FormatError for an image that cannot boot, NotTrusted for one whose stub nobody can predict, UsageError for
    another architecture than x86_64.
    """
    disk = path / BUILT_DISK if path.is_dir() else path
    has_root = True
    with map_file(disk, maximum_piped_bytes=_NO_PIPE) as view:
        is_image = bytes(view[: len(_PE_MARK)]) == _PE_MARK
        image = b"" if is_image else boot_image(view).image
    if is_image:
        image = read_file(disk, maximum_bytes=MAX_IMAGE_BYTES)
        disk, has_root = scratch / "target.raw", False
        make_disk(disk, {BOOT_PATH: image})
    _expect_architecture(parse_uki(image))
    return Target(disk, image, measure_image(image, secure_boot=None), has_root)


def _expect_architecture(uki: Uki) -> None:
    if uki.architecture is not Architecture.X86_64:
        raise UsageError(
            "attack.architecture",
            f"expected an image for x86_64, found one for {uki.architecture.value}",
            remedy="The attacker's own programs are for x86_64 only.",
        )
