# SPDX-License-Identifier: Apache-2.0
"""Signs instance identity documents in EC2's shape, of all three kinds, with Region certificates of its own.

`sign` writes the `rsa2048` kind and `sign_dsa` the `pkcs7` kind: BER with indefinite lengths, the content attached, no
certificates. `sign_plainly` writes the `signature` kind.
"""

from __future__ import annotations

import functools
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from strongroom.formats import pkcs7
from strongroom.formats.ber import INTEGER, NULL, OCTET_STRING, OID, SEQUENCE, SET
from strongroom.formats.ber import encode_definite as der
from strongroom.formats.ber import encode_indefinite as ber
from strongroom.ids import CertificateDer, Region

TIME = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
REGION = Region("eu-west-1")
FIELDS: dict[str, Any] = {
    "accountId": "111122223333",
    "architecture": "x86_64",
    "availabilityZone": "eu-west-1a",
    "billingProducts": None,
    "devpayProductCodes": None,
    "imageId": "ami-0123456789abcdef0",
    "instanceId": "i-0123456789abcdef0",
    "instanceType": "m7i.large",
    "kernelId": None,
    "marketplaceProductCodes": None,
    "pendingTime": "2026-06-01T11:59:00Z",
    "privateIp": "10.0.0.7",
    "ramdiskId": None,
    "region": REGION,
    "version": "2017-09-30",
}
_UTC_TIME = 0x17
_OID_SIGNING_TIME = bytes.fromhex("2a864886f70d010905")


def key(bits: int = 2048, name: str = "region") -> rsa.RSAPrivateKey:
    """One key for each size and name, made once a run."""
    return _key(bits, name)


