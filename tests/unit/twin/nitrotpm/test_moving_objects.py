# SPDX-License-Identifier: Apache-2.0
"""Objects from outside, and on their way to another parent: what does not fit together or was edited is refused."""

import hashlib
from dataclasses import dataclass, replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.tpm_commands import (
    ECC,
    EMPTY,
    KEYEDHASH,
    NONE,
    NULL,
    OWNER,
    P256,
    RSA,
    SHA256,
    SHA512,
    area,
    password,
    send,
    sized,
    u8,
    u16,
    u32,
)
from tests.tpm_objects import Blob, done, load, make_loaded, make_primary, name_of, public_of
from tests.tpm_templates import (
    AES128,
    DECRYPT,
    EK_RSA,
    ENCRYPTED_DUPLICATION,
    FIXED,
    NO_DA,
    RESTRICTED,
    SEALED,
    SENSITIVE_DATA_ORIGIN,
    SIGN,
    SRK_ECC,
    SRK_RSA,
    USER_WITH_AUTH,
    ecc,
    keyed_hash,
    public,
    sensitive,
)
from tests.tpm_templates import rsa as rsa_template

from strongroom.crypto.tpm import object_name
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.public_area import parse_public_area
from strongroom.twin.nitrotpm.crypto.secret_sharing import DUPLICATE, shared_seed
from strongroom.twin.nitrotpm.objects.protection import Protector, encode_sensitive, wrap, wrap_inner
from strongroom.twin.nitrotpm.state.objects import Sensitive

NO_SYMMETRIC = NO_SCHEME = u16(NONE)
PRIVATE = ec.derive_private_key(2**200 + 12345, ec.SECP256R1())
POINT = PRIVATE.public_key().public_numbers()
X, Y, D = (number.to_bytes(32) for number in (POINT.x, POINT.y, PRIVATE.private_numbers().private_value))
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_numbers()
PRIME, MODULUS = RSA_KEY.p.to_bytes(128), RSA_KEY.public_numbers.n.to_bytes(256)
SIGNING = USER_WITH_AUTH | SIGN
DUP_POLICY = hashlib.sha256(bytes(32) + u32(0x16C) + u32(0x14B)).digest()
"""PolicyCommandCode(Duplicate)."""
INNER_KEY = b"k" * 16


def secret(kind: int, value: bytes, *, auth: bytes = b"", seed: bytes = b"") -> bytes:
    return sized(u16(kind) + sized(auth) + sized(seed) + sized(value))


def ecc_public(attributes: int = SIGNING, *, x: bytes = X, y: bytes = Y, name: int = SHA256, symmetric=NO_SYMMETRIC):
    parameters = symmetric + NO_SCHEME + u16(P256) + NO_SCHEME
    return public(ECC, attributes, parameters, sized(x) + sized(y), name=name)


def rsa_public(*, modulus: bytes = MODULUS, exponent: int = 0, bits: int = 2048) -> bytes:
    parameters = NO_SYMMETRIC + NO_SCHEME + u16(bits) + u32(exponent)
    return public(RSA, SIGNING, parameters, sized(modulus))


NOTHING = u16(0)
UNIQUE = hashlib.sha256(b"s" * 32 + b"key").digest()


