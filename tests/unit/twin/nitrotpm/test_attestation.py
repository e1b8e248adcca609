# SPDX-License-Identifier: Apache-2.0
"""Attestations of the emulated NitroTPM: signed, about what is there, and no trace to the TPM where none should be."""

import hashlib

import pytest
from tests.damage import with_another_end
from tests.tpm_commands import (
    EMPTY,
    ENDORSEMENT,
    NONE,
    NULL,
    OWNER,
    PLATFORM,
    SHA1,
    SHA256,
    SHA384,
    password,
    selection,
    send,
    sized,
    u16,
    u32,
    u64,
)
from tests.tpm_objects import done, make, make_loaded, make_primary, name_of, public_of
from tests.tpm_signatures import verify_outside
from tests.tpm_templates import AK_ECC, AK_RSA, HMAC_KEY, SEALED, SRK_ECC, to_create

from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attest import AttestType, parse_attest, parse_quote
from strongroom.formats.tpm.nv_public import parse_nv_public
from strongroom.twin.nitrotpm.profile import Profile
from strongroom.twin.nitrotpm.state.entities import NvIndex
from strongroom.twin.nitrotpm.tpm import NitroTpm

NONCE = b"nonce"
NO_SCHEME = u16(NONE)
INDEX = 0x01500000


def taken_apart(response, tpm, key):
    """Return the attestation of a response, after its signature was found good outside."""
    said = done(response).sized()
    signature = response.parameters()[2 + len(said) :]
    verify_outside(public_of(tpm, key), hashlib.sha256(said).digest(), signature)
    return parse_attest(said)


@pytest.mark.parametrize("template", [AK_ECC, AK_RSA])
def test_a_quote_is_signed_and_says_what_is_in_the_pcrs(tpm, template):
    key = make_primary(tpm, template)
    chosen = selection((SHA384, [0, 1, 17]), (SHA1, [23]))
    found = taken_apart(send(tpm, "Quote", (key,), sized(NONCE) + NO_SCHEME + chosen, EMPTY), tpm, key)
    assert (found.type, found.extra_data) == (AttestType.QUOTE, NONCE)
    assert found.signer == done(send(tpm, "ReadPublic", (key,))).sized(2)
    assert found.attested[: len(chosen)] == chosen
    values = bytes(48) * 2 + b"\xff" * 48 + bytes(20)
    assert parse_quote(found).digest == hashlib.sha256(values).digest()


def test_a_quote_says_nothing_of_banks_that_are_not_active():
    tpm = NitroTpm(profile=Profile(banks=(Alg.SHA384,)))
    done(send(tpm, "Startup", (), u16(0)))
    key = make_primary(tpm, AK_ECC)
    chosen = selection((SHA256, [0]), (SHA384, [0]))
    found = taken_apart(send(tpm, "Quote", (key,), sized() + NO_SCHEME + chosen, EMPTY), tpm, key)
    quote = parse_quote(found)
    assert [each.indices for each in quote.selections] == [(), (0,)]
    assert quote.digest == hashlib.sha256(bytes(48)).digest()


def test_resets_and_firmware_are_plain_under_the_endorsement_and_platform_hierarchies_alone(tpm):
    plain = (tpm._chip.permanent.reset_count, 0, tpm._chip.profile.firmware_version)
    said = {}
    for hierarchy in (OWNER, ENDORSEMENT, PLATFORM, NULL):
        key = make_primary(tpm, AK_ECC, hierarchy)
        found = taken_apart(send(tpm, "Quote", (key,), sized() + NO_SCHEME + u32(0), EMPTY), tpm, key)
        said[hierarchy] = (found.clock_info.reset_count, found.clock_info.restart_count, found.firmware_version)
    assert said[ENDORSEMENT] == said[PLATFORM] == plain
    assert len({said[OWNER], said[NULL], plain}) == 3


def test_one_key_tells_resets_apart_though_it_does_not_count_them(tpm):
    parent = make_primary(tpm)
    blob = make(tpm, parent, AK_ECC)
    counts = []
    for _ in range(2):
        parent = make_primary(tpm)
        key = done(send(tpm, "Load", (parent,), blob.parameters, EMPTY)).handle
        found = taken_apart(send(tpm, "Quote", (key,), sized() + NO_SCHEME + u32(0), EMPTY), tpm, key)
        counts.append(found.clock_info.reset_count)
        tpm.cut_power()
        done(send(tpm, "Startup", (), u16(0)))
    assert (counts[1] - counts[0]) % 2**32 == 1


def test_without_a_key_an_attestation_is_not_signed_and_a_quote_is_not_made(tpm):
    sealed = make_primary(tpm)
    response = done(send(tpm, "Certify", (sealed, NULL), sized(NONCE) + NO_SCHEME, EMPTY * 2))
    said = response.sized()
    assert response.parameters() == sized(said) + u16(NONE)
    assert parse_attest(said).signer == u32(NULL)
    assert send(tpm, "Quote", (NULL,), sized() + NO_SCHEME + u32(0), EMPTY).code == 0x2D2


