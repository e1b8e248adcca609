# SPDX-License-Identifier: Apache-2.0
"""The twin's Nitro PKI: the shapes of AWS's certificates, under a root of its own.

Subjects, extensions, their order, path lengths and lifetimes were read from genuine NitroTPM documents: root,
regional (path length 2, 20 days), zonal (1, about six days), instance (0, one day) and a leaf that is minted for each
document, valid from three seconds before it for 3 h 0 min 3 s. Only the root's name and the keys differ.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from secrets import randbits, token_hex

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from strongroom.ids import CertificateDer, InstanceId, Region

LEAF_BEFORE = timedelta(seconds=3)
LEAF_AFTER = timedelta(hours=3)
ROOT_LIFE = timedelta(days=30 * 365)
ROOT_NAME = "strongroom-twin.nitro-enclaves"

_NAME_OIDS = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
}
_AWS = (("O", "Amazon"), ("OU", "AWS"))
_SEATTLE = (("ST", "Washington"), ("L", "Seattle"))


def name_of(*pairs: tuple[str, str]) -> x509.Name:
    """Return a name with its attributes in this order: C as a PrintableString, others in UTF-8, as AWS has them."""
    return x509.Name([x509.NameAttribute(_NAME_OIDS[key], value) for key, value in pairs])


def key_usage(*uses: str) -> x509.KeyUsage:
    """Return the KeyUsage extension with exactly these bits, by the names of RFC 5280 in snake case."""
    every = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign"
        " encipher_only decipher_only"
    )
    return x509.KeyUsage(**{use: use in uses for use in every.split()})


@dataclass(frozen=True)
class Extension:
    """An extension and whether it is critical."""

    value: x509.ExtensionType
    critical: bool


@dataclass(frozen=True)
class Authority:
    """A certificate with its private key: it can issue others."""

    key: EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> CertificateDer:
        """The certificate."""
        return CertificateDer(self.certificate.public_bytes(Encoding.DER))

    @property
    def identifier(self) -> x509.Extension[x509.SubjectKeyIdentifier]:
        """Its SubjectKeyIdentifier, for the AuthorityKeyIdentifier of what it issues."""
        return self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)

    def covers(self, start: datetime, end: datetime) -> bool:
        """Say whether its validity spans the given time."""
        return self.certificate.not_valid_before_utc <= start and end <= self.certificate.not_valid_after_utc


@dataclass(frozen=True)
class Template:
    """What one certificate of the chain looks like."""

    subject: x509.Name
    serial: int
    not_before: datetime
    not_after: datetime
    extensions: Sequence[Extension]


def mint(template: Template, key: EllipticCurvePrivateKey, issuer: Authority | None) -> x509.Certificate:
    """Issue a certificate for `key`; self-signed when there is no issuer. ecdsa-with-SHA384, as all of AWS's."""
    builder = x509.CertificateBuilder(
        issuer_name=issuer.certificate.subject if issuer else template.subject,
        subject_name=template.subject,
        public_key=key.public_key(),
        serial_number=template.serial,
        not_valid_before=template.not_before,
        not_valid_after=template.not_after,
    )
    for extension in template.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return builder.sign(issuer.key if issuer else key, SHA384())


def create_root(now: datetime) -> Authority:
    """Make a new root, valid from 30 days before `now`: older than what it issues."""
    key = generate_private_key(SECP384R1())
    template = Template(
        subject=name_of(("C", "US"), ("O", "Strongroom"), ("OU", "Twin, not Amazon"), ("CN", ROOT_NAME)),
        serial=1 << 127 | randbits(127),
        not_before=now - timedelta(days=30),
        not_after=now + ROOT_LIFE,
        extensions=(
            Extension(x509.BasicConstraints(ca=True, path_length=None), critical=True),
            Extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False),
            Extension(key_usage("digital_signature", "key_cert_sign", "crl_sign"), critical=True),
        ),
    )
    return Authority(key, mint(template, key, None))


@dataclass(frozen=True)
class DocumentSigner:
    """A fresh leaf with its key, and the bundle above it in AWS's order: root, regional, zonal, instance."""

    key: EllipticCurvePrivateKey
    certificate: CertificateDer
    cabundle: tuple[CertificateDer, ...]


