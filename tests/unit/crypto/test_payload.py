# SPDX-License-Identifier: Apache-2.0
"""Keys, commitment and chunks."""

import hashlib
import os
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.crypto.payload import (
    decrypt_entry,
    decrypt_table,
    encrypt_entry,
    encrypt_table,
    new_content_keys,
    verify_data_key,
)
from strongroom.errors import NotAuthentic
from strongroom.formats.bundle_layout import ciphertext_bytes

DATA_KEY, CONTENT_ID = hashlib.sha256(b"data key").digest(), hashlib.sha256(b"content").digest()
KEYS = new_content_keys(DATA_KEY, content_id=CONTENT_ID, chunk_log2=12)
CHUNK = 4096


def encrypt(plaintext: bytes, *, keys=KEYS, index=1) -> bytearray:
    out = bytearray(ciphertext_bytes(len(plaintext), keys.chunk_log2))
    encrypt_entry(keys, index, memoryview(plaintext), memoryview(out))
    return out


def decrypt(ciphertext, size, *, keys=KEYS, index=1):
    out = bytearray(size)
    decrypt_entry(keys, index, memoryview(ciphertext), memoryview(out))
    return bytes(out)


def refused(call) -> str:
    with pytest.raises(NotAuthentic) as caught:
        call()
    return caught.value.code


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_entries_of_every_length_survive(size):
    plaintext = os.urandom(size)
    assert decrypt(encrypt(plaintext), size) == plaintext


@pytest.mark.parametrize(
    ("data_key", "content_id", "chunk_log2"),
    [
        (DATA_KEY[::-1], CONTENT_ID, 12),
        (DATA_KEY, CONTENT_ID[::-1], 12),
        (DATA_KEY, CONTENT_ID, 13),
        (DATA_KEY[:31], CONTENT_ID, 12),
        (DATA_KEY + b"\0", CONTENT_ID, 12),
        (b"", CONTENT_ID, 12),
    ],
)
@pytest.mark.attack("K10")
def test_the_commitment_names_data_key_content_and_chunk_size(data_key, content_id, chunk_log2):
    good: dict[str, Any] = {"content_id": CONTENT_ID, "chunk_log2": 12, "commitment": KEYS.commitment}
    assert verify_data_key(DATA_KEY, **good) == KEYS
    other = {**good, "content_id": content_id, "chunk_log2": chunk_log2}
    assert refused(lambda: verify_data_key(data_key, **other)) == "bundle.commitment"


def gf_multiply(x: int, y: int) -> int:
    """Multiply in GF(2^128) as GHASH does (NIST SP 800-38D section 6.3)."""
    product = 0
    for bit in range(127, -1, -1):
        if y >> bit & 1:
            product ^= x
        x = x >> 1 ^ (0xE1 << 120 if x & 1 else 0)
    return product


def gf_inverse(x: int) -> int:
    """Return x^(2^128 - 2)."""
    result, power = 1 << 127, x
    for _ in range(127):
        power = gf_multiply(power, power)
        result = gf_multiply(result, power)
    return result


def encrypt_block(key: bytes, block: bytes) -> int:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return int.from_bytes(encryptor.update(block))


def opens_under_both(key_1: bytes, key_2: bytes, nonce: bytes) -> bytes:
    """Return one block of ciphertext and a tag that AES-GCM accepts under both keys."""
    hashes = [encrypt_block(key, bytes(16)) for key in (key_1, key_2)]
    masks = [encrypt_block(key, nonce + b"\0\0\0\1") for key in (key_1, key_2)]
    lengths = 128  # no AAD, 128 bits of ciphertext
    # block*H^2 + lengths*H + mask is the tag; equal under both keys when:
    right = gf_multiply(lengths, hashes[0] ^ hashes[1]) ^ masks[0] ^ masks[1]
    left = gf_multiply(hashes[0], hashes[0]) ^ gf_multiply(hashes[1], hashes[1])
    block = gf_multiply(right, gf_inverse(left))
    tag = gf_multiply(gf_multiply(block, hashes[0]) ^ lengths, hashes[0]) ^ masks[0]
    return block.to_bytes(16) + tag.to_bytes(16)


