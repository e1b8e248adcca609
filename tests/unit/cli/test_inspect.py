# SPDX-License-Identifier: Apache-2.0
import json

import pytest
from tests.nitro_pki import INSTANCE, MODULE, Pki, document, enclave_document, enclave_pki, payload, sign

from strongroom.cli.main import run


def test_a_document_is_shown_in_plain_words_without_trust(inspect):
    code, said = inspect(document())
    assert code == 0
    assert said.out.startswith("This is a NitroTPM attestation document. Unverified")
    assert "authentic" not in said.out.split("\n", 1)[1]
    for words in (
        MODULE,
        "every EFI program that was started",
        "Secure Boot is off and no keys are enrolled",
        "one separator, and nothing was measured beside it",
        "all ones, its value after power-on",
        "CN=aws.nitro-enclaves",
    ):
        assert words in said.out
    assert said.out.count("\nPCR") == 24


@pytest.mark.attack("A16")
def test_a_file_cannot_speak_to_the_terminal(inspect):
    """Clear the screen, colour it, ring, turn the text round: a certificate's name may hold all of it."""
    hostile = Pki(leaf={"name": "\x1b[2J\x1b[32mTRUSTED\x07\x9b0m\u202e\rX"})
    code, said = inspect(document(hostile))
    assert code == 0
    assert all(character.isprintable() for line in said.out.split("\n") for character in line)
    assert r"CN=\x1b[2J\x1b[32mTRUSTED\x07\x9b0m\u202e\rX" in said.out


def test_a_name_that_cannot_be_read_is_said_to_be_that(inspect):
    """The common name as a BIT STRING, a type that no common name has."""
    body = payload()
    name = body.index(b"\x0c", body.index(MODULE.encode() + b".") - 2)
    code, said = inspect(sign(body[:name] + b"\x03" + body[name + 1 : name + 2] + b"\0" + body[name + 3 :]))
    assert (code, "[certificate.unreadable]" in said.err) == (3, True)


def test_json_carries_the_same_facts(inspect):
    said = json.loads(inspect(document(), "--json")[1].out)
    assert (said["ok"], said["verified"], said["module_id"]) == (True, False, MODULE)
    assert len(said["certificates"]) == 5
    assert said["user_data"] is None


def test_a_tagged_document_is_a_document(inspect):
    assert inspect(b"\xd2" + document())[0] == 0


def test_an_enclave_document_is_called_one(inspect):
    code, said = inspect(enclave_document(enclave_pki(), pcrs={0: bytes(48), 1: b"\x01" * 48, 5: bytes(48)}))
    assert code == 0
    assert "This is a Nitro Enclaves attestation document" in said.out
    assert "debug mode: do not trust it" in said.out
    assert INSTANCE in said.out


@pytest.mark.attack("A16")
def test_bytes_of_strangers_are_shown_as_hex(inspect):
    hostile = b"\x1b[2J<script>alert(1)</script>[bold]"
    code, said = inspect(document(user_data=hostile, nonce=b"x" * 100))
    assert code == 0
    assert hostile.hex() in said.out
    assert "\x1b" not in said.out
    assert "script" not in said.out
    assert f"100 bytes {'78' * 64}…" in said.out


@pytest.mark.attack("A12")
def test_an_unmeasured_boot_stands_out(inspect):
    from strongroom.formats.pcrs import PcrDigests

    said = inspect(document(pcrs=PcrDigests.of({4: bytes(48), 30: b"\x05" * 48})))[1]
    assert "do not trust this machine" in said.out
    assert "not assigned: depends on the machine" in said.out


def test_a_malformed_document_is_malformed(inspect):
    code, said = inspect(sign(payload()[:-1]))
    assert (code, "[cbor.truncated]" in said.err) == (3, True)


def test_a_file_of_no_known_kind_is_named_as_well_as_can_be(inspect):
    code, said = inspect(b"\x7fELF and so on")
    assert code == 3
    assert "found what looks like an ELF program" in said.err


def test_a_disk_in_another_format_is_named_with_the_way_to_a_raw_one(inspect):
    code, said = inspect(b"QFI\xfb" + bytes(100))
    assert code == 3
    assert "[inspect.unknown]" in said.err
    assert "qemu-img convert -f qcow2 -O raw" in said.err


def test_every_kind_that_is_known_is_named_in_the_help(capsys):
    run(["inspect", "--help"])
    words = " ".join(capsys.readouterr().out.split())
    assert all(kind in words for kind in ("attestation document", "measurements", "kernel image", "raw disk image"))
