# SPDX-License-Identifier: Apache-2.0
"""Signs instance identity documents as a region's metadata service does: RSA-2048, PKCS#7 with the content attached.

The certificate has AWS's shape: self-signed, `C, ST, L, O`, valid for 179 years; the organisation's name is the
twin's. (EC2 User Guide, "Instance identity documents for Amazon EC2 instances".)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import randbits

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder
from cryptography.x509.oid import NameOID

from strongroom.ids import CertificateDer
from strongroom.twin.pki import key_usage

_RSA_BITS = 2048
_LIFE = timedelta(days=65535)
_ORGANISATION = "Strongroom Twin, not Amazon"


@dataclass(frozen=True)
class IdentitySigner:
    """One region's signer of identity documents."""

    key: RSAPrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> CertificateDer:
        """The certificate that verifiers pin for this region."""
        return CertificateDer(self.certificate.public_bytes(Encoding.DER))

    def sign(self, document: bytes) -> bytes:
        """Return a DER PKCS#7 SignedData (RFC 2315) over `document`, content attached, without certificates."""
        builder = PKCS7SignatureBuilder().set_data(document).add_signer(self.certificate, self.key, SHA256())
        return builder.sign(Encoding.DER, [PKCS7Options.Binary, PKCS7Options.NoCapabilities, PKCS7Options.NoCerts])


def create_identity_signer(now: datetime) -> IdentitySigner:
    """Make a region's key and self-signed certificate."""
    key = generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "Washington State"),
            x509.NameAttribute(NameOID.LOCALITY_NAME, "Seattle"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANISATION),
        ]
    )
    serial = 1 << 63 | randbits(63)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder(
            issuer_name=subject,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=serial,
            not_valid_before=(now - timedelta(days=1)).replace(microsecond=0),
            not_valid_after=(now + _LIFE).replace(microsecond=0),
        )
        .add_extension(key_usage("digital_signature"), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier(identifier.digest, [x509.DirectoryName(subject)], serial), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    return IdentitySigner(key, builder.sign(key, SHA256()))
