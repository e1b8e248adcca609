# SPDX-License-Identifier: Apache-2.0
"""Objects of the emulated NitroTPM: primary ones come back, sealed ones open under their parent only, and unaltered."""

import pytest
from tests.tpm_commands import (
    EMPTY,
    ENDORSEMENT,
    NULL,
    OWNER,
    P384,
    PLATFORM,
    password,
    send,
    sized,
    u16,
    u32,
)
from tests.tpm_objects import Blob, done, flush, load, make, make_loaded, make_primary, name_of, public_of
from tests.tpm_templates import (
    AES128,
    AES_KEY,
    AK_ECC,
    EK_ECC,
    EK_RSA,
    HMAC_KEY,
    SEALED,
    SEALED_GUARDED,
    SIGNING_ECC,
    SRK_ECC,
    SRK_RSA,
    STORAGE,
    ecc,
    rsa,
    to_create,
)

from strongroom.crypto.tpm import digest
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.public_area import parse_public_area
from strongroom.twin.nitrotpm import commands
from strongroom.twin.nitrotpm.crypto.keys import private_key
from strongroom.twin.nitrotpm.profile import Profile
from strongroom.twin.nitrotpm.tpm import NitroTpm

INTEGRITY_1, TYPE_H1, AUTH_UNAVAILABLE = 0x1DF, 0x18A, 0x12F
PRIMARIES = [SRK_RSA, SRK_ECC, EK_RSA, EK_ECC, AK_ECC, SIGNING_ECC, HMAC_KEY, AES_KEY]
HIERARCHIES = [OWNER, ENDORSEMENT, PLATFORM, NULL]


class Memory:
    """A store that keeps what it is given, as an object."""

    kept = None

    def load(self):
        return self.kept

    def save(self, permanent):
        self.kept = permanent


@pytest.mark.parametrize("hierarchy", HIERARCHIES)
@pytest.mark.parametrize("template", PRIMARIES)
def test_the_same_template_gives_the_same_primary_key_again(tpm, template, hierarchy):
    first = make_primary(tpm, template, hierarchy)
    flush_and_again = public_of(tpm, first)
    flush(tpm, first)
    assert public_of(tpm, make_primary(tpm, template, hierarchy)) == flush_and_again


@pytest.mark.parametrize("template", PRIMARIES)
def test_another_hierarchy_gives_another_primary_key(tpm, template):
    assert len({public_of(tpm, make_primary(tpm, template, hierarchy)) for hierarchy in HIERARCHIES}) == 4


@pytest.mark.parametrize("template", [EK_RSA, EK_ECC])
def test_what_is_unique_in_a_template_makes_another_primary_key(tpm, template):
    other = template[:-1] + b"\1"
    assert public_of(tpm, make_primary(tpm, template)) != public_of(tpm, make_primary(tpm, other))


def test_secret_data_is_mixed_into_a_primary_key_and_a_password_is_not(tpm):
    plain = public_of(tpm, make_primary(tpm, SRK_ECC))
    assert public_of(tpm, make_primary(tpm, SRK_ECC, data=b"more")) != plain
    handle = make_primary(tpm, SRK_ECC, auth=b"secret")
    assert public_of(tpm, handle) == plain


@pytest.mark.parametrize("template", [SRK_RSA, SRK_ECC])
def test_primary_keys_survive_the_loss_of_power_and_the_end_of_the_process(template):
    store = Memory()
    first = NitroTpm(store)
    done(send(first, "Startup", (), u16(0)))
    public = public_of(first, make_primary(first, template))
    first.cut_power()
    second = NitroTpm(store)
    done(send(second, "Startup", (), u16(0)))
    assert public_of(second, make_primary(second, template)) == public


def test_the_null_hierarchy_has_other_primary_keys_after_a_reset(tpm):
    keys = [public_of(tpm, make_primary(tpm, template, NULL)) for template in (SRK_RSA, SRK_ECC)]
    tpm.cut_power()
    done(send(tpm, "Startup", (), u16(0)))
    again = [public_of(tpm, make_primary(tpm, template, NULL)) for template in (SRK_RSA, SRK_ECC)]
    assert not set(keys) & set(again)


