# SPDX-License-Identifier: Apache-2.0
"""A PKI in the shape of the Nitro system's, and documents signed with it. Every part can be made wrong, one at a time.

`Pki()` is what AWS would have: root, regional, zonal, instance, leaf (shapes: EC2 User Guide and genuine documents).
`Pki(leaf={"ca": True})` is the same with one certificate changed; `document(pki, nonce=b"n")` signs a document.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from strongroom.appraisal.endorsements import NitroRoots
from strongroom.formats import cbor, cose
from strongroom.formats.attestation_document import PROTECTED_ES384, encode_nitrotpm_payload
from strongroom.formats.pcrs import SECURE_BOOT_OFF_PCR7_SHA384, SEPARATOR_ONLY_SHA384, ZERO_SHA384, PcrDigests
from strongroom.ids import CertificateDer, EvidenceBytes

NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
INSTANCE = "i-0123456789abcdef0"
MODULE = f"{INSTANCE}-tpm0000000000000000"
ENCLAVE_MODULE = f"{INSTANCE}-enc0123456789abcdef"
REGION = "eu-west-1"
NONCE = b"a nonce of thirty-two bytes here"
PCR4 = bytes(range(48))
PCRS: dict[int, bytes] = {
    **dict.fromkeys(range(24), ZERO_SHA384),
    **dict.fromkeys((2, 3, 6), SEPARATOR_ONLY_SHA384),
    **dict.fromkeys(range(17, 23), b"\xff" * 48),
    4: PCR4,
    7: SECURE_BOOT_OFF_PCR7_SHA384,
}
P384_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
ORDER = ("root", "regional", "zonal", "instance", "leaf")
_CA_USAGE = ("key_cert_sign", "crl_sign", "digital_signature")
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)
SHAPES: dict[str, dict[str, Any]] = {
    "root": {"name": "aws.nitro-enclaves", "ca": True, "path_length": None, "days": 9000},
    "regional": {"name": f"aaaaaaaaaaaaaaaa.{REGION}.aws.nitro-enclaves", "ca": True, "path_length": 2, "days": 20},
    "zonal": {"name": f"bbbbbbbbbbbbbbbb.zonal.{REGION}.aws.nitro-enclaves", "ca": True, "path_length": 1, "days": 6},
    "instance": {"name": f"{INSTANCE}.{REGION}.aws.nitro-enclaves", "ca": True, "path_length": 0, "days": 1},
    "leaf": {"name": f"{MODULE}.{REGION}.aws", "ca": False, "usage": ("digital_signature", "content_commitment")},
}


@functools.cache
def key(name: str, curve: str = "P384") -> ec.EllipticCurvePrivateKey:
    """Keys are made once a run: they cost more than all else."""
    return ec.generate_private_key({"P384": ec.SECP384R1(), "P256": ec.SECP256R1(), "P521": ec.SECP521R1()}[curve])


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Amazon"),
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
        ]
    )


def certificate(subject_key: Any, issuer_key: Any, issuer_name: str, shape: dict[str, Any]) -> CertificateDer:
    """One certificate. `shape` says all that tests may want to get wrong."""
    begins = shape.get("begins", NOW - timedelta(seconds=3))
    ends = shape.get("ends", begins + timedelta(days=shape["days"]) if "days" in shape else NOW + timedelta(hours=3))
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(shape["name"]))
        .issuer_name(_name(shape.get("issuer_name", issuer_name)))
        .public_key(subject_key.public_key())
        .serial_number(shape.get("serial", x509.random_serial_number()))
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
    if shape.get("constraints", True):
        constraints = x509.BasicConstraints(ca=shape["ca"], path_length=shape.get("path_length"))
        builder = builder.add_extension(constraints, critical=shape.get("constraints_critical", True))
    usage = shape.get("usage", _CA_USAGE)
    if usage:
        bits = {name: name in usage for name in _USAGES}
        builder = builder.add_extension(
            x509.KeyUsage(**bits, encipher_only=False, decipher_only=False), critical=shape["ca"]
        )
    for extension, critical in shape.get("extra", ()):
        builder = builder.add_extension(extension, critical=critical)
    return CertificateDer(builder.sign(issuer_key, shape.get("hash", hashes.SHA384())).public_bytes(Encoding.DER))


def other_form(der: CertificateDer) -> CertificateDer:
    """The same certificate with the second form of its signature, (r, n - s): other bytes, and it still verifies."""
    loaded = x509.load_der_x509_certificate(der)
    r, s = decode_dss_signature(loaded.signature)
    signature = encode_dss_signature(r, P384_ORDER - s)
    start = der.index(loaded.tbs_certificate_bytes)
    signed = der[start : -len(loaded.signature) - 3]  # a BIT STRING of at most 127 bytes: tag, length, no unused bits
    body = signed + bytes([0x03, len(signature) + 1, 0]) + signature
    return CertificateDer(b"\x30\x82" + len(body).to_bytes(2) + body)


@dataclass
class Pki:
    """Root to leaf. Each argument changes the shape of one certificate; `keys` replaces keys by name of another."""

    root: dict[str, Any] = field(default_factory=dict)
    regional: dict[str, Any] = field(default_factory=dict)
    zonal: dict[str, Any] = field(default_factory=dict)
    instance: dict[str, Any] = field(default_factory=dict)
    leaf: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=dict)
    signers: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.certificates: dict[str, CertificateDer] = {}
        above, above_name = self.key("root"), SHAPES["root"]["name"]
        for position in ORDER:
            shape = SHAPES[position] | getattr(self, position)
            signer = self.signers.get(position, above)
            self.certificates[position] = certificate(self.key(position), signer, above_name, shape)
            above, above_name = self.key(position), shape["name"]

    def key(self, position: str) -> Any:
        return self.keys.get(position, key(position))

    @property
    def cabundle(self) -> tuple[CertificateDer, ...]:
        return tuple(self.certificates[position] for position in ORDER[:-1])

    @property
    def roots(self) -> NitroRoots:
        return NitroRoots(frozenset({hashlib.sha256(self.certificates["root"]).digest()}))


@functools.cache
def good_pki() -> Pki:
    return Pki()


def root_pem(pki: Pki) -> bytes:
    """Return the root as `--root` takes it."""
    return x509.load_der_x509_certificate(pki.certificates["root"]).public_bytes(Encoding.PEM)


def fixed_key(position: str) -> ec.EllipticCurvePrivateKey:
    """The same key in every run: what is kept of one run means the same in the next."""
    return ec.derive_private_key(int.from_bytes(hashlib.sha256(position.encode()).digest()), ec.SECP384R1())


@functools.cache
def fixed_pki() -> Pki:
    """A PKI that differs from run to run in nothing but the signatures of its certificates."""
    serials = {position: {"serial": number} for number, position in enumerate(ORDER, 1)}
    return Pki(**serials, keys={position: fixed_key(position) for position in ORDER})


def es384(private_key: Any, message: bytes) -> bytes:
    r, s = decode_dss_signature(private_key.sign(message, ec.ECDSA(hashes.SHA384())))
    return r.to_bytes(48) + s.to_bytes(48)


def payload(pki: Pki | None = None, **changes: Any) -> bytes:
    """A NitroTPM payload as AWS writes it, with fields changed."""
    pki = pki or good_pki()
    fields: dict[str, Any] = {
        "module_id": MODULE,
        "timestamp": NOW,
        "pcrs": PcrDigests.of(PCRS),
        "certificate": pki.certificates["leaf"],
        "cabundle": pki.cabundle,
        "public_key": b"public key",
        "user_data": None,
        "nonce": NONCE,
    }
    return encode_nitrotpm_payload(**(fields | changes))


def sign(body: bytes, pki: Pki | None = None, *, protected: bytes = PROTECTED_ES384) -> EvidenceBytes:
    """A COSE_Sign1 around any payload, signed with the leaf's key."""
    signature = es384((pki or good_pki()).key("leaf"), cose.sig_structure(protected, body))
    return EvidenceBytes(cose.encode_cose_sign1(protected, body, signature))


