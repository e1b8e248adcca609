# SPDX-License-Identifier: Apache-2.0
"""The TPM client against the twin's NitroTPM, which others wrote from the specification: documents, secrets, quotes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from tests.tpm_commands import EMPTY, SHA384, Command, digests
from tests.tpm_transports import STARTUP, Between
from tests.twin_world import small_uki
from tests.unit.tpm.test_session import leftovers

from strongroom.appraisal.appraise import appraise
from strongroom.appraisal.endorsements import NitroRoots
from strongroom.appraisal.evidence import verify_evidence
from strongroom.appraisal.policy import AppraisalPolicy
from strongroom.appraisal.quote import verify_quote
from strongroom.errors import NotAuthentic, TpmFault
from strongroom.formats.measurements import Measurements
from strongroom.formats.pcrs import GATES, PcrDigests
from strongroom.formats.quote import encode_quote_file, parse_quote_file
from strongroom.formats.sealed import encode_sealed, parse_sealed
from strongroom.formats.tpm.algorithms import Alg
from strongroom.ids import Nonce
from strongroom.tpm.connection import Connection
from strongroom.tpm.nitro import NitroTpm
from strongroom.tpm.pcrs import read_pcrs
from strongroom.tpm.quoting import attested_quote
from strongroom.tpm.sealing import seal_secret, unseal_secret
from strongroom.twin.clock import SystemClock
from strongroom.twin.firmware import Firmware, boot
from strongroom.twin.machine import Instance
from strongroom.twin.nitrotpm.board import Board
from strongroom.twin.nitrotpm.transports.pty_device import PtyDevice
from strongroom.twin.pki import NitroPki, create_root

NONCE = Nonce(b"a challenge of thirty-two bytes!")
UKI = small_uki()


@pytest.fixture(scope="module")
def pki():
    return NitroPki(create_root(datetime.now(UTC)))


def booted(pki, firmware=None):
    """Return an instance that has booted the image, with its own TPM."""
    instance = Instance(
        instance_id="i-0123456789abcdef0",
        account_id="222222222222",
        region="eu-central-1",
        image_id="ami-0123456789abcdef0",
        role="app",
        boot=boot(UKI, firmware=firmware or Firmware(), instance_id="i-0123456789abcdef0"),
        pki=pki,
        clock=SystemClock(),
    )
    instance.tpm()
    return instance


@pytest.fixture
def instance(pki):
    return booted(pki)


def verified(document, pki):
    roots = NitroRoots(frozenset({hashlib.sha256(pki.root).digest()}))
    return verify_evidence(document, roots=roots, at=datetime.now(UTC))


def predicted(instance):
    return Measurements(PcrDigests.of({index: instance.boot.pcrs[index] for index in GATES}))


def test_a_document_of_8192_bytes_of_nv_memory_carries_three_full_fields(instance, pki):
    tpm = NitroTpm(Between(instance.tpm()))
    document = tpm.attest(public_key=b"k" * 1024, nonce=b"n" * 1024, user_data=b"u" * 1024)
    evidence = verified(document, pki)
    assert (evidence.public_key, evidence.nonce, evidence.user_data) == (b"k" * 1024, b"n" * 1024, b"u" * 1024)
    assert dict(evidence.pcrs) == dict(instance.boot.pcrs)
    assert leftovers(instance.tpm()) == []


def test_what_the_tpm_says_of_its_pcrs_is_what_the_document_says(instance, pki):
    connection = Connection(Between(instance.tpm()))
    evidence = verified(NitroTpm(Between(instance.tpm())).attest(), pki)
    assert read_pcrs(connection, Alg.SHA384) == evidence.pcrs


@pytest.mark.attack("L6")
def test_a_secret_opens_on_its_image_and_not_with_another_command_line(instance):
    connection = Connection(Between(instance.tpm()))
    measured = predicted(instance)
    sealed = parse_sealed(encode_sealed(seal_secret(connection, b"secret", measured.pcrs)))
    assert unseal_secret(connection, sealed) == b"secret"
    instance.tpm().execute(pcr_extend(12, b"\x12" * 48))
    with pytest.raises(TpmFault) as caught:
        unseal_secret(connection, sealed)
    assert caught.value.code == "tpm.sealed-pcrs"
    assert "PCR12" in str(caught.value)


def pcr_extend(index, digest):
    return Command("PCR_Extend", (index,), digests((SHA384, digest)), EMPTY).content


@pytest.mark.attack("A19")
def test_a_quote_and_its_document_hold_together(instance, pki):
    made = attested_quote(Connection(Between(instance.tpm())), nonce=NONCE, bank=Alg.SHA384, indices=GATES)
    file = parse_quote_file(encode_quote_file(made))
    evidence = verified(file.document, pki)
    measured = predicted(instance)
    appraise(evidence, AppraisalPolicy.of_images(measured), nonce=NONCE, now=datetime.now(UTC)).require()
    assert verify_quote(evidence, file.quote, nonce=NONCE).pcrs == measured.pcrs
    assert leftovers(instance.tpm()) == []


@pytest.mark.attack("A20")
def test_a_quote_of_before_a_reset_is_not_spoken_for_by_a_document_of_after_it(instance, pki):
    connection = Connection(Between(instance.tpm()))
    before = attested_quote(connection, nonce=NONCE, bank=Alg.SHA384, indices=GATES)
    instance.tpm().cut_power()
    instance.tpm().execute(STARTUP)
    after = attested_quote(connection, nonce=NONCE, bank=Alg.SHA384, indices=GATES)
    with pytest.raises(NotAuthentic) as caught:
        verify_quote(verified(after.document, pki), before.quote, nonce=NONCE)
    assert caught.value.code == "quote.unbound"


def test_the_command_writes_the_bytes_that_a_verifier_accepts(instance, pki, tmp_path):
    (tmp_path / "nonce").write_bytes(NONCE)
    device = PtyDevice(Board(instance.tpm()), tmp_path / "tpm0")
    try:
        environment = os.environ | {"TPM_DEVICE": str(tmp_path / "tpm0")}

        def run(*arguments):
            command = [sys.executable, "-m", "strongroom", "tpm", *map(str, arguments)]
            return subprocess.run(command, env=environment, capture_output=True, check=True).stdout

        evidence = verified(run("attest", "-n", tmp_path / "nonce"), pki)
        assert evidence.nonce == NONCE
        shown = json.loads(run("pcrs", "--json"))["pcrs"]
        assert shown == {str(index): value.hex() for index, value in evidence.pcrs.items()}
        (tmp_path / "key").write_bytes(b"key")
        run("seal", tmp_path / "key", "-o", tmp_path / "sealed")
        assert run("unseal", tmp_path / "sealed") == b"key"
        run("quote", "-n", tmp_path / "nonce", "-o", tmp_path / "quote")
        file = parse_quote_file((tmp_path / "quote").read_bytes())
        assert verify_quote(verified(file.document, pki), file.quote, nonce=NONCE)
    finally:
        device.close()