@pytest.mark.parametrize(
    ("private", "shown", "hierarchy", "code"),
    [
        (secret(ECC, D), ecc_public(), NULL, 0),
        (secret(ECC, D), ecc_public(), OWNER, 0x3C5),
        (NOTHING, ecc_public(), OWNER, 0),
        (NOTHING, ecc_public(), NULL, 0),
        (secret(ECC, D), ecc_public(SIGNING | FIXED), NULL, 0x2C2),
        (secret(ECC, D), ecc_public(SIGN | RESTRICTED), NULL, 0x2C2),
        (NOTHING, ecc_public(SIGNING | FIXED), NULL, 0),
        (NOTHING, ecc_public(x=Y), NULL, 0x2E7),
        (NOTHING, ecc_public(x=X[1:]), NULL, 0x2DC),
        (secret(ECC, D), ecc_public(x=Y), NULL, 0xA5),
        (secret(ECC, bytes(32)), ecc_public(), NULL, 0x87),
        (secret(ECC, b"\xff" * 32), ecc_public(), NULL, 0x87),
        (secret(RSA, D), ecc_public(), NULL, 0x1CA),
        (secret(ECC, D, auth=b"a" * 33), ecc_public(), NULL, 0x1D5),
        (secret(ECC, D, seed=b"s" * 33), ecc_public(), NULL, 0x1C7),
        (secret(ECC, D), ecc_public(x=Y, name=NONE), NULL, 0),
        (secret(RSA, PRIME), rsa_public(), NULL, 0),
        (secret(RSA, PRIME[:-1] + b"\1"), rsa_public(), NULL, 0xA5),
        (secret(RSA, PRIME[1:]), rsa_public(), NULL, 0x1C7),
        (secret(RSA, PRIME), rsa_public(exponent=8), NULL, 0xA5),
        (secret(RSA, PRIME), rsa_public(exponent=3), NULL, 0x2C4),
        (NOTHING, rsa_public(modulus=MODULUS[1:]), NULL, 0x2DC),
        (NOTHING, rsa_public(modulus=b"\x7f" + MODULUS[1:]), NULL, 0x2DC),
        (NOTHING, rsa_public(bits=1024), NULL, 0x2DC),
        (NOTHING, rsa_public(bits=4096), NULL, 0x2C4),
        (secret(KEYEDHASH, b"key", seed=b"s" * 32), keyed_hash(USER_WITH_AUTH, unique=UNIQUE), NULL, 0),
        (secret(KEYEDHASH, b"kex", seed=b"s" * 32), keyed_hash(USER_WITH_AUTH, unique=UNIQUE), NULL, 0xA5),
        (secret(KEYEDHASH, b"key", seed=b"s" * 31), keyed_hash(USER_WITH_AUTH, unique=UNIQUE), NULL, 0x1C7),
        (NOTHING, keyed_hash(USER_WITH_AUTH, unique=UNIQUE[1:]), NULL, 0x2DC),
        (u16(3) + secret(ECC, D)[2:], ecc_public(), NULL, 0x1D5),
    ],
)
def test_what_comes_from_outside_must_fit_together(tpm, private, shown, hierarchy, code):
    response = send(tpm, "LoadExternal", (), private + sized(shown) + u32(hierarchy))
    assert response.code == code
    if code == 0:
        assert public_of(tpm, response.handle) == shown


def test_what_is_external_has_its_name_as_qualified_name_and_no_place_to_stay(tpm):
    handle = done(send(tpm, "LoadExternal", (), NOTHING + sized(ecc_public()) + u32(OWNER))).handle
    shown = done(send(tpm, "ReadPublic", (handle,)))
    assert shown.sized(1) == shown.sized(2)
    assert send(tpm, "EvictControl", (OWNER, handle), u32(0x81000000), EMPTY).code == 0x282


@dataclass(frozen=True)
class Duplicate:
    """Parameters of TPM2_Import."""

    shown: bytes
    blob: bytes
    seed_secret: bytes = b""
    key: bytes = b""
    symmetric: bytes = NO_SYMMETRIC

    @property
    def parameters(self) -> bytes:
        return sized(self.key) + sized(self.shown) + sized(self.blob) + sized(self.seed_secret) + self.symmetric


def duplicate_for(tpm, parent: int, shown: bytes, sensitive: Sensitive, *, inner: bool, outer: bool) -> Duplicate:
    """Make a duplicate as other tools do, without a TPM."""
    area_, parent_area = parse_public_area(shown), parse_public_area(public_of(tpm, parent))
    name, blob, seed_secret = object_name(area_), encode_sensitive(sensitive, area_.name_alg), b""
    if inner:
        blob = wrap_inner(area_.name_alg, name, INNER_KEY, blob)
    if outer:
        seed, seed_secret = shared_seed(parent_area, DUPLICATE)
        blob = wrap(Protector.with_seed(parent_area, seed), name, blob)
    return Duplicate(shown, blob, seed_secret, INNER_KEY if inner else b"", AES128 if inner else NO_SYMMETRIC)


