# SPDX-License-Identifier: Apache-2.0
"""`strongroom verify` on a saved console: the last complete receipt, and that nobody challenged the machine."""

import base64
import json
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.nitro_pki import INSTANCE, NOW, PCRS, Pki, document, enclave_document, enclave_pki, good_pki, root_pem
from tests.twin_world import small_uki
from tests.verify_world import CHALLENGED, RULES

from strongroom.cli.main import run
from strongroom.formats.console import encode_failure, encode_receipt
from strongroom.formats.console_model import ConsoleFailure
from strongroom.formats.measurements import encode_measurements
from strongroom.formats.pcrs import PcrDigests
from strongroom.ids import AccountId
from strongroom.measure.predict import measure_image
from strongroom.twin.server import Twin

EXPECTED = [*RULES, "--no-nonce", "--at", "document"]
BOOT = b"[    0.000000] Linux version 6.1.0\r\n\x1b[0;32m  OK  \x1b[0m Started agent.\r\n"
OTHER_INSTANCE = "i-0fedcba9876543210"


def spki(key):
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


EC_KEY = spki(ec.generate_private_key(ec.SECP256R1()))


def printed(*documents, damaged=()):
    """Boots, one after the other; the receipts whose number is in `damaged` have lost line 17 in both copies."""
    text = b""
    for number, each in enumerate(documents):
        lines = encode_receipt(each).splitlines(keepends=True)
        whole = [line for line in lines if number not in damaged or b" 17/" not in line]
        text += BOOT + b"".join(whole).replace(b"\n", b"\r\n")
    return text


def receipt(pki=None, **changes):
    return document(pki, **{"public_key": EC_KEY, "nonce": None, **changes})


def answer(text, instance=INSTANCE):
    return json.dumps({"InstanceId": instance, "Output": text.decode()}).encode()


def name_of(data):
    return encode_receipt(data).split()[2].decode()


def without_line_17(data):
    """How a receipt is described whose line 17 is gone."""
    total = encode_receipt(data).count(b"\n") // 2
    return f"line 17 of {total} of receipt {name_of(data)} is damaged"


@pytest.fixture
def verify(tmp_path, capsys):
    (tmp_path / "root").write_bytes(root_pem(good_pki()))

    def call(data, *options):
        (tmp_path / "console").write_bytes(data)
        code = run(["verify", str(tmp_path / "console"), "--root", str(tmp_path / "root"), *map(str, options)])
        return code, capsys.readouterr()

    return call


def said(result):
    return json.loads(result[1].out)


def test_the_receipt_in_a_console_is_verified(verify):
    data = receipt()
    code, shown = verify(printed(data), *EXPECTED)
    assert code == 0
    assert shown.out.startswith("TRUSTED AS OF THEN: ")
    assert f"from a saved console: receipt {name_of(data)}, the only complete one" in shown.out


@pytest.mark.attack("A2")
def test_nobody_challenged_the_machine_and_the_output_says_so(verify):
    for options in (EXPECTED, ["--authentic-only", "--at", "document"]):
        assert "NOBODY CHALLENGED IT" in verify(printed(receipt()), *options)[1].out
        found = said(verify(printed(receipt()), *options, "--json"))
        assert found["console"]["challenged"] is False
        assert any("NOBODY CHALLENGED IT" in notice for notice in found["notices"])


@pytest.mark.attack("A2")
def test_no_nonce_has_to_be_said_for_a_receipt_too(verify):
    code, shown = verify(printed(receipt()), *RULES, "--at", "document")
    assert (code, "[verify.nonce]" in shown.err) == (2, True)
    code, shown = verify(printed(receipt()), *RULES, *CHALLENGED, "--at", "document")
    assert (code, "nonce.absent" in shown.err) == (5, True)


def test_a_document_says_nothing_of_consoles(verify):
    code, shown = verify(receipt(), *EXPECTED)
    assert code == 0
    assert "console" not in shown.out
    assert "receipt" not in shown.out
    assert "console" not in said(verify(receipt(), *EXPECTED, "--json"))


