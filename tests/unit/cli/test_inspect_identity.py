# SPDX-License-Identifier: Apache-2.0
import base64
import json

import pytest
from tests.identity_signer import document, sign, sign_dsa, sign_plainly, signed_attributes, signed_data

from strongroom.formats.pkcs7 import OID_SHA1

DOCUMENT = document()
CLAIM = "It says: i-0123456789abcdef0 of account 111122223333 runs ami-0123456789abcdef0 in eu-west-1"


@pytest.mark.attack("A14")
def test_a_document_is_shown_without_trust_and_with_what_it_does_not_show(inspect):
    code, said = inspect(DOCUMENT)
    assert code == 0
    assert (
        "Unverified: anybody can write such a file. `strongroom identity verify` says whether EC2 signed it.\n"
        in said.out
    )
    for words in (
        CLAIM,
        "NOT WHAT IT RUNS",
        "whoever saw it can show it again for ever",
        "`strongroom identity verify`",
    ):
        assert words in said.out


@pytest.mark.parametrize(
    ("signature", "kind", "words"),
    [(sign(DOCUMENT), "rsa2048", "RSA-2048 with SHA-256"), (sign_dsa(DOCUMENT), "pkcs7", "DSA-1024 with SHA-1")],
)
@pytest.mark.parametrize("form", [bytes, base64.encodebytes])
def test_a_pkcs7_is_shown_with_the_document_in_it(inspect, signature, kind, words, form):
    code, said = inspect(form(signature))
    assert code == 0
    assert said.out.startswith("This is a PKCS#7 signature that holds an instance identity document. Unverified")
    assert CLAIM in said.out
    assert f"`{kind}`: {words}." in said.out
    as_json = json.loads(inspect(form(signature), "--json")[1].out)
    assert (as_json["kind"], as_json["verified"]) == ("identity-pkcs7", False)
    assert (as_json["signature_kind"], as_json["instance_id"]) == (kind, "i-0123456789abcdef0")


def test_algorithms_that_ec2_does_not_use_are_named_by_their_oids(inspect):
    odd = signed_data(DOCUMENT, signed_attributes(b"d" * 20), b"s", (OID_SHA1, OID_SHA1))
    code, said = inspect(odd)
    assert (code, "SHA-1 (1.3.14.3.2.26) and SHA-1 (1.3.14.3.2.26), which EC2 does not use" in said.out) == (0, True)


def test_a_plain_signature_is_known_by_its_length_alone_and_that_is_said(inspect):
    code, said = inspect(base64.encodebytes(sign_plainly(DOCUMENT)))
    assert (code, "as long as the `signature` of an instance identity document" in said.out) == (0, True)
    assert inspect(base64.b64encode(bytes(127)))[0] == 3
    assert inspect(bytes(range(128, 256)))[0] == 3  # raw, and of no known kind


@pytest.mark.attack("A16")
def test_a_document_cannot_speak_to_the_terminal(inspect):
    code, said = inspect(document(instanceType="\x1b[2JTRUSTED"))
    assert (code, "\x1b" in said.out + said.err) == (3, False)


@pytest.mark.parametrize(
    "data", [DOCUMENT[:-1], document(instanceId="i-0"), sign(DOCUMENT)[:-1], sign(DOCUMENT) + b"."]
)
def test_a_malformed_one_is_malformed_and_no_other_kind(inspect, data):
    code, said = inspect(data)
    assert code == 3
    assert "inspect.unknown" not in said.err


@pytest.mark.parametrize(
    "data", [b"{}", b'{"instanceId": 1}', sign(b"{}"), sign(b"something else"), bytes(300_000), b"A" * 300_000]
)
def test_what_holds_no_identity_document_is_not_called_one(inspect, data):
    code, said = inspect(data)
    assert (code, "[inspect.unknown]" in said.err) == (3, True)


def test_the_genuine_one_is_shown(inspect, genuine_vectors):
    code, said = inspect((genuine_vectors / "iid/fullsailor-ec2-pkcs7-dsa-sha1.p7.der").read_bytes())
    assert (code, "i-f79fe56c of account 121659014334" in said.out) == (0, True)
