# SPDX-License-Identifier: Apache-2.0
"""What may be asked of the emulated NitroTPM with a template: a fault in each row, and the code libtpms has for it."""

import pytest
from tests.tpm_commands import (
    AES,
    CFB,
    ECDH,
    ECDSA,
    EMPTY,
    HMAC,
    KEYEDHASH,
    NONE,
    NULL,
    OAEP,
    OWNER,
    P384,
    RSASSA,
    SHA1,
    SHA256,
    SHA384,
    SYMCIPHER,
    XOR,
    send,
    sized,
    u16,
)
from tests.tpm_objects import done, flush, load, make, make_loaded, make_primary, public_of
from tests.tpm_templates import (
    AES128,
    AES_KEY,
    DECRYPT,
    ECDSA_SHA256,
    ENCRYPTED_DUPLICATION,
    FIXED,
    FIXED_PARENT,
    FIXED_TPM,
    HMAC_KEY,
    NO_DA,
    OWN,
    RESTRICTED,
    RSASSA_SHA256,
    SEALED,
    SENSITIVE_DATA_ORIGIN,
    SIGN,
    SIGNING_ECC,
    SRK_ECC,
    SRK_RSA,
    USER_WITH_AUTH,
    ecc,
    keyed_hash,
    public,
    rsa,
    sensitive,
    to_create,
)

