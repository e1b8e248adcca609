# SPDX-License-Identifier: Apache-2.0
"""`strongroom tpm` with a TPM of libtpms behind a character device."""

import base64
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.tpm_transports import NSM, NV_WRITE, FakeNitro
from tests.tpm_wire import code_of, response
from tests.unit.tpm.test_pcrs import extend
from tests.unit.tpm.test_session import leftovers

from strongroom.cli import tpm_attest, tpm_quote
from strongroom.cli.main import run
from strongroom.crypto.tpm_quote import quote_key_binding
from strongroom.formats.measurements import parse_measurements
from strongroom.formats.nsm import AttestationRequest, encode_attestation_response, parse_request
from strongroom.formats.quote import parse_quote_file
from strongroom.tpm import device
from strongroom.tpm.nitro import NitroTpm

CREATE, CREATE_PRIMARY, START_AUTH_SESSION, NV_DEFINE, NV_UNDEFINE = 0x153, 0x131, 0x176, 0x12A, 0x122
DOCUMENT = bytes(range(256)) * 3


@pytest.fixture
def nitro(tpm, monkeypatch, on_device):
    """A NitroTPM as far as libtpms is one: its NV indices end at 2,048 bytes."""
    fake = FakeNitro(tpm, lambda request: encode_attestation_response(DOCUMENT), monkeypatch)
    monkeypatch.setattr(tpm_attest, "NitroTpm", lambda transport: NitroTpm(transport, message_bytes=2048))
    on_device(fake.execute)
    return fake


