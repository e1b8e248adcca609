# SPDX-License-Identifier: Apache-2.0
"""Whatever bytes come, the readers of UEFI variables raise FormatError or read what they write again (ATTACKS B19)."""

from __future__ import annotations

import contextlib
import struct
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.boot.variables import Variable, load_option, write_variables
from tests.damage import damaged
from tests.uefi_blobs import aws_blob, aws_body, order
from tests.unit.formats.test_edk2_store import empty_store

from strongroom.errors import FormatError
from strongroom.formats.device_path import DevicePathNode, encode_device_paths, parse_device_paths
from strongroom.formats.edk2_store import parse_edk2_store
from strongroom.formats.efi import parse_signature_database, signature_list_of_certificate
from strongroom.formats.efi_variables import (
    AUTHENTICATED,
    EfiVariable,
    EfiVariables,
    encode_aws_variables,
    parse_aws_variables,
)
from strongroom.formats.load_option import LoadOption, encode_load_option, parse_load_option
from strongroom.formats.uefi_data import read_uefi_data, write_uefi_data
from strongroom.measure.boot_options import boot_option_findings, stored_option
from strongroom.measure.uefi_variables import variable_findings

pytestmark = pytest.mark.attack("B19")

ROWS = [Variable("BootOrder", b"\0\0"), Variable("Boot0000", load_option("\\EFI\\x.efi", options="quiet"))]
BODY, BLOB, STORE = aws_body(ROWS), aws_blob(ROWS), write_variables(empty_store(), ROWS)
OPTION = ROWS[1].data
NAMES = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=40)
VARIABLES = st.lists(
    st.tuples(NAMES, st.uuids(), st.integers(0, 2**32 - 1), st.binary(max_size=200), st.binary(max_size=40)),
    max_size=8,
    unique_by=lambda row: row[:2],
).map(lambda rows: EfiVariables(tuple(variable(*row) for row in rows)))
NODES = st.builds(DevicePathNode, st.integers(1, 5), st.integers(0, 255), st.binary(max_size=40))
PATHS = st.lists(st.lists(NODES, max_size=5).map(tuple), min_size=1, max_size=3).map(tuple)
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40)
OPTIONS = st.builds(LoadOption, st.integers(0, 2**32 - 1), TEXT, PATHS, st.binary(max_size=60))


def variable(name: str, vendor: uuid.UUID, attributes: int, data: bytes, digest: bytes) -> EfiVariable:
    if attributes & AUTHENTICATED:
        return EfiVariable(name, vendor, attributes, data, timestamp=data[:16].ljust(16, b"t"), digest=digest)
    return EfiVariable(name, vendor, attributes, data)


@given(VARIABLES)
def test_variables_are_read_as_they_were_written(variables):
    assert parse_aws_variables(encode_aws_variables(variables)) == variables
    assert read_uefi_data(write_uefi_data(variables)) == variables


@given(st.binary(max_size=300) | damaged(BODY))
def test_what_parses_as_a_list_of_variables_encodes_to_the_same_bytes(data):
    with contextlib.suppress(FormatError):
        parsed = parse_aws_variables(data)
        assert encode_aws_variables(parsed) == data
        variable_findings(parsed)


@given(st.integers(0, len(BODY) - 1))
def test_a_list_that_was_cut_is_refused(length):
    with pytest.raises(FormatError):
        parse_aws_variables(BODY[:length])


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode) | damaged(BLOB))
def test_any_blob_is_read_or_refused(data):
    with contextlib.suppress(FormatError):
        assert read_uefi_data(write_uefi_data(read_uefi_data(data))) == read_uefi_data(data)


@given(st.integers(0, len(BLOB) - 1))
def test_a_blob_that_was_cut_is_refused(length):
    with pytest.raises(FormatError):
        read_uefi_data(BLOB[:length])


@given(st.binary(max_size=300) | damaged(STORE))
def test_any_store_is_read_or_refused(data):
    with contextlib.suppress(FormatError):
        boot_option_findings(parse_edk2_store(data))


@given(PATHS)
def test_paths_are_read_as_they_were_written(paths):
    assert parse_device_paths(encode_device_paths(paths)) == paths


@given(st.binary(max_size=120))
def test_what_parses_as_paths_encodes_to_the_same_bytes(data):
    with contextlib.suppress(FormatError):
        assert encode_device_paths(parse_device_paths(data)) == data


@given(OPTIONS)
def test_options_are_read_as_they_were_written(option):
    assert parse_load_option(encode_load_option(option)) == option


@given(st.binary(max_size=120) | damaged(OPTION))
def test_what_parses_as_an_option_encodes_to_the_same_bytes(data):
    with contextlib.suppress(FormatError):
        assert encode_load_option(parse_load_option(data)) == data


@given(st.binary(max_size=200), st.sampled_from(["Boot", "Driver", "SysPrep"]), st.integers(0, 0xFFFF))
def test_any_option_that_would_be_started_is_judged(data, kind, number):
    rows = [Variable(f"{kind}{number:04X}", data), order(f"{kind}Order", number)]
    variables = EfiVariables(tuple(EfiVariable(v.name, v.vendor, v.attributes, v.data) for v in rows))
    findings = boot_option_findings(variables)
    assert all(len(finding.message) < 1_200 for finding in findings)
    option = stored_option(rows[0].name, data).option
    if kind != "Boot" and data and (option is None or option.is_active):
        assert findings


@given(st.binary(max_size=300), st.uuids())
def test_the_list_of_a_certificate_is_read_back(der, owner):
    data = signature_list_of_certificate(der, owner)
    (entry,) = parse_signature_database(data)
    assert (entry.content, entry.owner) == (der, owner)
    assert struct.unpack_from("<I", data, 16) == (len(data),)
