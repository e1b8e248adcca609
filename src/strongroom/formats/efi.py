# SPDX-License-Identifier: Apache-2.0
"""UEFI variables as they are measured, and signature lists as they are stored (UEFI 2.10, section 32.4.1).

`PK`, `KEK`, `db` and `dbx` each hold a *signature database*: EFI_SIGNATURE_LISTs one after the other, the content of
an `.esl` file. The input is hostile; nothing here looks into a certificate or verifies a signature.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from strongroom.errors import FormatError

MAX_DATABASE_BYTES = 1 << 20
"""A full dbx has about 25 KB."""

GLOBAL_VARIABLE = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
"""EFI_GLOBAL_VARIABLE: vendor GUID of SecureBoot, PK and KEK."""
IMAGE_SECURITY_DATABASE = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
"""EFI_IMAGE_SECURITY_DATABASE_GUID: vendor GUID of db and dbx."""
SECURE_BOOT_ENABLE = uuid.UUID("f0a30bc7-af08-4556-99c4-001009c93a44")
"""gEfiSecureBootEnableDisableGuid: vendor GUID of SecureBootEnable, EDK II's own switch beside the keys."""
SYSTEMD = uuid.UUID("8cf2644b-4b0b-428f-9387-6d876050dc67")
"""Vendor GUID of the variables of systemd itself."""
KEY_VARIABLES: Mapping[str, uuid.UUID] = MappingProxyType(
    {
        "PK": GLOBAL_VARIABLE,
        "KEK": GLOBAL_VARIABLE,
        "db": IMAGE_SECURITY_DATABASE,
        "dbx": IMAGE_SECURITY_DATABASE,
    }
)
"""Secure Boot's keys by name, in the order in which firmware measures them (PFP 1.06, section 3.3.4.8): the vendor."""
MORE_DATABASES: Mapping[str, uuid.UUID] = MappingProxyType(
    {"dbt": IMAGE_SECURITY_DATABASE, "dbr": IMAGE_SECURITY_DATABASE}
)
"""Signature databases that firmware may have beside them (UEFI 2.10, section 3.3)."""
CERT_X509 = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
"""EFI_CERT_X509_GUID: each entry of the list is a DER certificate."""
CERT_SHA256 = uuid.UUID("c1c41626-504c-4092-aca9-41f936934328")
"""EFI_CERT_SHA256_GUID: each entry is the SHA-256 Authenticode digest of an image."""

_SPEC = "UEFI 2.10 section 32.4.1"
_LIST_HEADER = struct.Struct("<16sIII")
_GUID_BYTES = 16
_UPDATE_SPEC = "UEFI 2.10 section 8.2.2"
_UPDATE_HEADER = struct.Struct("<16sIHH16s")
_PKCS7 = uuid.UUID("4aafd29d-68df-49ee-8aa9-347d375665a7")  # EFI_CERT_TYPE_PKCS7_GUID
_REVISION, _CERTIFICATE_KIND = 0x0200, 0x0EF1


@dataclass(frozen=True, slots=True)
class SignatureEntry:
    """One EFI_SIGNATURE_DATA and the type of the list it stood in."""

    kind: uuid.UUID
    owner: uuid.UUID
    content: bytes
    offset: int

    @property
    def signature_data(self) -> bytes:
        """EFI_SIGNATURE_DATA: owner and content. This is what EV_EFI_VARIABLE_AUTHORITY measures."""
        return self.owner.bytes_le + self.content


def parse_signature_database(data: bytes) -> tuple[SignatureEntry, ...]:
    """Return the entries of a signature database in order; an empty one has none. Raises FormatError."""
    if len(data) > MAX_DATABASE_BYTES:
        raise FormatError(
            "efi.too-large", f"expected at most {MAX_DATABASE_BYTES} bytes, found {len(data)}", spec=_SPEC
        )
    entries: list[SignatureEntry] = []
    offset = 0
    while offset < len(data):
        entries.extend(_signature_list(data, offset))
        offset += int.from_bytes(data[offset + 16 : offset + 20], "little")
    return tuple(entries)


