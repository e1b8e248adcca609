# SPDX-License-Identifier: Apache-2.0
"""RSA signatures for Secure Boot: by a key in a file, and looked at before they go into an image."""

from __future__ import annotations

from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from strongroom.crypto.certificates import load_certificate, load_public_key
from strongroom.errors import FormatError, NotAuthentic
from strongroom.ids import CertificateDer

MAX_KEY_BYTES = 16_384
"""Of a PEM file with an RSA key; one of 4096 bits has 3,300."""
MIN_RSA_BITS = 2048
"""EDK II refuses less (CryptoPkg, CryptPkcs7VerifyCommon.c)."""

_SPEC = "UEFI 2.10 section 32.2"


class RsaImageSigner:
    """Signs with an RSA key in memory (implements `ports.ImageSigner`). Printing it shows no key."""

    def __init__(self, private_key: RSAPrivateKey, certificate: CertificateDer) -> None:
        self._private_key = private_key
        self._certificate = certificate

    @property
    def certificate(self) -> CertificateDer:
        """The certificate that goes with every signature."""
        return self._certificate

    def sign_digest(self, digest: bytes) -> bytes:
        """Return the RSASSA-PKCS1-v1_5 signature over a SHA-256 digest (RFC 8017, section 8.2): no salt, no time."""
        return self._private_key.sign(digest, PKCS1v15(), Prehashed(SHA256()))


def parse_image_signer(pem: bytes, certificate: CertificateDer) -> RsaImageSigner:
    """Return a signer of an unencrypted RSA key in PEM and its certificate.

    Raises FormatError for anything else, and for a certificate of another key.
    """
    try:
        key = load_pem_private_key(pem[:MAX_KEY_BYTES], password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError) as error:
        raise _refused("an unencrypted private key in PEM", "something else") from error
    if not isinstance(key, RSAPrivateKey) or key.public_key() != _rsa_key(certificate):
        raise _refused("the RSA key of the certificate", "another key")
    return RsaImageSigner(key, certificate)


def verify_image_signature(signature: bytes, digest: bytes, *, certificate: CertificateDer) -> None:
    """Return if a certificate's key made this signature over a SHA-256 digest. Raises NotAuthentic, FormatError.

    A signer elsewhere may answer with another key than the one in the certificate; firmware would find out last.
    """
    try:
        _rsa_key(certificate).verify(signature, digest, PKCS1v15(), Prehashed(SHA256()))
    except InvalidSignature as error:
        raise NotAuthentic(
            "secure-boot.other-key",
            "expected a signature by the key of the certificate, found one that it does not verify",
            remedy="Give the certificate that was issued for this key.",
        ) from error


def _rsa_key(certificate: CertificateDer) -> RSAPublicKey:
    key = load_public_key(load_certificate(certificate))
    if not isinstance(key, RSAPublicKey) or key.key_size < MIN_RSA_BITS:
        raise _refused(f"a certificate of an RSA key of {MIN_RSA_BITS} bits or more", "one of another key")
    return key


def _refused(expected: str, found: str) -> FormatError:
    return FormatError("secure-boot.key", f"expected {expected}, found {found}", spec=_SPEC)
