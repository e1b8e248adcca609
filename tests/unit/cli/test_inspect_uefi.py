# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from tests.boot.variables import (
    CERT_SHA256,
    OWNER,
    SECURITY_DATABASE,
    Variable,
    load_option,
    run_driver_first,
    secure_boot,
    signature_list,
    write_variables,
)
from tests.uefi_blobs import LOADER, aws_blob, option, order
from tests.unit.formats.test_edk2_store import empty_store
from tests.unit.measure.test_secure_boot import OTHER, OURS, esl

from strongroom.cli.main import run
from strongroom.crypto.certificates import sha256_fingerprint


@pytest.fixture
def inspect(tmp_path, capsys):
    def call(data: bytes, *options: str) -> tuple[int, str, str]:
        (tmp_path / "file").write_bytes(data)
        code = run(["inspect", str(tmp_path / "file"), *options])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


KEYS = secure_boot(pk=esl(OTHER), kek=esl(OTHER), db=esl(OURS), dbx=signature_list(bytes(32), kind=CERT_SHA256))
BOOTING = [option("Boot0001", load_option(LOADER)), order("BootOrder", 1)]


def test_variables_are_shown_in_plain_words_without_trust(inspect):
    code, out, _ = inspect(aws_blob([*KEYS, *BOOTING, Variable("Timeout", b"\x05\0"), Variable("Mine", b"x", OWNER)]))
    assert code == 0
    assert out.startswith(
        "This is UEFI variables as EC2 stores them (uefi-data). Unverified: anybody can write such a file. Measure"
    )
    for line in (
        "Secure Boot is on: there is a platform key (PK).",
        f"  dbx the image with the SHA-256 digest {bytes(32).hex()}, owner {OWNER}",
        '  Boot0001 "test", \\EFI\\BOOT\\BOOTX64.EFI; active',
        "All 9 variables:",
        "  BootOrder: what is tried, in this order: Boot0001",
        "  Timeout: how long the firmware waits for a key: 5 seconds",
        f"  Mine: of vendor {OWNER}, which Strongroom does not know; 1 byte",
        "Nothing here makes another boot. Measure with these keys: `strongroom measure IMAGE --uefi-data FILE`.",
    ):
        assert line in out.splitlines()


def test_keys_are_spoken_of_where_there_are_some(inspect):
    assert inspect(aws_blob(BOOTING))[1].splitlines()[-1] == "Nothing here makes another boot."


def test_an_empty_store_is_said_to_be_empty(inspect):
    assert inspect(aws_blob([]))[1].splitlines()[-1] == "No variables."


def test_keys_have_their_subject_fingerprint_and_owner(inspect):
    from tests.unit.measure.test_secure_boot import der

    out = inspect(aws_blob(KEYS))[1]
    assert f"  PK  CN=other, SHA-256 {sha256_fingerprint(der(OTHER)).hex()}, owner {OWNER}" in out
    assert f"  db  CN=ours, SHA-256 {sha256_fingerprint(der(OURS)).hex()}, owner {OWNER}" in out


@pytest.mark.attack("B20")
@pytest.mark.attack("B1")
def test_what_makes_another_boot_is_said_last(inspect):
    planted = [option("Boot0001", load_option(LOADER, options="init=/bin/sh")), order("BootOrder", 1)]
    code, out, _ = inspect(aws_blob([*run_driver_first("\\EFI\\driver.efi"), *planted]))
    assert code == 0
    assert "Secure Boot is off: there is no platform key (PK)." in out
    assert '  Driver0000 "test", \\EFI\\driver.efi; active\n' in out
    assert '\\EFI\\BOOT\\BOOTX64.EFI; active; gives it the command line "init=/bin/sh"\n' in out
    said = out.split("They make another boot than `strongroom measure` predicts:\n")[1]
    assert said.startswith("  boot-option.driver: Driver0000")
    assert "\n  boot-option.command-line: Boot0001" in said


def test_json_carries_the_same_facts(inspect):
    said = json.loads(inspect(aws_blob([*KEYS, *BOOTING]), "--json")[1])
    assert (said["ok"], said["kind"], said["verified"], said["secure_boot"]) == (True, "uefi-data", False, True)
    assert [len(said["keys"][name]) for name in ("PK", "KEK", "db", "dbx")] == [1, 1, 1, 1]
    assert said["options"] == [{"name": "Boot0001", "text": '"test", \\EFI\\BOOT\\BOOTX64.EFI; active'}]
    assert said["findings"] == []
    assert {row["name"] for row in said["variables"]} == {v.name for v in (*KEYS, *BOOTING)}
    row = next(row for row in said["variables"] if row["name"] == "dbx")
    assert (row["vendor"], row["known_vendor"]) == (str(SECURITY_DATABASE), "UEFI's image security")


