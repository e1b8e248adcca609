# SPDX-License-Identifier: Apache-2.0
"""A PKI in the shape of the Nitro system's: root, regional, zonal, instance, leaf. Any certificate can be made wrong.

Keys are hashes of the strings in this file, and signatures are deterministic (RFC 6979): the same bytes come out on
every machine. Whoever reads this has the keys, so they protect nothing and this root must be trusted by nobody.

Names, extensions, path lengths and lifetimes are those of genuine NitroTPM documents.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

MADE_AT = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
"""The timestamp of the good document."""
INSTANCE = "i-0123456789abcdef0"
MODULE = f"{INSTANCE}-tpm0000000000000000"
REGION = "eu-west-1"
POSITIONS = ("root", "regional", "zonal", "instance", "leaf")
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
"""The order of P-384 (FIPS 186-5, SP 800-186)."""

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_CURVES = {"P256": (ec.SECP256R1(), _P256_ORDER), "P384": (ec.SECP384R1(), N)}
_OIDS = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
}
_USAGES = [
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
]
_SIGNS_ALL = ("digital_signature", "key_cert_sign", "crl_sign")
_SEATTLE = "ST=Washington,L=Seattle,"
_PAD_OID = "1.3.6.1.4.1.32473.1"
"""Under the enterprise number that RFC 5612 keeps for documentation."""


@functools.cache
def key(label: str, curve: str = "P384") -> ec.EllipticCurvePrivateKey:
    """Return the key that belongs to a label."""
    digest = hashlib.shake_256(f"strongroom conformance {label} {curve}".encode()).digest(80)
    group, order = _CURVES[curve]
    return ec.derive_private_key(int.from_bytes(digest) % (order - 1) + 1, group)


def rsa_public_key(label: str) -> rsa.RSAPublicKey:
    """Return something of the shape of an RSA-2048 key. Nobody knows its factors, and nobody needs them."""
    digest = hashlib.shake_256(f"strongroom conformance {label}".encode()).digest(256)
    return rsa.RSAPublicNumbers(65537, int.from_bytes(digest) | 1 | 1 << 2047).public_key()


def serial(label: str, length: int) -> int:
    """Return a positive serial number of `length` bytes."""
    return int.from_bytes(hashlib.sha256(label.encode()).digest()[:length]) >> 1 | 1 << (8 * length - 2)


@dataclass(frozen=True)
class Extra:
    """An extension that the shape does not know: an OID, any bytes, and whether it is critical."""

    oid: str
    value: bytes
    critical: bool


@dataclass(frozen=True)
class Shape:
    """All that one certificate says. `signer` and `issuer` stand for the position above unless they are set."""

    subject: str
    begins: datetime
    ends: datetime
    serial: int
    ca: bool | None = True
    path_length: int | None = None
    constraints_critical: bool = True
    usage: tuple[str, ...] | None = _SIGNS_ALL
    usage_critical: bool = True
    crl: bool = False
    extra: tuple[Extra, ...] = ()
    public_key: Any = None
    signer: ec.EllipticCurvePrivateKey | None = None
    issuer: str | None = None
    algorithm: Any = field(default_factory=hashes.SHA384)
    size: int | None = None


def _ago(**how_long: float) -> datetime:
    return MADE_AT - timedelta(**how_long)


def _later(**how_long: float) -> datetime:
    return MADE_AT + timedelta(**how_long)


SHAPES = {
    "root": Shape(
        "C=US,O=Amazon,OU=AWS,CN=aws.nitro-enclaves",
        datetime(2019, 10, 28, 13, 28, 5, tzinfo=UTC),
        datetime(2049, 10, 28, 14, 28, 5, tzinfo=UTC),
        serial("root", 16),
    ),
    "regional": Shape(
        f"C=US,O=Amazon,OU=AWS,CN=3a5f0c9d1e7b2846.{REGION}.aws.nitro-enclaves",
        _ago(days=4),
        _later(days=16, hours=1),
        serial("regional", 16),
        path_length=2,
        crl=True,
    ),
    "zonal": Shape(
        f"CN=9c04d7e1b35a8f26.zonal.{REGION}.aws.nitro-enclaves,OU=AWS,O=Amazon,C=US,ST=WA,L=Seattle",
        _ago(hours=12),
        _later(days=5),
        serial("zonal", 16),
        path_length=1,
        crl=True,
    ),
    "instance": Shape(
        f"C=US,{_SEATTLE}O=Amazon,OU=AWS,CN={INSTANCE}.{REGION}.aws.nitro-enclaves",
        _ago(minutes=10),
        _later(hours=23, minutes=50),
        serial("instance", 20),
        path_length=0,
        usage=("key_cert_sign",),
    ),
    "leaf": Shape(
        f"C=US,{_SEATTLE}O=Amazon,OU=AWS,CN={MODULE}.{REGION}.aws",
        _ago(seconds=3),
        _later(hours=3),
        int(MADE_AT.timestamp()),
        ca=False,
        usage=("digital_signature", "content_commitment"),
        usage_critical=False,
    ),
}


def name(subject: str) -> x509.Name:
    """Return a name from `C=US,CN=…`, its attributes in this order."""
    pairs = (part.split("=") for part in subject.split(","))
    return x509.Name([x509.NameAttribute(_OIDS[kind], value) for kind, value in pairs])


def leaf_named(common_name: str) -> dict[str, Any]:
    """Return the change of shape that gives the leaf another common name."""
    return {"subject": SHAPES["leaf"].subject.rpartition("CN=")[0] + f"CN={common_name}"}


@dataclass(frozen=True)
class Issuer:
    """Who signs certificates: a key, and the name that goes into them."""

    key: ec.EllipticCurvePrivateKey
    subject: str


def _extensions(shape: Shape, public_key: Any, issuer: Issuer) -> Iterator[tuple[x509.ExtensionType, bool]]:
    """Yield extensions and whether they are critical."""
    if shape.ca is not None:
        yield x509.BasicConstraints(shape.ca, shape.path_length), shape.constraints_critical
    if shape.ca:
        yield x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), False
        yield x509.SubjectKeyIdentifier.from_public_key(public_key), False
    if shape.usage is not None:
        yield x509.KeyUsage(**{use: use in shape.usage for use in _USAGES}), shape.usage_critical
    if shape.crl:
        where = x509.UniformResourceIdentifier("http://crl.conformance.invalid/nobody-serves-this.crl")
        point = x509.DistributionPoint([where], relative_name=None, reasons=None, crl_issuer=None)
        yield x509.CRLDistributionPoints([point]), False
    for extra in shape.extra:
        yield x509.UnrecognizedExtension(x509.ObjectIdentifier(extra.oid), extra.value), extra.critical


def issue(shape: Shape, public_key: Any, issuer: Issuer) -> bytes:
    """Return the DER of one certificate, of exactly `shape.size` bytes if that is set."""
    if shape.size is not None:
        return _issue_of_size(shape, public_key, issuer, shape.size)
    public_key = shape.public_key or public_key
    builder = x509.CertificateBuilder(
        issuer_name=name(shape.issuer or issuer.subject),
        subject_name=name(shape.subject),
        public_key=public_key,
        serial_number=shape.serial,
        not_valid_before=shape.begins,
        not_valid_after=shape.ends,
    )
    for extension, critical in _extensions(shape, public_key, issuer):
        builder = builder.add_extension(extension, critical=critical)
    made = builder.sign(shape.signer or issuer.key, shape.algorithm, ecdsa_deterministic=True)
    return made.public_bytes(Encoding.DER)


def _issue_of_size(shape: Shape, public_key: Any, issuer: Issuer, size: int) -> bytes:
    """Fill up with an extension that is not critical. Signatures vary by a byte or two, so try until it fits."""
    plain = replace(shape, size=None)
    room = size - len(issue(plain, public_key, issuer))
    for filler, length in itertools.product(range(8), range(room - 30, room - 10)):
        filling = Extra(_PAD_OID, bytes([filler]) * length, critical=False)
        der = issue(replace(plain, extra=(*plain.extra, filling)), public_key, issuer)
        if len(der) == size:
            return der
    raise AssertionError(f"no filling gives {size} bytes")


@dataclass(frozen=True)
class Chain:
    """Five certificates and their keys, by position."""

    ders: dict[str, bytes]
    keys: dict[str, ec.EllipticCurvePrivateKey]

    @property
    def root(self) -> bytes:
        """The certificate that the verifier is told to trust."""
        return self.ders["root"]

    @property
    def bundle(self) -> list[bytes]:
        """The `cabundle` in AWS's order, root first."""
        return [self.ders[position] for position in POSITIONS[:-1]]

    @property
    def leaf_key(self) -> ec.EllipticCurvePrivateKey:
        """The key that signs the document."""
        return self.keys["leaf"]


def chain(*, keys: dict[str, ec.EllipticCurvePrivateKey] | None = None, **changes: dict[str, Any]) -> Chain:
    """Issue a chain. `changes` replace parts of a position's shape, `keys` replace the keys of positions."""
    own = {position: (keys or {}).get(position, key(position)) for position in POSITIONS}
    ders = {}
    issuer = Issuer(own["root"], SHAPES["root"].subject)
    for position in POSITIONS:
        shape = replace(SHAPES[position], **changes.get(position, {}))
        ders[position] = issue(shape, own[position].public_key(), issuer)
        issuer = Issuer(own[position], shape.subject)
    return Chain(ders, own)


@functools.cache
def good_chain() -> Chain:
    """Return the chain with nothing wrong."""
    return chain()
