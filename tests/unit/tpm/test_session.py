# SPDX-License-Identifier: Apache-2.0
"""Sessions against libtpms: it accepts what they send, and whatever is changed on the way back is refused."""

import hashlib
import hmac

import pytest
from tests.tpm_transports import Between, answering
from tests.tpm_wire import code_of, cut, flipped, rc_of, response, u32

from strongroom.crypto.tpm_salt import encrypt_salt
from strongroom.errors import TpmFault
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attributes import NvAttributes
from strongroom.formats.tpm.frame import ResponseAuthorization
from strongroom.formats.tpm.handles import HandleType
from strongroom.formats.tpm.nv_public import NvPublic
from strongroom.tpm.capabilities import loaded_handles
from strongroom.tpm.command import Entity
from strongroom.tpm.commands import nv_define_space, nv_read, start_auth_session
from strongroom.tpm.connection import Connection
from strongroom.tpm.nv_buffer import MessageBuffer, message_buffer
from strongroom.tpm.primary import SRK_TEMPLATE, salt_key
from strongroom.tpm.session import HMAC_SESSION, POLICY_SESSION, VENDOR_SESSION, Session, salted_session

SECRET = b"a message that nobody on the way may read"
NV_READ, NV_WRITE, NV_DEFINE, START, FLUSH = 0x14E, 0x137, 0x12A, 0x176, 0x165


def leftovers(tpm):
    """Return everything that is loaded or defined in a TPM."""
    connection = Connection(Between(tpm))
    kinds = (HandleType.NV_INDEX, HandleType.HMAC_SESSION, HandleType.TRANSIENT, HandleType.PERSISTENT)
    return [handle for kind in kinds for handle in loaded_handles(connection, kind)]


def round_trip(between, parameters=HMAC_SESSION):
    """Write a message and read it again in a second session."""
    connection = Connection(between, sleep=lambda _: None)
    with (
        salt_key(connection) as key,
        message_buffer(connection, key, SECRET, size_bytes=64) as buffer,
        salted_session(connection, key, parameters) as session,
    ):
        return buffer.read(session, 0)


def test_what_goes_through_a_session_is_read_back_and_never_crosses_in_clear(between, tpm):
    assert round_trip(between).startswith(SECRET)
    assert not [each for each in (*between.commands, *between.responses) if SECRET[:16] in each]
    assert leftovers(tpm) == []


def test_a_session_without_encryption_authorizes_only(between):
    assert round_trip(between, VENDOR_SESSION).startswith(SECRET)
    assert [each for each in between.responses if SECRET in each]


def test_no_command_has_the_nonce_of_another(between):
    round_trip(between)
    sent = dict.fromkeys(between.commands)  # libtpms asks for one of them again, in the very same bytes
    nonces = [c[24:88] for c in sent if code_of(c) in (NV_READ, NV_WRITE, NV_DEFINE)]
    assert len(nonces) == len(set(nonces)) == 3


@pytest.mark.attack("B16")
@pytest.mark.parametrize("place", [14, 20, 85, 150, -1])
def test_an_answer_that_somebody_changed_is_refused_and_everything_is_cleaned_up(tpm, place):
    changed = Between(tpm, answering(NV_READ, lambda answer: flipped(answer, place)))
    with pytest.raises(TpmFault) as caught:
        round_trip(changed)
    assert caught.value.code == "tpm.answer"
    assert leftovers(tpm) == []


def test_an_old_answer_is_refused(tpm):
    kept = []

    def replaying(answer):
        kept.append(answer)
        return kept[0]

    connection = Connection(Between(tpm), sleep=lambda _: None)
    with salt_key(connection) as key, message_buffer(connection, key, SECRET, size_bytes=64) as buffer:
        replayed = Connection(Between(tpm, lambda c, on: replaying(on(c)) if code_of(c) == NV_READ else on(c)))
        spied = MessageBuffer(replayed, buffer.public, buffer.auth, buffer.piece_bytes)
        with salted_session(connection, key) as session:
            assert spied.read(session, 0).startswith(SECRET)
            with pytest.raises(TpmFault, match="HMAC"):
                spied.read(session, 0)


@pytest.mark.attack("B16")
def test_a_command_that_is_said_again_is_refused_by_the_tpm(between, tpm):
    connection = Connection(between, sleep=lambda _: None)
    with (
        salt_key(connection) as key,
        message_buffer(connection, key, SECRET, size_bytes=64) as buffer,
        salted_session(connection, key) as session,
    ):
        buffer.read(session, 0)
        again = tpm.execute(between.commands[-1])
    assert rc_of(again) == 0x98E


def test_an_authorization_that_is_wrong_is_refused_by_the_tpm(connection, tpm):
    with salt_key(connection) as key, message_buffer(connection, key, SECRET, size_bytes=64) as buffer:
        stranger = MessageBuffer(connection, buffer.public, b"guess", buffer.piece_bytes)
        with pytest.raises(TpmFault) as caught, salted_session(connection, key) as session:
            stranger.read(session, 0)
    assert caught.value.code == "tpm.wrong-authorization"
    assert leftovers(tpm) == []


