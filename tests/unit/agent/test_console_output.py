# SPDX-License-Identifier: Apache-2.0
import os

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from strongroom.agent.console import print_failure, print_receipt
from strongroom.crypto.public_keys import load_spki
from strongroom.errors import KeyRefused, LocalFault
from strongroom.formats.attestation_document import parse_nitrotpm_document, unverified_claims
from strongroom.formats.console import parse_console
from strongroom.formats.pcrs import GATES, PcrDigests


@pytest.fixture
def console(tmp_path):
    file = tmp_path / "console"
    file.write_text("[    0.000000] Linux version 6.1\n")
    return file


def test_a_receipt_is_a_document_that_kms_cannot_use(world, console):
    print_receipt(console, world.instance)
    receipt = parse_console(console.read_bytes()).last_receipt()
    claims = unverified_claims(parse_nitrotpm_document(receipt.document))
    assert isinstance(load_spki(claims.public_key), ec.EllipticCurvePublicKey)


@pytest.mark.attack("B13")
def test_a_failure_says_its_code_its_remedy_and_the_pcrs_and_nothing_that_somebody_sent(world, console):
    pcrs = PcrDigests.of({index: world.instance.pcrs[index] for index in GATES})
    print_failure(console, KeyRefused("kms.access-denied", "canary-5c1e in a message", remedy="Ask the vendor."), pcrs)
    (failure,) = parse_console(console.read_bytes()).failures
    assert (failure.code, failure.remedy, failure.pcrs) == ("kms.access-denied", "Ask the vendor.", pcrs)
    assert b"canary-5c1e" not in console.read_bytes()


def test_each_line_is_written_in_one_piece(world, console, monkeypatch):
    written = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: written.append(data) or write(descriptor, data))
    print_receipt(console, world.instance)
    assert len(written) > 100
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in written)


def test_an_instance_without_a_console_is_not_left_in_silence(world, tmp_path):
    with pytest.raises(LocalFault) as caught:
        print_failure(tmp_path / "absent", KeyRefused("kms.access-denied", "no"), PcrDigests.of({}))
    assert caught.value.code == "agent.console"
    assert not (tmp_path / "absent").exists()


def test_a_console_that_takes_half_a_line_is_noticed(world, console, monkeypatch):
    monkeypatch.setattr(os, "write", lambda _, data: len(data) // 2)
    with pytest.raises(LocalFault) as caught:
        print_receipt(console, world.instance)
    assert caught.value.code == "agent.console"
