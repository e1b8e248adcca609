# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import struct
import uuid

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from tests.boot.variables import OWNER, Variable, load_option, run_driver_first, secure_boot
from tests.images import make_uki
from tests.uefi_blobs import LOADER, aws_blob, option, order
from tests.unit.formats.test_edk2_store import empty_store
from tests.unit.formats.test_efi import signed_update
from tests.unit.measure.test_secure_boot import OTHER, OURS, der, esl, signed

from strongroom.cli.main import run
from strongroom.formats.measurements import encode_measurements
from strongroom.measure.predict import measure_image
from strongroom.measure.secure_boot import SecureBootKeys

KEYS = {"pk": esl(OTHER), "kek": esl(OTHER), "db": esl(OURS), "dbx": esl(OTHER)}
IMAGE = signed(OURS)
OTHER_OWNER = "a0baa8a3-041d-48a8-bc87-c36d121b5e3d"


def pem(certificate):
    return certificate.public_bytes(Encoding.PEM)


@pytest.fixture
def measure(tmp_path, capsys):
    """Run `measure` with options; contents of files are put into files first."""
    (tmp_path / "BOOTX64.EFI").write_bytes(IMAGE)

    def call(*options: object) -> tuple[int, str, str]:
        words = []
        for number, value in enumerate(options):
            if isinstance(value, bytes):
                (tmp_path / str(number)).write_bytes(value)
                words.append(str(tmp_path / str(number)))
            else:
                words.append(str(value))
        code = run(["measure", str(tmp_path / "BOOTX64.EFI"), "--json", *words])
        return code, capsys.readouterr().out, " ".join(words)

    return call


def pcr7(answer):
    code, out, words = answer
    assert code == 0, f"{words}: {out}"
    return json.loads(out)["measurements"]["Measurements"]["PCR7"]


def error_of(answer):
    return {"exit": answer[0], **json.loads(answer[1])["error"]}


def predicted(**changes):
    measured = measure_image(IMAGE, secure_boot=SecureBootKeys(**{"pk": KEYS["pk"], "db": KEYS["db"], **changes}))
    return json.loads(encode_measurements(measured))["Measurements"]["PCR7"]


def test_signature_lists_certificates_and_signed_updates_say_the_same(measure):
    owner = ["--owner", OWNER]
    expected = predicted()
    assert pcr7(measure("--pk", KEYS["pk"], "--db", KEYS["db"])) == expected
    assert pcr7(measure("--pk", pem(OTHER), "--db", pem(OURS), *owner)) == expected
    assert pcr7(measure("--pk", der(OTHER), "--db", KEYS["db"], *owner)) == expected
    assert pcr7(measure("--pk", signed_update(KEYS["pk"]), "--db", signed_update(KEYS["db"]))) == expected


def test_the_owner_is_measured(measure):
    with_owner = [pcr7(measure("--pk", KEYS["pk"], "--db", pem(OURS), "--owner", o)) for o in (OWNER, OTHER_OWNER)]
    assert with_owner[0] != with_owner[1]


def test_a_certificate_needs_its_owner(measure):
    error = error_of(measure("--pk", pem(OTHER), "--db", KEYS["db"]))
    assert (error["exit"], error["code"]) == (2, "measure.no-owner")
    assert "cert-to-efi-sig-list" in error["remedy"]
    assert error_of(measure("--pk", KEYS["pk"], "--owner", "me"))["code"] == "usage.arguments"


def test_files_of_one_kind_are_put_together_in_their_order(measure):
    ours_first = pcr7(measure("--pk", KEYS["pk"], "--db", pem(OURS), "--db", esl(OTHER), "--owner", OWNER))
    other_first = pcr7(measure("--pk", KEYS["pk"], "--db", esl(OTHER), "--db", pem(OURS), "--owner", OWNER))
    assert ours_first == predicted(db=esl(OURS, OTHER))
    assert other_first == predicted(db=esl(OTHER, OURS))
    assert ours_first != other_first


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\x30\x82\x01\x00" + bytes(256), "certificate.unreadable"),
        (b"-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n", "certificate.not-pem"),
        (pem(OURS) + pem(OTHER), "measure.several-certificates"),
        (b"-----BEGIN PRIVATE KEY-----\nMIIC\n-----END PRIVATE KEY-----\n", "efi.signature-list"),
        (signed_update(b"no list"), "efi.truncated"),
        (signed_update(KEYS["db"], length=9_999), "efi.signed-update"),
        (KEYS["db"][:-1], "efi.signature-list"),
    ],
)
def test_what_is_no_key_is_refused_by_its_fault(measure, content, code):
    error = error_of(measure("--pk", KEYS["pk"], "--db", content, "--owner", OWNER))
    assert (error["exit"], error["code"]) == (3, code)


