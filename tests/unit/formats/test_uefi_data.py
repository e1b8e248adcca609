# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import json
import subprocess
import sys
import tracemalloc
import uuid
import zlib

import pytest
from tests.boot.variables import SECURITY_DATABASE, TIME_AUTHENTICATED, Variable
from tests.uefi_blobs import aws_blob, aws_body, aws_raw, packed

from strongroom.errors import FormatError
from strongroom.formats import uefi_data
from strongroom.formats.efi_variables import EfiVariable, EfiVariables, parse_aws_variables
from strongroom.formats.uefi_data import MAX_TEXT_BYTES, read_uefi_data, write_uefi_data

VARIABLES = [Variable("Timeout", b"\x05\0"), Variable("db", b"certificates" * 9, SECURITY_DATABASE, TIME_AUTHENTICATED)]
BLOB = aws_blob(VARIABLES)
READ = parse_aws_variables(aws_body(VARIABLES))
STREAM = packed(aws_body(VARIABLES))


def code_of(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        read_uefi_data(data)
    return caught.value.code


def test_a_blob_of_another_writer_is_read():
    assert read_uefi_data(BLOB) == READ


def test_what_was_written_is_read_back():
    assert read_uefi_data(write_uefi_data(READ)) == READ
    assert b"\n" not in write_uefi_data(READ)


def test_a_blob_is_small_because_of_the_dictionary_that_both_sides_know(genuine_vectors):
    genuine = (genuine_vectors / "uefi-variables/pyuefivars-t02.aws").read_bytes()
    written = write_uefi_data(read_uefi_data(genuine))
    assert len(written) <= len(genuine) * 1.02


@pytest.mark.parametrize(
    "printed",
    [
        BLOB + b"\n",
        b"\n".join(BLOB[at : at + 76] for at in range(0, len(BLOB), 76)),
        json.dumps({"InstanceId": "i-0", "UefiData": BLOB.decode()}).encode(),
        json.dumps({"ImageId": "ami-0", "UefiData": {"Value": BLOB.decode()}}, indent=4).encode(),
        b'\n"' + BLOB + b'"\n',
    ],
    ids=["text", "lines", "of an instance", "of an image", "with --query"],
)
def test_it_is_read_as_the_aws_cli_prints_it(printed):
    assert read_uefi_data(printed) == READ


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"QU1a*", "uefi-data.base64"),
        (b"QU1aT", "uefi-data.base64"),
        (b"\0\xff", "uefi-data.base64"),
        (b"", "uefi-data.magic"),
        (base64.b64encode(b"AMZNUEFI" + bytes(7)), "uefi-data.magic"),
        (base64.b64encode(b"AMZNUEFJ" + aws_raw(STREAM)[8:]), "uefi-data.magic"),
        (base64.b64encode(aws_raw(STREAM, checksum=7)), "uefi-data.checksum"),
        (base64.b64encode(aws_raw(STREAM)[:-1] + b"x"), "uefi-data.checksum"),
        (base64.b64encode(aws_raw(STREAM, version=1)), "uefi-data.version"),
        (base64.b64encode(aws_raw(b"not zlib")), "uefi-data.compression"),
        (base64.b64encode(aws_raw(b"")), "uefi-data.compression"),
        (base64.b64encode(aws_raw(STREAM[:-1])), "uefi-data.compression"),
        (base64.b64encode(aws_raw(STREAM + b"x")), "uefi-data.compression"),
        (base64.b64encode(aws_raw(packed(aws_body(VARIABLES) + b"x"))), "efi.trailing"),
        (b'{"UefiData": "' + BLOB[:-8] + b'"}', "uefi-data.checksum"),
        (b'{"UefiData": {"Value": 7}}', "field.wrong-type"),
        (b'{"UefiData": {}}', "field.missing"),
        (b"{}", "field.missing"),
        (b'{"UefiData": "\\ud800"}', "field.surrogate"),
        (b'{"UefiData"', "json.syntax"),
        (BLOB + b" " * MAX_TEXT_BYTES, "uefi-data.too-large"),
    ],
)
def test_one_fault_each(data, code):
    assert code_of(data) == code


def test_a_damaged_blob_is_told_from_a_forged_one():
    """CRC32C is against accidents: whoever changes the content computes it again, and the content is believed."""
    forged = aws_blob([Variable("Timeout", b"\x06\0"), *VARIABLES[1:]])
    assert read_uefi_data(forged).content("Timeout") == b"\x06\0"


@pytest.mark.attack("B19")
def test_a_blob_that_unpacks_to_gigabytes_takes_a_few_megabytes():
    bomb = packed(bytes(64 << 20))
    blob = base64.b64encode(aws_raw(bomb))
    assert len(blob) < 100_000
    tracemalloc.start()
    try:
        assert code_of(blob) == "uefi-data.too-large"
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_store_of_the_greatest_size_is_read(monkeypatch):
    body = aws_body(VARIABLES)
    monkeypatch.setattr(uefi_data, "MAX_STORE_BYTES", len(body))
    assert read_uefi_data(BLOB) == READ
    monkeypatch.setattr(uefi_data, "MAX_STORE_BYTES", len(body) - 1)
    assert code_of(BLOB) == "uefi-data.too-large"


def test_a_stream_without_the_dictionary_is_a_zlib_stream_too():
    assert read_uefi_data(base64.b64encode(aws_raw(zlib.compress(aws_body(VARIABLES))))) == READ


@pytest.mark.parametrize("name", ["pyuefivars-t01", "pyuefivars-t02"])
def test_genuine_stores_are_what_their_decodes_say(genuine_vectors, name):
    folder = genuine_vectors / "uefi-variables"
    decoded = EfiVariables(
        tuple(
            EfiVariable(row["name"], uuid.UUID(row["guid"]), row["attr"], bytes.fromhex(row["data"]))
            for row in json.loads((folder / f"{name}.json").read_text())["variables"]
        )
    )
    blob = folder / f"{name}.aws"
    read = read_uefi_data(blob.read_bytes() if blob.exists() else write_uefi_data(decoded))
    assert [(v.name, v.vendor, v.attributes, v.data) for v in read] == [
        (v.name, v.vendor, v.attributes, v.data) for v in decoded
    ]
    assert len(read.variables) > 20


def test_the_packages_for_blobs_are_loaded_by_those_who_read_one():
    loaded = "[m for m in ('pyuefivars', 'google_crc32c') if m in sys.modules]"
    code = f"import strongroom.formats.uefi_data, sys; print({loaded})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
