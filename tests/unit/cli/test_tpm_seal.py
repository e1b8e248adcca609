# SPDX-License-Identifier: Apache-2.0
"""`strongroom tpm seal` and `unseal` with a TPM of libtpms behind a character device."""

import ctypes
import json
import os
import pty
import subprocess
import sys
from unittest.mock import Mock

import pytest
from tests.tpm_transports import STARTUP
from tests.unit.cli.test_tpm import said
from tests.unit.tpm.test_pcrs import extend

from strongroom.cli import tpm_seal, tpm_unseal
from strongroom.cli.main import run
from strongroom.formats.measurements import Measurements, encode_measurements
from strongroom.formats.pcrs import SECURE_BOOT_OFF_PCR7_SHA384, SEPARATOR_ONLY_SHA384, PcrDigests

SECRET = b"a key of thirty-two random bytes"


@pytest.fixture
def machine(booted, on_device):
    on_device(booted.execute)
    return booted


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(SECRET)
    return path


def reboot(machine, image):
    machine.power_cycle()
    machine.execute(STARTUP)
    for index in (2, 4, 7):
        extend(machine, index, bytes([index if index != 4 else image]) * 48)


def test_a_secret_is_sealed_and_unsealed_into_a_file_of_its_owner(machine, secret, tmp_path, capsys):
    sealed, out = tmp_path / "sealed", tmp_path / "out"
    code, text, err = said(capsys, "seal", secret, "-o", sealed)
    assert (code, text) == (0, f"Sealed for PCR 2, 4, 7, 12, 13 of this TPM, written to {sealed}\n")
    assert err == ""
    assert said(capsys, "unseal", sealed, "-o", out) == (0, f"Wrote 32 bytes to {out}\n", "")
    assert out.read_bytes() == SECRET
    assert out.stat().st_mode & 0o777 == 0o600
    assert SECRET not in sealed.read_bytes()


@pytest.mark.parametrize("module", [tpm_seal, tpm_unseal])
def test_core_dumps_are_forbidden_before_the_first_file_is_read(module, tmp_path, monkeypatch, capsys):
    done = []
    monkeypatch.setattr(module, "forbid_core_dumps", lambda: done.append("forbid"))
    monkeypatch.setattr(module, "read_file", lambda *_, **__: done.append("read") or b"")
    said(capsys, module.command.name, tmp_path / "file", "-o", tmp_path / "out")
    assert done[:2] == ["forbid", "read"]


def test_a_pipe_gets_the_secret_as_it_is(machine, secret, tmp_path, capfdbinary):
    assert run(["tpm", "seal", str(secret), "-o", str(tmp_path / "sealed")]) == 0
    capfdbinary.readouterr()
    assert run(["tpm", "unseal", str(tmp_path / "sealed")]) == 0
    assert capfdbinary.readouterr() == (SECRET, b"")


def test_no_secret_is_shown_on_a_terminal_or_in_json(tmp_path, capsys):
    code, out, _ = said(capsys, "unseal", tmp_path / "sealed", "--json")
    assert (code, json.loads(out)["error"]["code"]) == (2, "tpm.secret-shown")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "strongroom", "tpm", "unseal", "sealed"]
    shown = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, text=True, check=False)
    os.close(theirs)
    os.close(ours)
    assert (shown.returncode, "tpm.secret-shown" in shown.stderr) == (2, True)


@pytest.mark.attack("L6")
def test_another_image_gets_nothing_and_is_told_which_pcr_differs(machine, secret, tmp_path, capsys):
    said(capsys, "seal", secret, "-o", tmp_path / "sealed")
    reboot(machine, 0x66)
    code, out, err = said(capsys, "unseal", tmp_path / "sealed", "-o", tmp_path / "out")
    assert (code, out) == (7, "")
    assert "PCR4 (every EFI program that was started" in err
    assert not (tmp_path / "out").exists()
    reboot(machine, 4)
    assert said(capsys, "unseal", tmp_path / "sealed", "-o", tmp_path / "out")[0] == 0


def measured(path, image, pcr7=b"\7" * 48):
    values = {2: SEPARATOR_ONLY_SHA384, 4: image, 7: pcr7, 12: bytes(48), 13: bytes(48)}
    path.write_bytes(encode_measurements(Measurements(PcrDigests.of(values))))
    return path


def test_a_secret_is_sealed_for_predicted_measurements(machine, secret, tmp_path, capsys):
    later = measured(tmp_path / "later.json", b"\x66" * 48)
    code, out, _ = said(capsys, "seal", secret, "--measurements", later, "-o", tmp_path / "sealed", "--json")
    assert (code, json.loads(out)["pcrs"]["4"]) == (0, "66" * 48)
    assert said(capsys, "unseal", tmp_path / "sealed", "-o", tmp_path / "out")[0] == 7


