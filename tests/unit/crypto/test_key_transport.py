# SPDX-License-Identifier: Apache-2.0
"""Key transport: what KMS encrypts to us opens, nothing else does, and every failure looks the same."""

import dataclasses
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from strongroom.crypto.key_transport import RecipientKey, encrypt_to_recipient, load_recipient
from strongroom.crypto.public_keys import key_id_of
from strongroom.errors import FormatError, NotAuthentic
from strongroom.formats.ber import encode_definite
from strongroom.formats.cms import encode_enveloped_data, parse_enveloped_data
from strongroom.ids import SpkiDer

KEY = RecipientKey.generate()
PUBLIC = load_recipient(KEY.public_key)
SECRET = b"d" * 32


def spki(key):
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_a_genuine_reply_of_kms_opens(genuine_vectors):
    folder = genuine_vectors / "cms"
    key = load_pem_private_key((folder / "edgebit-generatedatakey.key.pem").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    opened = RecipientKey(key).unwrap((folder / "edgebit-generatedatakey.cms.der").read_bytes())
    assert opened == (folder / "edgebit-generatedatakey.plaintext.bin").read_bytes()


@pytest.mark.parametrize("size", [0, 1, 32, 4096])
def test_what_is_encrypted_to_a_recipient_opens_with_its_key(size):
    assert KEY.unwrap(encrypt_to_recipient(KEY.public_key, b"x" * size)) == b"x" * size


def test_a_reply_for_32_bytes_is_as_long_as_a_genuine_one():
    assert len(encrypt_to_recipient(KEY.public_key, SECRET)) == 493


def test_the_longest_answer_comes_in_one_piece():
    assert len(parse_enveloped_data(encrypt_to_recipient(KEY.public_key, bytes(4096))).chunks) == 1


def test_openssl_opens_what_we_write(tmp_path):
    pem = KEY._private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "cms.der").write_bytes(encrypt_to_recipient(KEY.public_key, SECRET))
    command = ["openssl", "cms", "-decrypt", "-inform", "DER", "-in", "cms.der", "-inkey", "key.pem", "-binary"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout == SECRET


def test_every_recipient_key_is_new():
    other = RecipientKey.generate()
    assert other.public_key != KEY.public_key
    public = load_recipient(other.public_key)
    assert (public.key_size, public.public_numbers().e) == (2048, 65537)


def envelope(**changes):
    good = parse_enveloped_data(encrypt_to_recipient(KEY.public_key, SECRET))
    return encode_enveloped_data(dataclasses.replace(good, **changes))


def wrapped(key, pad):
    return envelope(encrypted_key=PUBLIC.encrypt(key, pad))


def badly_padded():
    key, iv = bytes(32), bytes(16)
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    oaep = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
    return envelope(encrypted_key=PUBLIC.encrypt(key, oaep), iv=iv, chunks=(encryptor.update(bytes(32)),))


def under_aes_128():
    """Make an envelope that is right in everything but the size of its content key."""
    key, iv = bytes(16), bytes(16)
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    oaep = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
    return envelope(encrypted_key=PUBLIC.encrypt(key, oaep), iv=iv, chunks=(encryptor.update(b"\x10" * 16),))


def with_oaep(digest, key=bytes(32)):
    return wrapped(key, padding.OAEP(padding.MGF1(digest), digest, None))


FAILURES = {
    "not CMS": lambda: SECRET,
    "empty": lambda: b"",
    "for another key": lambda: encrypt_to_recipient(RecipientKey.generate().public_key, SECRET),
    "named for another key": lambda: envelope(recipient=bytes(32)),
    "PKCS #1 v1.5": lambda: wrapped(bytes(32), padding.PKCS1v15()),
    "OAEP with SHA-1": lambda: with_oaep(SHA1()),
    "a content key for AES-128": under_aes_128,
    "an encrypted key of another size": lambda: envelope(encrypted_key=bytes(255)),
    "bad padding": badly_padded,
}


@pytest.mark.attack("K11")
@pytest.mark.attack("K18")
@pytest.mark.parametrize("what", FAILURES)
def test_every_failure_to_unwrap_is_the_same_error(what):
    with pytest.raises(NotAuthentic) as caught:
        KEY.unwrap(FAILURES[what]())
    error = caught.value
    assert (error.code, error.message) == (
        "key-transport.unwrap",
        "expected an envelope of KMS for the key of this call, found something that does not open with it",
    )
    assert error.__suppress_context__


def rsa_spki(n: int, e: int) -> bytes:
    """Encode an RSA public key that no library would make."""

    def integer(value: int) -> bytes:
        return encode_definite(0x02, value.to_bytes(value.bit_length() // 8 + 1))

    key = encode_definite(0x30, integer(n) + integer(e))
    return encode_definite(0x30, bytes.fromhex("300d06092a864886f70d0101010500") + encode_definite(0x03, b"\0" + key))


N = PUBLIC.public_numbers().n


def test_the_home_made_encoder_of_keys_makes_good_ones_too():
    assert rsa_spki(N, 65537) == KEY.public_key


@pytest.mark.attack("A15")
@pytest.mark.parametrize(
    ("key", "code"),
    [
        (b"", "key.unreadable"),
        (b"not a key", "key.unreadable"),
        (rsa_spki(N >> 1024 | 1, 65537), "key-transport.public-key"),
        (rsa_spki(N >> 1536 | 1, 65537), "key-transport.public-key"),
        (rsa_spki(N, 3), "key-transport.public-key"),
        (rsa_spki(N, 1), "key.unreadable"),
        (rsa_spki(N - 1, 65537), "key-transport.public-key"),
        (spki(ec.generate_private_key(ec.SECP384R1()).public_key()), "key-transport.public-key"),
        (rsa_spki(N >> 1 | 1, 65537), "key-transport.public-key"),
        (KEY.public_key + b"\0", "key.unreadable"),
        (KEY.public_key.replace(b"\x05\x00", b"", 1).replace(b"\x30\x0d", b"\x30\x0b", 1), "key.unreadable"),
    ],
    ids=["empty", "garbage", "1024", "512", "e=3", "e=1", "even", "EC", "2047", "trailing", "broken"],
)
def test_nothing_is_encrypted_to_a_weak_or_strange_key(key, code):
    with pytest.raises(FormatError) as caught:
        encrypt_to_recipient(key, SECRET)
    assert caught.value.code == code


def test_the_other_sizes_that_kms_may_take_work():
    big = RecipientKey(rsa.generate_private_key(65537, 3072))
    assert big.unwrap(encrypt_to_recipient(big.public_key, SECRET)) == SECRET


def test_more_than_kms_can_encrypt_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="4096"):
        encrypt_to_recipient(KEY.public_key, bytes(4097))


def test_a_key_id_is_the_digest_of_the_key():
    assert key_id_of(SpkiDer(b"abc")).hex().startswith("ba7816bf")
