# SPDX-License-Identifier: Apache-2.0
"""Hand-made PE images, written independently of the code under test: small, whole, and easy to break in one place."""

import struct
from collections.abc import Mapping, Sequence

COFF = 0x40
OPTIONAL = COFF + 24
OPTIONAL_BYTES = 240
TABLE = OPTIONAL + OPTIONAL_BYTES
CHECKSUM = OPTIONAL + 64
CERTIFICATE_ENTRY = OPTIONAL + 112 + 4 * 8
HEADERS = 1024
X86_64, AARCH64 = 0x8664, 0xAA64
APPLICATION, BOOT_DRIVER = 10, 11
MAGIC = b"#### LoaderInfo: systemd-stub %s ####\0"
RETURN_SUCCESS = b"\x31\xc0\xc3"  # xor eax, eax; ret


def make_pe(
    sections: Sequence[tuple[str, bytes]] = ((".text", RETURN_SUCCESS),),
    *,
    machine: int = X86_64,
    subsystem: int = APPLICATION,
    gap: int = 0,
    tail: bytes = b"",
    directories: int = 16,
) -> bytes:
    """A PE32+ image; `gap` zero-filled sectors before the last section, `tail` behind it."""
    header = bytearray(HEADERS)
    header[:2] = b"MZ"
    struct.pack_into("<I", header, 0x3C, COFF)
    header[COFF : COFF + 4] = b"PE\0\0"
    struct.pack_into("<HHIIIHH", header, COFF + 4, machine, len(sections), 0, 0, 0, OPTIONAL_BYTES, 0x0022)
    struct.pack_into("<HBBIII", header, OPTIONAL, 0x20B, 0, 0, 512, 512, 0)
    struct.pack_into("<IIQII", header, OPTIONAL + 16, 0x1000, 0x1000, 0, 0x1000, 512)
    size_of_image = 0x1000 + sum(-(-len(contents) // 0x1000) * 0x1000 for _, contents in sections)
    struct.pack_into("<III", header, OPTIONAL + 56, size_of_image, HEADERS, 0xC0FFEE)
    struct.pack_into("<HHQQQQII", header, OPTIONAL + 68, subsystem, 0, 0, 0, 0, 0, 0, directories)
    body, address = bytearray(), 0x1000
    for number, (name, contents) in enumerate(sections):
        if gap and number == len(sections) - 1:
            body.extend(b"\xaa" * 512 * gap)
        raw = -(-len(contents) // 512) * 512
        flags = 0x6000_0020 if name == ".text" else 0x4000_0040
        row = (name.encode(), len(contents), address, raw, HEADERS + len(body), 0, 0, 0, 0, flags)
        struct.pack_into("<8sIIIIIIHHI", header, TABLE + 40 * number, *row)
        body.extend(contents.ljust(raw, b"\0"))
        address += -(-len(contents) // 0x1000) * 0x1000
    return bytes(header + body) + tail


def make_uki(
    sections: Mapping[str, bytes] | None = None,
    *,
    version: bytes | None = b"252.39-1~deb12u2",
    drop: Sequence[str] = (),
    **named: bytes,
) -> bytes:
    """A complete UKI with small contents. Other sections by name, or by keyword without their dot."""
    contents = {
        ".text": RETURN_SUCCESS,
        ".osrel": b"ID=test\n",
        ".cmdline": b"quiet roothash=" + b"Ab" * 32,
        ".linux": make_pe(),
        ".initrd": b"initrd" * 200,
        **({".sdmagic": MAGIC % version} if version else {}),
        **(sections or {}),
        **{f".{name}": data for name, data in named.items()},
    }
    return make_pe([(name, data) for name, data in contents.items() if name not in drop])


def patched(data: bytes, offset: int, layout: str, *values: int) -> bytes:
    """The same bytes with one field changed."""
    changed = bytearray(data)
    struct.pack_into(layout, changed, offset, *values)
    return bytes(changed)


def with_certificates(data: bytes, *blobs: bytes, kind: int = 2, revision: int = 0x200) -> bytes:
    """The same image with a certificate table at its end."""
    data += bytes(-len(data) % 8)
    table = b"".join(
        (struct.pack("<IHH", 8 + len(blob), revision, kind) + blob).ljust(-(-(8 + len(blob)) // 8) * 8, b"\0")
        for blob in blobs
    )
    return patched(data, CERTIFICATE_ENTRY, "<II", len(data), len(table)) + table
