# SPDX-License-Identifier: Apache-2.0
"""AWS's own client, unmodified, against the emulated NitroTPM: what it sends, and what it gets."""

import os
import shutil
import subprocess
import sys

import pytest
from tests import nitro_tpm_attest
from tests.attesting_tpm import attesting_tpm
from tests.conformance import aws_wire
from tests.conformance.aws_wire import NV_WRITE, request_pieces

FIELDS = {"user_data": b"u" * 400, "nonce": b"a nonce", "public_key": b"k" * 1024}


@pytest.fixture(scope="session")
def client():
    try:
        return nitro_tpm_attest.nitro_tpm_attest()
    except nitro_tpm_attest.ClientAbsentError as absent:
        pytest.skip(str(absent))


@pytest.fixture
def tpm(tmp_path):
    with attesting_tpm(tmp_path) as running:
        yield running


@pytest.fixture
def run(tpm, tmp_path):
    def run(*command: str, **fields: bytes) -> "subprocess.CompletedProcess[bytes]":
        flags = []
        for name, content in fields.items():
            (tmp_path / name).write_bytes(content)
            flags += [f"--{name.replace('_', '-')}", str(tmp_path / name)]
        environment = os.environ | {"TPM_DEVICE": str(tpm.device)}
        return subprocess.run([*command, *flags], env=environment, capture_output=True, timeout=120, check=False)

    return run


def carried(evidence) -> dict[str, bytes | None]:
    return {name: getattr(evidence, name) for name in FIELDS}


@pytest.mark.slow
def test_it_gets_a_document_that_is_authentic_and_carries_what_was_asked_for(client, tpm, run):
    done = run(client, **FIELDS)
    assert (done.returncode, done.stderr) == (0, b"")
    evidence = tpm.verified(done.stdout)
    assert carried(evidence) == FIELDS
    assert evidence.pcrs == tpm.instance.pcrs
    assert len(evidence.pcrs) == 24
    assert evidence.module_id == tpm.instance.module_id
    assert tpm.board.handles() == []


@pytest.mark.slow
def test_it_sends_what_our_account_of_it_says(client, tpm, run):
    """Tests without it (test_esys.py) rest on that account."""
    run(client, **FIELDS)
    assert {rc for _, rc in tpm.board.sent} == {0}
    assert aws_wire.order(tpm.board.commands) == aws_wire.ORDER
    pieces = list(request_pieces(**FIELDS))
    assert aws_wire.nv_sizes(tpm.board.commands, NV_WRITE) == [len(piece) for piece in pieces]


@pytest.mark.slow
def test_strongroom_tpm_attest_takes_the_same_flags_and_gets_the_same(client, tpm, run):
    ours = run(sys.executable, "-m", "strongroom", "tpm", "attest", **FIELDS)
    theirs = run(client, **FIELDS)
    assert ours.returncode == theirs.returncode == 0
    mine, others = tpm.verified(ours.stdout), tpm.verified(theirs.stdout)
    assert carried(mine) == carried(others) == FIELDS
    assert (mine.module_id, mine.pcrs) == (others.module_id, others.pcrs)


@pytest.mark.slow
def test_without_flags_the_document_carries_nothing(client, tpm, run):
    assert carried(tpm.verified(run(client).stdout)) == dict.fromkeys(FIELDS)


@pytest.mark.slow
def test_it_says_that_a_field_is_too_long_and_leaves_nothing_behind(client, tpm, run):
    done = run(client, nonce=bytes(1025))
    assert done.returncode == 1
    assert done.stdout == b""
    assert b"InvalidArgument" in done.stderr
    assert tpm.board.handles() == []


def found(*programs: str):
    return lambda name, **_: f"/somewhere/{name}" if name in programs else None


def test_a_client_in_the_path_is_taken(monkeypatch):
    monkeypatch.setattr(shutil, "which", found("nitro-tpm-attest"))
    assert nitro_tpm_attest.nitro_tpm_attest() == "/somewhere/nitro-tpm-attest"


@pytest.mark.parametrize(
    ("programs", "printed", "why"),
    [
        ((), "", "cargo and rustc are missing"),
        (("cargo", "rustc"), "rustc 1.85.0 (4d91de4e4 2025-02-17)", "needs rustc 1.92, found: rustc 1.85.0"),
        (("cargo", "rustc"), "rustc 1.92.0 (ded5c06cf 2025-12-08)", "pkg-config is missing"),
        (("cargo", "rustc", "pkg-config"), "rustc 1.95.0\n3.2.1", "needs the headers of tpm2-tss 4.0"),
    ],
    ids=["no-rust", "old-rust", "no-pkg-config", "old-tss"],
)
def test_why_it_does_not_run_is_said(monkeypatch, programs, printed, why):
    def answer(command, **_):
        return subprocess.CompletedProcess(command, "--atleast-version=4.0" in command, printed)

    monkeypatch.setattr(shutil, "which", found(*programs))
    monkeypatch.setattr(subprocess, "run", answer)
    with pytest.raises(nitro_tpm_attest.ClientAbsentError) as absent:
        nitro_tpm_attest.nitro_tpm_attest()
    assert why in str(absent.value)