def _signature_list(data: bytes, offset: int) -> list[SignatureEntry]:
    if len(data) - offset < _LIST_HEADER.size:
        raise FormatError(
            "efi.truncated",
            f"expected an EFI_SIGNATURE_LIST header of {_LIST_HEADER.size} bytes, found {len(data) - offset} bytes",
            offset=offset,
            spec=_SPEC,
        )
    kind, list_bytes, header_bytes, entry_bytes = _LIST_HEADER.unpack_from(data, offset)
    body = list_bytes - _LIST_HEADER.size - header_bytes
    # An entry has an owner, the entries fill the list, and the list lies within the data. Nothing need stand behind the
    # owner: a platform key that nobody has (EC2 User Guide, "Create the AWS binary blob for UEFI Secure Boot").
    if entry_bytes < _GUID_BYTES or body < entry_bytes or body % entry_bytes or list_bytes > len(data) - offset:
        raise FormatError(
            "efi.signature-list",
            f"expected a list of whole entries within {len(data) - offset} bytes, found a list of {list_bytes} bytes "
            f"with a header of {header_bytes} and entries of {entry_bytes}",
            offset=offset + 16,
            spec=_SPEC,
            remedy="Give an .esl file, as cert-to-efi-sig-list and sbsiglist write it.",
        )
    first = offset + _LIST_HEADER.size + header_bytes
    return [
        SignatureEntry(
            kind=uuid.UUID(bytes_le=kind),
            owner=uuid.UUID(bytes_le=data[at : at + _GUID_BYTES]),
            content=data[at + _GUID_BYTES : at + entry_bytes],
            offset=at,
        )
        for at in range(first, offset + list_bytes, entry_bytes)
    ]


def signature_list_of_certificate(der: bytes, owner: uuid.UUID) -> bytes:
    """Return the EFI_SIGNATURE_LIST that holds one certificate: what `cert-to-efi-sig-list -g OWNER` writes.

    The owner is measured with the certificate: another GUID is another PCR 7.
    """
    entry = owner.bytes_le + der
    return _LIST_HEADER.pack(CERT_X509.bytes_le, _LIST_HEADER.size + len(entry), 0, len(entry)) + entry


def is_signed_update(data: bytes) -> bool:
    """Tell an `.auth` file, an EFI_VARIABLE_AUTHENTICATION_2, by its fixed fields. Says nothing about its signature."""
    if len(data) < _UPDATE_HEADER.size:
        return False
    _, _, revision, kind, certificate = _UPDATE_HEADER.unpack_from(data)
    return (revision, kind) == (_REVISION, _CERTIFICATE_KIND) and certificate == _PKCS7.bytes_le


def content_of_signed_update(data: bytes) -> bytes:
    """Return what an `.auth` file sets its variable to: the part behind time and signature, which nobody verifies here.

    Raises FormatError where the signature does not end within the file.
    """
    _, length, *_ = _UPDATE_HEADER.unpack_from(data)
    end = 16 + length  # EFI_TIME, then a WIN_CERTIFICATE that counts its own header
    if not _UPDATE_HEADER.size <= end <= len(data):
        raise FormatError(
            "efi.signed-update",
            f"expected a signature that ends within {len(data)} bytes, found an end at {end}",
            offset=16,
            spec=_UPDATE_SPEC,
        )
    return data[end:]


def signed_update_message(name: str, *, vendor: uuid.UUID, attributes: int, time: bytes, content: bytes) -> bytes:
    """Return what the signature of an `.auth` file covers (UEFI 2.10, section 8.2.2): name to content, without NUL."""
    return name.encode("utf-16-le") + vendor.bytes_le + struct.pack("<I", attributes) + time + content


def encode_signed_update(time: bytes, signed_data: bytes, content: bytes) -> bytes:
    """Return an `.auth` file: EFI_VARIABLE_AUTHENTICATION_2 with a SignedData (DER) in it, and the content behind it.

    `time` is an EFI_TIME; firmware takes an update only if it is later than the one before.
    """
    length = _UPDATE_HEADER.size - len(time) + len(signed_data)
    header = _UPDATE_HEADER.pack(time, length, _REVISION, _CERTIFICATE_KIND, _PKCS7.bytes_le)
    return header + signed_data + content


def encode_efi_time(moment: datetime) -> bytes:
    """Return an EFI_TIME in UTC (UEFI 2.10, section 8.3), whole seconds, everything else zero as 8.2.2 wants it."""
    return struct.pack("<HBBBBB9x", *moment.astimezone(UTC).timetuple()[:6])


def encode_variable_data(vendor: uuid.UUID, name: str, data: bytes) -> bytes:
    """Return UEFI_VARIABLE_DATA, what events about a variable measure (TCG PC Client PFP 1.06, section 10.2.6).

    Vendor GUID, length of the name in UTF-16 characters, length of the data in bytes, the name without a closing NUL,
    the data.
    """
    encoded = name.encode("utf-16-le")
    return vendor.bytes_le + struct.pack("<QQ", len(encoded) // 2, len(data)) + encoded + data
