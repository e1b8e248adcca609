# SPDX-License-Identifier: Apache-2.0
"""`strongroom inspect` on a saved console: everything that is in it, and no trust in any of it."""

import json

import pytest
from tests.nitro_pki import INSTANCE, MODULE, enclave_document, enclave_pki, payload, sign
from tests.unit.cli.test_verify_console import BOOT, answer, name_of, printed, receipt, without_line_17

from strongroom.formats.console import encode_failure
from strongroom.formats.console_model import ConsoleFailure
from strongroom.formats.pcrs import PcrDigests

FAILURE = ConsoleFailure("kms.access-denied", "Ask the vendor.", PcrDigests.of({4: b"\x44" * 48, 12: bytes(48)}))


def facts(result):
    assert result[0] == 0
    return json.loads(result[1].out)


def test_receipts_and_failures_are_listed_in_words(inspect):
    first, second = receipt(), receipt(user_data=b"another")
    code, said = inspect(answer(printed(first, second, damaged=[0]) + encode_failure(FAILURE)))
    assert code == 0
    assert said.out.startswith(
        "This is a saved console of an instance. Unverified: anybody can write such a file. `strongroom verify`"
    )
    for words in (
        f"The file says that it is the console of {INSTANCE}.",
        "Receipts: 1 complete, 1 damaged. The machine printed them by itself: nobody challenged it.",
        f"receipt {name_of(first)}, damaged: {without_line_17(first)}",
        f"receipt {name_of(second)}, complete: says that {MODULE} made it at 2026-06-01T12:00:00+00:00; ",
        "; public key: an EC key",
        "Failures: 1. Anybody can print one.",
        "kms.access-denied: Ask the vendor.",
        f"PCR4   {'44' * 48}",
        "every EFI program that was started",
    ):
        assert words in said.out


def test_json_carries_the_same(inspect):
    first, second = receipt(), receipt(user_data=b"another")
    found = facts(inspect(answer(printed(first, second, damaged=[0]) + encode_failure(FAILURE)), "--json"))
    assert (found["kind"], found["verified"], found["challenged"]) == ("console", False, False)
    assert found["instance_id"] == INSTANCE
    damaged, complete = found["receipts"]
    assert (damaged["complete"], damaged["document"]) == (False, None)
    assert (complete["complete"], complete["problem"]) == (True, None)
    assert (complete["document"]["kind"], complete["document"]["module_id"]) == ("nitrotpm-document", MODULE)
    assert found["failures"] == [
        {"code": FAILURE.code, "remedy": FAILURE.remedy, "pcrs": {"4": "44" * 48, "12": "00" * 48}}
    ]
    assert (found["unreadable"], found["other_versions"]) == (0, 0)


def test_a_console_without_records_is_still_one(inspect):
    code, said = inspect(BOOT)
    assert code == 0
    assert "The file does not say whose it is." in said.out
    assert "Receipts: 0 complete, 0 damaged." in said.out
    assert "Failures: 0." in said.out


def test_what_cannot_be_read_is_counted(inspect):
    text = BOOT + b"strongroom-receipt 1 x\nstrongroom-failure 1 y\nstrongroom-receipt 7 z\n"
    found = facts(inspect(text, "--json"))
    assert (found["unreadable"], found["other_versions"]) == (2, 1)
    said = inspect(text)[1].out
    assert "Damaged records: 2." in said
    assert "Records of other versions: 1." in said


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"hello there, world", "what is in it is no attestation document"),
        (sign(payload()[:-1]), "the document in it cannot be read: "),
    ],
)
def test_a_receipt_of_something_else_is_called_that(inspect, data, words):
    assert words in inspect(printed(data))[1].out
    assert words in facts(inspect(printed(data), "--json"))["receipts"][0]["problem"]


def test_documents_in_receipts_are_named_by_their_kind(inspect):
    found = facts(inspect(printed(enclave_document(enclave_pki())), "--json"))
    assert found["receipts"][0]["document"]["kind"] == "enclave-document"
    assert "public key: none" in inspect(printed(receipt(public_key=None)))[1].out


@pytest.mark.attack("A16")
def test_a_console_cannot_speak_to_the_terminal(inspect):
    hostile = ConsoleFailure("a.b", "\x1b[2J\x1b[32mTRUSTED\x07\u202e\r<script>", PcrDigests.of({}))
    code, said = inspect(BOOT + encode_failure(hostile))
    assert code == 0
    assert all(character.isprintable() for line in said.out.split("\n") for character in line)
    assert r"\x1b[2J\x1b[32mTRUSTED" in said.out


def test_other_files_are_still_what_they_are(inspect):
    assert inspect(receipt())[1].out.startswith("This is a NitroTPM attestation document.")
    code, said = inspect(b"hello there, world")
    assert (code, "inspect.unknown" in said.err) == (3, True)
