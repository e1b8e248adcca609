# SPDX-License-Identifier: Apache-2.0
"""The emulated NitroTPM against the library of AWS's client, tpm2-tss, in the order and the pieces of that client."""

import contextlib
import importlib
import importlib.util
import os
import subprocess
import sys

import pytest
from tests.attesting_tpm import attesting_tpm
from tests.conformance import aws_wire
from tests.conformance.aws_wire import NSM_REQUEST, NV_READ, NV_WRITE, VendorSession, request_pieces
from tests.tpm_commands import Command, Response, password

from strongroom.formats.tpm.command_codes import Cc
from strongroom.twin.nitrotpm.faults import WrongHmac

pytestmark = pytest.mark.slow
AUTH_FAIL_SESSION_1, AUTH_MISSING, REFERENCE_SESSION_0 = 0x98E, 0x125, 0x918
ESYS_RESPONSE_AUTH_FAILED = 0x7001B
"""TSS2_ESYS_RC_RSP_AUTH_FAILED: the library does not believe a response."""
FIELDS = {"user_data": b"u" * 400, "nonce": b"a nonce", "public_key": b"k" * 1024}
NONE = dict.fromkeys(FIELDS)


@pytest.fixture(scope="session")
def aws():
    """AWS's client, told again (aws_client.py). It is imported here, because `make check` does without tpm2-pytss."""
    found = importlib.util.find_spec("tpm2_pytss")
    assert found, "needs tpm2-pytss, which `make setup` compiles against the Debian package libtss2-dev"
    return importlib.import_module("tests.conformance.aws_client")


@pytest.fixture
def tpm(tmp_path):
    with attesting_tpm(tmp_path) as running:
        yield running


@pytest.fixture
def buffer(aws, tpm):
    """A request that lies in the TPM and waits for the vendor command."""
    with aws.message_buffer(tpm.tctis["swtpm"], request_pieces(**FIELDS)) as ready:
        yield ready


@pytest.fixture
def wire(aws, tpm, buffer):
    with contextlib.closing(aws.Wire(tpm.tctis["swtpm"])) as connection:
        yield connection


@pytest.fixture
def session(wire, buffer):
    """A session that may ask, and at the end is shown that it could have."""
    opened = VendorSession(wire.transmit, buffer.key.handle, buffer.key.public)
    yield opened
    assert code(wire, opened.command(buffer.index, buffer.name, buffer.auth)) == 0
    opened.flush()


def code(wire, command: bytes) -> int:
    return Response(wire.transmit(command)).code


def carried(evidence) -> dict[str, bytes | None]:
    return {name: getattr(evidence, name) for name in FIELDS}


@pytest.mark.parametrize("way", ["swtpm", "device"])
@pytest.mark.parametrize("fields", [FIELDS, NONE, dict.fromkeys(FIELDS, b"m" * 1024)], ids=["some", "none", "largest"])
def test_a_document_is_authentic_and_carries_what_was_asked_for(aws, tpm, way, fields):
    answer = aws.ask(tpm.tctis[way], request_pieces(**fields))
    evidence = tpm.verified(answer["Attestation"]["document"])
    assert carried(evidence) == fields
    assert evidence.module_id == tpm.instance.module_id
    assert evidence.pcrs == tpm.instance.pcrs
    assert len(evidence.pcrs) == 24
    assert {rc for _, rc in tpm.board.sent} == {0}


