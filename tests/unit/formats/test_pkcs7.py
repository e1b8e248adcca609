# SPDX-License-Identifier: Apache-2.0
import hashlib
import shutil
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests import identity_signer

from strongroom.errors import FormatError
from strongroom.formats import pkcs7
from strongroom.formats.ber import encode_definite as der
from strongroom.formats.ber import encode_indefinite as ber
from strongroom.formats.pkcs7 import parse_signed_data

SEQUENCE, SET, OID, NULL, OCTETS, INTEGER = 0x30, 0x31, 0x06, 0x05, 0x04, 0x02
CONTENT = b"content"
SHA256 = der(SEQUENCE, der(OID, pkcs7.OID_SHA256) + der(NULL, b""))
RSA = der(SEQUENCE, der(OID, pkcs7.OID_RSA) + der(NULL, b""))


def attribute(oid, *values):
    return der(SEQUENCE, der(OID, oid) + der(SET, b"".join(values)))


TYPE = attribute(pkcs7.OID_CONTENT_TYPE, der(OID, pkcs7.OID_DATA))
DIGEST = attribute(pkcs7.OID_MESSAGE_DIGEST, der(OCTETS, b"d" * 32))


def signer(*, version=b"\x01", digest=SHA256, attributes=TYPE + DIGEST, tag=0xA0, algorithm=RSA, rest=b""):
    parts = der(INTEGER, version) + der(SEQUENCE, b"") + digest + der(tag, attributes) + algorithm
    return der(SEQUENCE, parts + der(OCTETS, b"signature") + rest)


def encapsulated(content=None, oid=pkcs7.OID_DATA):
    return der(SEQUENCE, der(OID, oid) + der(0xA0, der(OCTETS, CONTENT) if content is None else content))


VERSION_1 = der(INTEGER, b"\x01")


def signed_data(*, oid=pkcs7.OID_SIGNED_DATA, inner=None, optional=b"", signers=None, version=VERSION_1):
    body = version + der(SET, SHA256) + (inner or encapsulated()) + optional
    body += der(SET, signer() if signers is None else signers)
    return der(SEQUENCE, der(OID, oid) + der(0xA0, der(SEQUENCE, body)))


def refused(code, data):
    with pytest.raises(FormatError) as caught:
        parse_signed_data(data)
    assert caught.value.code == code, caught.value


def test_a_plain_one_is_read():
    parsed = parse_signed_data(signed_data())
    assert parsed == pkcs7.SignedData(
        content=CONTENT,
        digest_algorithm=pkcs7.OID_SHA256,
        signature_algorithm=pkcs7.OID_RSA,
        signed_attributes=der(SET, TYPE + DIGEST),
        message_digest=b"d" * 32,
        signature=b"signature",
    )


@pytest.mark.parametrize("optional", [der(0xA0, b""), der(0xA1, b""), der(0xA0, b"") + der(0xA1, b"")])
def test_certificates_and_revocation_lists_are_passed_over(optional):
    assert parse_signed_data(signed_data(optional=optional)) == parse_signed_data(signed_data())


def test_content_in_parts_is_joined():
    parts = ber(OCTETS, der(OCTETS, b"con") + der(OCTETS, b"tent"))
    assert parse_signed_data(signed_data(inner=encapsulated(parts))).content == CONTENT


