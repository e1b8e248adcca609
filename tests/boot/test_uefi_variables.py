# SPDX-License-Identifier: Apache-2.0
"""What UEFI variables do to a boot: predictions and findings against OVMF, with keys that other programs enrolled."""

import hashlib
import json
import struct
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from tests.boot.conftest import make_signer
from tests.boot.machine import FIRMWARE, Machine, boot
from tests.boot.variables import (
    CERT_SHA256,
    OWNER,
    SECURE_BOOT_ENABLE,
    SECURITY_DATABASE,
    Variable,
    load_option,
    secure_boot,
    signature_list,
    write_variables,
)
from tests.uefi_blobs import efi_variables, option, order

from strongroom.cli.main import run
from strongroom.measure.predict import measure_image
from strongroom.measure.secure_boot import SecureBootKeys
from strongroom.measure.uefi_variables import keys_of_predicted_boot, variable_findings

pytestmark = pytest.mark.slow

GATES = (2, 4, 7, 12, 13)
EMPTY_STORE = FIRMWARE / "OVMF_VARS_4M.fd"
DUMMY_OWNER = uuid.UUID("a0baa8a3-041d-48a8-bc87-c36d121b5e3d")
"""Under which virt-fw-vars enrols a dbx with the digest of nothing, unasked."""


@pytest.fixture
def measure(capsys, tmp_path, signed):
    """What `strongroom measure` says of the signed image."""
    (tmp_path / "BOOTX64.EFI").write_bytes(signed)

    def call(*options: object) -> dict[str, str]:
        assert run(["measure", str(tmp_path / "BOOTX64.EFI"), "--json", *map(str, options)]) == 0
        measurements = json.loads(capsys.readouterr().out)["measurements"]["Measurements"]
        return {f"PCR{index}": measurements[f"PCR{index}"] for index in GATES}

    return call


def measured(image: bytes, store: bytes) -> dict[int, str]:
    booted = boot(Machine(image, store=store))
    return {index: booted.pcrs[index].hex() for index in GATES}


def predicted(image: bytes, keys: SecureBootKeys | None) -> dict[int, str]:
    pcrs = measure_image(image, secure_boot=keys).pcrs
    return {int(index): digest.hex() for index, digest in pcrs.items() if index in GATES}


def stored(variables) -> bytes:
    return write_variables(EMPTY_STORE.read_bytes(), variables)


def test_keys_that_another_program_enrolled_are_measured_as_predicted_from_wherever_they_are_given(
    measure, signed, signer, tmp_path
):
    owner = make_signer(tmp_path, "owner").certificate
    keys = ["--set-pk", OWNER, owner, "--add-kek", OWNER, owner, "--add-db", OWNER, signer.certificate, "--sb"]
    written = ["-o", tmp_path / "vars.fd", "--output-aws", tmp_path / "uefi-data"]
    enrol = [Path(sys.executable).parent / "virt-fw-vars", "-i", EMPTY_STORE, *keys, *written]
    subprocess.run([str(word) for word in enrol], check=True, capture_output=True)
    nothing = hashlib.sha256(b"").digest()
    (tmp_path / "dbx.esl").write_bytes(
        signature_list(nothing, kind=CERT_SHA256).replace(OWNER.bytes_le, DUMMY_OWNER.bytes_le)
    )

    certificates = ["--pk", owner, "--kek", owner, "--db", signer.certificate, "--owner", OWNER]
    booted = {f"PCR{index}": value for index, value in measured(signed, (tmp_path / "vars.fd").read_bytes()).items()}
    assert measure(*certificates, "--dbx", tmp_path / "dbx.esl") == booted
    assert measure("--uefi-data", tmp_path / "uefi-data") == booted
    assert measure("--uefi-data", tmp_path / "vars.fd") == booted
    assert measure(*certificates) == {**booted, "PCR7": measure(*certificates)["PCR7"]} != booted, "dbx is measured"


def test_a_platform_key_that_nobody_has_turns_secure_boot_on(signed, signer):
    variables = secure_boot(pk=signature_list(b""), kek=b"", db=signature_list(signer.der), dbx=b"")
    variables = [each for each in variables if each.data and each.name != "SecureBootEnable"]
    keys = keys_of_predicted_boot(efi_variables(*variables))
    assert keys is not None
    assert measured(signed, stored(variables)) == predicted(signed, keys)


KEY = signature_list(b"no certificate")


@pytest.mark.parametrize(
    ("variables", "code", "moved"),
    [
        pytest.param(
            [option("Boot0042", load_option("\\EFI\\missing.efi")), order("BootNext", 0x42)],
            "boot-option.elsewhere",
            {4},
            marks=pytest.mark.attack("B6"),
        ),
        ([Variable("OsIndications", struct.pack("<Q", 0x40))], "boot-option.request", {2, 4}),
        ([Variable("KEK", KEY, attributes=0x27)], "secure-boot.keys-without-pk", {7}),
        (
            [Variable("PK", KEY, attributes=0x27), Variable("SecureBootEnable", b"\0", SECURE_BOOT_ENABLE, 3)],
            "secure-boot.disabled",
            {7},
        ),
        ([Variable("dbt", KEY, SECURITY_DATABASE, 0x27)], "secure-boot.more-databases", {7}),
    ],
    ids=["a boot option that fails", "a recovery", "keys without a PK", "a PK switched off", "another database"],
)
def test_what_is_a_finding_does_move_the_pcr_that_it_names(image, variables, code, moved):
    assert [finding.code for finding in variable_findings(efi_variables(*variables))] == [code]
    expected = predicted(image, None)
    values = measured(image, stored(variables))
    assert {index for index in GATES if values[index] != expected[index]} == moved
