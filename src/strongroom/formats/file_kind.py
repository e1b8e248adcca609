# SPDX-License-Identifier: Apache-2.0
"""What a file looks like, judged by its first bytes, so that errors can say what was given. Claims no trust.

A guess for people: what parses a file never relies on it. The marks are those of the formats' own specifications: UEFI
(GPT, PE/COFF), the TCG, PEM (RFC 7468), JSON (RFC 8259), gzip (RFC 1952), Zstandard (RFC 8878), X.690, COSE (RFC 9052).
"""

from __future__ import annotations

import enum
import re

from strongroom.formats.signed import BUNDLE_ESCROW, BUNDLE_HEADER

HEAD_BYTES = 8_192
"""How much of a file `guess_kind` wants to see."""
_SAMPLE_BYTES = 512
"""How much of it must be text for the file to be called text."""
RECORD_MARK = re.compile(rb"strongroom-(receipt|failure) ([0-9]{1,4}) ")
"""How a record on a console begins: what it is, and its version (docs/formats/console.md)."""


class FileKind(enum.StrEnum):
    """The values are how messages name them: they can follow "this looks like"."""

    EMPTY = "an empty file"
    EFI_IMAGE = "a PE image (an EFI program or a unified kernel image)"
    DISK = "a disk image"
    QCOW2 = "a qcow2 disk image"
    VMDK = "a VMDK disk image"
    VHDX = "a VHDX disk image"
    VHD = "a VHD disk image"
    VDI = "a VDI disk image"
    FILE_SYSTEM = "a file system image"
    LINUX = "a Linux kernel without EFI stub"
    ELF = "an ELF program"
    GZIP = "a gzip file"
    XZ = "an xz file"
    ZSTANDARD = "a Zstandard file"
    ZIP = "a ZIP archive"
    CPIO = "an initrd (cpio)"
    ATTESTATION_DOCUMENT = "an attestation document"
    DOCUMENT_IN_BASE64 = "an attestation document in base64 text: decode it first (base64 -d)"
    DOCUMENT_IN_HEX = "an attestation document in hex text: decode it first (xxd -r -p)"
    BUNDLE = "a Strongroom bundle"
    ESCROW = "an escrow file of a Strongroom bundle"
    COSE = "a COSE_Sign1 message"
    EVENT_LOG = "a TCG event log"
    UEFI_DATA = "UEFI variables as EC2 stores them (uefi-data)"
    FIRMWARE_VOLUME = "a UEFI firmware volume (firmware, or QEMU's variable store)"
    CONSOLE = "a saved console of an instance"
    PEM_CERTIFICATE = "a PEM certificate"
    PEM = "a PEM file"
    BER = "BER: perhaps a CMS or PKCS#7 message"
    DER = "DER: perhaps a certificate, a key or a PKCS#7 message"
    IDENTITY_DOCUMENT = "an instance identity document"
    MEASUREMENTS = "a measurements file"
    JSON = "JSON text"
    HEX = "hex text"
    BASE64 = "base64 text"
    TEXT = "plain text"
    UNKNOWN = "no format that Strongroom knows"


