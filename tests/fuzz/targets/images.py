# SPDX-License-Identifier: Apache-2.0
"""Images that somebody hands over to be measured: PE, UKI, and with the signature that Secure Boot looks at."""

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import serialize_certificates
from tests import nitro_pki
from tests.boot.variables import signature_list
from tests.fuzz.target import Target
from tests.images import make_pe, make_uki, with_certificates

from strongroom.crypto.authenticode_signature import embedded_certificates
from strongroom.errors import FormatError, NotTrusted
from strongroom.formats.pe import parse_certificate_table, parse_pe
from strongroom.measure.predict import measure_image
from strongroom.measure.secure_boot import SecureBootKeys

KEY = nitro_pki.fixed_pki().certificates["leaf"]
OTHER_KEY = nitro_pki.fixed_pki().certificates["root"]
KEYS = SecureBootKeys(pk=signature_list(OTHER_KEY), kek=signature_list(OTHER_KEY), db=signature_list(KEY))
SIGNATURE = serialize_certificates([x509.load_der_x509_certificate(KEY)], Encoding.DER)
REFUSALS = (FormatError, NotTrusted)


def pe(data: bytes) -> None:
    image = parse_pe(data)
    for blob in parse_certificate_table(image):
        assert bytes(blob) in data
    for section in image.sections:
        assert len(image.contents(section)) <= len(data)


def uki(data: bytes) -> None:
    """Measured twice it is the same, and writing what was measured changes nothing."""
    assert measure_image(data, secure_boot=None) == measure_image(memoryview(data), secure_boot=None)


def secure_boot(data: bytes) -> None:
    assert 7 in measure_image(data, secure_boot=KEYS).pcrs


def signature(data: bytes) -> None:
    embedded_certificates(data)


def pes() -> list[bytes]:
    return [with_certificates(make_pe(), b"signature"), make_pe(), make_pe((("a", b"x"), ("b", b"y" * 600)))]


def ukis() -> list[bytes]:
    return [make_uki(initrd=b"initrd"), make_uki(version=b"257.9-1", initrd=b"i", ucode=b"u"), make_pe()]


def signed_ukis() -> list[bytes]:
    return [with_certificates(make_uki(initrd=b"initrd"), SIGNATURE), make_uki(initrd=b"initrd")]


def many_sections() -> list[bytes]:
    """As many sections as a header holds, and as many certificates as 64 KiB hold."""
    return [
        make_pe([(f"s{number}", b"x") for number in range(17)]),
        with_certificates(make_pe(), *[b"x"] * 4_000),
        with_certificates(make_pe(), *[SIGNATURE] * 80),
    ]


TARGETS = (
    Target("images.pe", pe, pes, max_bytes=4_096, worst=many_sections),
    Target("images.uki", uki, ukis, REFUSALS, max_bytes=8_192, worst=many_sections),
    Target("images.secure-boot", secure_boot, signed_ukis, REFUSALS, max_bytes=8_192, worst=many_sections),
    Target("images.signature", signature, lambda: [SIGNATURE], max_bytes=2_048),
)
