# SPDX-License-Identifier: Apache-2.0
"""Against the programs that people enrol keys with: virt-firmware, AWS's uefivars, sbsigntool's sbsiglist.

Where virt-firmware's prediction of PCR 7 differs from what firmware measures (tests/boot), the difference is spelled
out here, so that nobody corrects ours by it.
"""

import hashlib
import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from tests.boot.machine import FIRMWARE
from tests.boot.variables import CERT_SHA256, OWNER, Variable, secure_boot, signature_list
from tests.processes import program
from tests.uefi_blobs import aws_blob, efi_variables
from tests.unit.measure.test_secure_boot import OTHER, OURS, der, esl, signed

from strongroom.formats.edk2_store import parse_edk2_store
from strongroom.formats.efi import IMAGE_SECURITY_DATABASE, content_of_signed_update, signature_list_of_certificate
from strongroom.formats.pcrs import SECURE_BOOT_OFF_PCR7_SHA384, PcrIndex
from strongroom.formats.pe import parse_pe
from strongroom.formats.uefi_data import read_uefi_data, write_uefi_data
from strongroom.measure.events import replay
from strongroom.measure.secure_boot import SecureBootKeys, secure_boot_events

pytestmark = pytest.mark.slow

EMPTY_STORE = FIRMWARE / "OVMF_VARS_4M.fd"
DUMMY_OWNER = uuid.UUID("a0baa8a3-041d-48a8-bc87-c36d121b5e3d")
PCR7 = PcrIndex(7)


def tool(name: str, *arguments: object) -> str:
    command = [str(Path(sys.executable).parent / name), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory):
    """A store that virt-fw-vars enrolled certificates into, and all it can be written as."""
    folder = tmp_path_factory.mktemp("enrolled")
    (folder / "owner.pem").write_bytes(OTHER.public_bytes(Encoding.PEM))
    (folder / "db.der").write_bytes(der(OURS))
    keys = ["--set-pk", OWNER, folder / "owner.pem", "--add-kek", OWNER, folder / "owner.pem"]
    keys += ["--add-db", OWNER, folder / "db.der", "--sb"]
    written = ["-o", folder / "vars.fd", "--output-aws", folder / "uefi-data", "--output-json", folder / "json"]
    (folder / "auth").mkdir()
    tool("virt-fw-vars", "-i", EMPTY_STORE, *keys, *written, "--output-auth", folder / "auth")
    return folder


def rows_of_json(path: Path) -> dict[tuple[str, str], tuple[int, str]]:
    rows = json.loads(path.read_text())["variables"]
    return {(row["name"], row["guid"]): (row["attr"], row["data"]) for row in rows}


def rows_of(variables) -> dict[tuple[str, str], tuple[int, str]]:
    return {(v.name, str(v.vendor)): (v.attributes, v.data.hex()) for v in variables}


def test_blob_and_store_of_virt_firmware_hold_what_it_says(enrolled):
    expected = rows_of_json(enrolled / "json")
    assert len(expected) >= 5
    assert rows_of(read_uefi_data((enrolled / "uefi-data").read_bytes())) == expected
    assert rows_of(parse_edk2_store((enrolled / "vars.fd").read_bytes())) == expected


@pytest.mark.parametrize("written", [write_uefi_data, lambda variables: aws_blob(rows_for_tests(variables))])
def test_our_blob_is_read_by_virt_firmware(enrolled, tmp_path, written):
    variables = read_uefi_data((enrolled / "uefi-data").read_bytes())
    (tmp_path / "uefi-data").write_bytes(written(variables))
    tool("virt-fw-vars", "-i", tmp_path / "uefi-data", "--output-json", tmp_path / "json")
    assert rows_of_json(tmp_path / "json") == rows_of(variables)


def rows_for_tests(variables) -> list[Variable]:
    return [Variable(v.name, v.data, v.vendor, v.attributes) for v in variables]


def test_our_blob_is_read_by_the_tool_of_aws(enrolled, tmp_path):
    variables = read_uefi_data((enrolled / "uefi-data").read_bytes())
    (tmp_path / "uefi-data").write_bytes(write_uefi_data(variables))
    tool("uefivars", "-i", "aws", "-I", tmp_path / "uefi-data", "-o", "json", "-O", tmp_path / "json")
    assert rows_of_json(tmp_path / "json") == rows_of(variables)


