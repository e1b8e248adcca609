# SPDX-License-Identifier: Apache-2.0
"""UEFI variables: as EC2 hands them out, as QEMU stores them, and what stands in them."""

import base64
import contextlib
import struct
import zlib

from tests.boot.variables import OWNER, load_option, run_driver_first, secure_boot, signature_list, write_variables
from tests.event_logs import file_path
from tests.fuzz.target import Target
from tests.nitro_pki import good_pki
from tests.uefi_blobs import LOADER, aws_blob, aws_body, aws_raw, option, order, packed
from tests.unit.formats.test_edk2_store import empty_store

from strongroom.crypto.signature_lists import read_signature_lists
from strongroom.errors import FormatError
from strongroom.formats.device_path import device_path_text, encode_device_paths, parse_device_paths
from strongroom.formats.edk2_store import parse_edk2_store
from strongroom.formats.efi import content_of_signed_update, is_signed_update, parse_signature_database
from strongroom.formats.efi_variables import MAX_STORE_BYTES, encode_aws_variables, parse_aws_variables
from strongroom.formats.load_option import encode_load_option, parse_load_option, parse_option_order
from strongroom.formats.uefi_data import read_uefi_data, write_uefi_data
from strongroom.measure.boot_options import describe_option, given_to_program, leads_to_default_loader
from strongroom.measure.uefi_variables import variable_findings

PEM = b"-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n"
KEY = signature_list(b"certificate")
ROWS = [
    *secure_boot(pk=KEY, kek=KEY, db=KEY, dbx=KEY),
    *run_driver_first("\\EFI\\driver.efi"),
    option("Boot0000", load_option(LOADER, options="quiet")),
    order("BootOrder", 0),
]
MAX_OPTION_WORDS = 10 * 80 + 200 + len('""…, …')
r"""80 characters of its name, each of which may be escaped (\U0010ffff), and 200 of where it leads."""


def variables(data: bytes) -> None:
    parsed = parse_aws_variables(data)
    assert encode_aws_variables(parsed) == data
    variable_findings(parsed)


def uefi_data(data: bytes) -> None:
    """As text, and as what stands behind a good magic, checksum and version: the fuzzer finds no CRC32C."""
    with contextlib.suppress(FormatError):
        read_uefi_data(data)
    parsed = read_uefi_data(base64.b64encode(aws_raw(data)))
    assert read_uefi_data(write_uefi_data(parsed)) == parsed


def edk2_store(data: bytes) -> None:
    variable_findings(parse_edk2_store(data))


def load_options(data: bytes) -> None:
    parsed = parse_load_option(data)
    assert encode_load_option(parsed) == data
    assert len(describe_option(parsed)) <= MAX_OPTION_WORDS
    given_to_program(parsed)
    leads_to_default_loader(parsed)


def option_order(data: bytes) -> None:
    assert struct.pack(f"<{len(data) // 2}H", *parse_option_order(data)) == data


def device_paths(data: bytes) -> None:
    paths = parse_device_paths(data)
    assert encode_device_paths(paths) == data
    assert all(isinstance(device_path_text(path), str) for path in paths)


def signature_lists(data: bytes) -> None:
    """As a database, and as an update of one."""
    with contextlib.suppress(FormatError):
        if is_signed_update(data):
            parse_signature_database(content_of_signed_update(data))
    for entry in parse_signature_database(data):
        assert data[entry.offset :].startswith(entry.signature_data)


def key_files(data: bytes) -> None:
    """As a file of keys that somebody gives, with an owner for a certificate."""
    lists = read_signature_lists(data, owner=OWNER)
    assert read_signature_lists(lists, owner=None) == lists


def files_of_keys() -> list[bytes]:
    certificate = good_pki().certificates["root"]
    return [certificate, PEM % base64.encodebytes(certificate), *updates(), b""]


def bodies() -> list[bytes]:
    return [aws_body(ROWS), aws_body([])]


def blobs() -> list[bytes]:
    return [packed(aws_body(ROWS)), aws_blob(ROWS), b'{"UefiData": "%s"}' % aws_blob([])]


def updates() -> list[bytes]:
    head = bytes(16) + struct.pack("<IHH", 24 + 4, 0x0200, 0x0EF1)
    pkcs7 = bytes.fromhex("9dd2af4adf68ee498aa9347d375665a7")
    return [KEY * 2, head + pkcs7 + b"sign" + KEY]


def device_path_lists() -> list[bytes]:
    return [file_path(LOADER), file_path("\\a") * 2]


def bombs() -> list[bytes]:
    """Blobs that unpack to far more than a store holds, as zlib packs zeros a thousandfold."""
    return [packed(bytes(60 << 20)), packed(bytes(MAX_STORE_BYTES)), zlib.compress(b"\xff" * (60 << 20), 9)]


def many() -> list[bytes]:
    """As many variables, entries, options and nodes as fit."""
    rows = [order(f"V{number:03}") for number in range(1_200)]
    entries = KEY[:16] + struct.pack("<III", 28 + 16 * 4_000, 0, 16) + bytes(16 * 4_000)
    return [
        aws_body(rows),
        entries,
        KEY * 1_100,
        bytes(65_534),
        b"\x04\x04\x04\0" * 16_384,
        order("o", *range(32_000)).data,
    ]


TARGETS = (
    Target("uefi.variables", variables, bodies, worst=many),
    Target("uefi.uefi-data", uefi_data, blobs, worst=bombs),
    Target("uefi.edk2-store", edk2_store, lambda: [write_variables(empty_store(), ROWS)]),
    Target(
        "uefi.load-option",
        load_options,
        lambda: [load_option(LOADER, options="quiet"), load_option(LOADER)],
        worst=many,
    ),
    Target("uefi.option-order", option_order, lambda: [order("BootOrder", 1, 2).data, b""], max_bytes=64, worst=many),
    Target("uefi.device-paths", device_paths, device_path_lists, max_bytes=1_024, worst=many),
    Target("uefi.signature-lists", signature_lists, updates, max_bytes=1_024, worst=many),
    Target("uefi.key-files", key_files, files_of_keys, max_bytes=2_048, worst=many),
)