@functools.cache
def _key(bits: int, _name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def dsa_key(bits: int = 1024, name: str = "region") -> dsa.DSAPrivateKey:
    """One key for each size and name, made once a run."""
    return _dsa_key(bits, name)


FIXED = "fixed"
"""The name of a DSA key that is the same in every run: what is kept of one run means the same in the next."""
_FIXED_P = int(
    "966ba5ef4a3c449a800362006e4a2f83b5a79a2fa6a4ed10839a8c0d34179680bd3e57cfbf7976594da18c34d1f925846560846"
    "63faadac16c4f447ffe34bb93ff8d691572572cc2402e458636eed12c7fbe6877b53b69e6a4d8627414575f01e6a593e0adf037"
    "a7d2985ac7b0e05dab22b0de5df9274fe21104384e77bd9001",
    16,
)
_FIXED_Q = 0xF87A5B9139C8DB6B908F58BB02BECF3546A22301
_FIXED_G = pow(2, (_FIXED_P - 1) // _FIXED_Q, _FIXED_P)
_FIXED_X = 0x64FFA44C1099B4067C57FEFF6301DCD6D679D839


def _fixed_dsa_key() -> dsa.DSAPrivateKey:
    parameters = dsa.DSAParameterNumbers(_FIXED_P, _FIXED_Q, _FIXED_G)
    public = dsa.DSAPublicNumbers(pow(_FIXED_G, _FIXED_X, _FIXED_P), parameters)
    return dsa.DSAPrivateNumbers(_FIXED_X, public).private_key()


@functools.cache
def _dsa_key(bits: int, name: str) -> dsa.DSAPrivateKey:
    return _fixed_dsa_key() if name == FIXED else _dsa_parameters(bits).generate_private_key()


@functools.cache
def _dsa_parameters(bits: int) -> dsa.DSAParameters:
    return dsa.generate_parameters(bits)


def certificate(bits: int = 2048, name: str = "region") -> CertificateDer:
    """The certificate of an RSA key."""
    return _certificate(key(bits, name))


def dsa_certificate(bits: int = 1024, name: str = "region") -> CertificateDer:
    """The certificate of a DSA key. Signed with SHA-256: nobody looks at that signature."""
    return _certificate(dsa_key(bits, name))


@functools.cache
def _certificate(private: rsa.RSAPrivateKey | dsa.DSAPrivateKey) -> CertificateDer:
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Amazon Web Services LLC")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(0xB169CC401559A419)
        .not_valid_before(TIME - timedelta(days=3650))
        .not_valid_after(TIME + timedelta(days=3650))
    )
    return CertificateDer(builder.sign(private, hashes.SHA256()).public_bytes(Encoding.DER))


def document(**changes: Any) -> bytes:
    fields = {name: value for name, value in (FIELDS | changes).items() if value is not Ellipsis}
    return json.dumps(fields, indent=2, separators=(",", " : ")).encode()


def sign(
    content: bytes, *, bits: int = 2048, name: str = "region", digest: bytes | None = None, algorithm: Any = None
) -> bytes:
    """Sign as `rsa2048`."""
    attributes = signed_attributes(hashlib.sha256(content).digest() if digest is None else digest)
    signature = key(bits, name).sign(attributes, padding.PKCS1v15(), algorithm or hashes.SHA256())
    algorithms = (pkcs7.OID_SHA256, pkcs7.OID_RSA)
    return signed_data(content, attributes, signature, algorithms, certificate(bits, name))


def sign_dsa(
    content: bytes, *, bits: int = 1024, name: str = "region", digest: bytes | None = None, algorithm: Any = None
) -> bytes:
    """Sign as `pkcs7`."""
    attributes = signed_attributes(hashlib.sha1(content).digest() if digest is None else digest)
    signature = dsa_key(bits, name).sign(attributes, algorithm or hashes.SHA1())
    algorithms = (pkcs7.OID_SHA1, pkcs7.OID_DSA_WITH_SHA1)
    return signed_data(content, attributes, signature, algorithms, dsa_certificate(bits, name))


def sign_plainly(content: bytes, *, bits: int = 1024, name: str = "region", algorithm: Any = None) -> bytes:
    """Sign as `signature`."""
    return key(bits, name).sign(content, padding.PKCS1v15(), algorithm or hashes.SHA256())


def signed_attributes(message_digest: bytes) -> bytes:
    """The attributes that EC2 signs, as the DER SET OF that the signature covers."""
    attributes = (
        _attribute(pkcs7.OID_CONTENT_TYPE, der(OID, pkcs7.OID_DATA)),
        _attribute(_OID_SIGNING_TIME, der(_UTC_TIME, TIME.strftime("%y%m%d%H%M%SZ").encode())),
        _attribute(pkcs7.OID_MESSAGE_DIGEST, der(OCTET_STRING, message_digest)),
    )
    return der(SET, b"".join(sorted(attributes)))


def _attribute(oid: bytes, value: bytes) -> bytes:
    return der(SEQUENCE, der(OID, oid) + der(SET, value))


def _algorithm(oid: bytes) -> bytes:
    parameters = b"" if oid == pkcs7.OID_DSA_WITH_SHA1 else der(NULL, b"")  # RFC 3370 section 3.1
    return der(SEQUENCE, der(OID, oid) + parameters)


def signed_data(
    content: bytes,
    attributes: bytes,
    signature: bytes,
    algorithms: tuple[bytes, bytes] = (pkcs7.OID_SHA256, pkcs7.OID_RSA),
    signer: CertificateDer | None = None,
) -> bytes:
    """Encode a SignedData. `algorithms` are of the digest and of the signature."""
    digest, encryption = map(_algorithm, algorithms)
    shown = x509.load_der_x509_certificate(signer or certificate())
    serial = shown.serial_number.to_bytes(shown.serial_number.bit_length() // 8 + 1)
    identifier = der(SEQUENCE, shown.issuer.public_bytes() + der(INTEGER, serial))
    parts = der(INTEGER, b"\x01") + identifier + digest + b"\xa0" + attributes[1:] + encryption
    information = der(SEQUENCE, parts + der(OCTET_STRING, signature))
    octets = ber(OCTET_STRING, der(OCTET_STRING, content))
    encapsulated = ber(SEQUENCE, der(OID, pkcs7.OID_DATA) + ber(0xA0, octets))
    body = der(INTEGER, b"\x01") + der(SET, digest) + encapsulated + der(SET, information)
    return ber(SEQUENCE, der(OID, pkcs7.OID_SIGNED_DATA) + ber(0xA0, ber(SEQUENCE, body)))
