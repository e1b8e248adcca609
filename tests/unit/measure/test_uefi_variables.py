# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from tests.boot.variables import (
    CERT_SHA256,
    OWNER,
    SECURE_BOOT_ENABLE,
    SECURITY_DATABASE,
    Variable,
    load_option,
    run_driver_first,
    secure_boot,
    signature_list,
)
from tests.uefi_blobs import efi_variables

from strongroom.errors import FormatError, NotTrusted
from strongroom.formats.efi import SYSTEMD
from strongroom.formats.efi_variables import EfiVariables
from strongroom.measure.secure_boot import SecureBootKeys
from strongroom.measure.uefi_variables import keys_of_predicted_boot, variable_findings

PK, KEK, DB = (signature_list(name) for name in (b"pk", b"kek", b"db"))
DBX = signature_list(bytes(32), kind=CERT_SHA256)
ENROLLED = secure_boot(pk=PK, kek=KEK, db=DB, dbx=DBX)


def codes(*variables: Variable) -> list[str]:
    return [finding.code for finding in variable_findings(efi_variables(*variables))]


def test_no_variables_mean_secure_boot_off():
    assert keys_of_predicted_boot(EfiVariables(())) is None


def test_keys_are_taken_from_their_variables():
    assert keys_of_predicted_boot(efi_variables(*ENROLLED)) == SecureBootKeys(pk=PK, kek=KEK, db=DB, dbx=DBX)
    assert keys_of_predicted_boot(efi_variables(Variable("PK", PK))) == SecureBootKeys(pk=PK)


@pytest.mark.attack("B1")
def test_options_that_systemd_takes_from_a_variable_are_told():
    options = "systemd.run=/bin/sh\x1b[2J".encode("utf-16-le") + b"\0\0"
    variables = efi_variables(Variable("SystemdOptions", options, SYSTEMD))
    (finding,) = variable_findings(variables)
    assert finding.code == "running-system.options"
    assert 'gives systemd "systemd.run=/bin/sh' in finding.message
    with pytest.raises(NotTrusted):
        keys_of_predicted_boot(variables)
    assert codes(Variable("SystemdOptions", b"\x00\xd8", SYSTEMD)) == ["running-system.options"]
    assert codes(Variable("SystemdOptions", options, OWNER), Variable("SystemdOptions", b"", SYSTEMD)) == []


@pytest.mark.attack("A16")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('quiet" and nothing else: "', r'"quiet\x22 and nothing else: \x22" as the'),
        ("x" * 400, f'"{"x" * 400}" as the'),
        ("x" * 401, f'"{"x" * 400}"… as the'),
    ],
)
def test_options_for_systemd_are_quoted_so_that_they_cannot_end_their_quotes(text, shown):
    (finding,) = variable_findings(efi_variables(Variable("SystemdOptions", text.encode("utf-16-le"), SYSTEMD)))
    assert f"gives systemd {shown}" in finding.message


def test_attributes_and_the_order_of_variables_do_not_count():
    plain = [Variable(v.name, v.data, v.vendor, 7) for v in reversed(ENROLLED)]
    assert keys_of_predicted_boot(efi_variables(*plain)) == keys_of_predicted_boot(efi_variables(*ENROLLED))


def test_keys_of_another_vendor_are_none():
    foreign = [Variable(v.name, v.data, OWNER) for v in ENROLLED]
    assert keys_of_predicted_boot(efi_variables(*foreign)) is None
    swapped = [Variable("PK", PK), Variable("db", DB)]
    assert keys_of_predicted_boot(efi_variables(*swapped)) == SecureBootKeys(pk=PK)


def test_the_platform_key_that_nobody_has_turns_secure_boot_on():
    """As the EC2 User Guide makes it: cert-to-efi-sig-list of an empty file."""
    nobody = signature_list(b"")
    assert len(nobody) == 44
    assert keys_of_predicted_boot(efi_variables(Variable("PK", nobody))) == SecureBootKeys(pk=nobody)


@pytest.mark.attack("B20")
def test_variables_that_make_another_boot_are_refused_with_every_reason():
    variables = efi_variables(
        *ENROLLED,
        *run_driver_first("\\EFI\\driver.efi"),
        Variable("Boot0000", load_option("\\EFI\\other.efi", options="init=/bin/sh")),
        Variable("BootOrder", struct.pack("<H", 0)),
    )
    with pytest.raises(NotTrusted) as caught:
        keys_of_predicted_boot(variables)
    assert caught.value.code == "measure.variables"
    assert [finding.code for finding in caught.value.findings] == [
        "boot-option.driver",
        "boot-option.command-line",
        "boot-option.elsewhere",
    ]


@pytest.mark.parametrize("data", [b"\0", b"\x02", b"\x01\x01", b""])
def test_a_switch_that_is_off_beside_keys_is_a_finding(data):
    rows = [*ENROLLED[:-1], Variable("SecureBootEnable", data, SECURE_BOOT_ENABLE)]
    assert codes(*rows) == ["secure-boot.disabled"]


def test_the_switch_alone_says_nothing():
    assert codes(Variable("SecureBootEnable", b"\0", SECURE_BOOT_ENABLE)) == []
    assert codes(*ENROLLED[:-1], Variable("SecureBootEnable", b"\0")) == []


@pytest.mark.parametrize("kept", ["KEK", "db", "dbx"])
def test_keys_without_a_platform_key_are_a_finding(kept):
    (row,) = (v for v in ENROLLED if v.name == kept)
    assert codes(row) == ["secure-boot.keys-without-pk"]
    assert kept in variable_findings(efi_variables(row))[0].message


@pytest.mark.parametrize("name", ["dbt", "dbr"])
def test_databases_that_are_not_predicted_are_a_finding(name):
    assert codes(*ENROLLED, Variable(name, DB, SECURITY_DATABASE)) == ["secure-boot.more-databases"]
    assert codes(*ENROLLED, Variable(name, DB)) == []


@pytest.mark.parametrize("name", ["PK", "KEK", "db", "dbx"])
def test_a_key_that_cannot_be_read_is_malformed(name):
    broken = [Variable(v.name, b"broken", v.vendor) if v.name == name else v for v in ENROLLED]
    with pytest.raises(FormatError):
        keys_of_predicted_boot(efi_variables(*broken))
