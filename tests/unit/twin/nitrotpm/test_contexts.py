# SPDX-License-Identifier: Apache-2.0
"""Contexts: what a resource manager takes out comes back as it was, a session once, and nothing else comes in."""

from dataclasses import dataclass

import pytest
from tests.tpm_commands import EMPTY, NONE, NULL, OWNER, SHA256, password, send, sized, u8, u16, u32
from tests.tpm_objects import done, flush, make_loaded, make_primary, name_of, public_of
from tests.tpm_templates import AES128, SEALED, SIGNING_ECC, SRK_ECC, SRK_RSA, ST_CLEAR, STORAGE, ecc

from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attributes import SessionKind
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.schemes import AES_128_CFB, NO_SYMMETRIC, Symmetric
from strongroom.formats.tpm.wire import Reader
from strongroom.twin.nitrotpm.commands.context import MOST_SAVED_SEQUENCES
from strongroom.twin.nitrotpm.profile import DEFAULT_PROFILE
from strongroom.twin.nitrotpm.state.chip import Chip, Permanent
from strongroom.twin.nitrotpm.state.context_blob import MAX_SESSION_CONTEXT_BYTES, close
from strongroom.twin.nitrotpm.state.objects import Sequence
from strongroom.twin.nitrotpm.state.records import encode_record, read_record
from strongroom.twin.nitrotpm.state.sessions import Binding, PolicyState, Session
from strongroom.twin.nitrotpm.tpm import NitroTpm

INTEGRITY, HANDLE, HIERARCHY = 0x1DF, 0x1CB, 0x1C5
HMAC_SESSION, POLICY_SESSION = 0, 1
AUTH = b"pass"


def save(tpm, handle: int) -> bytes:
    return done(send(tpm, "ContextSave", (handle,))).parameters()


def restore(tpm, context: bytes) -> int:
    return done(send(tpm, "ContextLoad", (), context)).handle


def start_session(tpm, kind: int = HMAC_SESSION) -> int:
    parameters = sized(b"n" * 16) + sized() + u8(kind) + u16(NONE) + u16(SHA256)
    return done(send(tpm, "StartAuthSession", (NULL, NULL), parameters)).handle


def restart(tpm, *, keep: bool, resume: bool = False) -> None:
    if keep:
        done(send(tpm, "Shutdown", (), u16(1)))
    tpm.cut_power()
    done(send(tpm, "Startup", (), u16(int(resume))))


def test_an_object_comes_back_as_it_was_any_number_of_times(tpm):
    sealed = make_loaded(tpm, make_primary(tpm, SRK_RSA), SEALED, auth=AUTH, data=b"secret")
    name, context = name_of(tpm, sealed), save(tpm, sealed)
    flush(tpm, sealed)
    for _ in range(3):
        again = restore(tpm, context)
        assert name_of(tpm, again) == name
        assert send(tpm, "Unseal", (again,), b"", EMPTY).code == 0x9A2
        assert done(send(tpm, "Unseal", (again,), b"", (password(AUTH),))).sized() == b"secret"


def test_a_parent_comes_back_and_is_a_parent(tpm):
    parent = make_primary(tpm)
    context = save(tpm, parent)
    flush(tpm, parent)
    make_loaded(tpm, restore(tpm, context), SIGNING_ECC)


def test_what_is_external_stays_external(tpm):
    public = public_of(tpm, make_primary(tpm))
    handle = done(send(tpm, "LoadExternal", (), u16(0) + sized(public) + u32(OWNER))).handle
    again = restore(tpm, save(tpm, handle))
    assert done(send(tpm, "ReadPublic", (again,))).parameters() == done(send(tpm, "ReadPublic", (handle,))).parameters()
    assert send(tpm, "EvictControl", (OWNER, again), u32(0x81000000), EMPTY).code == 0x282


def test_an_edited_context_is_refused_at_every_byte(tpm):
    context = save(tpm, make_primary(tpm))
    for position in range(len(context)):
        edited = bytearray(context)
        edited[position] ^= 1
        code = send(tpm, "ContextLoad", (), bytes(edited)).code
        # sequence, handle, hierarchy, size of the blob, size of the HMAC: some of their values have no meaning at all
        assert code == INTEGRITY if position >= 20 else code in {INTEGRITY, 0x1C4, 0x1D5, 0x1DA, 0x95, 0x9A}


