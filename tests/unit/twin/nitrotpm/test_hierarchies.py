# SPDX-License-Identifier: Apache-2.0
"""Taking an emulated NitroTPM over, and clearing it: what is new then, and what is left."""

import pytest
from tests.conformance.tpm_stories.nv_commands import (
    INDEX,
    PLAIN,
    PLATFORM_CREATE,
    PP_READ,
    PP_WRITE,
    define,
    public_of,
)
from tests.tpm_commands import (
    EMPTY,
    ENDORSEMENT,
    LOCKOUT,
    NONE,
    OWNER,
    PLATFORM,
    SHA256,
    Command,
    Response,
    password,
    send,
    sized,
    u8,
    u16,
    u32,
)
from tests.tpm_sessions import Session
from tests.tpm_templates import SRK_ECC, to_create

BAD_AUTH, AUTH_TYPE, HIERARCHY_1, DISABLED, GONE = 0x9A2, 0x124, 0x185, 0x120, 0x910
SESSION = sized(bytes(16)) + sized() + u8(0) + u16(NONE) + u16(SHA256)


def change(tpm, who, new, areas=EMPTY):
    return send(tpm, "HierarchyChangeAuth", (who,), sized(new), areas)


def primary(tpm, hierarchy):
    response = send(tpm, "CreatePrimary", (hierarchy,), to_create(SRK_ECC), EMPTY)
    assert response.code == 0
    return response.handle, response.sized(handles=1)


@pytest.mark.parametrize("who", [OWNER, ENDORSEMENT, PLATFORM])
def test_a_new_password_counts_at_once(tpm, who):
    assert change(tpm, who, b"secret\0").code == 0
    assert change(tpm, who, b"x").code == BAD_AUTH
    assert change(tpm, who, b"", (password(b"secret"),)).code == 0


def test_a_session_answers_with_the_new_password(tpm):
    """Part 1, section 19.6.9: who changes the password proves the answer with the new one."""
    session = Session.started(send(tpm, "StartAuthSession", (0x40000007, 0x40000007), SESSION))
    command = session.authorise(Command("HierarchyChangeAuth", (OWNER,), sized(b"new")), [u32(OWNER)], auth=b"")
    response = Response(tpm.execute(command.content))
    assert response.code == 0
    assert session.judge("HierarchyChangeAuth", response, b"new")


def test_the_platform_is_everybodys_after_each_start(tpm):
    change(tpm, PLATFORM, b"secret")
    tpm.cut_power()
    send(tpm, "Startup", (), u16(0))
    assert change(tpm, PLATFORM, b"").code == 0


def test_an_owner_switches_itself_off_and_only_the_platform_on(tpm):
    handle, _ = primary(tpm, OWNER)
    switch = u32(OWNER) + u8(0)
    assert send(tpm, "HierarchyControl", (ENDORSEMENT,), switch, EMPTY).code == AUTH_TYPE
    assert send(tpm, "HierarchyControl", (OWNER,), switch, EMPTY).code == 0
    assert change(tpm, OWNER, b"").code == HIERARCHY_1
    assert send(tpm, "ReadPublic", (handle,)).code == GONE
    assert send(tpm, "HierarchyControl", (PLATFORM,), u32(OWNER) + u8(1), EMPTY).code == 0
    assert change(tpm, OWNER, b"").code == 0


def test_clear_takes_the_owners_keys_and_leaves_the_endorsement_key(tpm):
    owner, endorsement, platform = (primary(tpm, who)[1] for who in (OWNER, ENDORSEMENT, PLATFORM))
    handle, _ = primary(tpm, OWNER)
    assert send(tpm, "Clear", (LOCKOUT,), b"", EMPTY).code == 0
    assert send(tpm, "ReadPublic", (handle,)).code == GONE
    assert primary(tpm, OWNER)[1] != owner
    assert primary(tpm, ENDORSEMENT)[1] == endorsement
    assert primary(tpm, PLATFORM)[1] == platform


def test_clear_takes_what_the_owner_defined_and_made_persistent(tpm):
    handle, _ = primary(tpm, OWNER)
    assert send(tpm, "EvictControl", (OWNER, handle), u32(0x81000001), EMPTY).code == 0
    tpm.execute(define(PLAIN, 8).content)
    tpm.execute(define(PP_READ | PP_WRITE | PLATFORM_CREATE, 8, by=PLATFORM, index=INDEX + 1).content)
    send(tpm, "Clear", (PLATFORM,), b"", EMPTY)
    assert send(tpm, "ReadPublic", (0x81000001,)).code == 0x18B
    assert Response(tpm.execute(public_of().content)).code == 0x18B
    assert Response(tpm.execute(public_of(INDEX + 1).content)).code == 0


def test_clear_can_be_forbidden_and_only_the_platform_allows_it_again(tpm):
    assert send(tpm, "ClearControl", (LOCKOUT,), u8(1), EMPTY).code == 0
    assert [send(tpm, "Clear", (by,), b"", EMPTY).code for by in (LOCKOUT, PLATFORM)] == [DISABLED] * 2
    assert send(tpm, "ClearControl", (LOCKOUT,), u8(0), EMPTY).code == 0x08E
    assert send(tpm, "ClearControl", (PLATFORM,), u8(0), EMPTY).code == 0
    assert send(tpm, "Clear", (LOCKOUT,), b"", EMPTY).code == 0


@pytest.mark.parametrize(("command", "changed"), [("ChangeEPS", ENDORSEMENT), ("ChangePPS", PLATFORM)])
def test_another_seed_makes_other_keys(tpm, command, changed):
    before = {who: primary(tpm, who)[1] for who in (OWNER, ENDORSEMENT, PLATFORM)}
    assert send(tpm, command, (PLATFORM,), b"", EMPTY).code == 0
    after = {who: primary(tpm, who)[1] for who in before}
    assert {who for who in before if before[who] != after[who]} == {changed}


def test_a_policy_is_as_long_as_its_hash(tpm):
    assert send(tpm, "SetPrimaryPolicy", (OWNER,), sized(bytes(31)) + u16(SHA256), EMPTY).code == 0x1D5
    assert send(tpm, "SetPrimaryPolicy", (OWNER,), sized() + u16(NONE), EMPTY).code == 0
