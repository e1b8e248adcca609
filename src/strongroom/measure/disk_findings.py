# SPDX-License-Identifier: Apache-2.0
r"""What lies beside the image on a disk and would change its boot, or the PCRs after it (ATTACKS B1 to B3, B5, B6).

systemd-stub(7) picks up credentials, extensions and add-ons from the volume it was started from, measures them into
PCR 12 and 13, and passes them on: a boot of such a disk does not match measurements of the image. Which of these files
a stub reads depends on its version; all that any known version reads are told. Only the volume that boots is searched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from strongroom.errors import Finding
from strongroom.formats.fat import FatVolume
from strongroom.measure.disk_layout import DiskLayout, DiskPartition, Scheme

_SHOWN = 3
_USUAL_SECTOR_BYTES = 512
_CREDENTIAL, _ADD_ON, _PROGRAM, _SCRIPT = r".*\.cred", r".*\.addon\.efi", r".*\.efi", r"startup\.nsh"
_EXTENSION, _CONFIGURATION = r".*(?<!\.confext)\.raw", r".*\.confext\.raw"
_LOADERS = (r"\EFI\BOOT", r"\EFI\systemd", r"\EFI\Linux")


def findings_beside(volume: FatVolume, boot_path: str) -> tuple[Finding, ...]:
    """Return one finding for each kind of file, and each folder, beside the image at `boot_path`."""
    own = f"{boot_path}.extra.d"
    beside = _Beside(volume, boot_path)
    credentials, add_ons, extensions = (rf"\loader\{name}" for name in ("credentials", "addons", "extensions"))
    return (
        *beside.found(
            "disk.credential",
            "expected no credentials, which the stub passes on and measures into PCR 12",
            _CREDENTIAL,
            (own, credentials),
        ),
        *beside.found(
            "disk.addon",
            "expected no add-ons, which the stub applies and measures into PCR 12",
            _ADD_ON,
            (own, add_ons),
        ),
        *beside.found(
            "disk.extension",
            "expected no system extensions, which the stub passes on and measures into PCR 13",
            _EXTENSION,
            (own, extensions),
        ),
        *beside.found(
            "disk.configuration-extension",
            "expected no configuration extensions, which the stub passes on and measures into PCR 12",
            _CONFIGURATION,
            (own, extensions),
        ),
        *beside.found(
            "disk.second-loader",
            "expected no EFI programs beside the image: a second loader, or what one would start",
            _PROGRAM,
            _LOADERS,
        ),
        *beside.found(
            "disk.shell-script", "expected no script that the firmware's shell runs when it starts", _SCRIPT, ("\\",)
        ),
    )


@dataclass(frozen=True, slots=True)
class _Beside:
    """The volume that boots, searched for files by their names."""

    volume: FatVolume
    boot_path: str

    def found(self, code: str, message: str, pattern: str, folders: Sequence[str]) -> Iterator[Finding]:
        """Yield a finding for each folder that holds files whose whole names fit `pattern`, in any case."""
        wanted = re.compile(pattern, re.ASCII | re.IGNORECASE)
        image = self.volume.find(self.boot_path)
        for folder in folders:
            names = [
                entry.name
                for entry in self.volume.listing(folder)
                if entry != image and not entry.is_folder and wanted.fullmatch(entry.name)
            ]
            if names:
                yield Finding(code, f"{message}; found {_shown(names)} in {folder}")


def _shown(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + rest


def findings_of_layout(layout: DiskLayout, boots: DiskPartition) -> tuple[Finding, ...]:
    """Return what is remarkable about the partitions of a disk that boots from one of them."""
    return (*_of_boot_partition(layout, boots), *_mounted_by_type(layout.partitions))


def _of_boot_partition(layout: DiskLayout, boots: DiskPartition) -> Iterator[Finding]:
    if layout.scheme is not Scheme.WHOLE_DISK and not boots.is_efi_system:
        yield Finding(
            "disk.not-efi-system",
            f"expected the image on an EFI system partition, found it on {boots} of another type ({boots.words}): "
            "firmware need not look there",
        )
    if layout.sector_bytes != _USUAL_SECTOR_BYTES:
        yield Finding(
            "disk.sector-size",
            f"expected a partition table for sectors of {_USUAL_SECTOR_BYTES} bytes, found one for "
            f"{layout.sector_bytes}: a machine whose disks have other sectors does not find it",
        )


def _mounted_by_type(partitions: Sequence[DiskPartition]) -> Iterator[Finding]:
    for partition in partitions:
        if partition.is_mounted_by_type:
            yield Finding(
                "disk.mounted-by-type",
                f"expected no partition that systemd mounts for its type alone, found {partition} ({partition.words}): "
                "partitions are measured into PCR 5 only, which gates nothing; systemd.gpt_auto=0 in the kernel "
                "command line leaves it alone",
            )