def test_of_several_boots_the_last_complete_receipt_is_verified(verify):
    first, second = receipt(), receipt(timestamp=NOW + timedelta(minutes=1))
    found = said(verify(printed(first, second), *EXPECTED, "--json"))
    assert found["timestamp"] == (NOW + timedelta(minutes=1)).isoformat()
    assert (found["console"]["receipt"], found["console"]["complete"]) == (name_of(second), 2)
    assert f"receipt {name_of(second)}, the last of 2 complete ones" in verify(printed(first, second), *EXPECTED)[1].out


@pytest.mark.attack("A4")
def test_an_older_receipt_that_was_printed_again_is_pointed_out(verify):
    old, young = receipt(), receipt(timestamp=NOW + timedelta(minutes=1), pcrs=PcrDigests.of(PCRS | {12: b"\x12" * 48}))
    shown = verify(printed(young, old), *EXPECTED)[1]
    assert f"WARNING console.later-receipt: receipt {name_of(young)} stands before this one" in shown.out
    assert "console.later-receipt" not in verify(printed(old, old, receipt(nonce=b"y"), b"junk", old), *EXPECTED)[1].out
    assert "console.later-receipt" not in verify(printed(old, young), "--authentic-only", "--at", "document")[1].out


def test_a_later_receipt_that_is_damaged_is_pointed_out(verify):
    first, second = receipt(), receipt(timestamp=NOW + timedelta(minutes=1))
    code, shown = verify(printed(first, second, damaged=[1]), *EXPECTED)
    assert code == 0
    assert f"receipt {name_of(first)}, the only complete one; damaged: 1" in shown.out
    assert f"a later receipt, perhaps of a later boot, cannot be read: {without_line_17(second)}" in shown.out
    shown = verify(printed(first, second, damaged=[0]), *EXPECTED)[1]
    assert "a later receipt" not in shown.out
    found = said(verify(printed(first, second, damaged=[0]), *EXPECTED, "--json"))
    assert found["console"]["damaged"] == [without_line_17(first)]


def test_a_console_without_a_whole_receipt_says_what_is_missing(verify):
    data = receipt()
    code, shown = verify(printed(data, damaged=[0]), *EXPECTED)
    assert (code, "[console.damaged-receipt]" in shown.err) == (3, True)
    assert without_line_17(data) in shown.err
    failure = encode_failure(ConsoleFailure("kms.access-denied", "Ask the vendor.", PcrDigests.of({})))
    code, shown = verify(BOOT + failure, *EXPECTED)
    assert (code, "[console.no-receipt]" in shown.err) == (3, True)
    assert "failures: kms.access-denied" in shown.err


@pytest.mark.parametrize(
    "saved",
    [answer, base64.b64encode, lambda text: INSTANCE.encode() + b"\t" + text + b"\t2026-06-01\n"],
    ids=["json", "base64", "text"],
)
def test_every_form_of_a_saved_console_is_read(verify, saved):
    assert verify(saved(printed(receipt())), *EXPECTED)[0] == 0


def test_whose_console_it_is_is_said_or_said_to_be_unknown(verify):
    assert said(verify(answer(printed(receipt())), *EXPECTED, "--json"))["console"]["instance_id"] == INSTANCE
    assert "does not say whose console it is" in verify(printed(receipt()), *EXPECTED)[1].out
    assert "does not say whose console it is" not in verify(answer(printed(receipt())), *EXPECTED)[1].out


@pytest.mark.attack("A14")
@pytest.mark.parametrize("options", [EXPECTED, ["--authentic-only", "--at", "document"]])
def test_another_machines_receipt_on_this_console_is_refused(verify, options):
    """B prints what A's NitroTPM has signed. EC2 says whose console it is."""
    code, shown = verify(answer(printed(receipt()), OTHER_INSTANCE), *options)
    assert (code, "[console.other-instance]" in shown.err) == (5, True)
    assert OTHER_INSTANCE in shown.err
    assert not shown.out