OURS = Sensitive(Alg.ECC, b"auth", b"", D)


@pytest.mark.parametrize("parent", [SRK_RSA, SRK_ECC])
@pytest.mark.parametrize(("inner", "outer"), [(False, False), (True, False), (False, True), (True, True)])
def test_a_key_that_was_made_elsewhere_is_imported_and_used(tpm, parent, inner, outer):
    storage = make_primary(tpm, parent)
    brought = duplicate_for(tpm, storage, ecc_public(), OURS, inner=inner, outer=outer)
    private = done(send(tpm, "Import", (storage,), brought.parameters, EMPTY)).sized()
    key = load(tpm, storage, Blob(private, brought.shown))
    ticket = u16(0x8024) + u32(NULL) + sized()
    scheme = u16(0x18) + u16(SHA256)
    done(send(tpm, "Sign", (key,), sized(bytes(32)) + scheme + ticket, (password(b"auth"),)))


@pytest.mark.parametrize("parent", [SRK_RSA, SRK_ECC])
def test_an_edited_duplicate_is_refused_at_every_byte(tpm, parent):
    storage = make_primary(tpm, parent)
    brought = duplicate_for(tpm, storage, ecc_public(), OURS, inner=True, outer=True)
    for position in range(len(brought.blob)):
        edited = bytearray(brought.blob)
        edited[position] ^= 1
        assert send(tpm, "Import", (storage,), replace(brought, blob=bytes(edited)).parameters, EMPTY).code != 0
    for position in range(0, len(brought.seed_secret), 3):
        edited = bytearray(brought.seed_secret)
        edited[position] ^= 1
        assert send(tpm, "Import", (storage,), replace(brought, seed_secret=bytes(edited)).parameters, EMPTY).code != 0


def test_an_edited_inner_wrap_is_refused_at_every_byte(tpm):
    storage = make_primary(tpm)
    brought = duplicate_for(tpm, storage, ecc_public(), OURS, inner=True, outer=False)
    for position in range(len(brought.blob)):
        edited = bytearray(brought.blob)
        edited[position] ^= 1
        code = send(tpm, "Import", (storage,), replace(brought, blob=bytes(edited)).parameters, EMPTY).code
        assert code in {0x3DF, 0x3D5}


def test_a_duplicate_for_another_parent_or_key_is_refused(tpm):
    storage, other = make_primary(tpm, SRK_ECC), make_primary(tpm, ecc(0x30072 | NO_DA, symmetric=AES128, unique=b"x"))
    brought = duplicate_for(tpm, storage, ecc_public(), OURS, inner=True, outer=True)
    assert send(tpm, "Import", (other,), brought.parameters, EMPTY).code == 0x3DF
    # With another key, a size that is none of a digest may come out, before the digest is looked at.
    assert send(tpm, "Import", (storage,), replace(brought, key=b"j" * 16).parameters, EMPTY).code in {0x3DF, 0x3D5}
    assert send(tpm, "Import", (storage,), replace(brought, key=b"k" * 15).parameters, EMPTY).code == 0x1D5
    assert (
        send(tpm, "Import", (storage,), replace(brought, shown=ecc_public(SIGNING | NO_DA)).parameters, EMPTY).code
        == 0x3DF
    )


def test_what_may_not_leave_is_not_taken_in(tpm):
    storage = make_primary(tpm)
    for attributes in (0x02, 0x10, FIXED):
        brought = duplicate_for(tpm, storage, ecc_public(SIGNING | attributes), OURS, inner=True, outer=True)
        assert send(tpm, "Import", (storage,), brought.parameters, EMPTY).code == 0x2C2
    shown = ecc_public(SIGNING | ENCRYPTED_DUPLICATION)
    for inner, outer, code in ((False, True, 0x1C2), (True, False, 0x4C2), (True, True, 0)):
        brought = duplicate_for(tpm, storage, shown, OURS, inner=inner, outer=outer)
        assert send(tpm, "Import", (storage,), brought.parameters, EMPTY).code == code


