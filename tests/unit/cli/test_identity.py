# SPDX-License-Identifier: Apache-2.0
import base64
import itertools
import json
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests import nitro_pki
from tests.identity_signer import (
    REGION,
    certificate,
    document,
    dsa_certificate,
    key,
    sign,
    sign_dsa,
    sign_plainly,
)
from tests.moto_server import ACCOUNT, moto_server
from tests.verify_world import AT

from strongroom.appraisal.identity_certificates import aws_identity_certificates
from strongroom.cli.main import run
from strongroom.crypto.certificates import sha256_fingerprint

DOCUMENT = document()
KINDS = {
    "rsa2048": (sign(DOCUMENT), certificate()),
    "pkcs7": (sign_dsa(DOCUMENT), dsa_certificate()),
    "signature": (sign_plainly(DOCUMENT), certificate(1024)),
}


def pem(*ders):
    return b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in ders)


@pytest.fixture
def folder(tmp_path):
    for kind, (signature, der) in KINDS.items():
        (tmp_path / kind).write_bytes(base64.encodebytes(signature))
        (tmp_path / f"{kind}.pem").write_bytes(pem(der))
    (tmp_path / "document").write_bytes(DOCUMENT)
    (tmp_path / "attestation").write_bytes(nitro_pki.document())
    (tmp_path / "root").write_bytes(pem(nitro_pki.good_pki().certificates["root"]))
    return tmp_path


@pytest.fixture
def verify(folder, capsys):
    """Call the command; words that name a file of the folder become its path."""

    def call(*options, kind="rsa2048", given=True):
        options = [folder / each if (folder / str(each)).exists() else each for each in options]
        signature = [f"--{kind}", folder / kind] if kind else []
        pinned = ["--certificate", folder / f"{kind}.pem"] if given and kind else []
        command = ["identity", "verify", folder / "document", *signature, *pinned, *options]
        code = run([str(each) for each in command])
        return code, capsys.readouterr()

    return call


def answer(result):
    assert result[0] == 0, result[1]
    return json.loads(result[1].out)


def refused(result, exit_code, code):
    assert (result[0], f"[{code}]" in result[1].err, result[1].out) == (exit_code, True, ""), result[1]


def test_a_good_document_is_authentic(verify):
    code, said = verify("--region", REGION)
    assert code == 0
    assert said.out.startswith("AUTHENTIC: i-0123456789abcdef0 in eu-west-1, account 111122223333\n")
    assert "WEAK" not in said.out
    assert "equal to: the Region that was given" in said.out


def test_json_says_what_the_document_says(verify):
    said = answer(verify("--json"))
    assert (said["ok"], said["verdict"], said["kind"], said["weak"]) == (True, "authentic", "rsa2048", False)
    assert (said["account_id"], said["instance_id"]) == ("111122223333", "i-0123456789abcdef0")
    assert (said["region"], said["image_id"]) == (REGION, "ami-0123456789abcdef0")
    assert (said["compared_with"], said["attestation"]) == ([], None)
    assert said["certificate"]["packaged"] is False


@pytest.mark.attack("A14")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_every_answer_says_what_an_identity_document_does_not_show(verify, kind, options):
    said = verify(*options, kind=kind)[1].out
    assert "it says who the instance is, NOT WHAT IT RUNS" in said
    assert "no nonce and no age: whoever saw it can show it again for ever" in said


@pytest.mark.parametrize(("kind", "ours_only"), [("rsa2048", True), ("pkcs7", False), ("signature", True)])
def test_it_is_said_of_which_kinds_no_genuine_signature_was_seen(verify, kind, ours_only):
    for options in ((), ("--json",)):
        said = verify(*options, kind=kind)[1].out
        assert ("tested with our own signer only: no genuine" in said) is ours_only