def test_a_context_that_is_cut_short_is_refused(tpm):
    context = save(tpm, make_primary(tpm))
    for size in range(len(context) - 18):
        assert send(tpm, "ContextLoad", (), context[:16] + sized(context[18 : 18 + size])).code != 0
        assert send(tpm, "ContextLoad", (), context[:size]).code == 0x1DA


def test_a_context_of_another_tpm_is_refused(tpm):
    other = NitroTpm()
    done(send(other, "Startup", (), u16(0)))
    assert send(tpm, "ContextLoad", (), save(other, make_primary(other))).code == INTEGRITY


def test_contexts_die_with_a_reset(tpm):
    contexts = [save(tpm, make_primary(tpm)), save(tpm, start_session(tpm))]
    restart(tpm, keep=False)
    assert [send(tpm, "ContextLoad", (), context).code for context in contexts] == [INTEGRITY, INTEGRITY]


@pytest.mark.parametrize("resume", [False, True])
def test_contexts_survive_restart_and_resume_but_those_made_until_restart(tpm, resume):
    plain = save(tpm, make_primary(tpm, SRK_ECC))
    parent = make_primary(tpm, ecc(STORAGE | ST_CLEAR, symmetric=AES128))
    child = save(tpm, make_loaded(tpm, parent, SEALED, data=b"x"))
    session = save(tpm, start_session(tpm))
    restart(tpm, keep=True, resume=resume)
    restore(tpm, plain)
    restore(tpm, session)
    assert send(tpm, "ContextLoad", (), child).code == (0 if resume else INTEGRITY)


def test_what_was_made_until_restart_is_not_made_persistent(tpm):
    parent = make_primary(tpm, ecc(STORAGE | ST_CLEAR, symmetric=AES128))
    child = make_loaded(tpm, parent, SEALED, data=b"x")
    assert send(tpm, "EvictControl", (OWNER, child), u32(0x81000000), EMPTY).code == 0x282


def test_a_context_after_the_shutdown_voids_it(tpm):
    handle = make_primary(tpm)
    done(send(tpm, "Shutdown", (), u16(1)))
    save(tpm, handle)
    tpm.cut_power()
    assert send(tpm, "Startup", (), u16(1)).code == 0x1C4


@pytest.mark.parametrize("kind", [HMAC_SESSION, POLICY_SESSION])
def test_a_session_comes_back_once(tpm, kind):
    session = start_session(tpm, kind)
    context = save(tpm, session)
    assert send(tpm, "ContextSave", (session,)).code == 0x910
    assert restore(tpm, context) == session
    assert send(tpm, "ContextLoad", (), context).code == HANDLE


def test_an_older_context_of_a_session_is_refused(tpm):
    session = start_session(tpm)
    old = save(tpm, session)
    restore(tpm, old)
    new = save(tpm, session)
    assert send(tpm, "ContextLoad", (), old).code == HANDLE
    restore(tpm, new)


def test_a_flushed_session_does_not_come_back(tpm):
    session = start_session(tpm)
    context = save(tpm, session)
    flush(tpm, session)
    assert send(tpm, "ContextLoad", (), context).code == HANDLE
    assert start_session(tpm) == session
    assert send(tpm, "ContextLoad", (), context).code == HANDLE


def test_a_session_that_was_flushed_after_the_shutdown_does_not_come_back(tpm):
    session = start_session(tpm)
    context = save(tpm, session)
    done(send(tpm, "Shutdown", (), u16(1)))
    flush(tpm, session)
    tpm.cut_power()
    assert send(tpm, "Startup", (), u16(1)).code == 0x1C4
    done(send(tpm, "Startup", (), u16(0)))
    assert send(tpm, "ContextLoad", (), context).code == INTEGRITY