def test_an_import_must_fit_together_too(tpm):
    storage = make_primary(tpm)
    brought = duplicate_for(tpm, storage, ecc_public(x=Y), OURS, inner=False, outer=True)
    assert send(tpm, "Import", (storage,), brought.parameters, EMPTY).code == 0xA5


def duplication_session(tpm) -> int:
    """Start a policy session that was told PolicyCommandCode(Duplicate)."""
    parameters = sized(b"n" * 16) + sized() + u8(1) + u16(NONE) + u16(SHA256)
    handle = done(send(tpm, "StartAuthSession", (NULL, NULL), parameters)).handle
    policy = tpm._chip.volatile.sessions[handle].policy
    policy.command, policy.digest = 0x14B, DUP_POLICY
    return handle


MOVABLE = ecc(USER_WITH_AUTH | SENSITIVE_DATA_ORIGIN | SIGN, policy=DUP_POLICY)


def duplicated(tpm, handle: int, parent: int, key: bytes = b"", symmetric: bytes = NO_SYMMETRIC):
    session = duplication_session(tpm)
    return send(tpm, "Duplicate", (handle, parent), sized(key) + symmetric, (area(session, attributes=0),))


@pytest.mark.parametrize("symmetric", [NO_SYMMETRIC, AES128])
@pytest.mark.parametrize("key", [b"", INNER_KEY])
def test_an_object_moves_from_parent_to_parent_with_or_without_loading(tpm, key, symmetric):
    old, middle, new = make_primary(tpm, SRK_ECC), make_primary(tpm, SRK_RSA), make_primary(tpm, EK_LIKE)
    moved = make_loaded(tpm, old, MOVABLE, auth=b"auth")
    shown, name = public_of(tpm, moved), name_of(tpm, moved)
    response = duplicated(tpm, moved, middle, key, symmetric)
    if key and symmetric == NO_SYMMETRIC:
        assert response.code == 0x1D5
        return
    made, blob, seed = (done(response).sized(number) for number in range(3))
    assert len(made) == (16 if symmetric != NO_SYMMETRIC and not key else 0)
    rewrapped = done(send(tpm, "Rewrap", (middle, new), sized(blob) + sized(name) + sized(seed), EMPTY))
    brought = Duplicate(shown, rewrapped.sized(), rewrapped.sized(1), key or made, symmetric)
    private = done(send(tpm, "Import", (new,), brought.parameters, EMPTY)).sized()
    assert name_of(tpm, load(tpm, new, Blob(private, shown))) == name


EK_LIKE = ecc(0x30072 | NO_DA, symmetric=AES128, unique=b"y")


def test_an_object_does_not_leave_without_its_policy_or_against_its_attributes(tpm):
    parent = make_primary(tpm)
    moved = make_loaded(tpm, parent, MOVABLE)
    assert send(tpm, "Duplicate", (moved, NULL), sized() + NO_SYMMETRIC, EMPTY).code == 0x124
    fixed = make_loaded(tpm, parent, ecc(USER_WITH_AUTH | SENSITIVE_DATA_ORIGIN | SIGN | FIXED, policy=DUP_POLICY))
    assert duplicated(tpm, fixed, parent).code == 0x182
    assert duplicated(tpm, moved, moved).code == 0x28A
    attributes = USER_WITH_AUTH | SENSITIVE_DATA_ORIGIN | SIGN | ENCRYPTED_DUPLICATION
    guarded = make_loaded(tpm, parent, ecc(attributes, policy=DUP_POLICY))
    assert duplicated(tpm, guarded, parent).code == 0x2D6
    assert duplicated(tpm, guarded, NULL, symmetric=AES128).code == 0x285
    done(duplicated(tpm, guarded, parent, symmetric=AES128))