def test_certify_names_the_object_and_where_it_is(tpm):
    key = make_primary(tpm, AK_ECC)
    sealed = make_loaded(tpm, make_primary(tpm), SEALED, auth=b"a", data=b"x")
    response = send(tpm, "Certify", (sealed, key), sized(NONCE) + NO_SCHEME, (password(b"a"), password()))
    found = taken_apart(response, tpm, key)
    assert found.type is AttestType.CERTIFY
    assert found.attested == sized(name_of(tpm, sealed)) + sized(done(send(tpm, "ReadPublic", (sealed,))).sized(2))
    wrong = send(tpm, "Certify", (sealed, key), sized(NONCE) + NO_SCHEME, (password(), password()))
    assert wrong.code == 0x9A2


def test_creation_is_certified_for_the_object_and_circumstances_of_the_ticket_alone(tpm):
    key, parent = make_primary(tpm, AK_ECC), make_primary(tpm)
    response = done(send(tpm, "Create", (parent,), to_create(SEALED, data=b"x"), EMPTY))
    private, public, _, digest = (response.sized(number) for number in range(4))
    ticket = response.parameters()[-72:]
    made = done(send(tpm, "Load", (parent,), sized(private) + sized(public), EMPTY)).handle

    def certify(about: int, digest: bytes, ticket: bytes):
        parameters = sized(NONCE) + sized(digest) + NO_SCHEME + ticket
        return send(tpm, "CertifyCreation", (key, about), parameters, EMPTY)

    found = taken_apart(certify(made, digest, ticket), tpm, key)
    assert (found.type, found.attested) == (AttestType.CREATION, sized(name_of(tpm, made)) + sized(digest))
    assert certify(made, with_another_end(digest), ticket).code == 0x4E0
    assert certify(parent, digest, ticket).code == 0x4E0
    assert certify(made, digest, ticket[:-1] + bytes([ticket[-1] ^ 1])).code == 0x4E0


def test_time_is_told_plainly(tpm):
    key = make_primary(tpm, AK_RSA)
    found = taken_apart(send(tpm, "GetTime", (ENDORSEMENT, key), sized() + NO_SCHEME, EMPTY * 2), tpm, key)
    chip = tpm._chip
    plain = chip.clock_info()
    assert found.type is AttestType.TIME
    assert len(found.attested) == 8 + 17 + 8
    assert found.attested[16:24] == u32(plain.reset_count) + u32(plain.restart_count)
    assert found.attested[-8:] == u64(chip.profile.firmware_version)


def test_a_key_that_is_hashed_can_attest_too(tpm):
    key = make_primary(tpm, HMAC_KEY)
    response = done(send(tpm, "Quote", (key,), sized() + NO_SCHEME + u32(0), EMPTY))
    said = response.sized()
    ours = done(
        send(
            tpm,
            "Sign",
            (key,),
            sized(hashlib.sha256(said).digest()) + u16(NONE) + u16(0x8024) + u32(NULL) + sized(),
            EMPTY,
        )
    )
    assert response.parameters() == sized(said) + ours.parameters()


@pytest.fixture
def index(tpm):
    public = parse_nv_public(u32(INDEX) + u16(SHA256) + u32(0x20060006) + sized() + u16(16))
    tpm._chip.permanent.nv[INDEX] = NvIndex(public, b"", bytearray(range(16)))
    return tpm._chip.permanent.nv[INDEX]


def test_an_nv_index_is_certified_in_part_or_by_its_digest(tpm, index):
    key = make_primary(tpm, AK_ECC)

    def certify(size: int, offset: int, by: int = OWNER):
        parameters = sized(NONCE) + NO_SCHEME + u16(size) + u16(offset)
        return send(tpm, "NV_Certify", (key, by, INDEX), parameters, EMPTY * 2)

    part = taken_apart(certify(4, 2), tpm, key)
    assert (part.type, part.attested) == (AttestType.NV, sized(index.name) + u16(2) + sized(bytes(range(2, 6))))
    whole = taken_apart(certify(0, 0), tpm, key)
    assert whole.type is AttestType.NV_DIGEST
    assert whole.attested == sized(index.name) + sized(hashlib.sha256(bytes(range(16))).digest())
    assert certify(15, 2).code == 0x146
    assert certify(4, 2, by=PLATFORM).code == 0x149
    assert certify(4, 2, by=INDEX).code == 0


def test_the_time_of_a_key_that_does_not_sign_is_refused(tpm):
    key = make_primary(tpm, SRK_ECC)
    assert send(tpm, "GetTime", (ENDORSEMENT, key), sized() + NO_SCHEME, EMPTY * 2).code == 0x29C
    assert send(tpm, "GetTime", (OWNER, key), sized() + NO_SCHEME, EMPTY * 2).code == 0x184