def test_pcr7_counts_only_where_secure_boot_is_on(machine, secret, tmp_path, capsys):
    later = measured(tmp_path / "later.json", b"\x66" * 48, SECURE_BOOT_OFF_PCR7_SHA384)
    _, out, _ = said(capsys, "seal", secret, "--measurements", later, "-o", tmp_path / "sealed", "--json")
    assert list(json.loads(out)["pcrs"]) == ["2", "4", "12", "13"]


def test_a_sealed_file_is_not_replaced_for_it_may_be_the_only_copy(machine, secret, tmp_path, capsys):
    sealed = tmp_path / "sealed"
    assert said(capsys, "seal", secret, "-o", sealed)[0] == 0
    before = sealed.read_bytes()
    code, out, _ = said(capsys, "seal", secret, "-o", sealed, "--json")
    assert (code, json.loads(out)["error"]["code"]) == (2, "tpm.sealed-exists")
    assert sealed.read_bytes() == before
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    assert said(capsys, "seal", secret, "-o", tmp_path / "dangling")[0] == 2


def test_less_than_the_gate_set_has_to_be_asked_for(machine, secret, tmp_path, capsys):
    sealing = ("seal", secret, "--pcrs", "4,7,4", "-o", tmp_path / "sealed")
    code, _, err = said(capsys, *sealing)
    assert (code, "policy.partial" in err) == (2, True)
    assert not (tmp_path / "sealed").exists()
    code, out, err = said(capsys, *sealing, "--allow-partial")
    assert (code, "WARNING policy.partial" in err) == (0, True)
    assert "PCR 4, 7 of" in out


@pytest.mark.attack("A12")
def test_a_machine_that_measured_nothing_seals_nothing(tpm, on_device, secret, tmp_path, capsys):
    on_device(tpm.execute)
    for options in ((), ("--allow-partial",)):
        code, _, err = said(capsys, "seal", secret, "-o", tmp_path / "sealed", *options)
        assert (code, "policy." in err) == (2, True)
    assert not (tmp_path / "sealed").exists()


@pytest.mark.parametrize("listed", ["", "4,", "PCR4", "24", "-1", "4;7", "٤"])
def test_a_list_of_pcrs_is_numbers_and_commas(secret, tmp_path, capsys, listed):
    code, _, err = said(capsys, "seal", secret, "--pcrs", listed, "-o", tmp_path / "sealed")
    assert (code, "tpm.pcr-list" in err) == (2, True)


def test_pcrs_that_were_not_measured_are_not_sealed_for(secret, tmp_path, capsys):
    later = measured(tmp_path / "later.json", b"\x66" * 48)
    code, _, err = said(capsys, "seal", secret, "--measurements", later, "--pcrs", "4,14", "-o", tmp_path / "sealed")
    assert (code, "tpm.pcr-not-measured" in err) == (2, True)


def test_a_secret_that_is_too_large_is_refused(tmp_path, capsys):
    (tmp_path / "large").write_bytes(bytes(129))
    code, _, err = said(capsys, "seal", tmp_path / "large", "-o", tmp_path / "sealed")
    assert (code, "file.too-large" in err) == (3, True)


def test_what_is_no_sealed_secret_is_named(tmp_path, capsys):
    (tmp_path / "other").write_bytes(b"{}")
    code, _, err = said(capsys, "unseal", tmp_path / "other", "-o", tmp_path / "out")
    assert (code, str(tmp_path / "other") in err) == (3, True)
    code, _, err = said(capsys, "unseal", tmp_path / "none", "-o", tmp_path / "out")
    assert (code, "strongroom tpm seal" in err) == (9, True)


@pytest.mark.attack("A16")
def test_the_name_of_a_file_says_nothing_to_the_terminal(machine, secret, tmp_path, capsys):
    name = tmp_path / "\x1b[2J\rSealed for PCR 2, 4"
    for given in (
        ("seal", secret, "-o", name),
        ("unseal", name, "-o", name),
        ("pcrs", "--measurements", tmp_path / "\x1b[1m"),
    ):
        code, out, err = said(capsys, *given)
        assert code == 0
        assert not {"\x1b", "\r"} & set(out + err)


@pytest.mark.attack("K17")
@pytest.mark.parametrize("option", ["seal", "unseal"])
def test_where_core_dumps_cannot_be_forbidden_no_secret_is_looked_at(
    machine, secret, tmp_path, capsys, monkeypatch, option
):
    assert said(capsys, "seal", secret, "-o", tmp_path / "sealed")[0] == 0
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Mock(prctl=lambda *_: -1))
    given = tmp_path / "sealed" if option == "unseal" else secret
    code, _, err = said(capsys, option, given, "-o", tmp_path / "out")
    assert (code, "process.dumpable" in err) == (9, True)
    assert not (tmp_path / "out").exists()