def test_a_blob_of_the_tool_of_aws_is_read(enrolled, tmp_path):
    tool("uefivars", "-i", "edk2", "-I", enrolled / "vars.fd", "-o", "aws", "-O", tmp_path / "uefi-data")
    assert rows_of(read_uefi_data((tmp_path / "uefi-data").read_bytes())) == rows_of_json(enrolled / "json")


def test_a_certificate_is_enrolled_as_we_make_its_list(enrolled):
    variables = read_uefi_data((enrolled / "uefi-data").read_bytes())
    assert variables.content("PK") == signature_list_of_certificate(der(OTHER), OWNER)
    assert variables.content("db", IMAGE_SECURITY_DATABASE) == signature_list_of_certificate(der(OURS), OWNER)


def test_sbsiglist_makes_the_same_list(tmp_path):
    (tmp_path / "db.der").write_bytes(der(OURS))
    made = ["--owner", str(OWNER), "--type", "x509", "--output", str(tmp_path / "esl"), str(tmp_path / "db.der")]
    subprocess.run([program("sbsiglist"), *made], check=True, capture_output=True)
    assert (tmp_path / "esl").read_bytes() == signature_list_of_certificate(der(OURS), OWNER)


def test_signed_updates_of_virt_firmware_hold_what_they_set(enrolled):
    variables = read_uefi_data((enrolled / "uefi-data").read_bytes())
    for name, vendor in (("PK", None), ("KEK", None), ("db", IMAGE_SECURITY_DATABASE)):
        update = (enrolled / "auth" / f"{name}.auth").read_bytes()
        assert content_of_signed_update(update) == variables.content(name, *([vendor] if vendor else []))


def test_virt_firmware_adds_a_dbx_that_nobody_asked_for(enrolled):
    """76 bytes, the digest of nothing. It is measured: whoever enrols so has to give it to `measure` as well."""
    variables = read_uefi_data((enrolled / "uefi-data").read_bytes())
    dummy = variables.content("dbx", IMAGE_SECURITY_DATABASE)
    nothing = hashlib.sha256(b"").digest()
    assert dummy == CERT_SHA256.bytes_le + bytes.fromhex("4c00000000000000 30000000") + DUMMY_OWNER.bytes_le + nothing
    assert len(dummy) == 76


def their_pcr7(store, folder, *options):
    (folder / "store").write_bytes(store)
    said = tool("virt-fw-measure", "--vars", folder / "store", "--digests", "--bank", "sha384", *options)
    return next(row["digest"] for row in json.loads(said)["values"] if row["pcr"] == 7)


def test_with_secure_boot_on_virt_firmware_lacks_the_certificate_that_let_the_image_through(tmp_path):
    keys = SecureBootKeys(pk=esl(OTHER), kek=esl(OTHER), db=esl(OURS), dbx=signature_list(bytes(32), kind=CERT_SHA256))
    variables = secure_boot(pk=keys.pk, kek=keys.kek, db=keys.db, dbx=keys.dbx)
    theirs = their_pcr7(write_uefi_data(efi_variables(*variables)), tmp_path)
    events = secure_boot_events(parse_pe(signed(OURS)), keys)
    assert replay(events[:-1], pcrs=[PCR7])[PCR7].hex() == theirs
    assert replay(events, pcrs=[PCR7])[PCR7].hex() != theirs


def test_virt_firmware_leaves_out_variables_that_are_absent(tmp_path):
    """Firmware measures PK, KEK, db and dbx always, empty where they are absent: the constant of genuine documents."""
    events = secure_boot_events(parse_pe(signed(OURS)), None)
    theirs = their_pcr7(EMPTY_STORE.read_bytes(), tmp_path, "--no-sb")
    assert replay(events, pcrs=[PCR7])[PCR7] == SECURE_BOOT_OFF_PCR7_SHA384
    assert replay([events[0], events[-1]], pcrs=[PCR7])[PCR7].hex() == theirs
