# SPDX-License-Identifier: Apache-2.0
"""What KMS does with RSA keys, keys on NIST curves and HMAC keys: `cryptography` under the names of KMS's algorithms.

KMS Developer Guide, "Key spec reference": RSAES_OAEP with MGF1 of the same hash; RSASSA_PSS with a salt as long as the
digest; ECDSA signatures in DER (RFC 3279, section 2.2.3); ECDH gives the x coordinate (SP 800-56A, section 5.7.1.2).
"""

from __future__ import annotations

import functools
import hmac
from typing import cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from strongroom.twin.kms.keys import Key

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "1": hashes.SHA1(),  # noqa: S303 -- RSAES_OAEP_SHA_1 is an algorithm of KMS
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
"""By what stands behind `_SHA_` in an algorithm's name."""


def public_key(key: Key) -> bytes:
    """Return the public key (SubjectPublicKeyInfo, DER)."""
    return spki(key.material.secret)


def spki(secret: bytes) -> bytes:
    """Return the public half of a private key in PKCS #8 (SubjectPublicKeyInfo, DER)."""
    return _private(secret).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def digest_bytes(algorithm: str) -> int:
    """Return the length of the digests that an algorithm signs, in bytes."""
    return _hash(algorithm).digest_size


def sign(key: Key, algorithm: str, message: bytes, *, is_digest: bool) -> bytes:
    """Return a signature over a message, or over its digest."""
    private, algorithm_hash = _private(key.material.secret), _message_hash(algorithm, is_digest=is_digest)
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(message, _padding(algorithm), algorithm_hash)
    return private.sign(message, ec.ECDSA(algorithm_hash))


def verify(key: Key, algorithm: str, message: bytes, signature: bytes, *, is_digest: bool) -> bool:
    """Tell whether a signature holds; KMS answers with an error where it does not."""
    public = _private(key.material.secret).public_key()
    algorithm_hash = _message_hash(algorithm, is_digest=is_digest)
    try:
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, message, _padding(algorithm), algorithm_hash)
        else:
            public.verify(signature, message, ec.ECDSA(algorithm_hash))
    except InvalidSignature:
        return False
    return True


def largest_plaintext_bytes(key: Key, algorithm: str) -> int:
    """Return how much RSAES_OAEP encrypts at once (RFC 8017, section 7.1.1)."""
    return key.spec.rsa_bits // 8 - 2 * _hash(algorithm).digest_size - 2


def encrypt(key: Key, algorithm: str, plaintext: bytes) -> bytes:
    """Encrypt under an RSA key."""
    return _rsa(key).public_key().encrypt(plaintext, _oaep(algorithm))


def decrypt(key: Key, algorithm: str, ciphertext: bytes) -> bytes | None:
    """Decrypt with an RSA key; None where it does not open."""
    try:
        return _rsa(key).decrypt(ciphertext, _oaep(algorithm))
    except ValueError:
        return None


def shared_secret(key: Key, peer: bytes) -> bytes | None:
    """Return the raw secret shared with a public key (SubjectPublicKeyInfo, DER); None where it is not on the curve."""
    private = _private(key.material.secret)
    try:
        public = load_der_public_key(peer)
    except ValueError:
        return None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(public, ec.EllipticCurvePublicKey):
        return None
    return private.exchange(ec.ECDH(), public) if public.curve.name == private.curve.name else None


def mac(key: Key, message: bytes) -> bytes:
    """Return the HMAC of a message; an HMAC key has one hash, that of its algorithm."""
    return hmac.digest(key.material.secret, message, f"sha{key.algorithms[0].rpartition('_')[2]}")


@functools.lru_cache(maxsize=256)
def _private(secret: bytes) -> PrivateKey:
    """Load a private key once: OpenSSL's checks take longer than a signature. It is one that `key_specs` made."""
    return cast("PrivateKey", load_der_private_key(secret, password=None))


def _rsa(key: Key) -> rsa.RSAPrivateKey:
    return cast("rsa.RSAPrivateKey", _private(key.material.secret))


def _hash(algorithm: str) -> hashes.HashAlgorithm:
    return _HASHES[algorithm.rpartition("_")[2]]


def _message_hash(algorithm: str, *, is_digest: bool) -> hashes.HashAlgorithm | Prehashed:
    return Prehashed(_hash(algorithm)) if is_digest else _hash(algorithm)


def _padding(algorithm: str) -> padding.AsymmetricPadding:
    if algorithm.startswith("RSASSA_PSS"):
        return padding.PSS(padding.MGF1(_hash(algorithm)), padding.PSS.DIGEST_LENGTH)
    return padding.PKCS1v15()


def _oaep(algorithm: str) -> padding.OAEP:
    return padding.OAEP(padding.MGF1(_hash(algorithm)), _hash(algorithm), None)