def test_each_file_has_to_be_whole_by_itself(measure):
    halves = (KEYS["db"][:100], KEYS["db"][100:])
    assert error_of(measure("--pk", KEYS["pk"], "--db", halves[0], "--db", halves[1]))["code"] == "efi.signature-list"


def uefi(*more: Variable) -> list[Variable]:
    return [*secure_boot(**KEYS), *more]


def test_keys_come_from_the_uefi_data_of_an_ami(measure):
    expected = predicted(**KEYS)
    assert pcr7(measure("--uefi-data", aws_blob(uefi()))) == expected
    printed = json.dumps({"InstanceId": "i-0", "UefiData": aws_blob(uefi()).decode()}).encode()
    assert pcr7(measure("--uefi-data", printed)) == expected


def test_keys_come_from_a_variable_store_of_qemu(measure):
    from tests.boot.variables import write_variables

    big = empty_store() + bytes(40_000)
    big = big[:88] + struct.pack("<I", 32_768) + big[92:]  # a store of 32 KiB
    filled = big[:2100] + b"\xff" * (len(big) - 2100)
    assert pcr7(measure("--uefi-data", write_variables(filled, uefi()))) == predicted(**KEYS)


def test_uefi_data_without_a_platform_key_turn_secure_boot_off(measure):
    from strongroom.formats.pcrs import SECURE_BOOT_OFF_PCR7_SHA384

    assert pcr7(measure("--uefi-data", aws_blob([Variable("Timeout", b"\0\0")]))) == SECURE_BOOT_OFF_PCR7_SHA384.hex()


@pytest.mark.parametrize("options", [["--pk", KEYS["pk"]], ["--owner", OWNER], ["--dbx", KEYS["dbx"]]])
def test_uefi_data_stand_alone(measure, options):
    error = error_of(measure("--uefi-data", aws_blob(uefi()), *options))
    assert (error["exit"], error["code"]) == (2, "measure.two-sources")


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        pytest.param(run_driver_first("\\EFI\\d.efi"), "boot-option.driver", marks=pytest.mark.attack("B20")),
        pytest.param(
            [option("SysPrep0000", load_option("\\EFI\\p.efi")), order("SysPrepOrder", 0)],
            "boot-option.preparation",
            marks=pytest.mark.attack("B20"),
        ),
        pytest.param(
            [option("Boot0000", load_option(LOADER, options="init=/bin/sh")), order("BootOrder", 0)],
            "boot-option.command-line",
            marks=pytest.mark.attack("B1"),
        ),
        pytest.param(
            [option("Boot0000", load_option("\\EFI\\shim.efi")), order("BootOrder", 0)],
            "boot-option.elsewhere",
            marks=pytest.mark.attack("B6"),
        ),
        ([Variable("BootOrder", b"\0")], "boot-option.unreadable"),
        ([Variable("OsIndications", b"\1" + bytes(7))], "boot-option.request"),
        (
            [Variable("dbt", KEYS["db"], uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f"))],
            "secure-boot.more-databases",
        ),
    ],
)
def test_variables_that_make_another_boot_have_no_measurements(measure, variables, code):
    error = error_of(measure("--uefi-data", aws_blob(uefi(*variables))))
    assert (error["exit"], error["code"]) == (5, "measure.variables")
    assert [finding["code"] for finding in error["findings"]] == [code]


def test_findings_are_told_to_people_too(tmp_path, capsys):
    (tmp_path / "image.efi").write_bytes(make_uki())
    rows = [option("Boot0000", load_option(LOADER, options="init=/bin/sh")), order("BootOrder", 0)]
    (tmp_path / "uefi-data").write_bytes(aws_blob(rows))
    code = run(["measure", str(tmp_path / "image.efi"), "--uefi-data", str(tmp_path / "uefi-data")])
    said = capsys.readouterr()
    assert (code, said.out) == (5, "")
    assert 'boot-option.command-line: Boot0000 "test", \\EFI\\BOOT\\BOOTX64.EFI' in said.err
    assert 'the command line "init=/bin/sh"' in said.err


def test_options_that_leave_the_boot_alone_change_nothing(measure):
    rows = uefi(option("Boot0000", load_option(LOADER)), order("BootOrder", 0), Variable("Timeout", b"\x05\0"))
    assert pcr7(measure("--uefi-data", aws_blob(rows))) == predicted(**KEYS)


@pytest.mark.parametrize(("data", "code"), [(b"\x7fELF", "uefi-data.base64"), (b"AAAA", "uefi-data.magic")])
def test_what_are_no_variables_is_refused(measure, data, code):
    error = error_of(measure("--uefi-data", data))
    assert (error["exit"], error["code"]) == (3, code)
