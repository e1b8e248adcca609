# SPDX-License-Identifier: Apache-2.0
"""Hand-made event logs, written independently of the code under test from PFP 1.06, section 10: easy to break."""

import hashlib
import struct
import uuid
from collections.abc import Callable, Mapping, Sequence

SHA1, SHA256, SHA384, SHA512, SM3 = 0x0004, 0x000B, 0x000C, 0x000D, 0x0012
HASHES: Mapping[int, Callable[[bytes], bytes]] = {
    SHA1: lambda data: hashlib.sha1(data).digest(),
    SHA256: lambda data: hashlib.sha256(data).digest(),
    SHA384: lambda data: hashlib.sha384(data).digest(),
    SHA512: lambda data: hashlib.sha512(data).digest(),
    SM3: lambda data: hashlib.new("sm3", data).digest(),
}
ONE_BANK = (SHA384,)

POST_CODE, NO_ACTION, SEPARATOR, EVENT_TAG = 0x1, 0x3, 0x4, 0x6
CRTM_CONTENTS, CRTM_VERSION, PLATFORM_CONFIG, IPL, POST_CODE2 = 0x7, 0x8, 0xA, 0xD, 0x13
VARIABLE, VARIABLE_BOOT, APPLICATION, DRIVER = 0x80000001, 0x80000002, 0x80000003, 0x80000004
GPT, ACTION, BLOB, TABLES, BLOB2, TABLES2 = 0x80000006, 0x80000007, 0x80000008, 0x80000009, 0x8000000A, 0x8000000B
AUTHORITY = 0x800000E0

GLOBAL = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
IMAGE_SECURITY = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
SHIM = uuid.UUID("605dab50-e046-4300-abb6-3dd810dd8b23")


def header(
    algorithms: Sequence[int] = ONE_BANK, *, sizes: Mapping[int, int] | None = None, vendor: bytes = b""
) -> bytes:
    """TCG_EfiSpecIdEvent: what the first record of a crypto agile log holds."""
    table = b"".join(
        struct.pack("<HH", each, (sizes or {}).get(each, len(HASHES[each](b"")) if each in HASHES else 32))
        for each in algorithms
    )
    start = b"Spec ID Event03\0" + struct.pack("<IBBBBI", 0, 0, 2, 106, 2, len(algorithms))
    return start + table + bytes([len(vendor)]) + vendor


def sha1_event(
    pcr: int, kind: int, data: bytes, *, measured: bytes | None = None, digest: bytes | None = None
) -> bytes:
    """TCG_PCR_EVENT."""
    if digest is None:
        digest = bytes(20) if kind == NO_ACTION else HASHES[SHA1](data if measured is None else measured)
    return struct.pack("<II", pcr, kind) + digest + struct.pack("<I", len(data)) + data


def event(
    pcr: int, kind: int, data: bytes, *, measured: bytes | None = None, algorithms: Sequence[int] = ONE_BANK
) -> bytes:
    """TCG_PCR_EVENT2 whose digests are those of `measured`, or of its data."""
    digests = b""
    for each in algorithms:
        digest = HASHES[each](data if measured is None else measured)
        digests += struct.pack("<H", each) + (bytes(len(digest)) if kind == NO_ACTION else digest)
    return struct.pack("<III", pcr, kind, len(algorithms)) + digests + struct.pack("<I", len(data)) + data


def log(*events: bytes, algorithms: Sequence[int] = ONE_BANK) -> bytes:
    """A crypto agile log."""
    return sha1_event(0, NO_ACTION, header(algorithms)) + b"".join(events)


def locality(value: int) -> bytes:
    """What a StartupLocality record holds."""
    return b"StartupLocality\0" + bytes([value])


def variable(vendor: uuid.UUID, name: str, content: bytes) -> bytes:
    """UEFI_VARIABLE_DATA."""
    return vendor.bytes_le + struct.pack("<QQ", len(name), len(content)) + name.encode("utf-16-le") + content


