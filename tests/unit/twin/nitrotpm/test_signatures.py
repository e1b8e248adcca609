# SPDX-License-Identifier: Apache-2.0
"""Signatures of the emulated NitroTPM are good outside too; restricted keys sign what the TPM hashed, no more."""

import hashlib
import hmac

import pytest
from cryptography.exceptions import InvalidSignature
from tests.damage import with_another_end
from tests.tpm_commands import (
    DIGEST_SIZES,
    ECDSA,
    EMPTY,
    ENDORSEMENT,
    HMAC,
    NONE,
    NULL,
    OWNER,
    P384,
    RSAPSS,
    RSASSA,
    SHA1,
    SHA256,
    SHA384,
    SHA512,
    send,
    sized,
    u16,
    u32,
)
from tests.tpm_objects import done, flush, make_loaded, make_primary, public_of
from tests.tpm_signatures import verify_outside
from tests.tpm_templates import (
    AES_KEY,
    AK_ECC,
    AK_RSA,
    DECRYPTING_RSA,
    HMAC_KEY,
    NO_DA,
    OWN,
    SEALED,
    SIGN,
    SIGNING_ECC,
    SIGNING_RSA,
    ecc,
    keyed_hash,
    rsa,
)

from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.handles import Rh
from strongroom.twin.nitrotpm.crypto.keys import MOST_KNOWN_KEYS
from strongroom.twin.nitrotpm.crypto.tickets import hash_ticket

NO_TICKET = u16(0x8024) + u32(NULL) + sized()
HASH_ALGORITHMS = [SHA1, SHA256, SHA384, SHA512]
ANY_ECC, ANY_P384 = ecc(OWN | NO_DA | SIGN), ecc(OWN | NO_DA | SIGN, curve=P384)
SMALL_RSA = rsa(OWN | NO_DA | SIGN, bits=1024)
TICKET, SIGNATURE = 0x3E0, 0x2DB


def sign(tpm, key: int, digest: bytes, scheme: bytes = u16(NONE), ticket: bytes = NO_TICKET):
    return send(tpm, "Sign", (key,), sized(digest) + scheme + ticket, EMPTY)


@pytest.mark.parametrize("hash_", HASH_ALGORITHMS)
@pytest.mark.parametrize(
    ("template", "scheme"),
    [
        (ANY_ECC, ECDSA),
        (ANY_P384, ECDSA),
        (SIGNING_RSA, RSASSA),
        (SIGNING_RSA, RSAPSS),
        (SMALL_RSA, RSASSA),
        (SMALL_RSA, RSAPSS),
    ],
)
def test_a_signature_is_good_outside_and_inside_and_for_nothing_else(tpm, template, scheme, hash_):
    key = make_primary(tpm, template)
    digest, other = bytes(range(DIGEST_SIZES[hash_])), bytes(DIGEST_SIZES[hash_])
    signature = done(sign(tpm, key, digest, u16(scheme) + u16(hash_))).parameters()
    public = public_of(tpm, key)
    verify_outside(public, digest, signature)
    with pytest.raises(InvalidSignature):
        verify_outside(public, other, signature)
    done(send(tpm, "VerifySignature", (key,), sized(digest) + signature))
    assert send(tpm, "VerifySignature", (key,), sized(other) + signature).code == SIGNATURE
    edited = signature[:-1] + bytes([signature[-1] ^ 1])
    assert send(tpm, "VerifySignature", (key,), sized(digest) + edited).code == SIGNATURE


@pytest.mark.parametrize("hash_", HASH_ALGORITHMS)
def test_an_hmac_is_over_the_digest_with_the_keys_secret(tpm, hash_):
    secret = b"k" * 20
    template = keyed_hash((OWN & ~0x20) | NO_DA | SIGN, scheme=u16(HMAC) + u16(hash_))
    key = make_loaded(tpm, make_primary(tpm), template, data=secret)
    digest = bytes(range(DIGEST_SIZES[hash_]))
    signature = done(sign(tpm, key, digest)).parameters()
    name = {SHA1: "sha1", SHA256: "sha256", SHA384: "sha384", SHA512: "sha512"}[hash_]
    assert signature == u16(HMAC) + u16(hash_) + hmac.digest(secret, digest, name)
    done(send(tpm, "VerifySignature", (key,), sized(digest) + signature))
    assert send(tpm, "VerifySignature", (key,), sized(digest) + with_another_end(signature)).code == SIGNATURE


@pytest.mark.parametrize("template", [SEALED, AES_KEY, DECRYPTING_RSA])
def test_what_does_not_sign_is_named(tpm, template):
    key = make_loaded(tpm, make_primary(tpm), template, data=b"x" if template is SEALED else b"")
    assert sign(tpm, key, bytes(32), u16(RSASSA) + u16(SHA256)).code == 0x19C