_MARKS: tuple[tuple[int, bytes, FileKind], ...] = (
    (0, b"\x7fELF", FileKind.ELF),
    (0, b"\x1f\x8b", FileKind.GZIP),
    (0, b"\xfd7zXZ\0", FileKind.XZ),
    (0, b"\x28\xb5\x2f\xfd", FileKind.ZSTANDARD),
    (0, b"PK\x03\x04", FileKind.ZIP),
    (0, b"070701", FileKind.CPIO),
    (0, b"QFI\xfb", FileKind.QCOW2),
    (0, b"KDMV", FileKind.VMDK),
    (0, b"# Disk DescriptorFile", FileKind.VMDK),
    (0, b"vhdxfile", FileKind.VHDX),
    (0, b"conectix", FileKind.VHD),
    (512, b"EFI PART", FileKind.DISK),
    (4096, b"EFI PART", FileKind.DISK),
    (64, b"\x7f\x10\xda\xbe", FileKind.VDI),
    (0, BUNDLE_HEADER.magic, FileKind.BUNDLE),
    (0, BUNDLE_ESCROW.magic, FileKind.ESCROW),
    (0, b"\x84\x44\xa1\x01\x38\x22", FileKind.ATTESTATION_DOCUMENT),  # COSE_Sign1 with {1: -35}, ES384
    (0, b"\xd2\x84\x44\xa1\x01\x38\x22", FileKind.ATTESTATION_DOCUMENT),  # the same, tagged
    (0, b"hEShATgi", FileKind.DOCUMENT_IN_BASE64),
    (0, b"8444a1013822", FileKind.DOCUMENT_IN_HEX),
    (0, b"\xd2\x84", FileKind.COSE),
    (0, b"\x84", FileKind.COSE),
    (32, b"Spec ID Event", FileKind.EVENT_LOG),
    (32, b"StartupLocality\0", FileKind.EVENT_LOG),
    (0, b"\0\0\0\0\x08\0\0\0", FileKind.EVENT_LOG),  # TCG_PCR_EVENT: EV_S_CRTM_VERSION into PCR 0
    (0, b"QU1aTlVFRk", FileKind.UEFI_DATA),  # Base64 of "AMZNUEFI" up to where the next byte has its part in it
    (40, b"_FVH", FileKind.FIRMWARE_VOLUME),
    (0, b"-----BEGIN CERTIFICATE", FileKind.PEM_CERTIFICATE),
    (0, b"-----BEGIN ", FileKind.PEM),
    (0, b"\x30\x80", FileKind.BER),
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
_CONSOLE = re.compile(
    rb'(?:\s*\{(?:\s*"(?:InstanceId|Timestamp)"\s*:\s*"[^"]{0,64}",){0,2}\s*"Output"\s*:)'  # the AWS CLI's JSON
    rb"|(?:.{0,8000}?(?:\[ {0,6}[0-9]{1,10}\.[0-9]{6}\] |" + RECORD_MARK.pattern + rb"))",  # a kernel's time, or ours
    re.DOTALL,
)
"""What a saved console holds among its first bytes, whatever else stands there."""
# Two runs of base64 are kept apart by white space: were they not, a long line could be cut in countless ways.
_TEXTS: tuple[tuple[re.Pattern[bytes], FileKind], ...] = (
    (re.compile(rb"\s*[\[{]\s*[\"\]}\[{].*", re.DOTALL), FileKind.JSON),
    (re.compile(rb"(?:[0-9a-fA-F]{2}\s*){8,}"), FileKind.HEX),
    (re.compile(rb"[A-Za-z0-9+/_-]{16,}(?:\s+[A-Za-z0-9+/_-]{16,})*(?:\s+[A-Za-z0-9+/_-]+)?=*\s*"), FileKind.BASE64),
    (re.compile(rb"[\t\n\r\x20-\x7e]+"), FileKind.TEXT),
)


IDENTITY_MARKS = (b'"accountId"', b'"instanceId"', b'"pendingTime"')
"""Names that stand together in instance identity documents only."""
_JSON_MARKS = (
    (IDENTITY_MARKS, FileKind.IDENTITY_DOCUMENT),
    ((b'"Measurements"',), FileKind.MEASUREMENTS),
)
"""Names that stand together in one kind of JSON only."""
_READERS = {
    FileKind.EFI_IMAGE: "`strongroom measure` reads",
    FileKind.DISK: "`strongroom measure` reads",
    FileKind.ATTESTATION_DOCUMENT: "`strongroom verify` reads",
    FileKind.CONSOLE: "`strongroom verify` reads",
    FileKind.MEASUREMENTS: "`strongroom verify` takes with --measurements",
    FileKind.IDENTITY_DOCUMENT: "`strongroom identity verify` reads",
    FileKind.EVENT_LOG: "`strongroom explain` takes with --event-log",
    FileKind.UEFI_DATA: "`strongroom measure` takes with --uefi-data",
    FileKind.BUNDLE: "the agent of an instance opens",
}
"""What reads a kind, as it follows "which"."""


def looks_like(head: bytes) -> str:
    """Return what a file is that was given in another's place, and what reads it; it can follow "what looks like"."""
    kind = guess_kind(head)
    return f"{kind}, which {_READERS[kind]}" if kind in _READERS else str(kind)


def _json_kind(head: bytes) -> FileKind:
    return next((kind for marks, kind in _JSON_MARKS if all(mark in head for mark in marks)), FileKind.JSON)


def guess_kind(head: bytes) -> FileKind:
    """Return the kind of a file whose first bytes (HEAD_BYTES, or all there are) these are."""
    if not head:
        return FileKind.EMPTY
    marked = (kind for offset, mark, kind in _MARKS if head.startswith(mark, offset))
    console = FileKind.CONSOLE if _CONSOLE.match(head[:HEAD_BYTES]) else None
    texts = (kind for pattern, kind in _TEXTS if pattern.fullmatch(head[:_SAMPLE_BYTES]))
    kind = next(marked, None) or console or next(texts, FileKind.UNKNOWN)
    return _json_kind(head[:HEAD_BYTES]) if kind is FileKind.JSON else kind
