# SPDX-License-Identifier: Apache-2.0
"""What the types of partitions mean, in words (UEFI 2.10, table 5.7; UAPI Discoverable Partitions Specification)."""

from __future__ import annotations

import uuid

EFI_SYSTEM = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")

_MOUNTED = {
    "bc13c2ff-59e6-4262-a352-b275fd6f7172": "extended boot loader partition",
    "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f": "swap",
    "933ac7e1-2eb4-4f13-b844-0e14e2aef915": "/home",
    "3b8f8425-20e0-4f3b-907f-1a25a76f98e8": "/srv",
    "4d21b016-b534-45c2-a9fb-5c16e091fd2d": "/var",
    "7ec6f557-3bc5-4aca-b293-16ef5df639d1": "temporary files",
}
"""systemd-gpt-auto-generator(8) mounts these, or swaps to them, for no other reason than their type."""
_WORDS = {
    str(EFI_SYSTEM): "EFI system partition",
    **_MOUNTED,
    "4f68bce3-e8cd-4db1-96e7-fbcaf984b709": "root of x86_64",
    "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5": "dm-verity hashes of root of x86_64",
    "41092b05-9fc8-4523-994f-2def0408b176": "dm-verity signature of root of x86_64",
    "8484680c-9521-48c6-9c11-b0720656f69e": "/usr of x86_64",
    "77ff5f63-e7b6-4633-acf4-1565b864c0e6": "dm-verity hashes of /usr of x86_64",
    "e7bb33fb-06cf-4e81-8273-e543b413e2e2": "dm-verity signature of /usr of x86_64",
    "b921b045-1df0-41c3-af44-4c6f280d3fae": "root of arm64",
    "df3300ce-d69f-4c92-978c-9bfb0f38d820": "dm-verity hashes of root of arm64",
    "6db69de6-29f4-4758-a7a5-962190f00ce3": "dm-verity signature of root of arm64",
    "b0e01050-ee5f-4390-949a-9101b17104e9": "/usr of arm64",
    "6e11a4e7-fbca-4ded-b9e9-e1a512bb664e": "dm-verity hashes of /usr of arm64",
    "c23ce4ff-44bd-4b00-b2d4-b41b3419e02a": "dm-verity signature of /usr of arm64",
    "0fc63daf-8483-4772-8e79-3d69d8477de4": "Linux file system",
    "ca7d7ccb-63ed-4c53-861c-1742536059cc": "LUKS",
    "e6d6d379-f507-44c2-a23c-238f2a3df928": "LVM",
    "21686148-6449-6e6f-744e-656564454649": "BIOS boot",
    "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7": "Microsoft basic data",
    "e3c9e316-0b5c-4db8-817d-f92df00215ae": "Microsoft reserved",
}


def partition_words(kind: uuid.UUID) -> str:
    """Return what partitions of this type hold, or the type itself where it is not known."""
    return _WORDS.get(str(kind), f"type {kind}")


def is_mounted_by_type(kind: uuid.UUID) -> bool:
    """Whether systemd mounts such a partition, or swaps to it, without being told."""
    return str(kind) in _MOUNTED