@pytest.mark.parametrize(
    ("template", "scheme"),
    [
        (ANY_ECC, u16(NONE)),
        (ANY_ECC, u16(RSASSA) + u16(SHA256)),
        (SIGNING_ECC, u16(ECDSA) + u16(SHA384)),
        (SIGNING_RSA, u16(HMAC) + u16(SHA256)),
        (HMAC_KEY, u16(HMAC) + u16(SHA1)),
    ],
)
def test_a_scheme_that_is_missing_or_not_the_keys_is_named(tpm, template, scheme):
    assert sign(tpm, make_primary(tpm, template), bytes(32), scheme).code == 0x2D2


def test_a_digest_of_another_size_is_refused(tpm):
    key = make_primary(tpm, SIGNING_ECC)
    assert [sign(tpm, key, bytes(size)).code for size in (0, 20, 31, 33, 64)] == [0x1D5] * 5


@pytest.mark.parametrize("template", [AK_ECC, AK_RSA])
def test_a_restricted_key_signs_what_this_tpm_hashed_and_nothing_else(tpm, template):
    key = make_primary(tpm, template, ENDORSEMENT)
    digest = hashlib.sha256(b"hello").digest()
    ticket = hash_ticket(tpm._chip, Rh.OWNER, Alg.SHA256, digest).encode()
    verify_outside(public_of(tpm, key), digest, done(sign(tpm, key, digest, ticket=ticket)).parameters())
    assert sign(tpm, key, digest).code == TICKET
    assert sign(tpm, key, hashlib.sha256(b"other").digest(), ticket=ticket).code == TICKET
    for position in range(8, len(ticket)):
        edited = ticket[:position] + bytes([ticket[position] ^ 1]) + ticket[position + 1 :]
        assert sign(tpm, key, digest, ticket=edited).code == TICKET
    other_hierarchy = ticket[:2] + u32(ENDORSEMENT) + ticket[6:]
    assert sign(tpm, key, digest, ticket=other_hierarchy).code == TICKET


def test_a_wrong_ticket_is_refused_though_the_key_needs_none(tpm):
    key = make_primary(tpm, SIGNING_ECC)
    assert sign(tpm, key, bytes(32), ticket=u16(0x8024) + u32(OWNER) + sized(b"t" * 64)).code == TICKET


def test_a_verified_signature_gives_a_ticket_of_the_keys_hierarchy_but_not_of_none(tpm):
    tickets = {}
    for hierarchy in (OWNER, NULL):
        key = make_primary(tpm, SIGNING_ECC, hierarchy)
        signature = done(sign(tpm, key, bytes(32))).parameters()
        tickets[hierarchy] = done(send(tpm, "VerifySignature", (key,), sized(bytes(32)) + signature)).parameters()
    assert tickets[OWNER][:8] == u16(0x8022) + u32(OWNER) + u16(64)
    assert tickets[NULL] == u16(0x8022) + u32(NULL) + sized()


def test_a_public_key_alone_verifies(tpm):
    key = make_primary(tpm, SIGNING_RSA)
    signature = done(sign(tpm, key, bytes(32), u16(RSAPSS) + u16(SHA256))).parameters()
    public = done(send(tpm, "LoadExternal", (), u16(0) + sized(public_of(tpm, key)) + u32(OWNER))).handle
    done(send(tpm, "VerifySignature", (public,), sized(bytes(32)) + signature))
    assert sign(tpm, public, bytes(32), u16(RSAPSS) + u16(SHA256)).code == 0x12F


def test_an_hmac_is_not_verified_by_a_public_part_alone(tpm):
    key = make_primary(tpm, HMAC_KEY)
    signature = done(sign(tpm, key, bytes(32))).parameters()
    public = done(send(tpm, "LoadExternal", (), u16(0) + sized(public_of(tpm, key)) + u32(OWNER))).handle
    assert send(tpm, "VerifySignature", (public,), sized(bytes(32)) + signature).code == 0x2CB


def test_private_keys_are_kept_while_loaded_and_not_without_end(tpm):
    known = tpm._chip.volatile.private_keys
    key = make_primary(tpm, SIGNING_ECC)
    done(sign(tpm, key, bytes(32)))
    done(sign(tpm, key, bytes(32)))
    assert len(known) == 1
    flush(tpm, key)
    assert not known
    parent = make_primary(tpm)
    done(send(tpm, "EvictControl", (OWNER, parent), u32(0x81000000), EMPTY))
    for _ in range(MOST_KNOWN_KEYS + 2):
        made = make_loaded(tpm, parent, SIGNING_ECC)
        done(sign(tpm, made, bytes(32)))
        del tpm._chip.volatile.objects[made]
    assert len(known) == MOST_KNOWN_KEYS


def test_a_key_for_certificates_signs_no_digests(tpm):
    key = make_primary(tpm, ecc(OWN | NO_DA | SIGN | 1 << 19))
    assert sign(tpm, key, bytes(32), u16(ECDSA) + u16(SHA256)).code == 0x182


def test_what_is_no_tag_is_told_from_a_tag_that_is_out_of_place(tpm):
    key = make_primary(tpm, SIGNING_ECC)
    codes = [sign(tpm, key, bytes(32), ticket=u16(tag) + NO_TICKET[2:]).code for tag in (0x8021, 0x8124)]
    assert codes == [0x3D7, 0x3C4]
