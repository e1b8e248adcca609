# SPDX-License-Identifier: Apache-2.0
"""Events about what firmware loads and from where: EFI programs and drivers, and the disk's partition table."""

from __future__ import annotations

from collections.abc import Callable

from strongroom.errors import FormatError
from strongroom.formats.device_path import device_of_path, device_path_text, file_of_path, parse_device_paths
from strongroom.formats.event_data import parse_image_load
from strongroom.formats.gpt_event import LoggedPartition, parse_gpt_event
from strongroom.formats.partition_types import partition_words
from strongroom.measure.wording.words import Proof, Subject, Words, listed, quoted, snippet

_STUB_KERNEL = "VenMedia(55c5d1f8-04cd-46b5-8a20-e56cbb3052d0)"
"""What systemd-stub (to version 257) calls the kernel that it hands to the firmware."""
_MAX_PARTITIONS = 16
_NOWHERE = b"\x7f\xff\x04\0"
"""A device path without nodes."""


def loaded(what: str) -> Callable[[Subject], Words]:
    """Return what puts loaded images of a kind into words.

    The digest is that of the image (its Authenticode digest); all that says which image it is, is the log's.
    """

    def words(subject: Subject) -> Words:
        image = parse_image_load(subject.event.data)
        where = _origin(image.device_path)
        return Words(f"{what}, {image.size_bytes} bytes, {where}", Proof.CLAIMED, subject=where)

    return words


def _origin(data: bytes) -> str:
    try:
        path = parse_device_paths(data or _NOWHERE)[0]
    except FormatError:
        return f"from no device path that can be read: {snippet(data)}"
    if device_path_text(path) == _STUB_KERNEL:
        return "the kernel inside a unified kernel image"
    parts = [quoted(part) for part in (file_of_path(path), device_of_path(path)) if part]
    return f"from {' on '.join(parts)}" if parts else "the log does not say from where"


def partition_table(subject: Subject) -> Words:
    """Put EV_EFI_GPT_EVENT and EV_EFI_GPT_EVENT2 into words."""
    table = parse_gpt_event(subject.event.data)
    partitions = listed([*map(_partition, table.partitions)], most=_MAX_PARTITIONS, separator="; ") or "none"
    return Words(f"disk {table.disk} with partitions: {partitions}", subject.proof(subject.event.data))


def _partition(partition: LoggedPartition) -> str:
    kind = partition_words(partition.kind)
    return f"{kind} {quoted(partition.name)} {partition.unique}" if partition.name else f"{kind} {partition.unique}"