def test_a_loaded_session_is_flushed_after_the_shutdown_without_voiding_it(tpm):
    session = start_session(tpm)
    done(send(tpm, "Shutdown", (), u16(1)))
    flush(tpm, session)
    tpm.cut_power()
    done(send(tpm, "Startup", (), u16(1)))


def test_a_saved_session_keeps_its_handle(tpm):
    first = start_session(tpm)
    save(tpm, first)
    assert start_session(tpm) != first


def test_there_are_64_sessions_loaded_or_saved(tpm):
    contexts = [save(tpm, start_session(tpm)) for _ in range(64)]
    parameters = sized(b"n" * 16) + sized() + u8(0) + u16(NONE) + u16(SHA256)
    assert send(tpm, "StartAuthSession", (NULL, NULL), parameters).code == 0x905
    for context in contexts:
        restore(tpm, context)


def test_the_longest_session_is_no_longer_than_the_tpm_says():
    chip = Chip(DEFAULT_PROFILE, Permanent(), lambda: 0)
    long, number = b"x" * 64, 0x03000000
    told = PolicyState(long, number, number, long, b"", b"", number, True, number, True, True, number)
    symmetric = Symmetric(Alg.AES, 256, Alg.CFB, Alg.SHA512)
    binding = Binding(b"x" * 66, long)
    session = Session(number, SessionKind.POLICY, Alg.SHA512, symmetric, long, long, binding, told, number)
    assert len(close(chip, number, Rh.NULL, encode_record(session)).encode()) <= MAX_SESSION_CONTEXT_BYTES


@dataclass
class Other:
    value: float


def test_a_session_travels_with_everything_it_knows():
    policy = PolicyState(b"d" * 32)
    known = Session(0x03000001, SessionKind.TRIAL, Alg.SHA384, AES_128_CFB, b"key", b"n" * 16, None, policy, 2**40)
    bound = Session(
        0x02000001, SessionKind.HMAC, Alg.SHA256, NO_SYMMETRIC, b"", b"", Binding(b"name", b"auth"), policy, -1
    )
    policy.written, policy.needs_auth, policy.expires_ms = False, True, 2**60
    for session in (known, bound):
        again = read_record(Reader(encode_record(session)), Session)
        assert again == session
        assert (type(again.kind), type(again.hash)) == (SessionKind, Alg)


def test_a_field_that_cannot_travel_is_noticed():
    with pytest.raises(TypeError, match="float"):
        encode_record(Other(1.5))


def sequence_in(tpm, data: bytes) -> int:
    """Put a running digest in, as HashSequenceStart and SequenceUpdate do."""
    sequence = Sequence((Alg.SHA256,), b"", is_event=False)
    sequence.update(data)
    tpm._chip.volatile.objects[0x80000000] = sequence
    return 0x80000000


def test_a_sequence_goes_on_where_it_was_saved(tpm):
    handle = sequence_in(tpm, b"one")
    context = save(tpm, handle)
    assert context[8:16] == u32(0x80000001) + u32(NULL)
    expected = tpm._chip.volatile.objects[handle].digests()
    tpm._chip.volatile.objects[handle].update(b"two")
    again = tpm._chip.volatile.objects[restore(tpm, context)]
    assert again.digests() == expected
    again.update(b"three")
    assert tpm._chip.volatile.objects[restore(tpm, context)].digests() == expected


def test_of_very_many_saved_sequences_the_oldest_are_lost(tpm):
    handle = sequence_in(tpm, b"one")
    contexts = [save(tpm, handle) for _ in range(MOST_SAVED_SEQUENCES + 1)]
    assert send(tpm, "ContextLoad", (), contexts[0]).code == INTEGRITY
    restore(tpm, contexts[1])


def test_saved_sessions_are_listed(tpm):
    session = start_session(tpm)
    save(tpm, session)
    listed = done(send(tpm, "GetCapability", (), u32(1) + u32(0x03000000) + u32(9))).parameters()
    assert listed == u8(0) + u32(1) + u32(1) + u32(session)


def test_contexts_are_saved_without_sessions(tpm):
    assert send(tpm, "ContextSave", (make_primary(tpm),), b"", EMPTY).code == 0x145