def image_load(path: bytes, *, size: int = 4096) -> bytes:
    """UEFI_IMAGE_LOAD_EVENT."""
    return struct.pack("<QQQQ", 0x1000, size, 0, len(path)) + path


def node(kind: int, subtype: int, body: bytes) -> bytes:
    """One node of a device path."""
    return struct.pack("<BBH", kind, subtype, 4 + len(body)) + body


PATH_END = node(0x7F, 0xFF, b"")


def file_path(path: str) -> bytes:
    """A device path of PCI device, GPT partition and file."""
    partition = struct.pack("<IQQ", 1, 2048, 100) + uuid.UUID(int=7).bytes_le + b"\x02\x02"
    name = path.encode("utf-16-le") + b"\0\0"
    root = node(2, 1, struct.pack("<II", 0x0A0341D0, 0)) + node(1, 1, b"\x00\x08")
    return root + node(4, 1, partition) + node(4, 4, name) + PATH_END


def load_option(description: str, path: bytes, optional: bytes = b"") -> bytes:
    """EFI_LOAD_OPTION."""
    return struct.pack("<IH", 1, len(path)) + description.encode("utf-16-le") + b"\0\0" + path + optional


def partition_table(*partitions: tuple[uuid.UUID, str], entry_bytes: int = 128) -> bytes:
    """UEFI_GPT_DATA."""
    start = b"EFI PART" + bytes(48) + uuid.UUID(int=9).bytes_le + struct.pack("<QIII", 2, 128, entry_bytes, 0)
    entries = b"".join(
        (kind.bytes_le + uuid.UUID(int=number).bytes_le + bytes(24) + name.encode("utf-16-le")).ljust(
            entry_bytes, b"\0"
        )
        for number, (kind, name) in enumerate(partitions)
    )
    return start + struct.pack("<Q", len(partitions)) + entries


def extended(algorithm: int, digests: Sequence[bytes], start: bytes | None = None) -> bytes:
    """What a PCR holds after these extends."""
    value = bytes(len(HASHES[algorithm](b""))) if start is None else start
    for digest in digests:
        value = HASHES[algorithm](value + digest)
    return value


SEPARATORS = b"".join(event(pcr, SEPARATOR, bytes(4)) for pcr in range(8))
CALLING = b"Calling EFI Application from Boot Option"
SMALL_BOOT = log(
    event(0, CRTM_VERSION, "v1".encode("utf-16-le")),
    event(7, VARIABLE, variable(GLOBAL, "SecureBoot", b"\0")),
    event(4, ACTION, CALLING),
    SEPARATORS,
    event(4, APPLICATION, image_load(file_path("\\EFI\\BOOT\\BOOTX64.EFI")), measured=b"the image"),
    event(11, IPL, ".linux\0".encode("utf-16-le"), measured=b".linux\0"),
    event(11, IPL, ".linux\0".encode("utf-16-le"), measured=b"the kernel"),
    event(12, IPL, "quiet\0".encode("utf-16-le")),
)
RICH_BOOT = SMALL_BOOT + b"".join(
    (
        event(1, VARIABLE_BOOT, variable(GLOBAL, "BootOrder", b"\1\0")),
        event(1, VARIABLE_BOOT, variable(GLOBAL, "Boot0001", load_option("Linux", file_path("\\a.efi"), b"quiet"))),
        event(1, TABLES, struct.pack("<Q", 1) + bytes(24)),
        event(5, GPT, partition_table((GLOBAL, "one"))),
        event(0, BLOB2, b"\4name" + bytes(16)),
        event(7, AUTHORITY, variable(IMAGE_SECURITY, "db", bytes(16) + b"\x30\x82\x01\x00")),
        event(8, IPL, b"grub_cmd: ls\0", measured=b"ls"),
        event(9, EVENT_TAG, struct.pack("<II", 0x8F3B22EC, 12) + b"Linux initrd", measured=b"cpio"),
        event(0xFFFFFFFF, NO_ACTION, b"SP800-155 Event3"),
    )
)
"""One event of each layout."""
