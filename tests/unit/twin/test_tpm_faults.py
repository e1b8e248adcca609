# SPDX-License-Identifier: Apache-2.0
"""What the project's client and verifier make of a NitroTPM that lies, stutters or breaks."""

from datetime import timedelta

import pytest
from tests.tpm_transports import Between
from tests.unit.twin.test_instance_tpm import ask, verified

from strongroom.appraisal.appraise import appraise
from strongroom.appraisal.policy import AppraisalPolicy
from strongroom.errors import FormatError, NotAuthentic, TpmFault
from strongroom.formats.nsm import NsmError, encode_attestation_response, encode_error
from strongroom.formats.pcrs import PcrIndex
from strongroom.formats.tpm.algorithms import Alg
from strongroom.tpm.connection import MOST_ATTEMPTS, Connection
from strongroom.tpm.nitro import NitroTpm
from strongroom.tpm.pcrs import read_pcrs
from strongroom.twin.measured_tpm import measured_tpm
from strongroom.twin.nitrotpm.faults import FixedAnswer, RetriesFirst, ShortAnswer, WrongHmac, WrongPcr

NV_READ, VENDOR, PCR_READ = 0x14E, 0x20000001, 0x17E
NONCE = b"n" * 32


@pytest.fixture
def module(world):
    """The security module of the instance, in good order."""
    return world.instance.security_module


@pytest.fixture
def through(world):
    """Ask the instance's TPM with this module behind it."""

    def make(faulty, **fields):
        return NitroTpm(Between(measured_tpm(world.instance.boot, faulty))).attest(**fields)

    return make


def codes(world, evidence):
    gates = {index: {world.instance.pcrs[PcrIndex(index)]} for index in (2, 4, 12, 13)}
    found = appraise(evidence, AppraisalPolicy.of(gates), nonce=NONCE, now=world.twin.clock.now())
    return [finding.code for finding in found.findings]


def test_without_a_fault_nothing_is_found(world, through, module):
    assert codes(world, verified(world, through(module, nonce=NONCE))) == []


def test_a_document_with_another_pcr_is_authentic_and_refused(world, through, module):
    evidence = verified(world, through(WrongPcr(module, 4, b"x" * 48), nonce=NONCE))
    assert evidence.pcrs[PcrIndex(4)] == b"x" * 48
    assert codes(world, evidence) == ["pcr.mismatch"]


def test_an_old_document_is_refused_as_old_and_one_past_its_leaf_is_not_authentic(world):
    instance = world.launch()
    instance.document_age = timedelta(minutes=30)
    assert codes(world, verified(world, ask(instance, nonce=NONCE))) == ["age.too-old"]
    instance.document_age = timedelta(hours=4)
    with pytest.raises(NotAuthentic) as caught:
        verified(world, ask(instance, nonce=NONCE))
    assert caught.value.code == "chain.expired"


def test_a_document_that_is_cut_short_is_no_document(world, through, module):
    """What follows in the index fills the length that the answer gives: the client cannot tell, the verifier does."""
    document = through(ShortAnswer(module, 1000))
    with pytest.raises((FormatError, NotAuthentic)):
        verified(world, document)


def test_an_answer_that_has_not_even_begun_is_malformed(through, module):
    with pytest.raises(TpmFault) as caught:
        through(ShortAnswer(module, 1))
    assert caught.value.code == "nsm.answer"


def test_an_answer_that_claims_to_be_longer_than_the_index_never_ends(through):
    claiming = encode_attestation_response(bytes(9000))[:4000]
    with pytest.raises(TpmFault) as caught:
        through(FixedAnswer(claiming))
    assert caught.value.code == "nsm.answer"
    assert "8192" in str(caught.value)


@pytest.mark.parametrize("garbage", [b"\xff" * 64, b"\0" * 64, b"text that is no CBOR", b"\xa1\x65Error\x67Nothing"])
def test_garbage_is_malformed(through, garbage):
    with pytest.raises(TpmFault) as caught:
        through(FixedAnswer(garbage))
    assert caught.value.code == "nsm.answer"


@pytest.mark.parametrize("error", list(NsmError))
def test_an_error_of_the_module_is_named(through, error):
    with pytest.raises(TpmFault, match=error.value) as caught:
        through(FixedAnswer(encode_error(error)))
    assert caught.value.code == "nsm.refused"


def test_a_tpm_that_is_not_ready_is_asked_again(world):
    tpm = RetriesFirst(world.instance.tpm(), 3)
    between = Between(tpm)
    document = NitroTpm(between).attest(nonce=NONCE)
    assert codes(world, verified(world, document)) == []
    assert between.commands[0] == between.commands[1] == between.commands[2] == between.commands[3]


def test_a_tpm_that_is_never_ready_is_given_up(world):
    slept: list[float] = []
    between = Between(RetriesFirst(world.instance.tpm(), 10**6))
    with pytest.raises(TpmFault) as caught:
        read_pcrs(Connection(between, sleep=slept.append), Alg.SHA384)
    assert caught.value.code == "tpm.not-ready"
    assert len(between.commands) == MOST_ATTEMPTS == len(slept) + 1


@pytest.mark.parametrize("code", [NV_READ, VENDOR])
def test_a_response_with_a_wrong_hmac_is_not_believed(world, code):
    with pytest.raises(TpmFault) as caught:
        NitroTpm(Between(WrongHmac(world.instance.tpm(), code))).attest(nonce=NONCE)
    assert "HMAC" in str(caught.value)


def test_after_any_fault_the_tpm_is_as_it_was(world):
    """The client leaves nothing behind: the next attestation goes well."""
    tpm = world.instance.tpm()
    for code in (NV_READ, VENDOR):
        with pytest.raises(TpmFault):
            NitroTpm(Between(WrongHmac(tpm, code))).attest()
    assert tpm._chip.permanent.nv == {}
    assert tpm._chip.volatile.objects == {}
    assert codes(world, verified(world, NitroTpm(Between(tpm)).attest(nonce=NONCE))) == []