@pytest.mark.attack("A1")
def test_a_forged_receipt_is_no_better_than_a_forged_document(verify):
    data = receipt()
    forged = data[:-1] + bytes([data[-1] ^ 1])
    assert "[signature.invalid]" in verify(printed(forged), *EXPECTED)[1].err
    assert "[chain.unknown-root]" in verify(printed(receipt(Pki())), *EXPECTED, "--root-sha256", "00" * 32)[1].err
    assert "[document.not-a-document]" in verify(printed(b"hello there, world"), *EXPECTED)[1].err


@pytest.mark.attack("A4")
def test_a_receipt_that_has_ended_is_verified_as_of_then_only(verify):
    code, shown = verify(printed(receipt()), *RULES, "--no-nonce")
    assert (code, "[chain.expired]" in shown.err) == (4, True)
    assert "--at document" in shown.err
    assert "says nothing about today" in verify(printed(receipt()), *EXPECTED)[1].out


@pytest.mark.attack("A11")
def test_an_enclaves_document_is_no_receipt_of_an_instance(verify):
    text = printed(enclave_document(enclave_pki()))
    assert "[document.wrong-kind]" in verify(text, *EXPECTED)[1].err


@pytest.mark.parametrize(
    ("public_key", "words"),
    [
        (spki(rsa.generate_private_key(65537, 2048)), "an RSA key"),
        (spki(ed25519.Ed25519PrivateKey.generate()), "a key that is neither RSA nor EC"),
        (b"\x04" * 65, "no SubjectPublicKeyInfo"),
        (None, "none"),
    ],
    ids=["rsa", "ed25519", "point", "none"],
)
def test_a_receipt_with_another_kind_of_key_is_pointed_out(verify, public_key, words):
    said_of_it = f"receipts carry an EC key, which KMS cannot use; this document carries {words}"
    assert said_of_it in verify(printed(receipt(public_key=public_key)), *EXPECTED)[1].out
    assert "this document carries" not in verify(printed(receipt()), *EXPECTED)[1].out


@pytest.mark.attack("A10")
def test_a_console_that_is_too_large_is_one_clear_line(verify):
    code, shown = verify(BOOT * 20_000, *EXPECTED)
    assert (code, "[file.too-large]" in shown.err) == (3, True)
    assert "a saved console" in shown.err


def test_genuine_documents_are_read_back_from_a_console(genuine_vectors, tmp_path, capsys):
    files = sorted((genuine_vectors / "documents").glob("nitrotpm-*.cbor"))
    assert files
    for file in files:
        (tmp_path / "console").write_bytes(printed(file.read_bytes()))
        assert run(["verify", str(tmp_path / "console"), "--authentic-only", "--at", "document", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["root_name"] == "AWS Nitro root G1"
        assert found["console"]["receipt"] == name_of(file.read_bytes())


def test_a_twins_console_verifies_with_the_twins_root(tmp_path, capsys):
    """What an instance of the twin would print at boot, as the AWS CLI would save it."""
    image = small_uki()
    with Twin() as twin:
        account = twin.create_account(AccountId("222222222222"), name="customer")
        twin.create_role(account, "app", policies=[])
        instance = twin.launch(image, account=account, role="app")
        data = instance.attest(public_key=EC_KEY)
        root = x509.load_der_x509_certificate(twin.nitro_root).public_bytes(Encoding.PEM)
    (tmp_path / "root.pem").write_bytes(root)
    (tmp_path / "measurements.json").write_bytes(encode_measurements(measure_image(image, secure_boot=None)))
    (tmp_path / "console.json").write_bytes(answer(printed(data), instance.instance_id))
    command = ["verify", str(tmp_path / "console.json"), "--measurements", str(tmp_path / "measurements.json")]
    assert run([*command, "--no-nonce"]) == 4, "AWS's root has not vouched for it"
    assert run([*command, "--no-nonce", "--root", str(tmp_path / "root.pem")]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith(f"TRUSTED: {instance.module_id} in ")
    assert "NOBODY CHALLENGED IT" in shown.out
