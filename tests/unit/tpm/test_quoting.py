# SPDX-License-Identifier: Apache-2.0
"""Quotes of libtpms, whose document is made afterwards from what the NSM was asked (an index of it is too small)."""

import pytest
from tests.nitro_pki import NOW, document, good_pki
from tests.tpm_transports import Between, FakeNitro, Scripted, answering
from tests.tpm_wire import code_of
from tests.unit.tpm.test_pcrs import extend
from tests.unit.tpm.test_session import leftovers

from strongroom.appraisal.evidence import verify_evidence
from strongroom.appraisal.quote import verify_quote
from strongroom.errors import TpmFault, UsageError
from strongroom.formats.nsm import encode_attestation_response, parse_request
from strongroom.formats.tpm.algorithms import Alg
from strongroom.tpm.connection import Answer, Connection
from strongroom.tpm.pcrs import read_pcrs
from strongroom.tpm.quoting import attested_quote

NONCE = b"challenge"
QUOTE = 0x158
BANKS = (Alg.SHA256, Alg.SHA384, Alg.SHA512)


@pytest.fixture
def nitro(tpm, monkeypatch):
    extend(tpm, 4, b"\4" * 48)
    return FakeNitro(tpm, lambda request: encode_attestation_response(b"document"), monkeypatch)


def quoted(nitro, change=None, bank=Alg.SHA384, indices=(4, 7)):
    connection = Connection(Between(nitro, change), sleep=lambda _: None)
    made = attested_quote(connection, nonce=NONCE, bank=bank, indices=indices, message_bytes=2048)
    assert made.document == b"document"
    return made.quote


def evidence_of(nitro):
    """Return the evidence of the document that was asked for."""
    asked = parse_request(nitro.requests[-1])
    pki = good_pki()
    return verify_evidence(document(pki, user_data=asked.user_data, nonce=asked.nonce), roots=pki.roots, at=NOW)


@pytest.mark.attack("A19")
@pytest.mark.parametrize("bank", BANKS)
def test_a_quote_of_a_tpm_is_verified_and_is_of_what_its_pcrs_hold(nitro, tpm, bank):
    quote = quoted(nitro, bank=bank)
    evidence = evidence_of(nitro)
    assert evidence.nonce == NONCE
    assert verify_quote(evidence, quote, nonce=NONCE).pcrs == read_pcrs(Connection(Between(tpm)), bank, (4, 7))
    assert leftovers(tpm) == []


@pytest.mark.attack("A20")
def test_every_quote_has_a_key_of_its_own(nitro):
    assert quoted(nitro).key.unique != quoted(nitro).key.unique


def test_pcrs_that_move_between_reading_and_quoting_are_read_again(nitro, tpm):
    moved = []

    def change(command, onward):
        if code_of(command) == QUOTE and not moved:
            moved.append(extend(tpm, 7, b"\7" * 48))
        return onward(command)

    quote = quoted(nitro, change)
    assert verify_quote(evidence_of(nitro), quote, nonce=NONCE).pcrs[7] != bytes(48)


def test_pcrs_that_never_rest_are_a_fault(nitro, tpm):
    def change(command, onward):
        if code_of(command) == QUOTE:
            extend(tpm, 7, b"\7" * 48)
        return onward(command)

    with pytest.raises(TpmFault) as caught:
        quoted(nitro, change)
    assert caught.value.code == "tpm.pcrs-moving"
    assert leftovers(tpm) == []


def test_an_answer_that_somebody_changed_is_refused(nitro, tpm):
    with pytest.raises(TpmFault) as caught:
        quoted(nitro, answering(QUOTE, lambda answer: answer[:-1] + bytes([answer[-1] ^ 1])))
    assert caught.value.code == "tpm.answer"
    assert leftovers(tpm) == []


def test_a_signature_of_another_kind_is_refused(nitro, monkeypatch):
    genuine = Connection.run

    def run(self, command, authorization=None):
        answer = genuine(self, command, authorization)
        if command.code != QUOTE:
            return answer
        size = 2 + int.from_bytes(answer.parameters[:2], "big")
        return Answer(0, answer.parameters[:size] + b"\0\x05\0\x0c" + bytes(48))

    monkeypatch.setattr(Connection, "run", run)
    with pytest.raises(TpmFault, match="another kind"):
        quoted(nitro)


@pytest.mark.parametrize("size", [0, 65])
def test_a_nonce_that_no_quote_can_carry_is_refused_before_the_tpm_is_asked(size):
    with pytest.raises(UsageError) as caught:
        attested_quote(Connection(Scripted()), nonce=bytes(size), bank=Alg.SHA384, indices=(4,))
    assert caught.value.code == "quote.nonce-size"