@pytest.mark.parametrize("zeros", [1, 5])
def test_zeros_at_the_end_of_an_authorization_count_for_nothing_as_in_the_tpm(connection, zeros):
    public = NvPublic(0x01000000, Alg.SHA512, NvAttributes.AUTH_READ | NvAttributes.AUTH_WRITE, b"", 64)
    auth = b"twelve bytes" + bytes(zeros)
    with salt_key(connection) as key, salted_session(connection, key) as session:
        connection.run(nv_define_space(public, auth), session)
        buffer = MessageBuffer(connection, public, auth, 64)
        buffer.write(session, SECRET)
        assert buffer.read(session, 0).startswith(SECRET)


@pytest.mark.parametrize("spoil", [lambda answer: cut(answer, 14), lambda answer: cut(answer, 40)])
def test_a_session_whose_nonce_cannot_be_read_is_flushed(tpm, spoil):
    spoiled = Between(tpm, answering(START, spoil))
    with pytest.raises(TpmFault) as caught:
        round_trip(spoiled)
    assert caught.value.code == "tpm.answer"
    assert leftovers(tpm) == []


def test_a_tpm_that_does_not_know_the_salt_is_not_believed(tpm):
    """Somebody else's session, whose nonce we were given: the first answer under it does not hold."""
    swapped = Between(tpm, answering(START, lambda answer: flipped(answer, -1)))
    with pytest.raises(TpmFault) as caught:
        round_trip(swapped)
    assert caught.value.code in {"tpm.hierarchy-auth", "tpm.answer"}, "the TPM refuses our HMAC, or we its"
    assert leftovers(tpm) == []


def test_an_unfinished_session_of_a_killed_program_leaves_its_room(connection, tpm):
    with salt_key(connection) as key:
        for _ in range(3):
            _, encrypted = encrypt_salt(key.public)
            connection.run(
                start_auth_session(
                    key.entity,
                    nonce=bytes(32),
                    encrypted_salt=encrypted,
                    kind=0,
                    symmetric=HMAC_SESSION.symmetric,
                    hash_alg=Alg.SHA256,
                )
            )
        assert len(loaded_handles(connection, HandleType.HMAC_SESSION)) == 3
        with salted_session(connection, key, POLICY_SESSION) as session:
            assert session.hash is Alg.SHA256
    assert leftovers(tpm) == []


def test_any_other_refusal_to_start_a_session_is_told(tpm):
    failing = Between(tpm, lambda c, on: response(0x101) if code_of(c) == START else on(c))
    with pytest.raises(TpmFault) as caught:
        round_trip(failing)
    assert caught.value.code == "tpm.failed"
    assert failing.codes.count(START) == 1


def test_an_error_of_the_block_is_not_hidden_by_a_session_that_cannot_be_flushed(tpm):
    failing = Between(tpm, lambda c, on: response(0x101) if code_of(c) == FLUSH else on(c))
    connection = Connection(failing)
    with (
        pytest.raises(ValueError, match="ours") as caught,
        salt_key(connection) as key,
        salted_session(connection, key),
    ):
        raise ValueError("ours")
    assert len(caught.value.__notes__) == 2, "the session, and the key"


def test_a_nonce_of_another_length_is_refused_although_its_hmac_holds():
    session = session_of(b"key")
    command = nv_read(entity(), 4, 0)
    session.authorize(command)
    nonce = b"short"
    with pytest.raises(TpmFault, match="nonce of 5 bytes"):
        session.accept(command, b"\0\0", authorized(session, command, b"\0\0", nonce, 0x41))


def test_a_parameter_in_clear_where_it_was_to_be_encrypted_is_refused_although_its_hmac_holds():
    session = session_of(b"key")
    command = nv_read(entity(), 4, 0)
    session.authorize(command)
    with pytest.raises(TpmFault, match="in clear"):
        session.accept(command, b"\0\0", authorized(session, command, b"\0\0", bytes(64), 0x01))


def session_of(key):
    return Session(Entity.by_handle(0x02000000), HMAC_SESSION, key=key, nonce_tpm=bytes(64))


def entity():
    return Entity(0x01000000, b"name", b"auth")


def authorized(session, command, parameters, nonce, attributes):
    """Return the authorization of a response as the TPM that knows the key would make it."""
    rp_hash = hashlib.sha512(u32(0) + u32(command.code) + parameters).digest()
    said = rp_hash + nonce + session._nonce_caller + bytes([attributes])
    return ResponseAuthorization(nonce, attributes, hmac.digest(b"key" + b"auth", said, "sha512"))


def test_salts_are_encrypted_to_keys_of_our_own_templates_only():
    with pytest.raises(RuntimeError, match="RSA"):
        encrypt_salt(SRK_TEMPLATE)