def test_other_attributes_and_unsigned_ones_are_passed_over():
    extra = attribute(bytes.fromhex("2a864886f70d010934"), der(SEQUENCE, b""))
    data = signed_data(signers=signer(attributes=TYPE + extra + DIGEST, rest=der(0xA1, b"")))
    assert parse_signed_data(data).message_digest == b"d" * 32


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "ber.truncated"),
        (signed_data() + b"\0", "ber.trailing-bytes"),
        (b"\x02" + signed_data()[1:], "ber.wrong-tag"),
        (signed_data(oid=pkcs7.OID_DATA), "ber.wrong-content"),
        (
            signed_data().replace(b"\x06\x09" + pkcs7.OID_SIGNED_DATA, b"\x04\x09" + pkcs7.OID_SIGNED_DATA),
            "ber.wrong-tag",
        ),
        (signed_data(version=der(OCTETS, b"\x01")), "ber.wrong-tag"),
        (signed_data(version=der(INTEGER, b"\x03")), "ber.wrong-content"),
        (signed_data(signers=signer(version=b"\x03")), "ber.wrong-content"),
        (signed_data(signers=signer().replace(der(SEQUENCE, b""), der(0x80, b""), 1)), "ber.wrong-tag"),
        (signed_data().replace(der(SET, SHA256), der(SEQUENCE, SHA256), 1), "ber.wrong-tag"),
        (signed_data(inner=encapsulated(oid=pkcs7.OID_SIGNED_DATA)), "ber.wrong-content"),
        (signed_data(inner=der(SEQUENCE, der(OID, pkcs7.OID_DATA))), "ber.members"),
        (signed_data(inner=encapsulated(der(SEQUENCE, b""))), "ber.wrong-tag"),
        (signed_data(inner=encapsulated(b"")), "ber.members"),
        (signed_data(inner=encapsulated(ber(OCTETS, der(INTEGER, b"1")))), "ber.wrong-tag"),
        (signed_data(inner=encapsulated(ber(OCTETS, b""))), "ber.members"),
        (signed_data(inner=encapsulated(ber(OCTETS, der(OCTETS, b"") * (pkcs7.MAX_PARTS + 1)))), "ber.members"),
        (signed_data(inner=encapsulated(ber(SET, der(OCTETS, b"")))), "ber.wrong-tag"),
        (signed_data(optional=der(0xA2, b"")), "ber.wrong-tag"),
        (signed_data(optional=der(0xA1, b"") + der(0xA0, b"")), "ber.wrong-tag"),
        (signed_data(optional=der(0xA0, b"") + der(0xA0, b"")), "ber.wrong-tag"),
        (signed_data(optional=der(0xA0, b"") + der(0xA1, b"") + der(0xA1, b"")), "ber.members"),
        (signed_data(optional=der(0xA0, b"") * 20), "ber.members"),
        (signed_data(signers=b""), "ber.members"),
        (signed_data(signers=signer() + signer()), "ber.members"),
        (signed_data(signers=signer(rest=der(0xA1, b"") * 2)), "ber.members"),
        (signed_data(signers=der(SEQUENCE, b"")), "ber.members"),
        (signed_data(signers=signer(tag=0xA1)), "ber.wrong-tag"),
        (signed_data(signers=signer(attributes=b"")), "ber.members"),
        (signed_data(signers=signer(attributes=TYPE)), "pkcs7.missing-attribute"),
        (signed_data(signers=signer(attributes=DIGEST)), "pkcs7.missing-attribute"),
        (signed_data(signers=signer(attributes=TYPE + DIGEST + DIGEST)), "pkcs7.duplicate-attribute"),
        (
            signed_data(
                signers=signer(attributes=TYPE + attribute(pkcs7.OID_MESSAGE_DIGEST, *[der(OCTETS, b"d" * 32)] * 2))
            ),
            "ber.members",
        ),
        (
            signed_data(signers=signer(attributes=attribute(pkcs7.OID_CONTENT_TYPE, der(OID, b"\x2a")) + DIGEST)),
            "ber.wrong-content",
        ),
        (signed_data(signers=signer(digest=der(SEQUENCE, b""))), "ber.members"),
        (signed_data(signers=signer(digest=der(SEQUENCE, der(NULL, b"")))), "ber.wrong-tag"),
        (signed_data(signers=signer(algorithm=der(SEQUENCE, der(OID, pkcs7.OID_RSA) * 2))), "ber.wrong-tag"),
        (
            signed_data(signers=signer().replace(der(OCTETS, b"signature"), der(INTEGER, b"signature"))),
            "ber.wrong-tag",
        ),
        (signed_data(signers=signer().replace(der(INTEGER, b"\x01"), der(OCTETS, b"\x01"), 1)), "ber.wrong-tag"),
        (bytes(pkcs7.MAX_SIGNED_DATA_BYTES + 1), "ber.too-large"),
    ],
)
def test_everything_else_is_malformed(data, code):
    refused(code, data)


def test_signatures_over_plain_content_are_not_read():
    # Without signed attributes, what was signed as attributes could be passed off as content
    parts = der(INTEGER, b"\x01") + der(SEQUENCE, b"") + SHA256 + RSA + der(OCTETS, b"signature")
    refused("ber.members", signed_data(signers=der(SEQUENCE, parts)))
    with_unsigned = der(SEQUENCE, parts + der(0xA1, b""))
    refused("ber.wrong-tag", signed_data(signers=with_unsigned))


def test_the_genuine_one_is_read(genuine_vectors):
    folder = genuine_vectors / "iid"
    parsed = parse_signed_data((folder / "fullsailor-ec2-pkcs7-dsa-sha1.p7.der").read_bytes())
    assert parsed.content.startswith(b'{\n  "privateIp" : "172.30.0.252"')
    assert parsed.message_digest == hashlib.sha1(parsed.content).digest()


def test_ours_is_in_ec2s_shape(genuine_vectors):
    genuine = (genuine_vectors / "iid" / "fullsailor-ec2-pkcs7-dsa-sha1.p7.der").read_bytes()
    ours = identity_signer.sign(identity_signer.document())
    assert ours[:4] == genuine[:4]
    assert ours[-6:] == genuine[-6:] == bytes(6)
    assert ours[17:20] == genuine[17:20] == b"\x02\x01\x01"


@pytest.mark.parametrize("program", ["cms", "smime"])
def test_openssl_verifies_ours(tmp_path, program):
    openssl = shutil.which("openssl")
    assert openssl, "openssl is missing: apt-get install openssl"
    content = identity_signer.document()
    (tmp_path / "signed").write_bytes(identity_signer.sign(content))
    shown = x509.load_der_x509_certificate(identity_signer.certificate())
    (tmp_path / "certificate").write_bytes(shown.public_bytes(Encoding.PEM))
    command = [openssl, program, "-verify", "-inform", "DER", "-in", tmp_path / "signed", "-noverify", "-binary"]
    command += ["-certfile", tmp_path / "certificate", "-nointern", "-out", tmp_path / "content"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "content").read_bytes() == content
