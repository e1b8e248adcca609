# SPDX-License-Identifier: Apache-2.0
import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from tests.nitro_pki import ORDER, good_pki

from strongroom.errors import FormatError
from strongroom.formats.attestation_document import parse_nitrotpm_document
from strongroom.formats.ber import encode_definite
from strongroom.formats.certificate_parts import CertificateParts, parse_certificate_parts

VERSION = bytes.fromhex("a003020102")
SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT = (encode_definite(tag, b"?" * tag) for tag in (2, 0x30, 0x31, 0x32, 0x33))
KEY, SIGNATURE = b"\x30\x00", b"\x03\x01\0"


def tbs(*fields):
    return encode_definite(0x30, b"".join(fields))


def certificate(*fields):
    return encode_definite(0x30, tbs(*fields) + ALGORITHM + SIGNATURE)


def expect_what_cryptography_reads(der):
    read = x509.load_der_x509_certificate(der)
    names = (read.issuer.public_bytes(), read.subject.public_bytes())
    serial = read.serial_number.to_bytes(read.serial_number.bit_length() // 8 + 1)
    parts = CertificateParts(read.tbs_certificate_bytes, *names, encode_definite(2, serial))
    assert parse_certificate_parts(der) == parts


@pytest.mark.parametrize("position", ORDER)
def test_the_parts_are_what_cryptography_reads(position):
    expect_what_cryptography_reads(good_pki().certificates[position])


def test_they_are_in_genuine_certificates_too(genuine_vectors):
    files = sorted((genuine_vectors / "documents").glob("nitrotpm-*.cbor"))
    assert files
    for file in files:
        document = parse_nitrotpm_document(file.read_bytes())
        for der in (document.certificate, *document.cabundle):
            expect_what_cryptography_reads(der)


@pytest.mark.parametrize("version", [VERSION, b""], ids=["3", "1"])
def test_a_certificate_of_version_1_has_no_version(version):
    fields = (version, SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT, KEY)
    assert parse_certificate_parts(certificate(*fields)) == CertificateParts(tbs(*fields), ISSUER, SUBJECT, SERIAL)


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (b"", 0),
        (b"\x30", 0),
        (b"\x30\x01", 0),
        (b"\x30\x82\x01", 0),
        (b"\x30\x80" + tbs(VERSION, SERIAL), 0),
        (b"\x30\x00", 2),
        (b"\x30\x02\x30\x80", 2),
        (b"\x30\x09\x30\x07" + VERSION + b"\x02\x80", 9),
        (encode_definite(0x30, whole := tbs(VERSION, SERIAL, ALGORITHM, ISSUER, VALIDITY)), 3 + len(whole)),
        (encode_definite(0x30, tbs(VERSION, SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT[:-1])), 3 + len(whole)),
    ],
)
def test_what_ends_before_the_subject_is_malformed(data, offset):
    with pytest.raises(FormatError) as caught:
        parse_certificate_parts(data)
    assert (caught.value.code, caught.value.offset) == ("certificate.field", offset)


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda fields: encode_definite(0x30, tbs(fields))))
def test_any_bytes_have_parts_or_are_malformed(data):
    try:
        parse_certificate_parts(data)
    except FormatError:
        return