@pytest.mark.parametrize(
    "printed",
    [
        b'{"InstanceId": "i-0", "UefiData": "%s"}' % aws_blob(BOOTING),
        b'"%s"\n' % aws_blob(BOOTING),
    ],
    ids=["of an instance", "with --query"],
)
def test_what_the_aws_cli_prints_is_recognised(inspect, printed):
    assert "This is UEFI variables as EC2 stores them" in inspect(printed)[1]


def test_other_json_is_not_taken_for_it(inspect):
    assert inspect(b'{"Measurements": {}}')[0] == 3
    assert "uefi-data" not in inspect(b'{"Measurements": {}}')[2]


def test_a_variable_store_of_qemu_is_recognised(inspect):
    code, out, _ = inspect(write_variables(empty_store(), BOOTING))
    assert code == 0
    assert out.startswith("This is a variable store of EDK II (QEMU).")
    assert json.loads(inspect(write_variables(empty_store(), BOOTING), "--json")[1])["kind"] == "edk2-variable-store"


def test_a_malformed_blob_is_malformed(inspect):
    code, _, err = inspect(aws_blob(BOOTING)[:-8])
    assert (code, "[uefi-data.checksum]" in err) == (3, True)


@pytest.mark.attack("A16")
def test_names_and_command_lines_cannot_speak_to_the_terminal(inspect):
    hostile = "\x1b[2JTRUSTED\u202e"
    rows = [option("Boot0001", load_option(LOADER, options=hostile)), order("BootOrder", 1), Variable(hostile, b"x")]
    out = inspect(aws_blob(rows))[1]
    assert all(character.isprintable() for line in out.split("\n") for character in line)
    assert "\\x1b[2JTRUSTED" in out


@pytest.mark.attack("A16")
def test_no_name_can_write_a_line_of_its_own(inspect):
    verdict = "Nothing here makes another boot."
    hostile = f"x\n{verdict}\r\n\N{LINE SEPARATOR}\N{NEXT LINE}"
    rows = [Variable(hostile, b"x"), Variable("SysPrep0000", b"x"), order("SysPrepOrder", 0)]
    out = inspect(aws_blob(rows))[1]
    assert verdict in out.replace("\\n", "\n")
    assert verdict not in out.splitlines()


def test_keys_that_are_none_are_said_to_be_that(inspect):
    nobody, kind = signature_list(b""), OWNER
    rows = [
        Variable("PK", nobody),
        Variable("KEK", b"broken"),
        Variable("db", signature_list(b"no certificate") + signature_list(b"x", kind=kind), SECURITY_DATABASE),
        Variable("dbx", signature_list(bytes(32), kind=CERT_SHA256) * 9, SECURITY_DATABASE),
    ]
    code, out, _ = inspect(aws_blob(rows))
    assert code == 0
    assert f"  PK  an empty certificate: a key that nobody has, owner {OWNER}\n" in out
    assert "  KEK 6 bytes, no signature database: expected an EFI_SIGNATURE_LIST header" in out
    assert "  db  a certificate that cannot be read (expected a DER certificate" in out
    assert f"  db  1 byte of the kind {kind}, owner {OWNER}\n" in out
    assert "  dbx and 1 more\n" in out


def test_options_that_cannot_be_read_are_said_to_be_that(inspect):
    out = inspect(aws_blob([option("Boot0001", b"\x01\0\0\0"), option("Boot0002", load_option(LOADER))]))[1]
    assert "  Boot0001 cannot be read: expected" in out
    idle = inspect(aws_blob([option("SysPrep0000", b"\0\0\0\0" + load_option(LOADER)[4:])]))[1]
    assert "; not active\n" in idle
    assert "Nothing is named that may be started" in inspect(aws_blob([]))[1]


def test_a_genuine_blob_and_a_genuine_store_are_shown(inspect, genuine_vectors):
    code, out, _ = inspect((genuine_vectors / "uefi-variables/pyuefivars-t02.aws").read_bytes())
    assert code == 0
    assert "All 23 variables:" in out
