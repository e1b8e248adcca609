# SPDX-License-Identifier: Apache-2.0
"""Encryption by the emulated NitroTPM agrees with `cryptography`: RSA, ECDH with whole points, AES in every mode."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from tests.tpm_commands import AES, EMPTY, NONE, OAEP, P256, P384, RSAES, SHA1, SHA256, SYMCIPHER, send, sized, u8, u16
from tests.tpm_objects import done, make_loaded, make_primary, public_of
from tests.tpm_templates import (
    AK_RSA,
    DECRYPT,
    DECRYPTING_RSA,
    FIXED,
    HMAC_KEY,
    NO_DA,
    OWN,
    SIGN,
    SIGNING_ECC,
    SRK_ECC,
    SRK_RSA,
    USER_WITH_AUTH,
    ecc,
    public,
    rsa,
)

from strongroom.formats.tpm.algorithms import Alg, Curve
from strongroom.formats.tpm.public_area import EccPoint, parse_public_area, read_point
from strongroom.formats.tpm.wire import Reader
from strongroom.twin.nitrotpm.crypto.block_modes import decrypted, encrypted
from strongroom.twin.nitrotpm.crypto.keys import CURVES, private_key, public_key
from strongroom.twin.nitrotpm.crypto.points import multiplied

RAW, PKCS1, OAEP_SHA256 = u16(NONE), u16(RSAES), u16(OAEP) + u16(SHA256)
LABEL = b"label\0"
MODES = {
    Alg.CTR: modes.CTR,
    Alg.CBC: modes.CBC,
}


def point_in(parameters: bytes, number: int = 0) -> EccPoint:
    reader = Reader(parameters)
    for _ in range(number):
        reader.sized("a point")
    return read_point(Reader(reader.sized("a point")))


@pytest.mark.parametrize("scheme", [PKCS1, OAEP_SHA256, u16(OAEP) + u16(SHA1)])
def test_what_is_encrypted_to_an_rsa_key_is_read_by_it(tpm, scheme):
    key = make_primary(tpm, DECRYPTING_RSA)
    secret = done(send(tpm, "RSA_Encrypt", (key,), sized(b"message") + scheme + sized(LABEL))).sized()
    assert done(send(tpm, "RSA_Decrypt", (key,), sized(secret) + scheme + sized(LABEL), EMPTY)).sized() == b"message"


@pytest.mark.parametrize(("hash_", "algorithm"), [(SHA1, hashes.SHA1), (SHA256, hashes.SHA256)])
def test_oaep_is_that_of_others_and_its_label_counts(tpm, hash_, algorithm):
    key = make_primary(tpm, DECRYPTING_RSA)
    oaep = padding.OAEP(padding.MGF1(algorithm()), algorithm(), LABEL)
    secret = public_key(parse_public_area(public_of(tpm, key))).encrypt(b"message", oaep)
    scheme = u16(OAEP) + u16(hash_)
    assert done(send(tpm, "RSA_Decrypt", (key,), sized(secret) + scheme + sized(LABEL), EMPTY)).sized() == b"message"
    assert send(tpm, "RSA_Decrypt", (key,), sized(secret) + scheme + sized(b"other\0"), EMPTY).code == 0x101
    assert send(tpm, "RSA_Decrypt", (key,), sized(secret) + scheme + sized(b"label"), EMPTY).code == 0x3C4


def test_bare_numbers_go_through_as_they_are(tpm):
    key = make_primary(tpm, DECRYPTING_RSA)
    numbers = public_key(parse_public_area(public_of(tpm, key))).public_numbers()
    secret = done(send(tpm, "RSA_Encrypt", (key,), sized(b"\0\0\5") + RAW + sized())).sized()
    assert secret == pow(5, numbers.e, numbers.n).to_bytes(256)
    assert done(send(tpm, "RSA_Decrypt", (key,), sized(secret) + RAW + sized(), EMPTY)).sized() == bytes(255) + b"\5"
    assert send(tpm, "RSA_Encrypt", (key,), sized(b"\xff" * 256) + RAW + sized()).code == 0x101
    assert send(tpm, "RSA_Encrypt", (key,), sized(b"\1" * 257) + RAW + sized()).code == 0x84
    assert send(tpm, "RSA_Decrypt", (key,), sized(b"\1" * 255) + RAW + sized(), EMPTY).code == 0x95


@pytest.mark.parametrize(("scheme", "most"), [(PKCS1, 245), (OAEP_SHA256, 190)])
def test_a_message_that_is_too_long_is_refused(tpm, scheme, most):
    key = make_primary(tpm, DECRYPTING_RSA)
    codes = [send(tpm, "RSA_Encrypt", (key,), sized(bytes(size)) + scheme + sized()).code for size in (most, most + 1)]
    assert codes == [0, 0x101]


@pytest.mark.parametrize(
    ("template", "encrypts", "decrypts"),
    [(SRK_ECC, 0x19C, 0x19C), (AK_RSA, 0x182, 0x182), (SRK_RSA, 0, 0x182), (HMAC_KEY, 0x19C, 0x19C)],
)
def test_keys_that_are_for_something_else_do_not_decrypt(tpm, template, encrypts, decrypts):
    key = make_primary(tpm, template)
    message = sized(b"m") + (PKCS1 if template is SRK_RSA else RAW) + sized()
    assert send(tpm, "RSA_Encrypt", (key,), message).code == encrypts
    assert send(tpm, "RSA_Decrypt", (key,), message, EMPTY).code == decrypts


def test_the_scheme_of_a_key_is_not_argued_with(tpm):
    key = make_primary(tpm, rsa(OWN | NO_DA | DECRYPT, scheme=OAEP_SHA256))
    assert send(tpm, "RSA_Encrypt", (key,), sized(b"m") + PKCS1 + sized()).code == 0x2D2
    secret = done(send(tpm, "RSA_Encrypt", (key,), sized(b"m") + RAW + sized())).sized()
    assert done(send(tpm, "RSA_Decrypt", (key,), sized(secret) + OAEP_SHA256 + sized(), EMPTY)).sized() == b"m"


def affine_multiple(point, factor, curve):
    """Double and add, by the book (SEC 1, 2.2.1)."""
    field = {P256: 2**256 - 2**224 + 2**192 + 2**96 - 1, P384: 2**384 - 2**128 - 2**96 + 2**32 - 1}[curve]

    def add(one, two):
        if one is None or two is None:
            return one or two
        if one[0] == two[0] and (one[1] + two[1]) % field == 0:
            return None
        rise, run = (3 * one[0] ** 2 - 3, 2 * one[1]) if one == two else (two[1] - one[1], two[0] - one[0])
        slope = rise * pow(run, -1, field) % field
        x = (slope**2 - one[0] - two[0]) % field
        return x, (slope * (one[0] - x) - one[1]) % field

    result, base = None, (int.from_bytes(point.x), int.from_bytes(point.y))
    while factor:
        result = add(result, base) if factor & 1 else result
        base, factor = add(base, base), factor >> 1
    return result


@pytest.mark.parametrize("curve", [Curve.NIST_P256, Curve.NIST_P384])
def test_a_multiple_of_a_point_has_both_coordinates_right(curve):
    order = CURVES[curve]().group_order
    for number in range(8):
        scalar, other = ec.generate_private_key(CURVES[curve]()), ec.generate_private_key(CURVES[curve]())
        if number < 4:
            factor = (1, 2, order - 1, order - 2)[number]
            scalar = ec.derive_private_key(factor, CURVES[curve]())
        found = multiplied(scalar, other.public_key())
        expected = affine_multiple(multiplied(other, None), scalar.private_numbers().private_value, curve)
        assert (int.from_bytes(found.x), int.from_bytes(found.y)) == expected


@pytest.mark.parametrize("curve", [P256, P384])
def test_both_sides_agree_on_a_point(tpm, curve):
    key = make_primary(tpm, ecc(OWN | NO_DA | DECRYPT, curve=curve))
    made = done(send(tpm, "ECDH_KeyGen", (key,))).parameters()
    agreed, ephemeral = point_in(made), point_in(made, 1)
    found = done(send(tpm, "ECDH_ZGen", (key,), sized(ephemeral.encode()), EMPTY)).parameters()
    assert point_in(found) == agreed
    ours = private_key(tpm._chip, tpm._chip.volatile.objects[key])
    theirs = ec.EllipticCurvePublicNumbers(
        int.from_bytes(ephemeral.x), int.from_bytes(ephemeral.y), ours.curve
    ).public_key()
    assert ours.exchange(ec.ECDH(), theirs) == agreed.x


def test_a_point_off_the_curve_is_refused(tpm):
    key = make_primary(tpm, ecc(OWN | NO_DA | DECRYPT))
    made = done(send(tpm, "ECDH_KeyGen", (key,))).parameters()
    point = point_in(made)
    off = EccPoint(point.x, bytes(31) + b"\1")
    for wrong in (off, EccPoint(b"", b""), EccPoint(bytes(32), bytes(32))):
        assert send(tpm, "ECDH_ZGen", (key,), sized(wrong.encode()), EMPTY).code == 0x1E7


@pytest.mark.parametrize(
    ("template", "code"), [(SRK_RSA, 0x19C), (SRK_ECC, 0x182), (SIGNING_ECC, 0x182), (ecc(OWN | SIGN), 0x182)]
)
def test_keys_that_do_not_agree_on_points_say_so(tpm, template, code):
    key = make_primary(tpm, template)
    assert send(tpm, "ECDH_ZGen", (key,), sized(EccPoint(bytes(32), bytes(32)).encode()), EMPTY).code == code


def aes_key(tpm, mode: int, secret: bytes = bytes(range(16)), attributes: int = DECRYPT | SIGN) -> int:
    parameters = u16(AES) + u16(len(secret) * 8) + u16(mode)
    template = public(SYMCIPHER, FIXED | USER_WITH_AUTH | NO_DA | attributes, parameters, sized())
    return make_loaded(tpm, make_primary(tpm), template, data=secret)


@pytest.mark.parametrize("size", [16, 32])
@pytest.mark.parametrize("mode", [Alg.CTR, Alg.CBC, Alg.ECB, Alg.CFB, Alg.OFB])
def test_data_comes_back_in_pieces_by_the_value_that_chains_them(tpm, mode, size):
    key, iv, data = aes_key(tpm, mode, bytes(range(size))), b"" if mode is Alg.ECB else b"i" * 16, bytes(range(64))
    hidden, chain = b"", iv
    for piece in (data[:32], data[32:]):
        response = done(send(tpm, "EncryptDecrypt2", (key,), sized(piece) + u8(0) + RAW + sized(chain), EMPTY))
        hidden, chain = hidden + response.sized(), response.sized(1)
    whole = done(send(tpm, "EncryptDecrypt", (key,), u8(0) + u16(mode) + sized(iv) + sized(data), EMPTY))
    assert whole.sized() == hidden
    assert whole.sized(1) == chain
    back = done(send(tpm, "EncryptDecrypt", (key,), u8(1) + RAW + sized(iv) + sized(hidden), EMPTY))
    assert back.parameters() == sized(data) + sized(chain)


@given(key=st.binary(min_size=16, max_size=16), iv=st.binary(min_size=16, max_size=16), data=st.binary(max_size=80))
def test_modes_are_those_of_others(key, iv, data):
    for mode, theirs in MODES.items():
        part = data if mode is Alg.CTR else data[: len(data) // 16 * 16]
        expected = Cipher(algorithms.AES(key), theirs(iv)).encryptor().update(part)
        assert encrypted(key, mode, iv, part)[0] == expected


@given(key=st.binary(min_size=32, max_size=32), iv=st.binary(min_size=16, max_size=16), data=st.binary(max_size=80))
def test_whatever_is_encrypted_is_decrypted_to_the_same(key, iv, data):
    for mode in (Alg.CTR, Alg.OFB, Alg.CFB):
        hidden, after = encrypted(key, mode, iv, data)
        assert decrypted(key, mode, iv, hidden) == (data, after)


@pytest.mark.parametrize(
    ("key_mode", "asked", "iv", "size", "code"),
    [
        (Alg.CBC, Alg.CFB, 16, 16, 0x3C9),
        (Alg.NULL, Alg.NULL, 16, 16, 0x3C9),
        (Alg.CBC, Alg.NULL, 15, 16, 0x4D5),
        (Alg.ECB, Alg.NULL, 16, 16, 0x4D5),
        (Alg.CBC, Alg.NULL, 16, 15, 0x1D5),
        (Alg.CFB, Alg.NULL, 16, 1024, 0),
        (Alg.CFB, Alg.NULL, 16, 1025, 0x1D5),
    ],
)
def test_modes_and_sizes_that_do_not_fit_are_named(tpm, key_mode, asked, iv, size, code):
    key = aes_key(tpm, key_mode)
    parameters = sized(bytes(size)) + u8(0) + u16(asked) + sized(bytes(iv))
    assert send(tpm, "EncryptDecrypt2", (key,), parameters, EMPTY).code == code


def test_a_key_may_be_for_one_direction_alone(tpm):
    key = aes_key(tpm, Alg.CFB, attributes=DECRYPT)
    codes = [
        send(tpm, "EncryptDecrypt", (key,), u8(decrypt) + RAW + sized(bytes(16)) + sized(b"x"), EMPTY).code
        for decrypt in (0, 1)
    ]
    assert codes == [0x182, 0]
