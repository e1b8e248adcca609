# SPDX-License-Identifier: Apache-2.0
"""Key transport between KMS and an instance: RSAES-OAEP-SHA-256 around AES-256-CBC (KMS API, RecipientInfo).

The envelope is not authenticated: anybody can encrypt to a public key (ATTACKS K11). So nothing that comes out of
`unwrap` is believed until it meets the commitment in a signed header. Every way in which unwrapping can fail gives the
same error, so that the failure says nothing about the key (K18).
"""

from __future__ import annotations

import hmac
import secrets
from typing import NoReturn

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.crypto.public_keys import key_id_of, load_spki
from strongroom.errors import FormatError, NotAuthentic
from strongroom.formats.cms import EnvelopedData, encode_enveloped_data, parse_enveloped_data
from strongroom.ids import CmsBytes, SpkiDer

RSA_BITS = 2048
"""The size AWS documents for recipients; 3,072 and 4,096 are accepted from others."""
ACCEPTED_RSA_BITS = (2048, 3072, 4096)
RSA_EXPONENT = 65537
MAX_PLAINTEXT_BYTES = 4096
"""KMS API: PlaintextType."""

_AES_KEY_BYTES = 32
_BLOCK_BITS = 128


def _oaep() -> padding.OAEP:
    return padding.OAEP(mgf=padding.MGF1(SHA256()), algorithm=SHA256(), label=None)


class RecipientKey:
    """An RSA key for one opening. It exists in memory only; Python cannot promise to wipe it."""

    def __init__(self, private_key: rsa.RSAPrivateKey) -> None:
        self._private_key = private_key
        self.public_key = SpkiDer(
            private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        )

    @classmethod
    def generate(cls) -> RecipientKey:
        """Make a new key. One per call: a document may be replayed, its private key may not be there twice."""
        return cls(rsa.generate_private_key(RSA_EXPONENT, RSA_BITS))

    def unwrap(self, envelope: CmsBytes) -> bytes:
        """Return the plaintext that KMS encrypted to this key.

        Raises NotAuthentic with the code `key-transport.unwrap` for every failure alike.
        """
        try:
            return self._decrypt(parse_enveloped_data(envelope))
        except (FormatError, ValueError):
            _refuse()

    def _decrypt(self, envelope: EnvelopedData) -> bytes:
        """Raise ValueError for a foreign recipient, for OAEP or padding that does not hold, for a key of odd size."""
        if not hmac.compare_digest(envelope.recipient, key_id_of(self.public_key)):
            raise ValueError("recipient")
        key = self._private_key.decrypt(envelope.encrypted_key, _oaep())
        if len(key) != _AES_KEY_BYTES:
            raise ValueError("key size")
        decryptor = Cipher(algorithms.AES(key), modes.CBC(envelope.iv)).decryptor()
        padded = decryptor.update(envelope.encrypted_content) + decryptor.finalize()
        unpadder = PKCS7(_BLOCK_BITS).unpadder()
        return unpadder.update(padded) + unpadder.finalize()


def _refuse() -> NoReturn:
    raise NotAuthentic(
        "key-transport.unwrap",
        "expected an envelope of KMS for the key of this call, found something that does not open with it",
        remedy="Somebody may sit between this machine and KMS. If it repeats, check the endpoint and its TLS roots.",
    ) from None


def encrypt_to_recipient(spki: SpkiDer, plaintext: bytes) -> CmsBytes:
    """Encrypt as KMS does for the public key inside an attestation document; `plaintext` has at most 4,096 bytes.

    Raises FormatError for anything but RSA of 2,048, 3,072 or 4,096 bits with exponent 65,537 (ATTACKS A15).
    """
    if len(plaintext) > MAX_PLAINTEXT_BYTES:
        raise ValueError(f"expected at most {MAX_PLAINTEXT_BYTES} bytes, found {len(plaintext)}")
    public_key = load_recipient(spki)
    key, iv = secrets.token_bytes(_AES_KEY_BYTES), secrets.token_bytes(_BLOCK_BITS // 8)
    padder = PKCS7(_BLOCK_BITS).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    content = encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()
    return encode_enveloped_data(
        EnvelopedData(key_id_of(spki), public_key.encrypt(key, _oaep()), iv, chunks=(content,))
    )


def load_recipient(spki: SpkiDer) -> rsa.RSAPublicKey:
    """Return a recipient's public key, strong enough to encrypt to. Raises FormatError (ATTACKS A15)."""
    key = load_spki(spki)
    if not isinstance(key, rsa.RSAPublicKey):
        raise _weak("an RSA key", type(key).__name__)
    numbers = key.public_numbers()
    if key.key_size not in ACCEPTED_RSA_BITS or numbers.e != RSA_EXPONENT or numbers.n % 2 == 0:
        raise _weak(
            f"an odd modulus of {ACCEPTED_RSA_BITS} bits and the exponent {RSA_EXPONENT}",
            f"{key.key_size} bits and the exponent {numbers.e}",
        )
    return key


def _weak(expected: str, found: str) -> FormatError:
    return FormatError(
        "key-transport.public-key",
        f"expected {expected} as the recipient, found {found}",
        spec="KMS API RecipientInfo; RFC 8017",
    )