def test_primes_of_a_seed_that_is_gone_are_forgotten(tpm):
    for _ in range(3):
        make_primary(tpm, SRK_RSA, NULL)
        tpm.cut_power()
        done(send(tpm, "Startup", (), u16(0)))
    make_primary(tpm, SRK_RSA, OWNER)
    assert len(tpm._chip.permanent.primary_rsa) == 2


def test_there_is_an_end_to_the_rsa_keys_that_are_remembered_and_each_keeps_its_place(tpm, monkeypatch):
    """Else whoever may make primary keys fills the state file, until it is too large to be read."""
    monkeypatch.setattr(commands.primary, "MOST_REMEMBERED_KEYS", 2)
    templates = [rsa(STORAGE, symmetric=AES128, bits=1024, unique=bytes([number])) for number in range(3)]
    made = [send(tpm, "CreatePrimary", (NULL,), to_create(template), EMPTY) for template in templates]
    assert [response.code for response in made] == [0, 0, 0x14B]
    again = send(tpm, "CreatePrimary", (NULL,), to_create(templates[0]), EMPTY)
    assert again.sized(0, handles=1) == made[0].sized(0, handles=1)
    make_primary(tpm, templates[2], OWNER)
    tpm.cut_power()
    assert send(tpm, "Startup", (), u16(0)).code == 0
    make_primary(tpm, templates[2], NULL)


@pytest.mark.parametrize("parent", [SRK_RSA, SRK_ECC])
@pytest.mark.parametrize("size", [1, 128])
def test_sealed_data_comes_back(tpm, parent, size):
    secret = bytes(range(size))
    handle = make_loaded(tpm, make_primary(tpm, parent), SEALED, auth=b"pass", data=secret)
    assert send(tpm, "Unseal", (handle,), b"", EMPTY).code == 0x9A2
    assert done(send(tpm, "Unseal", (handle,), b"", (password(b"pass"),))).sized() == secret


def test_a_sealed_object_does_not_load_under_another_parent(tpm):
    parent, other = make_primary(tpm, SRK_ECC), make_primary(tpm, SRK_RSA)
    blob = make(tpm, parent, SEALED, data=b"secret")
    assert send(tpm, "Load", (other,), blob.parameters, EMPTY).code == INTEGRITY_1


def test_a_private_area_does_not_load_with_another_public_one(tpm):
    parent = make_primary(tpm)
    blobs = [make(tpm, parent, SEALED, data=b"secret") for _ in range(2)]
    mixed = Blob(blobs[0].private, blobs[1].public)
    assert send(tpm, "Load", (parent,), mixed.parameters, EMPTY).code == INTEGRITY_1


def test_an_edited_private_area_is_refused_at_every_byte(tpm):
    parent = make_primary(tpm)
    blob = make(tpm, parent, SEALED, data=b"secret")
    for position in range(len(blob.private)):
        edited = bytearray(blob.private)
        edited[position] ^= 1
        code = send(tpm, "Load", (parent,), Blob(bytes(edited), blob.public).parameters, EMPTY).code
        assert code == INTEGRITY_1 if position > 1 else code in {INTEGRITY_1, 0x1D5}
    load(tpm, parent, blob)


def test_a_private_area_that_is_cut_short_is_refused(tpm):
    parent = make_primary(tpm)
    blob = make(tpm, parent, SEALED, data=b"secret")
    for size in range(len(blob.private)):
        code = send(tpm, "Load", (parent,), Blob(blob.private[:size], blob.public).parameters, EMPTY).code
        assert code in {INTEGRITY_1, 0x1D5, 0x1DA}


def test_an_edited_public_area_is_refused_at_every_byte(tpm):
    parent = make_primary(tpm)
    blob = make(tpm, parent, SIGNING_ECC)
    for position in range(len(blob.public)):
        edited = bytearray(blob.public)
        edited[position] ^= 1
        assert send(tpm, "Load", (parent,), Blob(blob.private, bytes(edited)).parameters, EMPTY).code != 0


@pytest.mark.parametrize("parent", [SEALED, HMAC_KEY, SIGNING_ECC, AES_KEY])
def test_what_is_no_storage_key_is_no_parent(tpm, parent):
    handle = make_loaded(tpm, make_primary(tpm), parent, data=b"x" if parent is SEALED else b"")
    assert send(tpm, "Create", (handle,), to_create(SEALED, data=b"x"), EMPTY).code == TYPE_H1