def test_the_commands_are_those_of_aws_in_its_order_and_its_pieces(aws, tpm):
    answer = aws.ask(tpm.tctis["device"], request_pieces(**FIELDS))
    sent = tpm.board.commands
    assert aws_wire.order(sent) == aws_wire.ORDER
    assert aws_wire.nv_sizes(sent, NV_WRITE) == [1, 1, 11, 1, 1, 9, 1, 2, 400, 1, 5, 1, 7, 1, 10, 1, 2, 1024]
    size = len(answer["Attestation"]["document"])
    assert aws_wire.nv_sizes(sent, NV_READ) == [1, 1, 11, 1, 1, 8, 1, 2, *[1024] * (size // 1024), size % 1024]


def test_no_handle_is_left(aws, tpm):
    with aws.message_buffer(tpm.tctis["swtpm"], request_pieces()) as buffer:
        aws.send(tpm.tctis["swtpm"], buffer)
        assert tpm.board.handles() == [buffer.key.handle.to_bytes(4), buffer.index.to_bytes(4)]
    assert tpm.board.handles() == []


def test_a_document_has_the_pcrs_of_its_moment(aws, tpm):
    before = tpm.verified(aws.ask(tpm.tctis["swtpm"], request_pieces())["Attestation"]["document"])
    with aws.ESAPI(tpm.tctis["swtpm"]) as esys:
        esys.pcr_event(aws.ESYS_TR.PCR16, b"something that happened")
    after = tpm.verified(aws.ask(tpm.tctis["swtpm"], request_pieces())["Attestation"]["document"])
    assert [index for index, value in before.pcrs.items() if after.pcrs[index] != value] == [16]


def test_strongroom_tpm_attest_gets_a_document_with_the_same_fields(aws, tpm, tmp_path):
    flags = []
    for name, content in FIELDS.items():
        (tmp_path / name).write_bytes(content)
        flags += [f"--{name.replace('_', '-')}", str(tmp_path / name)]
    command = [sys.executable, "-m", "strongroom", "tpm", "attest", *flags]
    ours = subprocess.run(command, env=os.environ | {"TPM_DEVICE": str(tpm.device)}, capture_output=True, check=True)
    mine = tpm.verified(ours.stdout)
    theirs = tpm.verified(aws.ask(tpm.tctis["device"], request_pieces(**FIELDS))["Attestation"]["document"])
    assert carried(mine) == carried(theirs) == FIELDS
    assert (mine.module_id, mine.pcrs) == (theirs.module_id, theirs.pcrs)


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_is_too_long_is_refused(aws, tpm, name):
    assert aws.ask(tpm.tctis["swtpm"], request_pieces(**{name: bytes(1025)})) == {"Error": "InvalidArgument"}


@pytest.mark.parametrize("garbage", [b"\xff", b"\xa1", b"\x60", b"\xa1\x6bAttestation\x00"])
def test_a_request_that_is_none_is_answered_with_an_error(aws, tpm, garbage):
    assert aws.ask(tpm.tctis["swtpm"], [garbage]) == {"Error": "InvalidArgument"}


def test_the_wrong_authorization_is_refused(wire, session, buffer):
    assert code(wire, session.command(buffer.index, buffer.name, bytes(64))) == AUTH_FAIL_SESSION_1


def test_the_name_that_the_index_had_before_it_was_written_is_refused(wire, session, buffer):
    assert buffer.stale != buffer.name
    assert code(wire, session.command(buffer.index, buffer.stale, buffer.auth)) == AUTH_FAIL_SESSION_1


def test_the_same_bytes_are_taken_once(wire, buffer):
    session = VendorSession(wire.transmit, buffer.key.handle, buffer.key.public)
    command = session.command(buffer.index, buffer.name, buffer.auth)
    assert code(wire, command) == 0
    assert code(wire, command) == AUTH_FAIL_SESSION_1
    session.flush()


def test_no_session_is_refused(wire, session, buffer):
    bare = Command("", (buffer.index, buffer.index), code=NSM_REQUEST)
    assert code(wire, bare.content) == AUTH_MISSING


def test_an_empty_password_is_refused(wire, session, buffer):
    command = Command("", (buffer.index, buffer.index), areas=(password(),), code=NSM_REQUEST)
    assert code(wire, command.content) == AUTH_FAIL_SESSION_1


def test_who_does_not_hold_a_sessions_key_cannot_use_it_from_another_connection(aws, tpm, session, buffer):
    with contextlib.closing(aws.Wire(tpm.tctis["swtpm"])) as other:
        own = VendorSession(other.transmit, buffer.key.handle, buffer.key.public)
        key, own_handle = own.key, own.handle
        own.handle, own.nonce_tpm = session.handle, session.nonce_tpm
        assert own.key == key != session.key
        assert code(other, own.command(buffer.index, buffer.name, buffer.auth)) == AUTH_FAIL_SESSION_1
        own.handle = own_handle
        own.flush()


def test_a_session_that_is_gone_is_refused(wire, session, buffer):
    gone = VendorSession(wire.transmit, buffer.key.handle, buffer.key.public)
    gone.flush()
    assert code(wire, gone.command(buffer.index, buffer.name, buffer.auth)) == REFERENCE_SESSION_0


def test_esys_cannot_read_the_answer_with_another_authorization(aws, tpm, buffer):
    with pytest.raises(RuntimeError) as refused:
        aws.read(tpm.tctis["swtpm"], aws.Buffer(buffer.key, buffer.index, bytes(64), buffer.stale, buffer.name))
    assert refused.value.rc == AUTH_FAIL_SESSION_1


def test_esys_looks_at_our_hmacs(aws, tmp_path):
    with (
        attesting_tpm(tmp_path, fault=lambda tpm: WrongHmac(tpm, Cc.CREATE_PRIMARY)) as tpm,
        pytest.raises(RuntimeError) as refused,
    ):
        aws.ask(tpm.tctis["swtpm"], request_pieces())
    assert refused.value.rc == ESYS_RESPONSE_AUTH_FAILED
