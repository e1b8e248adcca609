# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime as dt
import hashlib
import struct

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import serialize_certificates
from cryptography.x509.oid import NameOID
from tests.boot.variables import OWNER, SECURITY_DATABASE, signature_list
from tests.images import make_uki, with_certificates

from strongroom.crypto.authenticode_signature import embedded_certificates
from strongroom.errors import FormatError, NotTrusted
from strongroom.formats.pcrs import PcrIndex
from strongroom.formats.pe import parse_pe
from strongroom.measure.predict import measure_image
from strongroom.measure.secure_boot import SecureBootKeys, secure_boot_events


def make_certificate(name: str) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(begin).not_valid_after(begin + dt.timedelta(days=9))
    return builder.sign(key, hashes.SHA256())


OURS, OTHER = make_certificate("ours"), make_certificate("other")


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def esl(*certificates: x509.Certificate) -> bytes:
    return b"".join(signature_list(der(certificate)) for certificate in certificates)


def signed(*certificates: x509.Certificate) -> bytes:
    """Certificates in a SignedData, as an image carries them. No signature: prediction looks at none."""
    return with_certificates(make_uki(), serialize_certificates(list(certificates), Encoding.DER))


def keys(**changes: bytes) -> SecureBootKeys:
    return SecureBootKeys(**{"pk": esl(OTHER), "kek": esl(OTHER), "db": esl(OURS), **changes})


def code_of(image: bytes, secure_boot: SecureBootKeys) -> str:
    with pytest.raises((NotTrusted, FormatError)) as caught:
        measure_image(image, secure_boot=secure_boot)
    return caught.value.code


def test_the_certificate_that_lets_the_image_through_is_measured_last():
    events = secure_boot_events(parse_pe(signed(OURS)), keys())
    name = "db".encode("utf-16-le")
    data = OWNER.bytes_le + der(OURS)
    measured = SECURITY_DATABASE.bytes_le + struct.pack("<QQ", 2, len(data)) + name + data
    assert [event.kind.value for event in events[-2:]] == ["EV_SEPARATOR", "EV_EFI_VARIABLE_AUTHORITY"]
    assert events[-1].digest == hashlib.sha384(measured).digest()
    assert len(events) == 7


@pytest.mark.parametrize("changed", ["pk", "kek", "db", "dbx"])
def test_every_variable_moves_pcr7(changed):
    other = esl(OURS, OTHER) if changed == "db" else esl(make_certificate("third"))
    before, after = (measure_image(signed(OURS), secure_boot=k).pcrs for k in (keys(), keys(**{changed: other})))
    assert before[PcrIndex(7)] != after[PcrIndex(7)]
    assert before[PcrIndex(4)] == after[PcrIndex(4)]


def test_the_kernel_is_not_measured_and_the_gates_hold_pcr7():
    on = measure_image(signed(OURS), secure_boot=keys())
    off = measure_image(signed(OURS), secure_boot=None)
    assert on.pcrs[PcrIndex(4)] != off.pcrs[PcrIndex(4)]
    assert (on.gates, off.gates) == ((2, 4, 7, 12, 13), (2, 4, 12, 13))


def test_one_entry_twice_in_db_is_one_entry():
    assert len(measure_image(signed(OURS), secure_boot=keys(db=esl(OURS, OURS))).pcrs) == 6


@pytest.mark.parametrize(
    ("image", "secure_boot", "code"),
    [
        (make_uki(), keys(), "measure.unsigned"),
        (signed(OTHER), keys(), "measure.no-authority"),
        (signed(OURS), keys(db=b""), "measure.no-authority"),
        (signed(OURS), keys(dbx=esl(OURS)), "measure.forbidden"),
        (signed(OURS, OTHER), keys(db=esl(OURS, OTHER)), "measure.ambiguous-authority"),
        (with_certificates(make_uki(), b"no pkcs7"), keys(), "signature.not-pkcs7"),
        (with_certificates(make_uki(), bytes(70_000)), keys(), "signature.too-large"),
    ],
)
def test_an_image_that_would_not_boot_has_no_measurements(image, secure_boot, code):
    assert code_of(image, secure_boot) == code


SIGNED_DATA = serialize_certificates([OURS], Encoding.DER)
_VERSION_3 = b"\xa0\x03\x02\x01\x02"


@pytest.mark.parametrize(
    "signature",
    [
        b"no pkcs7",
        bytes.fromhex("300b 0609 2a864886f70d010701"),
        bytes.fromhex("3080 0609 2a864886f70d010705 0000"),
        SIGNED_DATA.replace(_VERSION_3, b"\xa0\x03\x02\x01\x07"),
        SIGNED_DATA[:-1],
    ],
    ids=["nothing", "data", "digested data", "a certificate of version 8", "cut"],
)
def test_a_signature_that_is_no_signed_data_with_certificates_is_refused(signature):
    with pytest.raises(FormatError) as caught:
        embedded_certificates(signature)
    assert caught.value.code == "signature.not-pkcs7"


@pytest.mark.parametrize("name", ["pk", "kek", "db", "dbx"])
def test_keys_that_are_no_signature_database_are_refused(name):
    with pytest.raises(FormatError) as caught:
        keys(**{name: der(OURS)})
    assert caught.value.code == "efi.signature-list"


def test_keys_without_a_platform_key_are_refused():
    with pytest.raises(FormatError) as caught:
        keys(pk=b"")
    assert caught.value.code == "efi.no-pk"