def said(capsys, *arguments):
    code = run(["tpm", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_attest_writes_the_bytes_of_the_document_and_nothing_else(nitro, tmp_path, capfdbinary):
    for name, content in (("nonce", b"n" * 32), ("data", b"d"), ("key", b"k" * 1024)):
        (tmp_path / name).write_bytes(content)
    given = ["-u", tmp_path / "data", "-n", tmp_path / "nonce", "-p", tmp_path / "key"]
    assert run(["tpm", "attest", *map(str, given)]) == 0
    assert capfdbinary.readouterr() == (DOCUMENT, b"")
    assert parse_request(nitro.requests[0]) == AttestationRequest(b"d", b"n" * 32, b"k" * 1024)


def test_attest_writes_a_file_where_it_is_told_to(nitro, tmp_path, capsys):
    assert said(capsys, "attest", "-o", tmp_path / "doc") == (0, f"Wrote 768 bytes to {tmp_path / 'doc'}\n", "")
    assert (tmp_path / "doc").read_bytes() == DOCUMENT


def test_attest_speaks_json(nitro, capsys):
    code, out, _ = said(capsys, "attest", "--json")
    assert code == 0
    assert json.loads(out) == {"ok": True, "document": base64.b64encode(DOCUMENT).decode(), "written": None}


def test_attest_asks_no_tpm_where_its_answer_could_not_go(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TPM_DEVICE", "/nowhere")
    code, _, err = said(capsys, "attest")
    assert (code, "tpm.terminal" in err) == (2, True)


def test_attest_does_not_write_bytes_to_a_terminal():
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "strongroom", "tpm", "attest"]
    run_ = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, text=True, check=False)
    os.close(theirs)
    os.close(ours)
    assert run_.returncode == 2
    assert "tpm.terminal" in run_.stderr


@pytest.mark.parametrize("option", ["-u", "-n", "-p"])
def test_attest_bounds_its_files(tmp_path, capsys, option):
    (tmp_path / "large").write_bytes(bytes(1025))
    code, _, err = said(capsys, "attest", option, tmp_path / "large", "-o", tmp_path / "doc")
    assert (code, "file.too-large" in err) == (3, True)


def test_a_tpm_that_is_no_nitrotpm_exits_with_7_and_says_so(tpm, on_device, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(tpm_attest, "NitroTpm", lambda transport: NitroTpm(transport, message_bytes=2048))
    on_device(tpm.execute)
    code, _, err = said(capsys, "attest", "-o", tmp_path / "doc")
    assert (code, "tpm.no-vendor-command" in err) == (7, True)
    assert not (tmp_path / "doc").exists()


def test_what_could_not_be_cleaned_up_is_said_beside_the_error(tpm, on_device, monkeypatch, capsys):
    monkeypatch.setattr(tpm_attest, "NitroTpm", lambda transport: NitroTpm(transport, message_bytes=2048))
    on_device(lambda c: response(0x149) if code_of(c) == 0x122 else tpm.execute(c))
    code, out, _ = said(capsys, "attest", "--json")
    error = json.loads(out)["error"]
    assert (code, error["rc"]) == (7, 0x143)
    assert "NV_UNDEFINE_SPACE" in error["notes"][0]
    assert "Cleaning up failed" in said(capsys, "attest", "-o", "nowhere")[2]


def test_a_program_that_is_ended_takes_its_things_with_it(booted, on_device, tmp_path):
    """SIGTERM comes while it seals: two keys and a session are loaded."""
    (tmp_path / "secret").write_bytes(b"secret")
    given = [str(tmp_path / "secret"), "-o", str(tmp_path / "sealed")]
    command = [sys.executable, "-m", "strongroom", "tpm", "seal", *given]
    running = []

    def execute(asked):
        if code_of(asked) == CREATE:
            assert len(leftovers(booted)) == 3
            running[0].terminate()
        return booted.execute(asked)

    on_device(execute)
    running.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
    _, said = running[0].communicate(timeout=60)
    assert (running[0].returncode, said.strip()) == (130, "strongroom: interrupted")
    assert leftovers(booted) == []
    assert not (tmp_path / "sealed").exists()


@pytest.fixture
def heeded():
    """Signals as a terminal has them: whoever started the tests in the background has them ignore Ctrl-C."""
    before = {
        number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.attack("B16")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("code", [CREATE_PRIMARY, START_AUTH_SESSION, NV_DEFINE, NV_WRITE, NSM, NV_UNDEFINE])
def test_a_signal_during_a_command_waits_for_its_answer_so_that_nothing_stays(
    nitro, tpm, on_device, heeded, tmp_path, code, number
):
    """A key that the TPM goes on to make, or an index of 8 KiB, would be there for good, and nobody would know."""
    told = []

    def execute(asked):
        if code_of(asked) == code and not told:
            told.append(number)
            signal.pthread_kill(threading.main_thread().ident, number)
        return nitro.execute(asked)

    on_device(execute)
    assert run(["tpm", "attest", "-o", str(tmp_path / "document")]) == 130
    assert told
    assert not (tmp_path / "document").exists()
    assert leftovers(tpm) == []


def test_a_second_signal_does_not_wait_for_a_tpm_that_is_silent(on_device, heeded):
    def execute(_):
        for _ in range(2):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)
            time.sleep(0.2)
        return b""

    on_device(execute)
    assert run(["tpm", "pcrs"]) == 130


def test_a_signal_that_was_to_be_ignored_is_ignored(booted, on_device):
    def execute(asked):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGHUP)
        return booted.execute(asked)

    on_device(execute)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run(["tpm", "pcrs"]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_machine_without_a_tpm_exits_with_7(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TPM_DEVICE", str(tmp_path / "none"))
    code, _, err = said(capsys, "pcrs")
    assert (code, "tpm.absent" in err, "NitroTPM" in err) == (7, True, True)
    assert "\n  The variable TPM_DEVICE names it.\n" in err


@pytest.mark.parametrize("make", [Path.touch, os.mkfifo], ids=["file", "pipe"])
def test_what_is_no_device_exits_with_9_and_says_who_named_it(tmp_path, monkeypatch, capsys, make):
    make(tmp_path / "none")
    monkeypatch.setenv("TPM_DEVICE", str(tmp_path / "none"))
    code, out, _ = said(capsys, "pcrs", "--json")
    error = json.loads(out)["error"]
    assert (code, error["code"], error["notes"]) == (9, "tpm.not-a-device", ["The variable TPM_DEVICE names it."])


def test_an_absent_dev_tpm0_was_named_by_nobody(monkeypatch, capsys):
    monkeypatch.delenv("TPM_DEVICE", raising=False)
    monkeypatch.setattr(device, "DEVICE", Path("/nowhere/tpm0"))
    code, _, err = said(capsys, "pcrs")
    assert (code, "tpm.absent" in err, "TPM_DEVICE" in err) == (7, True, False)


def test_a_bank_may_be_written_as_other_programs_do(booted, on_device, capsys):
    on_device(booted.execute)
    code, out, _ = said(capsys, "pcrs", "--bank", "sha256", "--json")
    assert (code, json.loads(out)["bank"]) == (0, "SHA256")


def test_the_command_is_whole_as_a_program_of_its_own(booted, on_device):
    on_device(booted.execute)
    command = [sys.executable, "-m", "strongroom", "tpm", "pcrs", "--json"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert len(found["pcrs"]) == 24
    assert found["bank"] == "SHA384"
    assert found["written"] is None


@pytest.mark.parametrize(("bank", "digits"), [("SHA1", 40), ("SHA256", 64), ("SHA384", 96), ("SHA512", 128)])
def test_every_bank_is_shown_with_a_sentence_for_each_pcr(booted, on_device, capsys, bank, digits):
    on_device(booted.execute)
    code, out, _ = said(capsys, "pcrs", "--bank", bank)
    assert code == 0
    lines = out.splitlines()
    assert len(lines) == 48
    assert all(len(line.split()[1]) == digits for line in lines[::2])
    assert all(line.endswith(".") for line in lines[1::2])
    assert "command lines, credentials" in lines[25]
    assert lines[25].endswith("all zeros, nothing was measured into it.")


def test_a_baseline_is_a_measurements_file_with_a_loud_warning(booted, on_device, tmp_path, capsys):
    on_device(booted.execute)
    path = tmp_path / "baseline.json"
    code, out, err = said(capsys, "pcrs", "--measurements", path)
    assert code == 0
    assert "WARNING tpm.first-use" in err
    assert str(path) in out
    measured = parse_measurements(path.read_bytes())
    assert tuple(measured.pcrs) == (2, 4, 7, 12, 13)
    assert measured.pcrs[4].hex() in out


def test_a_baseline_is_recorded_once(booted, on_device, tmp_path, capsys):
    on_device(booted.execute)
    path = tmp_path / "baseline.json"
    code, out, _ = said(capsys, "pcrs", "--measurements", path, "--json")
    first = path.read_bytes()
    assert (code, [finding["code"] for finding in json.loads(out)["findings"]]) == (0, ["tpm.first-use"])
    extend(booted, 4, b"\x44" * 48)
    code, _, err = said(capsys, "pcrs", "--measurements", path)
    assert (code, "tpm.baseline-exists" in err) == (2, True)
    assert path.read_bytes() == first


@pytest.mark.attack("A12")
def test_no_baseline_is_recorded_of_a_machine_that_measured_nothing(tpm, on_device, tmp_path, capsys):
    on_device(tpm.execute)
    code, _, err = said(capsys, "pcrs", "--measurements", tmp_path / "baseline.json")
    assert (code, "tpm.not-measured" in err) == (7, True)
    assert not (tmp_path / "baseline.json").exists()


def test_a_baseline_is_of_the_bank_that_documents_have(tmp_path, capsys):
    code, _, err = said(capsys, "pcrs", "--bank", "SHA256", "--measurements", tmp_path / "x")
    assert (code, "tpm.baseline-bank" in err) == (2, True)


@pytest.fixture
def quoting(nitro, monkeypatch):
    genuine = tpm_quote.attested_quote
    monkeypatch.setattr(tpm_quote, "attested_quote", lambda *a, **k: genuine(*a, **k, message_bytes=2048))
    return nitro


def test_a_quote_is_written_with_the_document_that_speaks_for_its_key(quoting, tmp_path, capsys):
    (tmp_path / "nonce").write_bytes(b"n" * 64)
    given = ("quote", "-n", tmp_path / "nonce", "-o", tmp_path / "quote", "--bank", "SHA256", "--pcrs", "4,11")
    assert said(capsys, *given) == (0, f"Quoted 2 PCRs of SHA256 into {tmp_path / 'quote'}\n", "")
    file = parse_quote_file((tmp_path / "quote").read_bytes())
    assert file.document == DOCUMENT
    assert tuple(file.quote.pcrs) == (4, 11)
    assert parse_request(quoting.requests[0]).user_data == quote_key_binding(file.quote.key)
    out = json.loads(said(capsys, *given, "--json")[1])
    assert (out["bank"], list(out["pcrs"])) == ("SHA256", ["4", "11"])


def test_a_quote_needs_a_challenge_that_it_can_carry(tmp_path, capsys):
    assert said(capsys, "quote", "-o", tmp_path / "quote")[0] == 2
    (tmp_path / "nonce").write_bytes(b"n" * 65)
    code, _, err = said(capsys, "quote", "-n", tmp_path / "nonce", "-o", tmp_path / "quote")
    assert (code, "file.too-large" in err) == (3, True)
