# SPDX-License-Identifier: Apache-2.0
"""The twin's TLS: a root of its own, and a server certificate for this machine's loopback address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from strongroom.ids import CertificateDer
from strongroom.twin.pki import key_usage

LOOPBACK = "127.0.0.1"
_SERVER_LIFE = timedelta(days=30)
_ROOT_LIFE = timedelta(days=3650)


@dataclass(frozen=True)
class TlsAuthority:
    """The root that clients of the TLS endpoint must be given."""

    key: EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> CertificateDer:
        """The root certificate."""
        return CertificateDer(self.certificate.public_bytes(Encoding.DER))

    def server(
        self, now: datetime, *, addresses: Sequence[str] = (LOOPBACK,), domains: Sequence[str] = ()
    ) -> TlsServer:
        """Issue a server certificate for `localhost`, these addresses and these domains (`*.` stands for one label)."""
        key = generate_private_key(SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in ("localhost", *domains)]
        names += [x509.IPAddress(IPv4Address(address)) for address in addresses]
        issuer = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        certificate = (
            _builder(_name("Strongroom Twin endpoint"), self.certificate.subject, key, now=now, life=_SERVER_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage("digital_signature"), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)
            .sign(self.key, SHA256())
        )
        return TlsServer(key, certificate)


@dataclass(frozen=True)
class TlsServer:
    """What the TLS listener presents."""

    key: EllipticCurvePrivateKey
    certificate: x509.Certificate

    def pem(self) -> bytes:
        """Return certificate and private key in one PEM file, as `ssl.SSLContext.load_cert_chain` reads them."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return self.certificate.public_bytes(Encoding.PEM) + key


def create_tls_authority(now: datetime) -> TlsAuthority:
    """Make a TLS root."""
    key = generate_private_key(SECP256R1())
    name = _name("Strongroom Twin TLS root, not Amazon")
    certificate = (
        _builder(name, name, key, now=now, life=_ROOT_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    return TlsAuthority(key, certificate)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, *, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(days=1),
        not_valid_after=now + life,
    )