ATTRIBUTES, SCHEME, SYMMETRIC, HASH, KDF, SIZE = 0x2C2, 0x2D2, 0x2D6, 0x2C3, 0x2CC, 0x2D5
PARENT = OWN | RESTRICTED | DECRYPT
AES256 = u16(AES) + u16(256) + u16(CFB)
DERIVING = u16(XOR) + u16(SHA256) + u16(0x22)
FAULTS = {
    "fixed to the TPM but not to the parent": (ecc(OWN & ~FIXED_PARENT | SIGN), b"", ATTRIBUTES),
    "fixed to the parent but not to the TPM": (ecc(OWN & ~FIXED_TPM | SIGN), b"", ATTRIBUTES),
    "never to be duplicated, but encrypted when it is": (ecc(OWN | ENCRYPTED_DUPLICATION | SIGN), b"", ATTRIBUTES),
    "restricted for both": (ecc(OWN | RESTRICTED | SIGN | DECRYPT), b"", ATTRIBUTES),
    "restricted for nothing": (keyed_hash(FIXED | USER_WITH_AUTH | RESTRICTED), b"x", ATTRIBUTES),
    "a key for nothing": (ecc(OWN), b"", ATTRIBUTES),
    "a key pair with the caller's secret": (ecc(FIXED | USER_WITH_AUTH | SIGN), b"x", ATTRIBUTES),
    "secret data beside the TPM's own": (HMAC_KEY, b"x", ATTRIBUTES),
    "no secret data where it should be": (SEALED, b"", ATTRIBUTES),
    "sealed data of the TPM's own": (keyed_hash(OWN), b"", ATTRIBUTES),
    "a restricted key of the caller's, fixed": (keyed_hash(FIXED | RESTRICTED | SIGN), b"x", ATTRIBUTES),
    "a reserved attribute": (ecc(OWN | SIGN | 1), b"", 0x2E1),
    "a policy of another length": (ecc(OWN | SIGN, policy=b"p" * 31), b"", SIZE),
    "no name": (keyed_hash(FIXED | USER_WITH_AUTH, name=NONE), b"x", HASH),
    "a storage key with a scheme": (ecc(PARENT, symmetric=AES128, scheme=u16(ECDH) + u16(SHA256)), b"", SCHEME),
    "a storage key without a cipher": (ecc(PARENT), b"", SYMMETRIC),
    "a storage key with another cipher than its parent": (ecc(PARENT, symmetric=AES256), b"", SYMMETRIC),
    "a signing key with a cipher": (ecc(OWN | SIGN, symmetric=AES128), b"", SYMMETRIC),
    "a restricted signing key without a scheme": (ecc(OWN | RESTRICTED | SIGN), b"", SCHEME),
    "a signing key that is to decrypt": (ecc(OWN | SIGN, scheme=u16(ECDH) + u16(SHA256)), b"", SCHEME),
    "a decrypting key that is to sign": (ecc(OWN | DECRYPT, scheme=ECDSA_SHA256), b"", SCHEME),
    "a key for both with a scheme": (rsa(OWN | SIGN | DECRYPT, scheme=RSASSA_SHA256), b"", SCHEME),
    "an ECC key with a derivation": (ecc(OWN | SIGN, kdf=u16(0x20) + u16(SHA256)), b"", KDF),
    "an HMAC key without a scheme": (keyed_hash(OWN | SIGN), b"", SCHEME),
    "sealed data with a scheme": (keyed_hash(FIXED | USER_WITH_AUTH, scheme=u16(HMAC) + u16(SHA256)), b"x", SCHEME),
    "a decrypting hash that is to sign": (keyed_hash(OWN | DECRYPT, scheme=u16(HMAC) + u16(SHA256)), b"", SCHEME),
    "a derivation parent with another derivation": (
        keyed_hash(OWN | RESTRICTED | DECRYPT, scheme=u16(XOR) + u16(SHA256) + u16(0x20)),
        b"",
        SCHEME,
    ),
    "a scheme of another kind of key": (ecc(OWN | SIGN, scheme=u16(RSASSA) + u16(SHA256)), b"", SCHEME),
    "a curve that is unknown": (ecc(OWN | SIGN, curve=99), b"", 0x2E6),
    "an RSA key of an odd size": (rsa(OWN | SIGN, bits=2056), b"", 0x2C4),
    "an exponent that is not supported": (rsa(OWN | SIGN, exponent=3), b"", 0x8D),
    "an AES key of another size": (public(SYMCIPHER, FIXED | DECRYPT, AES128, sized(b"")), b"x" * 15, 0x87),
    "an HMAC key longer than a block": (keyed_hash(FIXED | SIGN, scheme=u16(HMAC) + u16(SHA256)), b"x" * 65, 0x95),
    "more sealed data than there is room for": (SEALED, b"x" * 129, 0x1D5),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_template_is_refused_for_its_fault(tpm, fault):
    template, data, code = FAULTS[fault]
    parent = make_primary(tpm)
    assert hex(send(tpm, "Create", (parent,), to_create(template, data=data), EMPTY).code) == hex(code)
    assert tpm._chip.volatile.objects.keys() == {parent}


@pytest.mark.parametrize(
    ("template", "data"),
    [
        (ecc(PARENT, symmetric=AES128), b""),
        (ecc(OWN | SIGN | DECRYPT), b""),
        (ecc(OWN | DECRYPT, scheme=u16(ECDH) + u16(SHA384)), b""),
        (ecc(OWN | SIGN, scheme=u16(ECDSA) + u16(SHA384), curve=P384), b""),
        (ecc(USER_WITH_AUTH | SENSITIVE_DATA_ORIGIN | SIGN | ENCRYPTED_DUPLICATION), b""),
        (rsa(OWN | DECRYPT, scheme=u16(OAEP) + u16(SHA1)), b""),
        (keyed_hash(OWN | RESTRICTED | DECRYPT, scheme=DERIVING), b""),
        (keyed_hash(OWN | DECRYPT, scheme=u16(XOR) + u16(SHA256) + u16(NONE)), b""),
        (keyed_hash(FIXED | SIGN, scheme=u16(HMAC) + u16(SHA384)), b"x" * 128),
        (keyed_hash(OWN | SIGN | DECRYPT), b""),
        (public(SYMCIPHER, FIXED | DECRYPT | USER_WITH_AUTH, AES256, sized(b"")), b"x" * 32),
        (public(SYMCIPHER, PARENT, AES128, sized(b"")), b""),
        (public(KEYEDHASH, FIXED | USER_WITH_AUTH, u16(NONE), sized(b"u" * 32), name=SHA384), b"x"),
    ],
)
def test_a_sound_template_is_made_and_loaded(tpm, template, data):
    parent = make_primary(tpm)
    load(tpm, parent, make(tpm, parent, template, data=data, auth=b"auth"))


def test_a_parent_that_may_be_duplicated_gives_its_children_its_encrypted_duplication(tpm):
    loose = USER_WITH_AUTH | SENSITIVE_DATA_ORIGIN | NO_DA | RESTRICTED | DECRYPT
    parent = make_primary(tpm, ecc(loose | ENCRYPTED_DUPLICATION, symmetric=AES128))
    for attributes, code in ((ENCRYPTED_DUPLICATION, 0), (0, ATTRIBUTES), (FIXED, ATTRIBUTES)):
        template = ecc(USER_WITH_AUTH | SENSITIVE_DATA_ORIGIN | SIGN | attributes)
        assert send(tpm, "Create", (parent,), to_create(template), EMPTY).code == code


def test_what_was_duplicated_to_a_loose_parent_is_checked_when_it_is_loaded(tpm):
    loose = USER_WITH_AUTH | SENSITIVE_DATA_ORIGIN | NO_DA | RESTRICTED | DECRYPT
    parent = make_primary(tpm, ecc(loose, symmetric=AES128))
    make_loaded(tpm, parent, ecc(USER_WITH_AUTH | SENSITIVE_DATA_ORIGIN | SIGN))
    make_loaded(tpm, parent, keyed_hash(USER_WITH_AUTH), data=b"x")


@pytest.mark.parametrize("size", [32, 33, 64, 65])
def test_an_authorization_value_is_no_longer_than_a_name(tpm, size):
    parent = make_primary(tpm)
    code = send(tpm, "Create", (parent,), to_create(SIGNING_ECC, auth=b"a" * size), EMPTY).code
    assert code == (0 if size <= 32 else 0x1D5)


def test_zeros_at_the_end_of_an_authorization_value_do_not_count(tpm):
    parent = make_primary(tpm)
    done(send(tpm, "Create", (parent,), to_create(SIGNING_ECC, auth=b"a" * 32 + bytes(32)), EMPTY))


@pytest.mark.parametrize("above", [OWNER, NULL])
@pytest.mark.parametrize("template", [SRK_ECC, SIGNING_ECC, AES_KEY])
def test_created_loaded_is_the_primary_object_that_create_primary_makes(tpm, template, above):
    first = make_primary(tpm, template, above)
    made = done(send(tpm, "CreateLoaded", (above,), sensitive() + sized(template), EMPTY))
    assert made.parameters(1)[:2] == u16(0)
    assert public_of(tpm, made.handle) == public_of(tpm, first)


def test_created_loaded_under_a_parent_it_can_be_loaded_again(tpm):
    parent = make_primary(tpm, SRK_RSA)
    made = done(send(tpm, "CreateLoaded", (parent,), sensitive(b"", b"secret") + sized(SEALED), EMPTY))
    private, shown, name = (made.sized(number, 1) for number in range(3))
    flush(tpm, made.handle)
    again = done(send(tpm, "Load", (parent,), sized(private) + sized(shown), EMPTY))
    assert again.sized(0, 1) == name
    assert done(send(tpm, "Unseal", (again.handle,), b"", EMPTY)).sized() == b"secret"


def test_a_template_that_is_cut_short_or_goes_on_is_refused(tpm):
    parent = make_primary(tpm)
    for size in range(len(SIGNING_ECC)):
        response = send(tpm, "CreateLoaded", (parent,), sensitive() + sized(SIGNING_ECC[:size]), EMPTY)
        assert response.code in {0x2DA, 0x2CA, 0x2C3}
    assert send(tpm, "CreateLoaded", (parent,), sensitive() + sized(SIGNING_ECC + b"x"), EMPTY).code == SIZE


@pytest.mark.parametrize("wrong_by", [2, -2])
def test_a_size_that_is_not_that_of_the_structure_is_refused(tpm, wrong_by):
    parent = make_primary(tpm)
    wish = sensitive(b"auth", b"data")
    wrong = u16(len(wish) - 2 + wrong_by) + wish[2:]
    parameters = to_create(SEALED)[len(sensitive()) :]
    assert send(tpm, "Create", (parent,), wrong + parameters, EMPTY).code == 0x1D5
