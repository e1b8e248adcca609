# SPDX-License-Identifier: Apache-2.0
"""The asymmetric cryptography of one attestation, with `cryptography` and nothing around it.

Both ends have their share: the client encrypts a salt to the endorsement key for each of its three sessions, the TPM
decrypts it; the Nitro Security Module makes a leaf's key, signs its certificate, and the document with it.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

NAME = "3 RSA-2048 encryptions and decryptions, a P-384 key, 2 P-384 signatures: nothing else"
_SESSIONS = 3
_SALT = bytes(32)
_MESSAGE = bytes(4096)
_RSA_BITS = 2048
_OAEP = padding.OAEP(padding.MGF1(SHA256()), SHA256(), b"SECRET\0")
_ES384 = ec.ECDSA(SHA384())


class Arithmetic:
    """Keys that it is done with: a TPM's, and an instance's, which certifies the leaf."""

    def __init__(self) -> None:
        self._endorsement = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
        self._endorsement_public = self._endorsement.public_key()
        self._instance = ec.generate_private_key(ec.SECP384R1())

    def once(self) -> None:
        """Do all of it once."""
        for _ in range(_SESSIONS):
            self._endorsement.decrypt(self._endorsement_public.encrypt(_SALT, _OAEP), _OAEP)
        leaf = ec.generate_private_key(ec.SECP384R1())
        self._instance.sign(_MESSAGE, _ES384)
        leaf.sign(_MESSAGE, _ES384)
