# SPDX-License-Identifier: Apache-2.0
"""The salt of a TPM session: a secret that only the TPM with the private half of a key can read.

TPM 2.0 Library, Part 1, annex B.10.2: RSAES-OAEP with the name algorithm of the key, the label `SECRET` and its
terminating zero, as many random bytes as that algorithm's digests have.
"""

from __future__ import annotations

import secrets

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.public_area import PublicArea, RsaParameters

_LABEL = b"SECRET\0"


def encrypt_salt(key: PublicArea) -> tuple[bytes, bytes]:
    """Return a new salt, and the same encrypted to an RSA key whose name algorithm is SHA-256.

    Other keys are a RuntimeError: every salt key comes from one of our own templates.
    """
    if (
        not isinstance(key.parameters, RsaParameters)
        or key.name_alg is not Alg.SHA256
        or not isinstance(key.unique, bytes)
    ):
        raise RuntimeError("salts are encrypted to RSA keys named by SHA-256 only")
    numbers = rsa.RSAPublicNumbers(key.parameters.public_exponent, int.from_bytes(key.unique))
    salt = secrets.token_bytes(HASH_BYTES[key.name_alg])
    oaep = padding.OAEP(mgf=padding.MGF1(SHA256()), algorithm=SHA256(), label=_LABEL)
    return salt, numbers.public_key().encrypt(salt, oaep)
