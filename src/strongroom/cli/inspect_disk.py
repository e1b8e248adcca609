# SPDX-License-Identifier: Apache-2.0
"""`strongroom inspect` for raw disk images: how the disk is divided, and what firmware boots from it."""

from __future__ import annotations

from strongroom.cli.findings import finding_lines, finding_members
from strongroom.cli.image_file import partition_members
from strongroom.cli.inspection import Inspection
from strongroom.errors import FormatError
from strongroom.formats.file_kind import HEAD_BYTES, FileKind, guess_kind
from strongroom.measure.disk import BootFile, boot_file
from strongroom.measure.disk_layout import DiskLayout, DiskPartition, Scheme, parse_disk
from strongroom.measure.wording.words import quoted

_SCHEMES = {
    Scheme.GPT: "a GUID partition table",
    Scheme.MBR: "a master boot record",
    Scheme.WHOLE_DISK: "no partition table: one FAT volume over the whole disk",
}
_MEBIBYTE = 1 << 20


def recognise(data: memoryview) -> Inspection | None:
    """Describe a raw disk image; None for anything else. Raises FormatError for one whose partitions are not clear."""
    if guess_kind(bytes(data[:HEAD_BYTES])) is not FileKind.DISK:
        return None
    layout = parse_disk(data)
    facts: dict[str, object] = {
        "size_bytes": len(data),
        "scheme": layout.scheme.value,
        "sector_bytes": layout.sector_bytes,
        "partitions": [partition_members(partition) for partition in layout.partitions if partition.number],
    }
    try:
        boots = boot_file(data, layout)
    except FormatError as error:
        facts |= {"boots": None, "boot_problem": {"code": error.code, "message": error.message}, "findings": []}
        return _inspection((*_lines(layout), f"What firmware boots from it cannot be told: {error}"), facts)
    facts |= {"boots": _boots(boots), "boot_problem": None, "findings": _findings(boots)}
    return _inspection((*_lines(layout), *_boot_lines(boots)), facts)


def _inspection(lines: tuple[str, ...], facts: dict[str, object]) -> Inspection:
    return Inspection("disk", "a raw disk image", lines, facts, "`strongroom measure` says what it leaves in the PCRs.")


def _boots(boots: BootFile) -> dict[str, object]:
    return {"path": boots.path, "partition": boots.partition.number, "size_bytes": len(boots.image)}


def _findings(boots: BootFile) -> list[dict[str, object]]:
    return [finding_members(finding) for finding in boots.findings]


def _lines(layout: DiskLayout) -> tuple[str, ...]:
    return (
        f"It has {_SCHEMES[layout.scheme]}; sectors of {layout.sector_bytes} bytes.",
        *(_partition_line(partition) for partition in layout.partitions if partition.number),
        "",
    )


def _partition_line(partition: DiskPartition) -> str:
    place = f"at {partition.offset / _MEBIBYTE:,.1f} MiB, {partition.size_bytes / _MEBIBYTE:,.1f} MiB"
    name = f"{quoted(partition.name)}, " if partition.name else ""
    unique = f" ({partition.unique})" if partition.unique else ""
    return f"  {partition.number:>3}  {name}{partition.words}, {place}{unique}"


def _boot_lines(boots: BootFile) -> tuple[str, ...]:
    return (
        f"Firmware without boot options boots {boots}: {len(boots.image):,} bytes.",
        *(line for finding in boots.findings for line in finding_lines(finding)),
    )