@pytest.mark.attack("K10")
def test_one_ciphertext_for_two_keys_works_against_gcm_and_is_stopped_by_the_commitment():
    keys = [new_content_keys(k, content_id=CONTENT_ID, chunk_log2=12) for k in (DATA_KEY, DATA_KEY[::-1])]
    crafted = opens_under_both(entry_key(keys[0]), entry_key(keys[1]), bytes(11) + b"\1")
    plaintexts = [decrypt(crafted, 16, keys=k) for k in keys]
    assert plaintexts[0] != plaintexts[1]  # without the commitment, one bundle says two things
    with pytest.raises(NotAuthentic) as caught:
        verify_data_key(DATA_KEY[::-1], content_id=CONTENT_ID, chunk_log2=12, commitment=keys[0].commitment)
    assert caught.value.code == "bundle.commitment"


def entry_key(keys) -> bytes:
    """Derive the key of entry 1 from the specification, section 6.1."""
    from cryptography.hazmat.primitives.hashes import SHA384
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    data_key = DATA_KEY if keys == KEYS else DATA_KEY[::-1]
    info = b"strongroom/bundle/v1/entry\0\0\1\x0c\0\0\0\1"
    return HKDF(SHA384(), 32, CONTENT_ID, info).derive(data_key)


def test_a_chunk_is_plain_aes_gcm_under_the_specified_key_and_nonce():
    cipher = AESGCM(entry_key(KEYS))
    data = encrypt(bytes(CHUNK + 1))
    assert data[: CHUNK + 16] == cipher.encrypt(bytes(12), bytes(CHUNK), None)
    assert data[CHUNK + 16 :] == cipher.encrypt(bytes(10) + b"\1\1", bytes(1), None)
    with pytest.raises(InvalidTag):
        cipher.decrypt(bytes(12), bytes(data[CHUNK + 16 :]), None)


FULL = CHUNK + 16
TWO = bytes(encrypt(bytes(2 * CHUNK)))
THREE = bytes(encrypt(bytes(3 * CHUNK)))


@pytest.mark.attack("K9")
@pytest.mark.parametrize(
    ("data", "size"),
    [
        (TWO[FULL:] + TWO[:FULL], 2 * CHUNK),
        (TWO[:FULL] * 2, 2 * CHUNK),
        (TWO[FULL:], CHUNK),
        (THREE[: 2 * FULL], 2 * CHUNK),
        (TWO + TWO[FULL:], 3 * CHUNK),
        (THREE[:FULL] + THREE[2 * FULL :], 2 * CHUNK),
    ],
    ids=["exchanged", "repeated", "first dropped", "cut", "extended", "middle dropped"],
)
def test_chunks_do_not_open_elsewhere(data, size):
    assert refused(lambda: decrypt(data, size)) == "bundle.chunk"


@pytest.mark.attack("K9")
def test_an_entry_does_not_open_as_another_nor_as_the_table():
    assert refused(lambda: decrypt(TWO, 2 * CHUNK, index=2)) == "bundle.chunk"
    assert refused(lambda: decrypt_table(KEYS, bytes(encrypt(b"x")))) == "bundle.table"
    assert decrypt_table(KEYS, encrypt_table(KEYS, b"x")) == b"x"


def test_the_error_names_entry_and_chunk():
    changed = bytearray(THREE)
    changed[FULL] ^= 1
    with pytest.raises(NotAuthentic, match="chunk 1 of entry 1"):
        decrypt(bytes(changed), 3 * CHUNK)


def test_wrong_sizes_are_mistakes_of_the_caller():
    with pytest.raises(ValueError, match="31"):
        new_content_keys(DATA_KEY[:31], content_id=CONTENT_ID, chunk_log2=12)
    with pytest.raises(ValueError, match="size"):
        encrypt_entry(KEYS, 1, memoryview(b"x"), memoryview(bytearray(16)))
    with pytest.raises(ValueError, match="size"):
        decrypt_entry(KEYS, 1, memoryview(TWO), memoryview(bytearray(CHUNK)))


def test_printing_keys_shows_none():
    prk_byte_runs = KEYS._prk.hex()[:16], repr(KEYS._prk)[2:10]
    assert not any(run in repr(KEYS) for run in prk_byte_runs)
