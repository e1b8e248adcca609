# SPDX-License-Identifier: Apache-2.0
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from strongroom.errors import FormatError
from strongroom.formats.build_record import (
    MAX_BUILD_RECORD_BYTES,
    Base,
    BuildRecord,
    DebianPackage,
    FileDigest,
    Tool,
    encode_build_record,
    parse_build_record,
)
from strongroom.formats.uki import Architecture

PAGE = Path(__file__).parents[3] / "docs/formats/build-record.md"
RECORD = BuildRecord(
    image="app",
    architecture=Architecture.X86_64,
    variant="rehearsal",
    source_date_epoch=1_700_000_000,
    spec=FileDigest("app.toml", b"\x01" * 32, 640),
    base=Base("debian", "bookworm"),
    inputs=(FileDigest("/usr/lib/strongroom/trust.json", b"\x02" * 32, 2_210),),
    packages=(
        DebianPackage("libc6", "2.36-9+deb12u13", "amd64", b"\x03" * 32),
        DebianPackage("python3-minimal", "3.11.2-1+b1", "amd64", b"\x04" * 32),
    ),
    tools=(Tool("mkfs.erofs", "1.5"), Tool("sfdisk", "sfdisk from util-linux 2.38.1")),
    outputs=(FileDigest("disk.raw", b"\x05" * 32, 151_000_000), FileDigest("image.efi", b"\x06" * 32, 19_000_000)),
)


def changed(**members) -> bytes:
    document: dict[str, Any] = json.loads(encode_build_record(RECORD)) | members
    return json.dumps({key: value for key, value in document.items() if value is not ...}).encode()


def code_of(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse_build_record(data)
    return caught.value.code


def test_a_record_is_read_as_it_was_written():
    assert parse_build_record(encode_build_record(RECORD)) == RECORD


def test_the_order_in_which_a_build_came_upon_things_leaves_no_trace():
    backwards = replace(RECORD, packages=RECORD.packages[::-1], tools=RECORD.tools[::-1], outputs=RECORD.outputs[::-1])
    assert encode_build_record(backwards) == encode_build_record(RECORD)


def test_outputs_are_found_by_name():
    assert RECORD.output("image.efi") == RECORD.outputs[1]
    assert RECORD.output("build.log") is None


def test_the_record_in_the_documentation_is_one():
    (example,) = re.findall(r"^```json\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert parse_build_record(example.encode()).output("disk.raw") is not None


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"version": 2}, "field.range"),
        ({"tools": ...}, "field.missing"),
        ({"host": "here"}, "field.unknown"),
        ({"architecture": "riscv64"}, "field.choice"),
        ({"source_date_epoch": -1}, "field.range"),
        ({"base": {"kind": "rpm", "name": "x"}}, "field.pattern"),
        ({"packages": [{"name": "a b", "version": "1", "architecture": "all", "sha256": "00" * 32}]}, "field.pattern"),
        ({"outputs": [{"name": "disk.raw", "sha256": "00" * 31, "size_bytes": 1}]}, "field.pattern"),
        ({"tools": [{"name": "a", "version": "1"}, {"name": "a", "version": "2"}]}, "build-record.duplicate"),
    ],
    ids=str,
)
def test_what_is_no_record_is_refused_with_its_place(members, code):
    assert code_of(changed(**members)) == code


def test_a_huge_file_is_refused_before_it_is_parsed():
    assert code_of(b" " * (MAX_BUILD_RECORD_BYTES + 1)) == "json.too-large"
