# SPDX-License-Identifier: Apache-2.0
"""RSA encryption as a TPM has it: OAEP with a label, PKCS #1 v1.5, or bare numbers (Part 1, annexes B.2 to B.5)."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import padding, rsa

from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import Scheme
from strongroom.twin.nitrotpm.crypto.keys import HASHES
from strongroom.twin.nitrotpm.refusal import Refused


def rsa_encrypted(key: rsa.RSAPublicKey, message: bytes, scheme: Scheme, label: bytes) -> bytes:
    """Return a message under a key. Raises Refused where it is too long for the scheme."""
    size = key.key_size // 8
    if scheme.algorithm is Alg.NULL:
        if len(message.lstrip(b"\0")) > size:
            raise Refused(Rc.VALUE)
        numbers = key.public_numbers()
        return pow(_number(message, numbers.n), numbers.e, numbers.n).to_bytes(size)
    try:
        return key.encrypt(message, _padding(scheme, label))
    except ValueError as wrong:
        raise Refused(Rc.FAILURE) from wrong


def rsa_decrypted(key: rsa.RSAPrivateKey, secret: bytes, scheme: Scheme, label: bytes) -> bytes:
    """Return the message. Raises Refused where the secret has another size than the key, or was not made for it."""
    size = key.key_size // 8
    if len(secret) != size:
        raise Refused(Rc.SIZE)
    if scheme.algorithm is Alg.NULL:
        return _power(key, _number(secret, key.public_key().public_numbers().n)).to_bytes(size)
    try:
        return key.decrypt(secret, _padding(scheme, label))
    except ValueError as wrong:
        raise Refused(Rc.FAILURE) from wrong


def _number(data: bytes, modulus: int) -> int:
    number = int.from_bytes(data)
    if number >= modulus:
        raise Refused(Rc.FAILURE)
    return number


def _power(key: rsa.RSAPrivateKey, number: int) -> int:
    """Return number to the private exponent, by the remainders of the primes."""
    numbers = key.private_numbers()
    one, two = pow(number, numbers.dmp1, numbers.p), pow(number, numbers.dmq1, numbers.q)
    return two + (one - two) * numbers.iqmp % numbers.p * numbers.q


def _padding(scheme: Scheme, label: bytes) -> padding.AsymmetricPadding:
    if scheme.algorithm is Alg.RSAES:
        return padding.PKCS1v15()
    algorithm = HASHES[scheme.hash]
    return padding.OAEP(padding.MGF1(algorithm()), algorithm(), label or None)
