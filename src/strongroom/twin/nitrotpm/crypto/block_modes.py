# SPDX-License-Identifier: Apache-2.0
"""AES in the modes of a TPM, with the value that chains one call to the next (Part 1, annex A; SP 800-38A).

From single blocks: `cryptography` has moved some of the modes out, and tells of none what the next call begins with.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from strongroom.crypto.tpm import xor
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.schemes import AES_BLOCK_BYTES

WHOLE_BLOCKS = frozenset({Alg.CBC, Alg.ECB})
"""Modes that take whole blocks alone."""
_COUNTERS = 1 << AES_BLOCK_BYTES * 8
Block = Callable[[bytes], bytes]
Step = Callable[[Block, bytes, bytes], tuple[bytes, bytes]]
"""From the chaining value and some input, at most a block, to the output and the next chaining value."""


def encrypted(key: bytes, mode: Alg, chain: bytes, data: bytes) -> tuple[bytes, bytes]:
    """Return the data encrypted, and the chaining value for what follows it."""
    encrypt, _ = _blocks(key)
    return _through(encrypt, _ENCRYPTING[mode], chain, data)


def decrypted(key: bytes, mode: Alg, chain: bytes, data: bytes) -> tuple[bytes, bytes]:
    """Return the data decrypted, and the chaining value for what follows it."""
    encrypt, decrypt = _blocks(key)
    return _through(decrypt if mode in WHOLE_BLOCKS else encrypt, _DECRYPTING[mode], chain, data)


def _blocks(key: bytes) -> tuple[Block, Block]:
    cipher = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305 -- a block each, the mode is put together here
    return cipher.encryptor().update, cipher.decryptor().update


def _through(block: Block, step: Step, chain: bytes, data: bytes) -> tuple[bytes, bytes]:
    made = bytearray()
    for start in range(0, len(data), AES_BLOCK_BYTES):
        out, chain = step(block, chain, data[start : start + AES_BLOCK_BYTES])
        made += out
    return bytes(made), chain


def _padded(part: bytes) -> bytes:
    return part.ljust(AES_BLOCK_BYTES, b"\0")


def _ctr(block: Block, chain: bytes, part: bytes) -> tuple[bytes, bytes]:
    following = (int.from_bytes(chain) + 1) % _COUNTERS
    return xor(part, block(chain)), following.to_bytes(AES_BLOCK_BYTES)


def _ofb(block: Block, chain: bytes, part: bytes) -> tuple[bytes, bytes]:
    following = block(chain)
    return xor(part, following), following


def _cfb_encrypt(block: Block, chain: bytes, part: bytes) -> tuple[bytes, bytes]:
    out = xor(part, block(chain))
    return out, _padded(out)


def _cfb_decrypt(block: Block, chain: bytes, part: bytes) -> tuple[bytes, bytes]:
    return xor(part, block(chain)), _padded(part)


def _cbc_encrypt(block: Block, chain: bytes, part: bytes) -> tuple[bytes, bytes]:
    out = block(xor(part, chain))
    return out, out


def _cbc_decrypt(block: Block, chain: bytes, part: bytes) -> tuple[bytes, bytes]:
    return xor(block(part), chain), part


def _ecb(block: Block, chain: bytes, part: bytes) -> tuple[bytes, bytes]:
    return block(part), chain


_ENCRYPTING = {Alg.CTR: _ctr, Alg.OFB: _ofb, Alg.CFB: _cfb_encrypt, Alg.CBC: _cbc_encrypt, Alg.ECB: _ecb}
_DECRYPTING = {Alg.CTR: _ctr, Alg.OFB: _ofb, Alg.CFB: _cfb_decrypt, Alg.CBC: _cbc_decrypt, Alg.ECB: _ecb}
