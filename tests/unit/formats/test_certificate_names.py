# SPDX-License-Identifier: Apache-2.0
import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from tests.nitro_pki import ORDER, good_pki

from strongroom.errors import FormatError
from strongroom.formats.attestation_document import parse_nitrotpm_document
from strongroom.formats.ber import encode_definite
from strongroom.formats.certificate_names import parse_certificate_names

SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT = (encode_definite(tag, b"?" * tag) for tag in (2, 0x30, 0x31, 0x32, 0x33))
VERSION = bytes.fromhex("a003020102")


def tbs(*fields):
    return encode_definite(0x30, b"".join(fields))


def expect_the_names_that_cryptography_reads(der):
    certificate = x509.load_der_x509_certificate(der)
    names = parse_certificate_names(certificate.tbs_certificate_bytes)
    assert names.issuer == certificate.issuer.public_bytes()
    assert names.subject == certificate.subject.public_bytes()


@pytest.mark.parametrize("position", ORDER)
def test_the_names_are_those_that_cryptography_reads(position):
    expect_the_names_that_cryptography_reads(good_pki().certificates[position])


def test_they_are_in_genuine_certificates_too(genuine_vectors):
    for file in (genuine_vectors / "documents").glob("nitrotpm-*.cbor"):
        document = parse_nitrotpm_document(file.read_bytes())
        for der in (document.certificate, *document.cabundle):
            expect_the_names_that_cryptography_reads(der)


def test_a_certificate_of_version_1_has_no_version():
    rest = (SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT, b"\x30\x00")
    names = parse_certificate_names(tbs(VERSION, *rest))
    assert (names.issuer, names.subject) == (ISSUER, SUBJECT)
    assert parse_certificate_names(tbs(*rest)) == names


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (b"", 0),
        (b"\x30", 0),
        (b"\x30\x01", 0),
        (b"\x30\x82\x01", 0),
        (b"\x30\x80" + VERSION + SERIAL, 0),
        (tbs(VERSION, b"\x02\x80", ALGORITHM), 7),
        (whole := tbs(VERSION, SERIAL, ALGORITHM, ISSUER, VALIDITY), len(whole)),
        (tbs(VERSION, SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT[:-1]), len(whole)),
    ],
)
def test_what_ends_before_the_subject_is_malformed(data, offset):
    with pytest.raises(FormatError) as caught:
        parse_certificate_names(data)
    assert (caught.value.code, caught.value.offset) == ("certificate.field", offset)


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda content: encode_definite(0x30, content)))
def test_any_bytes_have_names_or_are_malformed(data):
    try:
        parse_certificate_names(data)
    except FormatError:
        return
