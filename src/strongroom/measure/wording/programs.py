# SPDX-License-Identifier: Apache-2.0
"""Events about what firmware loads and from where: EFI programs and drivers, and the disk's partition table."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from strongroom.errors import FormatError
from strongroom.formats.device_path import device_of_path, device_path_text, file_of_path, parse_device_paths
from strongroom.formats.event_data import parse_image_load
from strongroom.formats.gpt_event import GptPartition, parse_gpt_event
from strongroom.measure.wording.words import Proof, Subject, Words, listed, quoted, snippet

_STUB_KERNEL = "VenMedia(55c5d1f8-04cd-46b5-8a20-e56cbb3052d0)"
"""What systemd-stub (to version 257) calls the kernel that it hands to the firmware."""
_PARTITION_TYPES = {
    uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b"): "EFI system",
    uuid.UUID("bc13c2ff-59e6-4262-a352-b275fd6f7172"): "boot loader",
    uuid.UUID("21686148-6449-6e6f-744e-656564454649"): "BIOS boot",
    uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4"): "Linux data",
    uuid.UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709"): "root (x86_64)",
    uuid.UUID("b921b045-1df0-41c3-af44-4c6f280d3fae"): "root (arm64)",
    uuid.UUID("2c7357ed-ebd2-46d9-aec1-23d437ec2bf5"): "verity of root (x86_64)",
    uuid.UUID("df3300ce-d69f-4c92-978c-9bfb0f38d820"): "verity of root (arm64)",
    uuid.UUID("3b8f8425-20e0-4f3b-907f-1a25a76f98e8"): "srv",
    uuid.UUID("933ac7e1-2eb4-4f13-b844-0e14e2aef915"): "home",
    uuid.UUID("4d21b016-b534-45c2-a9fb-5c16e091fd2d"): "var",
    uuid.UUID("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"): "swap",
}
"""UEFI 2.10, section 5.3.3; UAPI group, "Discoverable Partitions Specification"."""
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


def _partition(partition: GptPartition) -> str:
    kind = _PARTITION_TYPES.get(partition.kind, f"type {partition.kind}")
    return f"{kind} {quoted(partition.name)} {partition.unique}" if partition.name else f"{kind} {partition.unique}"