def test_creation_data_says_which_pcrs_and_parent_there_were(tpm):
    parent = make_primary(tpm)
    selection = u32(1) + u16(0x000B) + b"\3\1\0\0"
    response = done(send(tpm, "Create", (parent,), to_create(SEALED, data=b"x", outside=b"why", pcrs=selection), EMPTY))
    data = response.sized(2)
    name = name_of(tpm, parent)
    qualified = done(send(tpm, "ReadPublic", (parent,))).sized(2)
    pcrs = sized(digest(Alg.SHA256, bytes(32)))
    assert data == selection + pcrs + b"\1" + u16(0x000B) + sized(name) + sized(qualified) + sized(b"why")
    assert response.sized(3) == digest(Alg.SHA256, data)


def test_the_name_is_the_digest_of_the_public_area_and_the_qualified_name_tells_of_the_parent(tpm):
    parent = make_primary(tpm, SRK_ECC)
    handle = make_loaded(tpm, parent, SIGNING_ECC)
    public, name, qualified = (done(send(tpm, "ReadPublic", (handle,))).sized(number) for number in range(3))
    assert name == u16(0x000B) + digest(Alg.SHA256, public)
    above = done(send(tpm, "ReadPublic", (parent,))).sized(2)
    assert qualified == u16(0x000B) + digest(Alg.SHA256, above, name)
    assert above == u16(0x000B) + digest(Alg.SHA256, u32(OWNER), name_of(tpm, parent))


def test_a_new_authorization_value_goes_into_a_new_private_area(tpm):
    parent = make_primary(tpm)
    blob = make(tpm, parent, SEALED, auth=b"old", data=b"secret")
    handle = load(tpm, parent, blob)
    changed = done(send(tpm, "ObjectChangeAuth", (handle, parent), sized(b"new"), (password(b"old"),))).sized()
    assert done(send(tpm, "Unseal", (handle,), b"", (password(b"old"),))).sized() == b"secret"
    again = load(tpm, parent, Blob(changed, blob.public))
    assert send(tpm, "Unseal", (again,), b"", (password(b"old"),)).code == 0x9A2
    assert done(send(tpm, "Unseal", (again,), b"", (password(b"new"),))).sized() == b"secret"


def test_a_new_authorization_value_is_not_given_under_another_parent(tpm):
    parent, other = make_primary(tpm, SRK_ECC), make_primary(tpm, SRK_RSA)
    handle = make_loaded(tpm, parent, SEALED, data=b"secret")
    assert send(tpm, "ObjectChangeAuth", (handle, other), sized(b"new"), EMPTY).code == 0x28A
    assert send(tpm, "ObjectChangeAuth", (handle, parent), sized(b"n" * 33), EMPTY).code == 0x1D5


def test_a_wrong_guess_at_a_guarded_object_counts_for_the_lockout(tpm):
    handle = make_loaded(tpm, make_primary(tpm), SEALED_GUARDED, auth=b"right", data=b"secret")
    for _ in range(3):
        assert send(tpm, "Unseal", (handle,), b"", (password(b"wrong"),)).code == 0x98E
    assert send(tpm, "Unseal", (handle,), b"", (password(b"right"),)).code == 0x921


def test_persistent_objects_survive_the_loss_of_power(tpm):
    handle = make_loaded(tpm, make_primary(tpm), SEALED, data=b"secret")
    done(send(tpm, "EvictControl", (OWNER, handle), u32(0x81000001), EMPTY))
    tpm.cut_power()
    done(send(tpm, "Startup", (), u16(0)))
    assert send(tpm, "ReadPublic", (handle,)).code == 0x910
    assert done(send(tpm, "Unseal", (0x81000001,), b"", EMPTY)).sized() == b"secret"
    done(send(tpm, "EvictControl", (OWNER, 0x81000001), u32(0x81000001), EMPTY))
    assert send(tpm, "Unseal", (0x81000001,), b"", EMPTY).code == 0x18B