class NitroPki:
    """Issues what a document needs. Authorities are kept while they span the time that is asked for."""

    def __init__(self, root: Authority) -> None:
        self._root = root
        self._authorities: dict[str, Authority] = {}

    @property
    def root(self) -> CertificateDer:
        """The root certificate: the only thing a verifier must be told."""
        return self._root.der

    def signer(self, module_id: str, *, instance_id: InstanceId, region: Region, at: datetime) -> DocumentSigner:
        """Mint a leaf for one document whose timestamp is `at`, with the chain above it."""
        regional = self._authority(f"regional {region}", _regional(region, at), self._root, at)
        zonal = self._authority(f"zonal {region}", _zonal(region, at), regional, at)
        instance = self._authority(f"instance {instance_id}", _instance(instance_id, region, at), zonal, at)
        key = generate_private_key(SECP384R1())
        leaf = mint(_leaf(module_id, region, at), key, instance)
        bundle = (self._root.der, regional.der, zonal.der, instance.der)
        return DocumentSigner(key, CertificateDer(leaf.public_bytes(Encoding.DER)), bundle)

    def _authority(self, name: str, template: Template, issuer: Authority, at: datetime) -> Authority:
        known = self._authorities.get(name)
        fits = known is not None and known.covers(at - LEAF_BEFORE, at + LEAF_AFTER)
        if known is not None and fits and known.certificate.issuer == issuer.certificate.subject:
            return known
        key = generate_private_key(SECP384R1())
        made = Authority(key, mint(_with_identifiers(template, key, issuer), key, issuer))
        self._authorities[name] = made
        return made


def _with_identifiers(template: Template, key: EllipticCurvePrivateKey, issuer: Authority) -> Template:
    """Put both key identifiers where AWS has them: after the constraints, before the key usage (instance: at the end).

    The order of the two differs between AWS's kinds of certificate as well; `_regional` and friends leave a gap.
    """
    subject = Extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    authority = Extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer.identifier.value), critical=False
    )
    first, *rest = template.extensions
    is_instance = len(rest) == 1
    extensions = (first, *rest, subject, authority) if is_instance else (first, authority, subject, *rest)
    return replace(template, extensions=extensions)


def _ca(path_length: int) -> Extension:
    return Extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)


def _crl() -> Extension:
    """Return a CRL distribution point. Nobody serves it: AWS tells verifiers to leave revocation lists alone."""
    where = x509.UniformResourceIdentifier(f"http://crl.strongroom-twin.invalid/crl/{uuid.uuid4()}.crl")
    point = x509.DistributionPoint([where], relative_name=None, reasons=None, crl_issuer=None)
    return Extension(x509.CRLDistributionPoints([point]), critical=False)


_SIGNS_ALL = ("digital_signature", "key_cert_sign", "crl_sign")


def _regional(region: Region, at: datetime) -> Template:
    return Template(
        subject=name_of(("C", "US"), *_AWS, ("CN", f"{token_hex(8)}.{region}.aws.nitro-enclaves")),
        serial=1 << 126 | randbits(126),
        not_before=(at - timedelta(days=4)).replace(microsecond=0),
        not_after=(at + timedelta(days=16, hours=1)).replace(microsecond=0),
        extensions=(_ca(2), Extension(key_usage(*_SIGNS_ALL), critical=True), _crl()),
    )


def _zonal(region: Region, at: datetime) -> Template:
    common = f"{token_hex(8)}.zonal.{region}.aws.nitro-enclaves"
    return Template(
        subject=name_of(("CN", common), ("OU", "AWS"), ("O", "Amazon"), ("C", "US"), ("ST", "WA"), ("L", "Seattle")),
        serial=1 << 126 | randbits(126),
        not_before=(at - timedelta(hours=12)).replace(microsecond=0),
        not_after=(at + timedelta(days=5)).replace(microsecond=0),
        extensions=(_ca(1), Extension(key_usage(*_SIGNS_ALL), critical=True), _crl()),
    )


def _instance(instance_id: InstanceId, region: Region, at: datetime) -> Template:
    return Template(
        subject=name_of(("C", "US"), *_SEATTLE, *_AWS, ("CN", f"{instance_id}.{region}.aws.nitro-enclaves")),
        serial=1 << 158 | randbits(158),
        not_before=(at - timedelta(minutes=10)).replace(microsecond=0),
        not_after=(at - timedelta(minutes=10) + timedelta(days=1)).replace(microsecond=0),
        extensions=(_ca(0), Extension(key_usage("key_cert_sign"), critical=True)),
    )


def _leaf(module_id: str, region: Region, at: datetime) -> Template:
    second = at.replace(microsecond=0)
    return Template(
        subject=name_of(("C", "US"), *_SEATTLE, *_AWS, ("CN", f"{module_id}.{region}.aws")),
        serial=int(second.timestamp()),  # 31 bits: genuine leaves carry the second they were minted in
        not_before=second - LEAF_BEFORE,
        not_after=second + LEAF_AFTER,
        extensions=(
            Extension(x509.BasicConstraints(ca=False, path_length=None), critical=True),
            Extension(key_usage("digital_signature", "content_commitment"), critical=False),
        ),
    )
