# SPDX-License-Identifier: Apache-2.0
import json

import pytest
from tests.nitro_pki import INSTANCE, MODULE, Pki, document, enclave_document, enclave_pki, payload, sign

from strongroom.cli.inspect import RECOGNISERS
from strongroom.cli.main import run
from strongroom.formats.signed import BUNDLE_ESCROW, BUNDLE_HEADER


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


@pytest.mark.parametrize("kind", RECOGNISERS)
def test_every_kind_that_is_known_is_named_in_the_help_and_in_the_error(inspect, capsys, kind):
    run(["inspect", "--help"])
    assert kind in " ".join(capsys.readouterr().out.split())
    assert kind in inspect(bytes(100))[1].err


@pytest.mark.parametrize(
    ("data", "title", "page"),
    [
        (BUNDLE_HEADER.magic, "a Strongroom bundle", "bundle.md"),
        (BUNDLE_ESCROW.magic, "an escrow file of a Strongroom bundle", "bundle.md"),
        (b'{"version": 1, "product": "p", "signers": []}', "a trust file", "trust.md"),
        (b'{"Version": "2012-10-17", "Statement": []}', "the policy of a KMS key", "key-policy.md"),
        (b'{"version": 1, "instances": [{"id": "i", "reason": "r"}]}', "a deny list", "deny-list.md"),
        (b'{"version": 1, "parent": "00", "private": "AA=="}', "a secret that a TPM has sealed", "sealed.md"),
        (b'{"version": 1, "quote": "AA==", "document": "AA==", "pcrs": {}}', "a quote of a TPM", "quote.md"),
        (b'{"version": 1, "format": "", "sha256": "", "state": 0}', "the state of a twin's TPM", "twin-tpm-state.md"),
        (b'{"version": 1, "instances": ["i-0123456789abcdef0"]}', "an appraisal policy", "appraisal-policy.md"),
        (b'{"version": 1, "any_of": []}', "an appraisal policy", "appraisal-policy.md"),
    ],
    ids=[
        "bundle",
        "escrow",
        "trust",
        "key-policy",
        "deny-list",
        "sealed",
        "quote",
        "twin-tpm",
        "policy-of-instances",
        "policy",
    ],
)
def test_another_file_of_ours_is_named_with_its_page(inspect, data, title, page):
    code, said = inspect(data)
    assert (code, f"found what looks like {title} [inspect.unknown]" in said.err) == (3, True)
    assert f"docs/formats/{page}" in said.err


@pytest.mark.parametrize("data", [b'{"version": 1}', b'{"a": 1, "a": 2}', b'{"a"', b"[[1]]", b'{"any_of": [1]}'])
def test_other_json_is_called_json(inspect, data):
    assert "found what looks like JSON text [inspect.unknown]" in inspect(data)[1].err


def test_each_kind_points_to_the_command_that_says_more(inspect):
    tpm, enclave = (inspect(data)[1].out.split("\n")[0] for data in (document(), enclave_document(enclave_pki())))
    assert tpm.endswith("`strongroom verify` says whether it is authentic.")
    assert enclave.endswith("`strongroom verify --enclave` says whether it is authentic.")