@pytest.mark.parametrize(
    ("hierarchy", "by", "handle", "code"),
    [
        (OWNER, OWNER, 0x81000000, 0),
        (OWNER, OWNER, 0x817FFFFF, 0),
        (OWNER, OWNER, 0x81800000, 0x1CD),
        (OWNER, OWNER, 0x80000001, 0x1C4),
        (OWNER, PLATFORM, 0x81800000, 0x285),
        (ENDORSEMENT, OWNER, 0x81000000, 0),
        (PLATFORM, OWNER, 0x81000000, 0x285),
        (PLATFORM, PLATFORM, 0x81800000, 0),
        (PLATFORM, PLATFORM, 0x817FFFFF, 0x1CD),
        (NULL, OWNER, 0x81000000, 0x282),
    ],
)
def test_persistent_handles_belong_to_hierarchies(tpm, hierarchy, by, handle, code):
    made = make_primary(tpm, SRK_ECC, hierarchy)
    assert send(tpm, "EvictControl", (by, made), u32(handle), EMPTY).code == code


def test_a_persistent_handle_is_used_once(tpm):
    made = make_primary(tpm)
    done(send(tpm, "EvictControl", (OWNER, made), u32(0x81000001), EMPTY))
    assert send(tpm, "EvictControl", (OWNER, made), u32(0x81000001), EMPTY).code == 0x14C
    assert send(tpm, "EvictControl", (OWNER, 0x81000001), u32(0x81000002), EMPTY).code == 0x28B


def test_there_is_room_for_so_many_objects():
    tpm = NitroTpm(profile=Profile(loaded_objects=2, persistent_objects=1))
    done(send(tpm, "Startup", (), u16(0)))
    first = make_primary(tpm)
    make_primary(tpm)
    assert send(tpm, "CreatePrimary", (OWNER,), to_create(SRK_ECC), EMPTY).code == 0x902
    assert send(tpm, "Create", (first,), to_create(SEALED, data=b"x"), EMPTY).code == 0x902
    done(send(tpm, "EvictControl", (OWNER, first), u32(0x81000001), EMPTY))
    assert send(tpm, "EvictControl", (OWNER, first), u32(0x81000002), EMPTY).code == 0x14B
    flush(tpm, first)
    assert make_primary(tpm) == first


def test_a_public_part_alone_authorizes_nothing(tpm):
    public = public_of(tpm, make_primary(tpm, SIGNING_ECC))
    handle = done(send(tpm, "LoadExternal", (), u16(0) + sized(public) + u32(OWNER))).handle
    assert public_of(tpm, handle) == public
    assert send(tpm, "ObjectChangeAuth", (handle, handle), sized(b""), EMPTY).code == AUTH_UNAVAILABLE


def test_a_storage_key_from_outside_is_no_parent(tpm):
    parent = make_primary(tpm)
    blob = make(tpm, parent, SEALED, data=b"x")
    handle = done(send(tpm, "LoadExternal", (), u16(0) + sized(public_of(tpm, parent)) + u32(OWNER))).handle
    assert send(tpm, "Load", (handle,), blob.parameters, EMPTY).code == AUTH_UNAVAILABLE


@pytest.mark.parametrize(
    "template", [SIGNING_ECC, ecc(STORAGE, symmetric=AES128, curve=P384), rsa(STORAGE, symmetric=AES128, bits=3072)]
)
def test_keys_are_of_the_kind_and_size_that_was_asked_for(tpm, template):
    asked, made = parse_public_area(template), parse_public_area(public_of(tpm, make_primary(tpm, template)))
    assert (made.type, made.attributes, made.parameters) == (asked.type, asked.attributes, asked.parameters)


def test_two_keys_without_names_are_not_taken_for_one_another(tpm):
    """A key of no name is what LoadExternal takes; its private key is kept under all that it was built from."""
    scalars = [b"\0" * 31 + b"\1", b"\0" * 31 + b"\2"]
    public = u16(0x23) + u16(0x10) + u32(0x40040) + sized(b"") + u16(0x10) * 2 + u16(3) + u16(0x10) + sized(b"") * 2
    points = []
    for scalar in scalars:
        secret = u16(0x23) + sized(b"") + sized(b"") + sized(scalar)
        handle = done(send(tpm, "LoadExternal", (), sized(secret) + sized(public) + u32(NULL))).handle
        loaded = tpm._chip.volatile.objects[handle]
        points.append(private_key(tpm._chip, loaded).public_key().public_numbers().x)
    assert points[0] != points[1]
