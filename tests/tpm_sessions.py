# SPDX-License-Identifier: Apache-2.0
"""HMAC and policy sessions of a caller, for tests: authorise a command, hide its first parameter, judge the answer.

TPM 2.0 Part 1, sections 19 (sessions) and 21 (parameter encryption). Only what tests say of themselves is used here, so
that a client and an emulator that share a mistake do not agree with this file.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from tests.tpm_commands import CODES, SHA1, SHA256, SHA384, SHA512, Command, Response, area, sized, u16, u32

HASHES = {SHA1: "sha1", SHA256: "sha256", SHA384: "sha384", SHA512: "sha512"}
CONTINUE, AUDIT_EXCLUSIVE, AUDIT_RESET, DECRYPT, ENCRYPT, AUDIT = 0x01, 0x02, 0x04, 0x20, 0x40, 0x80
CALLER_NONCE = bytes(range(16))


def kdfa(hash_alg: int, key: bytes, label: bytes, context: bytes, bits: int) -> bytes:
    """Part 1, section 11.4.10.2, for whole bytes."""
    made = b""
    while len(made) * 8 < bits:
        counter = u32(len(made) // hashlib.new(HASHES[hash_alg]).digest_size + 1)
        made += hmac.digest(key, counter + label + b"\0" + context + u32(bits), HASHES[hash_alg])
    return made[: bits // 8]


def names_of_indices(*publics: bytes) -> list[bytes]:
    """Names of NV indices by their public areas, which hold the name's hash after the index."""
    return [
        public[4:6] + hashlib.new(HASHES[int.from_bytes(public[4:6], "big")], public).digest() for public in publics
    ]


@dataclass
class Session:
    """A session as its caller sees it. `key` is empty where it is neither salted nor bound."""

    handle: int
    nonce_tpm: bytes
    hash_alg: int = SHA256
    key: bytes = b""
    aes_bits: int = 0
    nonce_caller: bytes = CALLER_NONCE
    bound_to: bytes = b""
    """The name of the entity whose password is in `key` already, and so not in its proofs."""

    @classmethod
    def started(
        cls,
        response: Response,
        *,
        hash_alg: int = SHA256,
        secret: bytes = b"",
        aes_bits: int = 0,
        bound_to: bytes = b"",
    ) -> Session:
        """Take it from the response to a TPM2_StartAuthSession with CALLER_NONCE; the secret is authValue || salt."""
        nonce = response.content[16:]
        size = hashlib.new(HASHES[hash_alg]).digest_size * 8
        key = kdfa(hash_alg, secret, b"ATH", nonce + CALLER_NONCE, size) if secret else b""
        return cls(response.handle, nonce, hash_alg, key, aes_bits, bound_to=bound_to)

    def authorise(
        self, command: Command, names: Sequence[bytes], auth: bytes = b"", *, attributes: int = CONTINUE
    ) -> Command:
        """Return the command with this session as its only one, its first parameter hidden if DECRYPT says so."""
        parameters = command.parameters
        if attributes & DECRYPT:
            parameters = self._crypt(parameters, auth, command=True)
        code = u32(CODES[command.name])
        hashed = hashlib.new(HASHES[self.hash_alg], code + b"".join(names) + parameters).digest()
        proof_auth = b"" if names[0] == self.bound_to else auth
        proof = self._proof(hashed, self.nonce_caller + self.nonce_tpm, proof_auth, attributes)
        own = area(self.handle, attributes=attributes, nonce=self.nonce_caller, proof=proof)
        return command.but(parameters=parameters, areas=(own,))

    def judge(self, command: str, response: Response, auth: bytes = b"") -> bool:
        """Say whether the response proves knowledge of the session; roll its nonce on."""
        parameters = response.parameters()
        rest = response.content[14 + len(parameters) :]
        nonce = rest[2 : 2 + int.from_bytes(rest[:2], "big")]
        attributes, proof = rest[2 + len(nonce)] if len(rest) > 2 + len(nonce) else 0, rest[5 + len(nonce) :]
        hashed = hashlib.new(HASHES[self.hash_alg], bytes(4) + u32(CODES[command]) + parameters).digest()
        self.nonce_tpm = nonce
        return proof == self._proof(hashed, nonce + self.nonce_caller, auth, attributes)

    def reveal(self, response: Response, auth: bytes = b"") -> bytes:
        """Return the response's parameters with the first one decrypted. Call it after `judge`."""
        return self._crypt(response.parameters(), auth, command=False)

    def _proof(self, hashed: bytes, nonces: bytes, auth: bytes, attributes: int) -> bytes:
        key = self.key + auth
        return hmac.digest(key, hashed + nonces + bytes([attributes]), HASHES[self.hash_alg])

    def _crypt(self, parameters: bytes, auth: bytes, *, command: bool) -> bytes:
        size = int.from_bytes(parameters[:2], "big")
        nonces = self.nonce_caller + self.nonce_tpm if command else self.nonce_tpm + self.nonce_caller
        content = parameters[2 : 2 + size]
        if self.aes_bits:
            made = kdfa(self.hash_alg, self.key + auth, b"CFB", nonces, self.aes_bits + 128)
            key, vector = made[:-16], made[-16:]
            cipher = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
            hidden = _cfb(cipher.update, vector, content, hide=command)
        else:
            mask = kdfa(self.hash_alg, self.key + auth, b"XOR", nonces, len(content) * 8)
            hidden = bytes(a ^ b for a, b in zip(content, mask, strict=True))
        return sized(hidden) + parameters[2 + size :]


def _cfb(encrypt, vector: bytes, content: bytes, *, hide: bool) -> bytes:
    """CFB by hand: the mode is on its way out of `cryptography`."""
    done = b""
    for start in range(0, len(content), 16):
        block = content[start : start + 16]
        other = bytes(a ^ b for a, b in zip(block, encrypt(vector), strict=False))
        done += other
        vector = (other if hide else block).ljust(16, b"\0")
    return done


AES128_CFB = u16(6) + u16(128) + u16(0x43)
AES256_CFB = u16(6) + u16(256) + u16(0x43)


def xor_with(hash_alg: int) -> bytes:
    return u16(0x0A) + u16(hash_alg)


def kdfe(hash_alg: int, shared: bytes, label: bytes, caller: bytes, key: bytes) -> bytes:
    """Part 1, section 11.4.10.3, for as many bytes as the hash has."""
    return hashlib.new(HASHES[hash_alg], u32(1) + shared + label + b"\0" + caller + key).digest()


def salt_for_rsa(modulus: bytes, salt: bytes) -> bytes:
    """Encrypt a salt to a storage key of RSA named with SHA-256 (Part 1, section B.10.2)."""
    key = rsa.RSAPublicNumbers(65537, int.from_bytes(modulus, "big")).public_key()
    sha256 = hashes.SHA256()
    return key.encrypt(salt, padding.OAEP(padding.MGF1(sha256), sha256, label=b"SECRET\0"))


def salt_for_p256(x: bytes, y: bytes) -> tuple[bytes, bytes]:
    """Return an ephemeral point for a storage key on P-256 named with SHA-256, and the salt (Part 1, section C.6.1)."""
    theirs = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1())
    ours = ec.generate_private_key(ec.SECP256R1())
    shared = ours.exchange(ec.ECDH(), theirs.public_key())
    numbers = ours.public_key().public_numbers()
    own_x, own_y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
    return sized(own_x) + sized(own_y), kdfe(SHA256, shared, b"SECRET", own_x, x)