def document(pki: Pki | None = None, **changes: Any) -> EvidenceBytes:
    return sign(payload(pki, **changes), pki)


def raw_fields(**changes: Any) -> dict[str, Any]:
    """The payload's fields as plain values, for tests that want wrong ones. None in `changes` removes a field."""
    pki = good_pki()
    fields: dict[str, Any] = {
        "module_id": MODULE,
        "digest": "SHA384",
        "timestamp": 1_780_315_200_000,
        "nitrotpm_pcrs": dict(PCRS),
        "certificate": pki.certificates["leaf"],
        "cabundle": list(pki.cabundle),
        "public_key": None,
        "user_data": None,
        "nonce": None,
    }
    fields |= changes
    return {name: value for name, value in fields.items() if value is not Ellipsis}


def raw_document(**changes: Any) -> EvidenceBytes:
    """A signed document of any fields, in a definite map. Ellipsis removes a field."""
    return sign(cbor.encode(raw_fields(**changes)))


def enclave_pki() -> Pki:
    return Pki(leaf={"name": f"{ENCLAVE_MODULE}.{REGION}.aws"})


def enclave_document(pki: Pki, **changes: Any) -> EvidenceBytes:
    pcrs = {index: bytes([index + 1]) * 48 for index in range(16)}
    fields = {
        "module_id": ENCLAVE_MODULE,
        "nitrotpm_pcrs": Ellipsis,
        "pcrs": pcrs,
        "certificate": pki.certificates["leaf"],
        "cabundle": list(pki.cabundle),
    }
    return sign(cbor.encode(raw_fields(**(fields | changes))), pki)