def test_a_credential_is_told_to_whoever_has_both_keys_and_unedited_alone(tpm):
    storage, owner = make_primary(tpm, SRK_RSA), make_loaded(tpm, make_primary(tpm), SEALED, data=b"x")
    made = done(send(tpm, "MakeCredential", (storage,), sized(b"secret") + sized(name_of(tpm, owner))))
    blob, seed = made.sized(), made.sized(1)

    def activate(handle: int, blob: bytes, seed: bytes):
        return send(tpm, "ActivateCredential", (handle, storage), sized(blob) + sized(seed), EMPTY * 2)

    assert done(activate(owner, blob, seed)).sized() == b"secret"
    assert activate(storage, blob, seed).code == 0x1DF
    for position in range(len(blob)):
        edited = bytearray(blob)
        edited[position] ^= 1
        assert activate(owner, bytes(edited), seed).code in {0x1DF, 0x1D5}
    for position in range(0, len(seed), 16):
        edited = bytearray(seed)
        edited[position] ^= 1
        assert activate(owner, blob, bytes(edited)).code == 0x101
    assert activate(owner, blob, seed[:-1]).code == 0x2D5


@pytest.mark.parametrize("template", [SEALED, rsa_template(USER_WITH_AUTH | 0x20 | DECRYPT), MOVABLE])
def test_credentials_are_made_for_storage_keys(tpm, template):
    handle = make_loaded(tpm, make_primary(tpm), template, data=b"x" if template is SEALED else b"")
    assert send(tpm, "MakeCredential", (handle,), sized(b"secret") + sized(b"name")).code == 0x18A


def test_a_credential_is_no_longer_than_a_digest(tpm):
    key = make_primary(tpm, EK_RSA)
    codes = [send(tpm, "MakeCredential", (key,), sized(bytes(size)) + sized(b"n")).code for size in (32, 33)]
    assert codes == [0, 0x1D5]


STORAGE_KEY = RESTRICTED | DECRYPT
SHORT = public(RSA, STORAGE_KEY, AES128 + NO_SCHEME + u16(1024) + u32(0), sized(b"\xff" * 128), name=SHA512)
EVEN = public(RSA, STORAGE_KEY, AES128 + NO_SCHEME + u16(2048) + u32(0), sized(b"\xff" * 255 + b"\xfe"))


@pytest.mark.parametrize("shown", [SHORT, EVEN], ids=["too short for two digests of SHA-512", "even"])
def test_a_key_that_encrypts_no_seed_is_refused_where_it_is_used(tpm, shown):
    key = done(send(tpm, "LoadExternal", (), sized() + sized(shown) + u32(NULL))).handle
    assert send(tpm, "MakeCredential", (key,), sized(b"secret") + sized(b"name")).code == 0x101


DERIVING = keyed_hash(USER_WITH_AUTH | NO_DA | RESTRICTED | DECRYPT, scheme=u16(0x0A) + u16(SHA256) + u16(0x22))


def derive(tpm, parent: int, label: bytes, context: bytes = b"", data: bytes = b""):
    template = ecc(0x10 | USER_WITH_AUTH | SIGN)[:-4] + sized(label) + sized(context)
    return send(tpm, "CreateLoaded", (parent,), sensitive(b"", data) + sized(template), EMPTY)


def test_the_same_label_and_context_derive_the_same_key_and_others_others(tpm):
    parent = make_loaded(tpm, make_primary(tpm), DERIVING, data=bytes(range(32)))
    first = done(derive(tpm, parent, b"label", b"context"))
    assert first.parameters(1)[:2] == u16(0)
    again, other = done(derive(tpm, parent, b"label", b"context")), done(derive(tpm, parent, b"labex", b"context"))
    assert again.parameters(1) == first.parameters(1) != other.parameters(1)
    told = done(derive(tpm, parent, b"", b"", sized(b"label") + sized(b"context")))
    assert told.parameters(1) == first.parameters(1)


def test_what_cannot_be_derived_is_named(tpm):
    parent = make_loaded(tpm, make_primary(tpm), DERIVING, data=bytes(range(32)))
    head = rsa_template(0x10 | USER_WITH_AUTH | SIGN)[:-2]
    template = head + sized(b"label") + sized(b"")
    assert send(tpm, "CreateLoaded", (parent,), sensitive() + sized(template), EMPTY).code == 0x2CA
    assert derive(tpm, parent, b"l" * 33).code == 0x2D5
    assert derive(tpm, parent, b"", data=b"x").code == 0x9A
