# SPDX-License-Identifier: Apache-2.0
"""What a file looks like, judged by its first bytes, so that errors can say what was given. Claims no trust."""

from __future__ import annotations

import enum

HEAD_BYTES = 8_192
"""How much of a file `looks_like` wants to see."""


class FileKind(enum.StrEnum):
    """The values are how messages name them."""

    EFI_IMAGE = "an EFI image (PE)"
    DISK = "a disk image"
    CONTAINER_DISK = "a disk image of a virtual machine (qcow2, VMDK or VHDX)"
    FILE_SYSTEM = "a file system image"
    LINUX = "a Linux kernel without EFI stub"
    ELF = "an ELF program"
    COMPRESSED = "a compressed file"
    CPIO = "an initrd (cpio)"
    ATTESTATION_DOCUMENT = "an attestation document"
    UEFI_DATA = "UEFI variables as EC2 stores them (uefi-data)"
    PEM = "a PEM file"
    DER = "a DER file (certificate, key or signature)"
    JSON = "a JSON file"
    TEXT = "a text file"
    UNKNOWN = "a file of another kind"


_MARKS: tuple[tuple[int, bytes, FileKind], ...] = (
    (0, b"\x7fELF", FileKind.ELF),
    (0, b"\x1f\x8b", FileKind.COMPRESSED),
    (0, b"\xfd7zXZ\0", FileKind.COMPRESSED),
    (0, b"\x28\xb5\x2f\xfd", FileKind.COMPRESSED),
    (0, b"PK\x03\x04", FileKind.COMPRESSED),
    (0, b"070701", FileKind.CPIO),
    (0, b"QFI\xfb", FileKind.CONTAINER_DISK),
    (0, b"KDMV", FileKind.CONTAINER_DISK),
    (0, b"vhdxfile", FileKind.CONTAINER_DISK),
    (512, b"EFI PART", FileKind.DISK),
    (4096, b"EFI PART", FileKind.DISK),
    (0, b"\x84\x44\xa1\x01\x38\x22", FileKind.ATTESTATION_DOCUMENT),  # COSE_Sign1 with {1: -35}, ES384
    (0, b"QU1aTlVFRkk", FileKind.UEFI_DATA),  # Base64 of "AMZNUEFI"
    (0, b"-----BEGIN ", FileKind.PEM),
    (0, b"\x30\x82", FileKind.DER),
    (1024, b"\xe2\xe1\xf5\xe0", FileKind.FILE_SYSTEM),  # erofs
    (0, b"hsqs", FileKind.FILE_SYSTEM),
    (1080, b"\x53\xef", FileKind.FILE_SYSTEM),  # ext2 to ext4
    (0, b"XFSB", FileKind.FILE_SYSTEM),
    (0, b"MZ", FileKind.EFI_IMAGE),
    (514, b"HdrS", FileKind.LINUX),
    (510, b"\x55\xaa", FileKind.DISK),
)
"""Offset and bytes that give a kind away; the first that fits decides, so the sure ones come first."""


def looks_like(head: bytes) -> FileKind:
    """Return the kind of a file whose first bytes (HEAD_BYTES, or all there are) these are."""
    for offset, mark, kind in _MARKS:
        if head[offset : offset + len(mark)] == mark:
            return kind
    try:
        text = head[:512].decode("ascii")
    except UnicodeDecodeError:
        return FileKind.UNKNOWN
    if text.lstrip()[:1] in {"{", "["}:
        return FileKind.JSON
    return FileKind.TEXT if text.isprintable() or "\n" in text else FileKind.UNKNOWN