@pytest.mark.parametrize(("kind", "words"), [("pkcs7", "DSA-1024 with SHA-1"), ("signature", "RSA-1024 with SHA-256")])
def test_weak_signatures_are_called_weak_loudly(verify, kind, words):
    code, said = verify(kind=kind)
    assert code == 0
    assert said.out.startswith("AUTHENTIC BY A WEAK SIGNATURE: i-0123456789abcdef0")
    assert f"A WEAK SIGNATURE VOUCHES FOR THIS: {words}" in said.out
    as_json = answer(verify("--json", kind=kind))
    assert (as_json["verdict"], as_json["weak"]) == ("authentic-by-a-weak-signature", True)
    assert (as_json["kind"], as_json["algorithm"]) == (kind, words)
    assert as_json["notices"][0].startswith("A WEAK SIGNATURE")


def test_exactly_one_signature_is_verified(verify):
    refused(verify(kind=None), 2, "identity.one-signature")
    refused(verify("--pkcs7", "pkcs7"), 2, "identity.one-signature")


@pytest.mark.attack("A7")
@pytest.mark.parametrize(("option", "kind"), [*itertools.permutations(KINDS, 2)])
def test_no_kind_passes_for_another(verify, folder, option, kind):
    (folder / option).write_bytes((folder / kind).read_bytes())
    for pinned in (option, kind):
        code, said = verify("--certificate", f"{pinned}.pem", kind=option, given=False)
        assert (code, said.out) == (3 if "signature" in kind else 4, "")


@pytest.mark.attack("A1")
@pytest.mark.parametrize("kind", KINDS)
def test_a_document_that_was_changed_is_not_authentic(verify, folder, kind):
    (folder / "document").write_bytes(document(accountId="999999999999"))
    code = "signature.invalid" if kind == "signature" else "identity.other-content"
    refused(verify(kind=kind), 4, code)


def test_a_newline_that_an_editor_added_is_explained(verify, folder):
    (folder / "document").write_bytes(DOCUMENT + b"\n")
    code, said = verify()
    assert (code, "byte for byte" in said.err) == (4, True)


@pytest.mark.attack("A1")
@pytest.mark.parametrize("kind", KINDS)
def test_a_stranger_is_not_ec2(verify, folder, kind):
    stranger = {"rsa2048": sign, "pkcs7": sign_dsa, "signature": sign_plainly}[kind](DOCUMENT, name="stranger")
    (folder / kind).write_bytes(base64.b64encode(stranger))
    result = verify(kind=kind)
    refused(result, 4, "signature.invalid")
    assert "packaged" not in result[1].err


@pytest.mark.attack("A1")
def test_without_a_certificate_only_awss_signature_counts(verify):
    result = verify(given=False)
    refused(result, 4, "signature.invalid")
    packaged = sha256_fingerprint(aws_identity_certificates()[REGION]).hex()
    assert f"the packaged certificate of {REGION}, SHA-256 {packaged}" in result[1].err
    assert "--certificate names" in result[1].err
    refused(verify(kind="pkcs7", given=False), 4, "signature.invalid")


def test_the_certificate_of_a_signature_has_to_be_given(verify):
    refused(verify(kind="signature", given=False), 2, "identity.no-certificate")


def test_a_region_without_a_packaged_certificate_is_told_what_to_do(verify, folder):
    elsewhere = document(region="ap-east-1")
    (folder / "document").write_bytes(elsewhere)
    (folder / "pkcs7").write_bytes(sign_dsa(elsewhere))
    result = verify(kind="pkcs7", given=False)
    refused(result, 4, "identity.unknown-region")
    assert "--certificate" in result[1].err
    code, said = verify(kind="pkcs7")
    assert (code, "that it is one of ap-east-1 is the document's own claim" in said.out) == (0, True)
    assert "own claim" not in verify("--region", "ap-east-1", kind="pkcs7")[1].out


def test_one_certificate_is_one(verify, folder):
    (folder / "rsa2048.pem").write_bytes(pem(certificate(), certificate(name="other")))
    refused(verify(), 2, "identity.certificates")
    (folder / "rsa2048.pem").write_bytes(b"no certificate")
    refused(verify(), 3, "certificate.not-pem")


