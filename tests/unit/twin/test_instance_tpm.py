# SPDX-License-Identifier: Apache-2.0
"""An instance's own NitroTPM: asked over TPM commands, it says what the instance says."""

import hashlib
from datetime import timedelta

import pytest
from tests.tpm_commands import EMPTY, SHA1, SHA384, digests, selection, send
from tests.tpm_transports import Between

from strongroom.appraisal.endorsements import NitroRoots
from strongroom.appraisal.evidence import verify_evidence
from strongroom.formats.attestation_document import parse_nitrotpm_document, unverified_claims
from strongroom.formats.pcrs import PcrIndex
from strongroom.tpm.nitro import NitroTpm
from strongroom.twin.firmware import Boot, Firmware
from strongroom.twin.measured_tpm import measured_tpm
from strongroom.twin.tcg_event import Event, EventType

FIELDS = {"public_key": b"k" * 1024, "nonce": b"n" * 1024, "user_data": b"u" * 1024}


def ask(instance, **fields):
    """A document over TPM commands, as an agent on the instance gets it."""
    return NitroTpm(Between(instance.tpm())).attest(**fields)


def verified(world, document):
    root = NitroRoots.from_fingerprints(hashlib.sha256(world.twin.nitro_root).digest())
    return verify_evidence(document, roots=root, at=world.twin.clock.now())


def read_pcrs(tpm, bank: int = SHA384) -> list[bytes]:
    found = []
    for pcr in range(24):
        answer = send(tpm, "PCR_Read", (), selection((bank, [pcr]))).parameters()
        found.append(answer[4 + 4 + 6 + 4 + 2 :])
    return found


def test_a_document_over_tpm_commands_verifies_and_has_the_pcrs_of_the_boot(world):
    evidence = verified(world, ask(world.instance, **FIELDS))
    assert evidence.pcrs == world.instance.pcrs
    assert evidence.module_id == world.instance.module_id
    assert (evidence.public_key, evidence.nonce, evidence.user_data) == tuple(FIELDS.values())


def test_an_instance_and_its_tpm_make_the_same_documents(world):
    one, other = world.instance.attest(nonce=b"n"), ask(world.instance, nonce=b"n")
    claims = [unverified_claims(parse_nitrotpm_document(document)) for document in (one, other)]
    assert abs(claims[0].timestamp - claims[1].timestamp) < timedelta(seconds=30)
    assert [(each.module_id, each.pcrs, each.nonce, each.public_key) for each in claims] == [
        (world.instance.module_id, world.instance.pcrs, b"n", None)
    ] * 2


def test_the_tpm_was_measured_into_event_by_event(world):
    instance = world.launch(firmware=Firmware(software_extends=((10, b"x" * 48), (10, b"y" * 48))))
    found = read_pcrs(instance.tpm())
    assert found == [instance.pcrs[PcrIndex(pcr)] for pcr in range(24)]
    assert found[10] != bytes(48)
    assert found[10] != world.instance.pcrs[PcrIndex(10)]


def test_other_banks_know_nothing_of_the_boot(world):
    assert read_pcrs(world.instance.tpm(), SHA1)[:17] == [bytes(20)] * 17


def test_it_is_one_tpm_and_its_documents_have_its_pcrs_as_they_are(world):
    instance = world.launch()
    tpm = instance.tpm()
    assert instance.tpm() is tpm
    assert send(tpm, "PCR_Extend", (8,), digests((SHA384, b"x" * 48)), EMPTY).code == 0
    pcrs = verified(world, ask(instance)).pcrs
    assert pcrs[PcrIndex(8)] == read_pcrs(tpm)[8] != instance.pcrs[PcrIndex(8)]
    assert pcrs[PcrIndex(4)] == instance.pcrs[PcrIndex(4)]


def test_instances_have_tpms_of_their_own(world):
    other = world.launch()
    assert other.tpm() is not world.instance.tpm()
    assert verified(world, ask(other)).module_id == other.module_id


def test_a_tpm_that_refuses_to_measure_is_noticed(world):
    odd = Boot((Event(24, EventType.SEPARATOR, bytes(48), "a PCR that is not there"),), world.instance.pcrs)
    with pytest.raises(RuntimeError, match="0x184"):
        measured_tpm(odd, world.instance.security_module)