def test_a_certificate_beyond_its_dates_is_used_and_that_is_said(verify, folder):
    assert "today is outside" not in verify()[1].out
    (folder / "rsa2048.pem").write_bytes(pem(old_certificate()))
    said = verify()[1].out
    assert "the certificate is good from 2014-06-05 to 2024-06-04, and today is outside" in said


def old_certificate():
    from datetime import UTC, datetime

    from cryptography.hazmat.primitives import hashes

    begins = datetime(2014, 6, 5, tzinfo=UTC)
    name = x509.Name([])
    builder = x509.CertificateBuilder(name, name, key().public_key(), 1, begins, begins + timedelta(days=3652))
    return builder.sign(key(), hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.attack("A14")
def test_another_region_than_the_one_that_was_meant_is_refused(verify):
    refused(verify("--region", "eu-west-2"), 5, "identity.other-region")


@pytest.mark.parametrize("region", ["", "Ireland", "eu-west-1a", "eu-west-1\n"])
def test_a_region_is_written_as_aws_writes_it(verify, region):
    refused(verify(f"--region={region}"), 2, "usage.region")


def test_an_attestation_document_of_the_same_instance_agrees(verify):
    code, said = verify("--document", "attestation", "--root", "root", *AT)
    assert code == 0
    assert "equal to: instance and Region of the attestation document of 2026-06-01 12:00:00 UTC" in said.out
    assert "its PCRs, nonce and age were not compared" in said.out
    assert "judged as of another time than now" in said.out
    as_json = answer(verify("--document", "attestation", "--root", "root", *AT, "--json"))
    assert as_json["compared_with"] == ["attestation-document"]
    assert as_json["attestation"]["module_id"] == nitro_pki.MODULE


@pytest.mark.attack("A14")
def test_the_identity_document_of_another_instance_is_refused(verify, folder):
    other = document(instanceId="i-0fedcba9876543210")
    (folder / "document").write_bytes(other)
    (folder / "rsa2048").write_bytes(sign(other))
    refused(verify("--document", "attestation", "--root", "root", *AT), 5, "identity.other-instance")


@pytest.mark.attack("A14")
def test_an_identity_document_from_another_region_is_refused(verify, folder):
    other = document(region="eu-west-2")
    (folder / "document").write_bytes(other)
    (folder / "rsa2048").write_bytes(sign(other))
    refused(verify("--document", "attestation", "--root", "root", *AT), 5, "identity.other-region")


@pytest.mark.attack("A22")
def test_an_attestation_document_that_does_not_verify_agrees_with_nothing(verify, folder):
    refused(verify("--document", "attestation", *AT), 4, "chain.unknown-root")
    assert verify("--document", "attestation", "--root", "root")[0] == 4  # its certificates have ended
    forged = bytearray(nitro_pki.document())
    forged[-1] ^= 1
    (folder / "attestation").write_bytes(bytes(forged))
    refused(verify("--document", "attestation", "--root", "root", *AT), 4, "signature.invalid")


def test_times_and_roots_are_for_an_attestation_document(verify):
    refused(verify(*AT), 2, "identity.no-attestation")
    refused(verify("--root", "root"), 2, "identity.no-attestation")


@pytest.mark.parametrize(
    ("file", "content", "code"),
    [
        ("document", b"{}", 3),
        ("document", b"x" * 20_000, 3),
        ("document", b"", 3),
        ("rsa2048", b"not base64", 3),
        ("rsa2048", base64.b64encode(b"no PKCS#7"), 3),
        ("rsa2048", bytes(200_000), 3),
        ("rsa2048", None, 9),
    ],
)
def test_files_that_are_not_what_they_should_be(verify, folder, file, content, code):
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    found, said = verify()
    assert (found, said.out) == (code, "")
    assert said.err.startswith("strongroom: ")


@pytest.mark.parametrize("kind", KINDS)
def test_raw_bytes_and_pem_lines_are_read_too(verify, folder, kind):
    signature = KINDS[kind][0]
    text = base64.encodebytes(signature).decode()
    for form in (signature, f"-----BEGIN PKCS7-----\n{text}-----END PKCS7-----\n".encode()):
        (folder / kind).write_bytes(form)
        assert verify(kind=kind)[0] == 0


def test_a_genuine_document_verifies_with_the_packaged_certificate(verify, folder, genuine_vectors):
    signed = (genuine_vectors / "iid/fullsailor-ec2-pkcs7-dsa-sha1.p7.der").read_bytes()
    (folder / "document").write_bytes(signed[signed.index(b"{") : signed.index(b"}") + 1])
    (folder / "pkcs7").write_bytes(signed)
    said = answer(verify("--region", "us-east-1", "--json", kind="pkcs7", given=False))
    assert (said["instance_id"], said["account_id"]) == ("i-f79fe56c", "121659014334")
    assert said["certificate"]["packaged"] is True
    refused(verify("--region", "us-west-2", kind="pkcs7", given=False), 5, "identity.other-region")


@pytest.fixture(scope="module")
def moto():
    with moto_server() as server:
        yield server


@pytest.fixture
def described(moto, folder, monkeypatch):
    """A running instance, and the identity document that EC2 would sign for it, with these changes."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.url)
    monkeypatch.setenv("AWS_REGION", "us-east-1")  # the document's own Region is asked, whatever stands here
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def make(**changes):
        instance = moto.launch(REGION)["InstanceId"]
        content = document(**{"instanceId": instance, "accountId": ACCOUNT} | changes)
        (folder / "document").write_bytes(content)
        (folder / "rsa2048").write_bytes(sign(content))
        return instance

    return make


@pytest.mark.slow
def test_ec2_may_agree(verify, described):
    described()
    code, said = verify("--ec2")
    assert (code, "equal to: what EC2 says of the instance now, and it runs" in said.out) == (0, True)
    assert answer(verify("--ec2", "--json"))["compared_with"] == ["ec2"]


@pytest.mark.slow
@pytest.mark.attack("A14")
def test_where_ec2_disagrees_each_difference_is_a_finding(verify, described, moto):
    instance = described(imageId="ami-0fedcba9876543210", instanceType="m7i.xlarge", availabilityZone="eu-west-1b")
    moto.client("ec2", REGION).stop_instances(InstanceIds=[instance])
    code, said = verify("--ec2", "--json")
    error = json.loads(said.out)["error"]
    assert (code, error["code"]) == (5, "ec2.other-image")
    found = [finding["code"] for finding in error["findings"]]
    assert found == ["ec2.other-image", "ec2.other-type", "ec2.other-zone", "ec2.not-running"]


@pytest.mark.slow
@pytest.mark.attack("A14")
def test_an_instance_of_another_account_does_not_exist_in_ours(verify, described):
    described(instanceId="i-0123456789abcdef0")
    refused(verify("--ec2"), 5, "ec2.no-such-instance")
    described(accountId="999999999999")
    refused(verify("--ec2"), 5, "ec2.other-account")


@pytest.mark.slow
def test_ec2_is_not_asked_about_what_is_not_authentic(verify, described, folder, monkeypatch):
    described()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    (folder / "rsa2048").write_bytes(sign(DOCUMENT, name="stranger"))
    assert verify("--ec2")[0] == 4


@pytest.mark.attack("A14")
def test_an_instance_that_ec2_does_not_know_is_refused(verify, monkeypatch):
    from werkzeug.wrappers import Response

    from strongroom.twin.listener import Listener

    empty = "<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>"
    ec2 = Listener(lambda _: Response(empty, mimetype="text/xml"), threads=1)
    ec2.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", ec2.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    refused(verify("--ec2"), 5, "ec2.no-such-instance")
    ec2.stop()


def test_without_an_answer_there_is_no_verdict(verify, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    refused(verify("--ec2"), 8, "aws.unavailable")
